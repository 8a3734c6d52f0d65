"""Odd answers, media that dies, and a person who changes their mind."""

import hashlib
import json
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from lamina_integration.sandbox.knobs import Dice
from lamina_integration.sandbox.oddities import oddly
from tests.storm.lamina import signed
from tests.storm.ledger import FINAL, Allowed
from tests.storm.overheard import Overheard
from tests.storm.post import Letter, post_all
from tests.storm.processes import memory_of, wait_until
from tests.storm.promises.deliveries import letters_for
from tests.storm.stage import LONE, NOTE, PICTURE
from tests.storm.trial import Trial

LARGEST_BODY = 256 * 1024
FLAT_BYTES = 200 * 1024**2
PRESS_ARRIVES_SECONDS = 3.0


def mutate(trial: Trial) -> None:
    """Put something odd into half of Lamina's answers about runs, and into deliveries that are signed all the same."""
    stage = trial.stage
    briefs = trial.briefs(trial.count(200, least=16))
    watching = Watching(trial)
    stage.lamina.turn(odd_answers=0.5)
    with watching:
        trial.submit(briefs)
        time.sleep(trial.count(60, least=5))
    stage.lamina.turn(odd_answers=0.0)
    seconds = trial.settle(within=180)
    # A word nobody knows is put on record for staff.
    trial.compare(briefs, Allowed(outputs_differ=True, on_record=True))

    # Runs that go on for ever, told of in every odd way: nothing that is compared is lied about.
    stage.lamina.turn(manual=True)
    letters = oddities(trial, count=trial.count(2000, least=150))
    sent = post_all(stage.web_url, letters, threads=4)
    answers = Counter(each.status for each in sent)
    too_large = [each.status for each in sent if len(each.letter[2]) > LARGEST_BODY]
    genuine, *_, large = sorted((each.letter for each in sent if each.status in {200, 202, 413}), key=size_of)
    in_chunks = [post_in_chunks(stage.web_url, letter) for letter in (genuine, large)]
    time.sleep(3)
    with watching:
        time.sleep(2)
    trial.tried = f"{len(briefs)} runs with every second answer odd, {len(sent)} odd deliveries"
    trial.note(f"deliveries were answered {dict(answers)}; settled {seconds:.0f} s after the answers were sane again")
    trial.note(f"{watching.looks} pages looked at meanwhile")
    trial.demand(not [status for status in answers if status >= 500 or not status], f"answers were {dict(answers)}")
    trial.demand(too_large and set(too_large) == {413}, f"bodies over 256 KB were answered {set(too_large)}")
    trial.demand(in_chunks == [202, 413], f"one known and one too large, sent in chunks, were answered {in_chunks}")
    trial.demand(not watching.broken, f"pages were broken: {watching.broken[:3]}")


def size_of(letter: Letter) -> int:
    """Return how long a delivery's body is."""
    return len(letter[2])


def post_in_chunks(url: str, letter: Letter) -> int:
    """Send a delivery without saying how long it is, as a proxy may, and return the answer's status."""
    path, headers, body = letter
    pieces = (body[at : at + 16_384] for at in range(0, len(body), 16_384))
    return httpx.post(url + path, content=pieces, headers=headers, trust_env=False).status_code


class Watching:
    """Somebody who looks at the list of runs and at each run's page, and notes what is broken."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.looks = 0
        self.broken: list[str] = []

    def __enter__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watching")
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        visitor, rows = self._trial.stage.visitor, self._trial.stage.rows
        while not self._over.is_set():
            ids = [row["id"] for row in rows.ask("select id from runs_run order by random() limit 5")]
            for path in ["/w/demo/runs/", "/w/demo/gallery/", *(f"/w/demo/runs/{run_id}/" for run_id in ids)]:
                page = visitor.get(path)
                self.looks += 1
                if page.status_code != 200:
                    self.broken.append(f"{path} answered {page.status_code}")


def oddities(trial: Trial, *, count: int) -> list[Letter]:
    """Return deliveries with something odd in them, each signed as it is."""
    stage = trial.stage
    dice, key = Dice(seed=trial.seed), stage.lamina.key()
    letters: list[Letter] = []
    for path, _headers, body in letters_for(trial, runs=5, count=count):
        run = json.loads(body)["data"]
        odd = oddly({"data": run}, dice)
        letters.append((path, *signed(json.dumps(odd).encode(), key=key, run_id=run["runId"])))
    path, run_id = letters[0][0], run["runId"]
    junk = [
        b"", b"null", b"[]", b"{}", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"data":' * 5_000,
        b'{"data":{"runId":1}}',
        json.dumps({"data": {**run, "outputs": [{}] * 20_000}}).encode(),
        json.dumps({"data": {**run, "more": "x" * LARGEST_BODY}}).encode(),
        json.dumps({"data": {**run, "status": "\u202equeued\x00"}}).encode(),
    ]  # fmt: skip
    return [*letters, *((path, *signed(each, key=key, run_id=run_id)) for each in junk)]


def spoil_media(trial: Trial) -> None:
    """Let results die, be cut short, be the wrong thing, and be two gigabytes; then let all but the last recover."""
    stage, rows = trial.stage, trial.stage.rows
    faults = ["gone", "cut", "wrong"]
    huge = ["huge"] if trial.scale < 1 else ["huge", "endless"]
    recovering: list[str] = []
    seen = "select count(*) from runs_output o join runs_run r on r.id = o.run_id where r.inputs->>'brief_text' like "
    for fault in faults:
        stage.lamina.turn(media_fault=fault)
        part = trial.briefs(trial.count(20, least=2), kind=f"{fault} ")
        trial.submit(part, app=PICTURE)
        recovering += part
        tried = f"{seen} '{trial.name} {fault} %' and o.copy_error <> ''"
        said = wait_until(lambda tried=tried, part=part: rows.one(tried) >= 2 * len(part), seconds=60)
        trial.demand(said, f"{fault}: {rows.one(tried)} of {2 * len(part)} outputs say what went wrong")
    # Before the last fault, which the tries of these would meet as well.
    stage.lamina.turn(media_fault="")
    seconds = trial.settle(within=180)
    before = memory(trial)
    lasting: list[str] = []
    peak = before
    for fault in huge:
        stage.lamina.turn(media_fault=fault)
        part = trial.briefs(2, kind=f"{fault} ")
        trial.submit(part, app=PICTURE)
        lasting += part
        given_up = f"{seen} '{trial.name} {fault} %' and o.copy_error <> '' and o.copy_next_at is null"
        deadline = time.monotonic() + 240
        while rows.one(given_up) < 2 * len(part) and time.monotonic() < deadline:
            peak = max(peak, memory(trial))
            time.sleep(0.2)
        trial.demand(rows.one(given_up) == 2 * len(part), f"{fault}: not every output was given up with a reason")
    stage.lamina.turn(media_fault="")
    trial.settle(within=30)
    trial.tried = (
        f"{len(recovering)} runs with two pictures each: gone, cut short, a page instead; {len(lasting)} of 2 GB"
    )
    trial.note(f"all that recovered was copied {seconds:.0f} s later")
    trial.note(f"the media workers grew by {(peak - before) / 1024**2:.0f} MB while 2 GB were offered")
    trial.demand(peak - before < FLAT_BYTES, f"the media workers grew by {(peak - before) / 1024**2:.0f} MB")
    check_copies(trial, recovering)
    trial.compare([*recovering, *lasting])
    permitted = {f"({brief})" for brief in lasting}
    stuck = trial.comparison.stuck
    trial.comparison.stuck = [each for each in stuck if not any(name in each for name in permitted)]


def check_copies(trial: Trial, briefs: list[str]) -> None:
    """Demand that each copy has the size and the checksum of what is at Lamina."""
    copies = trial.stage.rows.ask(
        "select o.remote_url, o.copy_tries, m.source_sha256, m.size from runs_output o join media_media m"
        " on m.id = o.media_id join runs_run r on r.id = o.run_id where r.inputs->>'brief_text' = any(%s)",
        briefs,
    )
    originals: dict[str, tuple[str, int]] = {}
    for copy in copies:
        url = copy["remote_url"]
        if url not in originals:
            content = httpx.get(url, trust_env=False).content
            originals[url] = (hashlib.sha256(content).hexdigest(), len(content))
    differ = [copy for copy in copies if (copy["source_sha256"], copy["size"]) != originals[copy["remote_url"]]]
    trial.demand(len(copies) == 2 * len(briefs), f"{len(copies)} copies of {2 * len(briefs)} outputs")
    trial.demand(not differ, f"{len(differ)} copies have another size or checksum than Lamina's files")
    trial.demand(all(copy["copy_tries"] > 1 for copy in copies), "some were copied at once: their fault was never met")


def memory(trial: Trial) -> int:
    """Return the bytes the media workers have in memory."""
    company = trial.stage.company
    process = company.services["worker-media"].process
    pids = [*([process.pid] if process else []), *company.children("worker-media")]
    return sum(memory_of(pid) for pid in pids)


def cancel_at_every_moment(trial: Trial) -> None:
    """Press Cancel from the moment of the click until after the end, a little later for each run.

    And on runs of which nobody knows whether Lamina has them, and on some whose inputs are refused.
    """
    stage = trial.stage
    # A run takes long enough for a press to arrive in its midst, however busy the machine is.
    stage.lamina.turn(slow_starts=0.5, latency=0.1, speed=0.4)
    count = trial.count(240, least=24)
    briefs = trial.briefs(count)
    longest = 8.0
    pin = stage.pins[NOTE]
    pressed: Counter[int] = Counter()

    def live(order: tuple[int, str]) -> None:
        number, brief = order
        answer = trial.stage.visitor.send(pin, brief, token=tokens[number])
        time.sleep(longest * number / count)
        pressed[stage.visitor.press_cancel(answer.run_id, pin)] += 1

    stage.visitor.form(pin, fresh=True)
    tokens = [str(uuid.UUID(int=trial.dice.getrandbits(128), version=4)) for _ in briefs]
    orders = list(enumerate(briefs))
    trial.dice.shuffle(orders)
    with Overheard(stage.lamina) as heard:
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(live, orders))
        seconds = trial.settle(within=90)
        lost = cancel_unconfirmed(trial)
        refused = cancel_refused(trial)
    runs = stage.rows.runs(trial.name)
    states = Counter(run["status"] for run in runs)
    unsent = sum(run["status"] == "cancelled" and run["lamina_run_id"] is None for run in runs)
    trial.tried = (
        f"{count} runs, Cancel between 0 and {longest:.0f} s after the click; {len(lost)} unconfirmed,"
        f" {len(refused)} whose inputs are refused"
    )
    trial.note(
        f"{unsent} ended before they were sent, {states['cancelled'] - unsent} cancelled at Lamina,"
        f" {states['completed']} had ended; settled {seconds:.0f} s after the last press"
    )
    untold = [run["reference"] for run in runs if was_going(run) and not heard.was_told_to_cancel(run["lamina_run_id"])]
    trial.demand(not untold, f"Lamina was never asked to stop {len(untold)} runs: {untold[:3]}")
    trial.demand(pressed.keys() == {302}, f"Cancel was answered {dict(pressed)}")
    trial.demand(set(states) <= set(FINAL), f"states are {dict(states)}")
    trial.demand(states["cancelled"] > unsent, "no run was cancelled at Lamina: nothing was tried")
    trial.demand(states["completed"], "no run had ended before Cancel: nothing was tried")
    trial.compare([*briefs, *lost, *refused])


def was_going(run: dict[str, Any]) -> bool:
    """Return whether a run went on at Lamina for long enough after the press, or was stopped there."""
    if run["lamina_run_id"] is None or run["cancel_asked_at"] is None:
        return False
    asked_at = max(run["cancel_asked_at"], run["accepted_at"])
    return run["status"] == "cancelled" or (run["finished_at"] - asked_at).total_seconds() > PRESS_ARRIVES_SECONDS


def cancel_unconfirmed(trial: Trial) -> list[str]:
    """Press Cancel on runs whose answer was lost, each the only one of its app; each is found and stopped at Lamina."""
    stage, rows = trial.stage, trial.stage.rows
    stage.lamina.turn(slow_starts=0.0, lost_answers=1.0, webhooks=False, manual=True)
    briefs = trial.briefs(len(LONE), kind="lost ")
    # No round may find them before somebody has pressed.
    stage.company.kill("worker-tracking", comes_back=False)
    for brief, app in zip(briefs, LONE, strict=True):
        trial.submit([brief], app=app)
    unconfirmed = "select * from runs_run where status = 'unconfirmed' and inputs->>'brief_text' like %s"
    # A Lamina that answers no start is tried less and less often.
    wait_until(lambda: len(rows.ask(unconfirmed, f"{trial.name} lost %")) == len(briefs), seconds=300 / stage.haste)
    found = rows.ask(unconfirmed, f"{trial.name} lost %")
    answers = {stage.visitor.press_cancel(str(run["id"]), stage.pins[NOTE]) for run in found}
    stage.lamina.turn(lost_answers=0.0)
    stage.company.start("worker-tracking")
    seconds = trial.settle(within=120)
    stage.lamina.turn(webhooks=True, manual=False)
    ended = [run for run in rows.runs(trial.name) if run["brief"] in briefs]
    trial.note(f"{len(found)} unconfirmed runs were stopped at Lamina {seconds:.0f} s after the press")
    trial.demand(len(found) == len(briefs), f"only {len(found)} of {len(briefs)} runs were unconfirmed")
    trial.demand(answers == {302}, f"Cancel of unconfirmed runs was answered {answers}")
    stopped = all(run["status"] == "cancelled" and run["lamina_run_id"] for run in ended)
    trial.demand(stopped, f"unconfirmed runs ended as {Counter(run['status'] for run in ended)}")
    return briefs


def cancel_refused(trial: Trial) -> list[str]:
    """Press Cancel on runs that need attention, because nobody makes any more what was chosen; each ends unsent."""
    stage, rows = trial.stage, trial.stage.rows
    briefs = trial.briefs(4, kind="refused ")
    stage.company.kill("worker-interactive", comes_back=False)
    trial.submit(briefs)
    ours = f"{trial.name} refused %"
    rows.do("update runs_run set outputs_wanted = '[\"nothing\"]' where inputs->>'brief_text' like %s", ours)
    stage.company.start("worker-interactive")
    held = "select id from runs_run where status = 'needs_attention' and inputs->>'brief_text' like %s"
    wait_until(lambda: len(rows.ask(held, ours)) == len(briefs), seconds=60)
    found = rows.ask(held, ours)
    answers = {stage.visitor.press_cancel(str(run["id"]), stage.pins[NOTE]) for run in found}
    trial.settle(within=30)
    trial.demand(len(found) == len(briefs), f"only {len(found)} of {len(briefs)} runs needed attention")
    trial.demand(answers == {302}, f"Cancel of runs that need attention was answered {answers}")
    started = {start["inputs"].get("brief_text") for start in stage.lamina.ledger()["starts"]}
    trial.demand(not started & set(briefs), "a run whose inputs are refused was started")
    return briefs
