"""A broker that goes away, and one that hangs."""

import threading
import time

from tests.storm.elsewhere import Elsewhere
from tests.storm.post import percentile, post_all
from tests.storm.processes import wait_until
from tests.storm.promises.deliveries import letters_for
from tests.storm.promises.limits import Reader
from tests.storm.trial import Trial

RESTARTS = 5
LONGEST_ANSWER_SECONDS = 3.0


def restart_under_load(trial: Trial) -> None:
    """Kill Redis five times while people submit, keep it away, kill it under starts, and empty it.

    What waits must move soon after it is back.
    """
    stage, rows = trial.stage, trial.stage.rows
    briefs = trial.briefs(trial.count(300, least=20))
    half = len(briefs) // 2
    sender = threading.Thread(
        target=trial.submit, args=(briefs[:half],), kwargs={"threads": 3, "pause": 0.5, "tries": 5}
    )
    sender.start()
    pause = 2.0 if trial.scale >= 1 else 0.5
    for _ in range(RESTARTS):
        time.sleep(pause)
        stage.company.kill("redis")
        stage.company.wait_up("redis")
    sender.join()

    away = 60 if trial.scale >= 1 else 6
    stage.company.kill("redis", comes_back=False)
    gone_at = time.monotonic()
    answers = trial.submit(briefs[half:], threads=3, tries=5)
    refused = sum(answer.status != 302 for answer in answers.values())
    time.sleep(max(0.0, away - (time.monotonic() - gone_at)))
    waiting = "select count(*) from runs_run where status = 'waiting'"
    backlog = rows.one(waiting)
    stage.company.start("redis")
    stage.company.wait_up("redis")
    back_at = time.monotonic()
    fell = wait_until(lambda: rows.one(waiting) < backlog, seconds=90)
    falls_after = time.monotonic() - back_at
    seconds = trial.settle(within=180)
    trial.tried = f"{len(briefs)} runs, Redis killed {RESTARTS} times, then away {away} s with {backlog} runs waiting"
    trial.note(
        f"the backlog fell {falls_after:.1f} s after Redis was back (allowed: 15), all settled {seconds:.0f} s later"
    )
    trial.demand(backlog, "nothing was waiting when Redis came back: nothing was tried")
    trial.demand(fell and falls_after <= 15, f"the backlog fell only after {falls_after:.0f} s")
    trial.demand(not refused, f"{refused} forms were not taken while Redis was away")
    trial.compare([*briefs, *cut_off_starts(trial), *empty_again_and_again(trial)])


def cut_off_starts(trial: Trial) -> list[str]:
    """Kill Redis while starts are with Lamina and nobody delivers: each must hear its answer all the same.

    They are of one app and of one moment, so that a start that is given up could not be told from the others.
    """
    stage, rows = trial.stage, trial.stage.rows
    slow = 8.0 if trial.scale >= 1 else 3.0
    rounds = trial.count(5, least=2)
    stage.lamina.turn(slow_starts=slow, webhooks=False)
    out = "select count(*) from runs_attempt where sent_at is not null and closed_at is null"
    briefs: list[str] = []
    caught = 0
    for number in range(rounds):
        part = trial.briefs(4, kind=f"cut off {number} ")
        briefs += part
        trial.submit(part, threads=4)
        wait_until(lambda: rows.one(out) >= 3, seconds=slow * 4)
        caught += rows.one(out)
        stage.company.kill("redis")
        stage.company.wait_up("redis")
    seconds = trial.settle(within=60 + 4 * slow)
    stage.lamina.turn(slow_starts=0.0, webhooks=True)
    unconfirmed = rows.one(
        "select count(distinct m.run_id) from runs_move m join runs_run r on r.id = m.run_id"
        " where m.to = 'unconfirmed' and r.inputs->>'brief_text' like %s",
        f"{trial.name} cut off %",
    )
    trial.note(f"{caught} starts were with Lamina when Redis was killed under them, settled {seconds:.0f} s later")
    trial.demand(caught >= 2 * rounds, f"only {caught} starts were in flight when Redis was killed: little was tried")
    trial.demand(not unconfirmed, f"{unconfirmed} starts in flight went unconfirmed when Redis was killed")
    return briefs


def empty_again_and_again(trial: Trial) -> list[str]:
    """Empty Redis under load: every message, lock, session in the cache and count of requests is gone at once."""
    stage = trial.stage
    times = trial.count(20, least=5)
    briefs = trial.briefs(trial.count(200, least=12), kind="emptied ")
    over = threading.Event()
    emptied = 0

    def empty() -> None:
        nonlocal emptied
        while not over.wait(0.5) and emptied < times:
            stage.redis.flushall()
            emptied += 1

    emptier = threading.Thread(target=empty, name="emptier")
    emptier.start()
    trial.submit(briefs, threads=3, pause=0.5, tries=5)
    emptier.join()
    over.set()
    seconds = trial.settle(within=120)
    trial.tried += f"; emptied {emptied} times under {len(briefs)} runs"
    trial.note(f"all that was sent while Redis was emptied had settled {seconds:.0f} s after the last form")
    trial.demand(emptied == times, f"Redis was emptied {emptied} times, not {times}")
    return briefs


def hang(trial: Trial) -> None:
    """Have Redis stand still while people look at pages and send forms and Lamina delivers; nobody may wait for it."""
    stage = trial.stage
    lasts = trial.count(60, least=10)
    before = trial.briefs(2, kind="told of ")
    letters = letters_for(trial, runs=len(before), count=8)
    briefs = trial.briefs(6, kind="hangs ")
    elsewhere = Elsewhere(stage.company)
    answers, forms = {}, []
    with stage.company.hanging("redis"):
        # Whoever comes first to a process of the server finds out.
        first = post_all(stage.web_url, letters[:4], threads=4)
        for _ in range(4):
            stage.visitor.get("/w/demo/runs/")
        reader = Reader(trial, seconds=lasts)
        reader.start()
        for brief in briefs:
            began = time.monotonic()
            answers |= trial.submit([brief])
            forms.append(time.monotonic() - began)
            time.sleep(lasts / (len(briefs) + 1))
        told = [*first, *post_all(stage.web_url, letters[4:], threads=2)]
        reader.join()
    seconds = trial.settle(within=180)
    p95, form = percentile(reader.times, 0.95), max(forms)
    delivery = max(each.seconds for each in told)
    trial.note(
        f"Redis hung for {lasts} s: {len(reader.times)} pages, p95 {p95 * 1000:.0f} ms (allowed: 300), the slowest form"
        f" {form:.1f} s and delivery {delivery:.1f} s (allowed: {LONGEST_ANSWER_SECONDS:g}); all settled"
        f" {seconds:.0f} s after it went on; {elsewhere.words()}"
    )
    if elsewhere.is_quiet:
        trial.demand(p95 <= 0.3, f"pages took {p95 * 1000:.0f} ms (p95) while Redis hung")
        trial.demand(form <= LONGEST_ANSWER_SECONDS, f"a form took {form:.1f} s while Redis hung")
        trial.demand(delivery <= LONGEST_ANSWER_SECONDS, f"a delivery took {delivery:.1f} s while Redis hung")
    statuses = {each.status for each in [*told, *answers.values()]}
    trial.demand(statuses <= {200, 202, 302}, f"while Redis hung there were answers {sorted(statuses)}")
    trial.demand(not reader.broken, f"pages were broken while Redis hung: {reader.broken[:3]}")
    trial.tried = f"{len(briefs)} runs and {len(told)} deliveries while Redis stood still for {lasts} s"
    trial.compare([*before, *briefs])
