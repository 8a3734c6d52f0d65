"""Budget: how much of Lamina's limit eight processes in four lanes use up together.

A stand-in that enforces its limit runs in one process, and eight more share one request budget: two
for each lane, each making its calls one after the other as fast as it may. A caller whose lane does
not sleep comes back when it was told to. The window is Lamina's own minute.

How many calls came in a second is counted at Lamina's door, by the stand-in's ledger, and held to
Lamina's limit alone: what our own limiter means to let through is no measure of itself.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.synchronize import Barrier

import redis
from django.conf import settings

from lamina_integration import LaminaBudgetSpent, LaminaClient, LaminaRateLimited, Lane, RequestBudget
from lamina_integration.sandbox import Sandbox
from tests.bench.control import Hello
from tests.bench.report import Figure, Measured
from tests.bench.sizes import Sizes
from tests.bench.stage import Stage

LIMIT = 100
WORTH_HAVING = 0.95
PROCESSES = 8
# From a process that has no threads and has imported all of this once, instead of each for itself.
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload([__name__])


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one process does."""

    lane: Lane
    calls: int
    store: str
    key: str
    url: str
    api_key: str
    window: float


@dataclass(frozen=True, kw_only=True)
class Done:
    """What one process has seen: when each answer came, how long each call waited, how often it was refused."""

    lane: Lane
    answered: list[float]
    waits: list[float]
    refused: int


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of one round: the share of the allowed rate, refusals, when Lamina was asked, waits by lane."""

    share: float
    refused: int
    asked: list[float]
    waits: dict[Lane, list[float]]


def measure(stage: Stage, sizes: Sizes) -> Measured:
    """Return how much of the allowed rate is used, how often Lamina refused, and how many came in a second."""
    stage.start_web()
    hello = Hello(stage=stage, requests=sizes.hellos)
    hello.measure()
    hello.samples.clear()
    hello.measure()
    rounds, window = [], sizes.budget_window
    for number in range(sizes.rounds):
        rounds.append(play(calls=sizes.budget_calls, window=window, key=f"bench:{number}"))
        hello.measure()
    stage.stop("web")
    return Measured(
        name="budget",
        what=f"{sizes.budget_calls} calls by {PROCESSES} processes in {len(Lane)} lanes under one limit",
        control_name="hello",
        control=hello.rates,
        figures=[
            Figure(
                name="share of the allowed rate that is used",
                values=[each.share for each in rounds],
                goal=(">=", WORTH_HAVING),
            ),
            Figure(name="refused by Lamina (429), all rounds", values=[sum(r.refused for r in rounds)], goal=("=", 0)),
            Figure(
                name="calls in the fullest second, to what one second allows",
                # The fullest of all rounds: it is never to be above, and a median would forgive.
                values=[max(fullest_seconds(rounds)) / allowed_in(1, window=window)],
                goal=("<=", 1),
            ),
        ],
        notes=notes(rounds, window=window),
    )


def notes(rounds: Sequence[Round], *, window: float) -> list[str]:
    """Say what is allowed, what one second of that is, and how long calls waited."""
    slowest = {lane: max(p95(each.waits[lane]) for each in rounds) for lane in Lane}
    return [
        f"Allowed are {LIMIT} calls in {window:g} s. What one second allows is its part of that, {LIMIT} / {window:g}, "
        f"the last call whole: {allowed_in(1, window=window)}. Counted is what reached the stand-in within any "
        f"second; the most of each round: {', '.join(map(str, fullest_seconds(rounds)))}.",
        "p95 of a call's wait, the slowest round: "
        f"{', '.join(f'{lane} {wait:.2f} s' for lane, wait in slowest.items())}.",
    ]


def play(*, calls: int, window: float, key: str) -> Round:
    """Return what came of so many calls, made by all processes at once."""
    lanes = list(Lane)
    with stand_in(window=window) as (url, api_key, when_asked):
        tasks = [
            Task(
                lane=lanes[number % len(lanes)],
                calls=calls // PROCESSES,
                store=settings.REDIS_URL,
                key=key,
                url=url,
                api_key=api_key,
                window=window,
            )
            for number in range(PROCESSES)
        ]
        ready = FORKING.Barrier(PROCESSES)
        with FORKING.Pool(PROCESSES, initializer=remember, initargs=(ready,)) as pool:
            done = pool.map(work, tasks, chunksize=1)
        asked = when_asked()
    answered = sorted(moment for each in done for moment in each.answered)
    waits: dict[Lane, list[float]] = {lane: [] for lane in lanes}
    for each in done:
        waits[each.lane] += each.waits
    # Between the first and the last answer one call less was made than there are answers.
    share = (len(answered) - 1) / (answered[-1] - answered[0]) / (LIMIT / window)
    if len(asked) < len(answered):
        raise AssertionError(f"{len(answered)} were answered, but the stand-in remembers {len(asked)}")
    return Round(share=share, refused=sum(each.refused for each in done), asked=asked, waits=waits)


def allowed_in(seconds: float, *, window: float) -> int:
    """Return how many calls Lamina's limit has for so long: its part of the window, the last call whole."""
    return math.ceil(round(LIMIT * seconds / window, 6))


def fullest_seconds(rounds: Sequence[Round]) -> list[int]:
    """Return how many calls came within a second of each other, at most, in each round."""
    return [fullest(each.asked, seconds=1) for each in rounds]


def fullest(moments: Sequence[float], *, seconds: float) -> int:
    """Return the most of these that lie within so long of each other."""
    found, first = 0, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        found = max(found, last - first + 1)
    return found


def p95(times: Sequence[float]) -> float:
    """Return the time nineteen of twenty were below."""
    return sorted(times)[int(len(times) * 0.95)] if times else 0.0


def remember(ready: Barrier) -> None:
    """Keep what a process cannot be handed with its task."""
    globals()["_ready"] = ready


def work(task: Task) -> Done:
    """Make one process's calls, one after the other."""
    answered, waits, refused = [], [], 0
    budget = RequestBudget(redis.Redis.from_url(task.store), limit=LIMIT, window_seconds=task.window, key=task.key)
    with LaminaClient(base_url=task.url, api_key=task.api_key, budget=budget, lane=task.lane) as lamina:
        globals()["_ready"].wait(60)
        for _ in range(task.calls):
            began = time.monotonic()
            while True:
                try:
                    lamina.account.usage()
                except LaminaBudgetSpent as spent:
                    time.sleep(spent.retry_after)
                except LaminaRateLimited:
                    refused += 1
                else:
                    break
            answered.append(time.monotonic())
            waits.append(answered[-1] - began)
    return Done(lane=task.lane, answered=answered, waits=waits, refused=refused)


@contextmanager
def stand_in(*, window: float) -> Iterator[tuple[str, str, Callable[[], list[float]]]]:
    """Give a stand-in that enforces its limit, in a process of its own: its address, its key, when it was asked."""
    here, there = FORKING.Pipe()
    process = FORKING.Process(target=serve, args=(there, window))
    process.start()

    def when_asked() -> list[float]:
        here.send("when asked")
        times: list[float] = here.recv()
        return times

    try:
        url, api_key = here.recv()
        yield url, api_key, when_asked
    finally:
        here.send("stop")
        process.join(20)


def serve(told: multiprocessing.connection.Connection, window: float) -> None:
    """Run a stand-in until told to stop; tell when it was asked."""
    with Sandbox(limit=LIMIT, window=window) as running:
        told.send((running.url, running.api_key))
        while told.recv() != "stop":
            recent = running.ledger()["requests"]["recent"]
            told.send(sorted(datetime.fromisoformat(each["time"]).timestamp() for each in recent))
