"""A hundred requests a minute, no deliveries, and a Lamina that is down or hangs."""

import threading
import time
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from tests.storm.elsewhere import Elsewhere
from tests.storm.post import percentile
from tests.storm.processes import wait_until
from tests.storm.stage import SHOT
from tests.storm.trial import Trial

LIMIT = 100
MOST_CALLS_A_MINUTE = 40
PAGES = ("/w/demo/create/", "/w/demo/runs/", "/w/demo/gallery/", "run", "progress", "form")


def drop_every_delivery(trial: Trial) -> None:
    """Let three hundred runs end at once with nobody telling; the sweep alone has to find out, and for little."""
    stage, rows = trial.stage, trial.stage.rows
    briefs = trial.briefs(trial.count(300, least=24))
    trial.submit(briefs, app=SHOT)
    wait_until(lambda: not rows.one("select count(*) from runs_run where lamina_run_id is null"), seconds=120)
    stage.keep_the_limit()
    watched_for = trial.count(90, least=10)
    began = time.time()
    time.sleep(watched_for)
    rounds = moments_of_rounds(stage.lamina.ledger(), since=began)
    period = max(median(later - earlier for earlier, later in pairwise(rounds)) if len(rounds) > 1 else 0.0, 4.0)
    ended = time.monotonic()
    stage.lamina.advance(30)
    wait_until(lambda: not rows.unsettled(trial.name), seconds=300)
    seconds = time.monotonic() - ended
    calls = busiest_minute(stage.lamina.ledger(), since=began)
    # The copies are another promise's; on a slow machine they take their time.
    trial.settle(within=120 + 3 * len(briefs))
    trial.tried = f"{len(briefs)} runs that ended at once, no delivery, the real limit of {LIMIT} a minute"
    trial.note(f"all were known to have ended {seconds:.0f} s after they had; a sweep's period was {period:.0f} s")
    trial.note(f"the busiest minute had {calls} calls (allowed: {MOST_CALLS_A_MINUTE})")
    trial.demand(seconds <= 2 * period, f"settled after {seconds:.0f} s, two sweep periods are {2 * period:.0f} s")
    trial.demand(calls <= MOST_CALLS_A_MINUTE, f"{calls} calls in a minute")
    trial.compare(briefs)


def moments_of_rounds(ledger: dict[str, Any], *, since: float) -> list[float]:
    """Return when each round of the sweep began: the first of the list's pages that are asked for together."""
    asked = [at for path, at in calls_of(ledger) if path == "/v1/runs" and at >= since]
    return [at for before, at in pairwise([0.0, *asked]) if at - before > 2]


def busiest_minute(ledger: dict[str, Any], *, since: float) -> int:
    """Return the most calls that fell into any sixty seconds."""
    moments = [at for _path, at in calls_of(ledger) if at >= since]
    return max((sum(at <= other < at + 60 for other in moments) for at in moments), default=0)


def calls_of(ledger: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the latest calls of the API, each with its moment."""
    recent = [call for call in ledger["requests"]["recent"] if call["path"].startswith("/v1/")]
    return [(call["path"], datetime.fromisoformat(call["time"]).timestamp()) for call in recent]


def share_the_limit(trial: Trial) -> None:
    """Under the real limit: a long batch, people who click now and then, and hundreds of runs that end untold."""
    stage, rows = trial.stage, trial.stage.rows
    row_count, people = trial.count(500, least=30), trial.count(20, least=4)
    settles = trial.briefs(trial.count(300, least=12), kind="settle ")
    trial.submit(settles, app=SHOT)
    wait_until(lambda: not rows.one("select count(*) from runs_run where lamina_run_id is null"), seconds=120)
    stage.keep_the_limit()
    window = 60 / stage.haste
    asked, refused = stage.lamina.requests(), stage.lamina.requests(status=429)

    batch = [f"{trial.name} row {number:05d}" for number in range(row_count)]
    stage.run("tests.storm.batch", str(stage.pins[SHOT]), str(row_count), f"{trial.name} row ")
    began = time.monotonic()
    stage.lamina.turn(manual=False)
    lasts = row_count / LIMIT * window
    # Three clicks each, as people click: at moments of their own.
    clicks = trial.briefs(people * 3, kind="click ")
    moments = sorted(trial.dice.uniform(0, lasts * 0.8) for _ in clicks)
    for brief, moment in zip(clicks, moments, strict=True):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        trial.submit([brief], app=SHOT)
    wait_until(lambda: not rows.unsettled(trial.name), seconds=lasts * 3 + 120, pause=1)
    seconds = time.monotonic() - began
    calls, refusals = stage.lamina.requests() - asked, stage.lamina.requests(status=429) - refused
    waits = [
        float(row["waited"])
        for row in rows.ask(
            "select extract(epoch from accepted_at - created_at) as waited from runs_run"
            " where inputs->>'brief_text' like %s and accepted_at is not null",
            f"{trial.name} click %",
        )
    ]
    p95 = percentile(waits, 0.95)
    trial.settle(within=120 + 3 * row_count)
    trial.tried = (
        f"{row_count} rows, {people} people with 3 clicks each, {len(settles)} runs that ended untold;"
        f" {calls} calls in {seconds:.0f} s"
    )
    trial.note(f"the limit was {LIMIT} calls in {window:g} s; {refusals} were refused with 429 (allowed: 1 %)")
    trial.note(
        f"a person's run was accepted after {median(waits or [0]):.1f} s (median), {p95:.1f} s (p95; allowed: 10)"
    )
    trial.demand(refusals <= calls * 0.01, f"{refusals} of {calls} calls were refused with 429")
    trial.demand(len(waits) == len(clicks), f"{len(clicks) - len(waits)} clicks were never accepted")
    trial.demand(p95 <= 10, f"people waited {p95:.1f} s (p95)")
    trial.compare([*settles, *batch, *clicks])


def take_lamina_away(trial: Trial) -> None:
    """Have Lamina answer with errors only, then hang; people look at pages and start runs all the while."""
    stage = trial.stage
    lasts = trial.count(600, least=6)
    # What hangs goes on hanging when the others do not any more: in a short storm not for half a minute.
    hang = 30.0 if trial.scale >= 0.1 else 8.0
    told = {"500s": {"server_errors": 1.0}, "hangs": {"latency": hang}}
    briefs: list[str] = []
    for kind, knobs in told.items():
        before = trial.briefs(4, kind=f"before {kind} ")
        trial.submit(before)
        stage.lamina.turn(**knobs)
        part = trial.briefs(trial.count(30, least=5), kind=f"{kind} ")
        reader = Reader(trial, seconds=lasts)
        elsewhere = Elsewhere(stage.company)
        reader.start()
        trial.submit(part, threads=1, pause=lasts / (len(part) + 1))
        reader.join()
        is_quiet, words = elsewhere.is_quiet, elsewhere.words()
        failed = stage.rows.one("select count(*) from runs_run where status = 'failed'")
        waiting = stage.rows.unsettled(trial.name)
        stage.lamina.turn(**dict.fromkeys(knobs, 0.0))
        seconds = trial.settle(within=240)
        p95 = percentile(reader.times, 0.95)
        trial.note(
            f"{lasts} s of {kind}: {len(reader.times)} pages, p95 {p95 * 1000:.0f} ms (allowed: 300);"
            f" {waiting} runs waited, settled {seconds:.0f} s after Lamina was back;"
            f" {words}"
        )
        trial.demand(not failed, f"{failed} runs were called failed during {kind}")
        trial.demand(p95 <= 0.3 or not is_quiet, f"pages took {p95 * 1000:.0f} ms (p95) during {kind}")
        trial.demand(not reader.broken, f"pages were broken during {kind}: {reader.broken[:3]}")
        briefs += [*before, *part]
    # What still hangs is answered by then, and counted: it is no call of what is played next.
    time.sleep(max(0.0, hang - seconds))
    trial.tried = f"{lasts} s of 500s and {lasts} s of answers after {hang:.0f} s, {len(briefs)} runs"
    if lasts < 600:
        trial.note(f"the promise says ten minutes of each; this was {lasts} s")
    trial.compare(briefs)


class Reader(threading.Thread):
    """Somebody who looks at one page after the other, and how long each took."""

    def __init__(self, trial: Trial, *, seconds: float) -> None:
        super().__init__(name="reader")
        self._trial, self._seconds = trial, seconds
        self.times: list[float] = []
        self.broken: list[str] = []

    def run(self) -> None:
        """Look until the time is up, five pages a second."""
        stage, over = self._trial.stage, time.monotonic() + self._seconds
        while time.monotonic() < over:
            kind = self._trial.dice.choice(PAGES)
            path = kind
            if kind in ("run", "progress"):
                run_id = stage.rows.one("select id from runs_run order by random() limit 1")
                path = f"/w/demo/runs/{run_id}/" + ("progress/" if kind == "progress" else "")
            elif kind == "form":
                path = f"/w/demo/create/{stage.pins[SHOT]}/"
            began = time.monotonic()
            page = stage.visitor.get(path)
            self.times.append(time.monotonic() - began)
            if page.status_code != 200:
                self.broken.append(f"{path} answered {page.status_code}")
            time.sleep(0.15)
