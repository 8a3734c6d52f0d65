"""Polls: what a page costs that has nothing new, beside the same part drawn in full."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connection

from portal.runs.models import Run
from tests.bench import load, scene
from tests.bench.control import Hello
from tests.bench.report import Figure, Measured
from tests.bench.sizes import Sizes
from tests.bench.stage import Stage

# What a run's page asks for while the run is young.
POLL_SECONDS = 2.0
SHARE_THAT_CHANGES = 0.1
OLDEST_SECONDS = 3.0


def measure(stage: Stage, sizes: Sizes) -> Measured:
    """Return what an unchanged poll costs beside a full one, and how old open pages get."""
    member = scene.a_member()
    runs = scene.running_runs(member, scene.an_app(member, outputs=4), sizes.pages)
    cookie = scene.cookie_of(member)
    stage.start_web()
    hello = Hello(stage=stage, requests=sizes.hellos)
    pages = [Page(run, stage.ports.web, cookie) for run in runs]
    load.flood(stage.ports.web, [page.anew for page in pages])
    hello.measure()
    hello.samples.clear()
    hello.measure()
    cpu: list[float] = []
    size: list[float] = []
    full_ms: list[float] = []
    for _ in range(sizes.rounds):
        answers = asyncio.run(ask_each(stage.ports.web, pages))
        for page, answer in zip(pages, answers, strict=True):
            page.take(answer)
        before = cpu_of(stage, [page.anew for page in pages], sizes.polls, expected=200)
        unchanged = cpu_of(stage, [page.again for page in pages], sizes.polls, expected=304)
        after = cpu_of(stage, [page.anew for page in pages], sizes.polls, expected=200)
        full = (before[0] + after[0]) / 2
        cpu.append(unchanged[0] / full)
        size.append(unchanged[1] / before[1])
        full_ms.append(full * 1000)
        hello.measure()
    still = asyncio.run(watch(stage, pages, seconds=sizes.watch_seconds, changes=False))
    lively = asyncio.run(watch(stage, pages, seconds=sizes.watch_seconds, changes=True))
    hello.measure()
    stage.stop("web")
    return Measured(
        name="polls",
        what=f"{sizes.pages} open pages of runs, each asking every {POLL_SECONDS:g} s for the part that changes",
        control_name="hello",
        control=hello.rates,
        figures=[
            Figure(name="the server's CPU time of an unchanged poll, to a full one", values=cpu, goal=("<=", 0.35)),
            Figure(name="bytes of an unchanged poll, to a full one", values=size, goal=("<=", 0.1)),
            Figure(
                name="oldest page while 10 % change a round",
                values=[max(lively.ages)],
                unit=" s",
                goal=("<=", OLDEST_SECONDS),
            ),
            Figure(
                name="CPU of all polls while 10 % change, to all of them in full",
                values=[lively.cpu_seconds / lively.polls / (sum(full_ms) / len(full_ms) / 1000)],
            ),
            Figure(name="the server's CPU time of a full poll", values=full_ms, unit=" ms"),
            Figure(name="hello's", values=[1000 * each.cpu_seconds for each in hello.samples], unit=" ms"),
        ],
        notes=[
            f"Watched for {sizes.watch_seconds:g} s without a change ({still.polls} polls, {still.unchanged} of them "
            f"304) and as long with {SHARE_THAT_CHANGES:.0%} of the runs changed every {POLL_SECONDS:g} s "
            f"({lively.polls} polls, {lively.unchanged} of them 304, {len(lively.ages)} changes seen). The server was "
            f"busy for {lively.cpu_seconds / sizes.watch_seconds:.0%} of a core. A page's age counts from the change's "
            "commit to the last byte of the answer that shows it."
        ],
    )


@dataclass
class Page:
    """An open page of a run: what it has, and what it asks."""

    run: Run
    port: int
    cookie: str
    etag: str = ""
    changed_at: float = 0.0

    @property
    def path(self) -> str:
        """Return the address it polls."""
        return f"/w/{self.run.workspace.slug}/runs/{self.run.pk}/progress/"

    @property
    def anew(self) -> bytes:
        """Return its question as if it had nothing."""
        return load.request("GET", self.path, port=self.port, headers={"Cookie": self.cookie, "HX-Request": "true"})

    @property
    def again(self) -> bytes:
        """Return its question with what it has."""
        headers = {"Cookie": self.cookie, "HX-Request": "true", "If-None-Match": self.etag}
        return load.request("GET", self.path, port=self.port, headers=headers)

    def take(self, answer: load.Answer) -> None:
        """Show what came."""
        if answer.status != 200:
            raise AssertionError(f"a poll answered {answer.status}")
        self.etag = answer.header(b"etag").decode()


@dataclass(kw_only=True)
class Watched:
    """What open pages saw."""

    polls: int = 0
    unchanged: int = 0
    cpu_seconds: float = 0.0
    ages: list[float] = field(default_factory=list)


async def ask_each(port: int, pages: list[Page]) -> list[load.Answer]:
    """Return every page's answer as if it had nothing."""
    asking = await load.connect(port)
    answers = [await asking.ask(page.anew) for page in pages]
    asking.close()
    return answers


def cpu_of(stage: Stage, requests: list[bytes], count: int, *, expected: int) -> tuple[float, float]:
    """Return the server's CPU time and the bytes of each of so many polls."""
    repeated = (requests * (count // len(requests) + 1))[:count]
    before = stage.cpu_seconds("web")
    done = load.flood(stage.ports.web, repeated)
    cpu = stage.cpu_seconds("web") - before
    if done.statuses != {expected: count}:
        raise AssertionError(f"polls answered {done.statuses} instead of {expected}")
    return cpu / count, done.size / count


async def watch(stage: Stage, pages: list[Page], *, seconds: float, changes: bool) -> Watched:
    """Let every page poll at its pace, beginning anywhere in it; with changes, to a tenth of them each round."""
    watched = Watched()
    dice = random.Random(4)
    ends = time.perf_counter() + seconds
    before = stage.cpu_seconds("web")

    async def poll(page: Page, first: float) -> None:
        asking = await load.connect(page.port)
        due = time.perf_counter() + first
        while due < ends:
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            answer = await asking.ask(page.again)
            watched.polls += 1
            if answer.status == 304:
                watched.unchanged += 1
            else:
                page.take(answer)
                if page.changed_at:
                    watched.ages.append(time.perf_counter() - page.changed_at)
                    page.changed_at = 0.0
            # As in a browser: the timer does not wait for the answer.
            due += POLL_SECONDS
        asking.close()

    async def change() -> None:
        # The last ones are left time to be seen.
        while time.perf_counter() < ends - 2 * POLL_SECONDS:
            for page in dice.sample([page for page in pages if not page.changed_at], count):
                await asyncio.to_thread(apart(page.run.touch))
                page.changed_at = time.perf_counter()
                await asyncio.sleep(POLL_SECONDS / count)

    count = max(int(len(pages) * SHARE_THAT_CHANGES), 1)
    async with asyncio.TaskGroup() as group:
        for page in pages:
            group.create_task(poll(page, dice.uniform(0, POLL_SECONDS)))
        if changes:
            group.create_task(change())
    watched.cpu_seconds = stage.cpu_seconds("web") - before
    if changes and (unseen := [page for page in pages if page.changed_at]):
        raise AssertionError(f"{len(unseen)} changes were never seen")
    return watched


def apart(work: Callable[[], object]) -> Callable[[], None]:
    """Return the work for a thread of its own, which leaves no connection behind."""

    def done() -> None:
        try:
            work()
        finally:
            connection.close()

    return done
