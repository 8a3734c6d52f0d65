"""Polls: what a page costs that has nothing new, beside the same part drawn in full.

Two kinds of page poll: a run's, and the list of runs. How often is not ours to say: each page carries its
pace, which slows with its run's age, and is read from what the server drew, as a browser does.
"""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from portal.runs.models import Run
from portal.runs.views.pages import PER_PAGE
from portal.workspaces.models import Membership
from tests.bench import load, scene
from tests.bench.control import Hello
from tests.bench.report import Figure, Measured
from tests.bench.sizes import Sizes
from tests.bench.stage import Stage

# In the mark-up of the part that is polled; the timer runs as it says until the part is drawn anew.
PACE = re.compile(rb'<section [^>]*id="run-(?:progress|list)"[^>]*hx-trigger="every (\d+)s')
# One open page of so many is a list, each in a workspace of its own: in one they would all change at once.
PAGES_A_LIST = 5
# How long ago the runs of open pages were started, as many of each: what runs take, most of them far less.
AGES = (0, 90, 300, 1200)
SHARE_THAT_CHANGES = 0.1
CHANGES_EVERY_SECONDS = 2.0
OLDEST_SECONDS = 3.0
MOST_CPU = 0.35
MOST_BYTES = 0.1


def measure(stage: Stage, sizes: Sizes) -> Measured:
    """Return what an unchanged poll costs beside a full one, and how old open pages get."""
    lists = [open_list(stage) for _ in range(sizes.pages // PAGES_A_LIST)]
    pages = [*open_runs(stage, sizes.pages - len(lists)), *lists]
    kinds = [
        Kind(name="run's page", pages=pages[: -len(lists)], polls=sizes.polls),
        # Drawing one takes many times as long.
        Kind(name="list of runs", pages=lists, polls=sizes.polls // 4),
    ]
    stage.start_web()
    hello = Hello(stage=stage, requests=sizes.hellos)
    load.flood(stage.ports.web, [page.anew for page in pages])
    hello.measure()
    hello.samples.clear()
    hello.measure()
    for _ in range(sizes.rounds):
        asyncio.run(draw(stage.ports.web, pages))
        for kind in kinds:
            kind.measure(stage)
        hello.measure()
    still = watch_at_their_ages(stage, pages, seconds=sizes.watch_seconds, changes=False)
    lively = watch_at_their_ages(stage, pages, seconds=sizes.watch_seconds, changes=True)
    hello.measure()
    stage.stop("web")
    return Measured(
        name="polls",
        what=f"{sizes.pages} open pages, each asking at its own pace for the part that changes",
        control_name="hello",
        control=hello.rates,
        figures=[
            *(figure for kind in kinds for figure in kind.figures),
            *figures_of_ages(lively),
            Figure(name="CPU of all polls while 10 % change, to all of them in full", values=[lively.to_full]),
            Figure(name="hello's", values=[1000 * each.cpu_seconds for each in hello.samples], unit=" ms"),
        ],
        notes=[about_pages(pages, lists), about_watching(still, lively)],
    )


@dataclass
class Page:
    """An open page: the run whose change it shows, what it has, and what it asks how often."""

    run: Run
    path: str
    port: int
    cookie: str
    etag: str = ""
    pace_seconds: float = 0.0
    # What the server works to draw it; known once its kind is measured.
    full_seconds: float = 0.0
    changed_at: float = 0.0

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
        """Show what came, and ask from now on as often as that says."""
        if answer.status != 200:
            raise AssertionError(f"a poll answered {answer.status}")
        self.etag = answer.header(b"etag").decode()
        self.pace_seconds = pace_of(answer.body)


def pace_of(part: bytes) -> float:
    """Return after how many seconds the part of a page that was drawn asks again."""
    found = PACE.search(part)
    if found is None:
        raise AssertionError(f"a page without a timer: {part[:400]!r}")
    return float(found[1])


def open_runs(stage: Stage, count: int) -> list[Page]:
    """Return so many open pages of runs, all in one workspace."""
    member = scene.a_member()
    cookie = scene.cookie_of(member)
    runs = scene.running_runs(member, scene.an_app(member, outputs=4), count)
    return [Page(run, f"/w/{slug_of(member)}/runs/{run.pk}/progress/", stage.ports.web, cookie) for run in runs]


def open_list(stage: Stage) -> Page:
    """Return the open list of a workspace whose first page is full of runs."""
    member = scene.a_member()
    runs = scene.running_runs(member, scene.an_app(member, outputs=4), PER_PAGE)
    return Page(runs[0], f"/w/{slug_of(member)}/runs/", stage.ports.web, scene.cookie_of(member))


def slug_of(member: Membership) -> str:
    """Return the member's workspace as an address has it."""
    return str(member.workspace.slug)


@dataclass(kw_only=True)
class Kind:
    """Pages of one kind, and what their polls cost, round by round."""

    name: str
    pages: list[Page]
    polls: int
    cpu: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    full_seconds: list[float] = field(default_factory=list)

    def measure(self, stage: Stage) -> None:
        """Take a round: polls without news between two of polls as if the pages had nothing."""
        before = cpu_of(stage, [page.anew for page in self.pages], self.polls, expected=200)
        unchanged = cpu_of(stage, [page.again for page in self.pages], self.polls, expected=304)
        after = cpu_of(stage, [page.anew for page in self.pages], self.polls, expected=200)
        full = (before[0] + after[0]) / 2
        self.cpu.append(unchanged[0] / full)
        self.size.append(unchanged[1] / before[1])
        self.full_seconds.append(full)
        for page in self.pages:
            page.full_seconds = statistics.mean(self.full_seconds)

    @property
    def figures(self) -> list[Figure]:
        """Return what an unchanged poll costs, to a full one, and what that costs."""
        full = [1000 * seconds for seconds in self.full_seconds]
        return [
            Figure(
                name=f"{self.name}: CPU of an unchanged poll, to a full one", values=self.cpu, goal=("<=", MOST_CPU)
            ),
            Figure(name=f"{self.name}: bytes of it, to a full one", values=self.size, goal=("<=", MOST_BYTES)),
            Figure(name=f"{self.name}: the server's CPU time of a full poll", values=full, unit=" ms"),
        ]


@dataclass(kw_only=True)
class Watched:
    """What open pages saw: their polls by pace, and how old each was when it showed a change."""

    polls: Counter[float] = field(default_factory=Counter)
    unchanged: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    full_seconds: float = 0.0
    seen: list[tuple[float, float]] = field(default_factory=list)

    @property
    def to_full(self) -> float:
        """Return the server's time for all polls, to what it had been had each been answered in full."""
        return self.cpu_seconds / self.full_seconds


def figures_of_ages(watched: Watched) -> list[Figure]:
    """Return how old the oldest page was, of all and by pace, and how much older than its pace explains."""
    ages = [age for _, age in watched.seen]
    late = [age - pace for pace, age in watched.seen]
    return [
        Figure(name="oldest page while 10 % change", values=[max(ages)], unit=" s", goal=("<=", OLDEST_SECONDS)),
        *(
            Figure(
                name=f"oldest of those that ask every {pace:g} s",
                values=[max(age for each, age in watched.seen if each == pace)],
                unit=" s",
            )
            for pace in sorted({pace for pace, _ in watched.seen})
        ),
        Figure(name="the most that one was older than its pace", values=[max(late)], unit=" s"),
    ]


def about_pages(pages: Sequence[Page], lists: Sequence[Page]) -> str:
    """Say what is open, and how often it asks."""
    counted = sorted(Counter(page.pace_seconds for page in pages).items())
    return (
        f"{len(lists)} of the pages are lists of {PER_PAGE} runs, each in a workspace of its own; the others are "
        f"pages of runs that were started {', '.join(map(str, AGES))} s before they are watched, as many of each. How "
        f"often a page asks is read from it: {', '.join(f'{count} every {pace:g} s' for pace, count in counted)}. "
        "The oldest page is to be no older than its goal whatever its pace."
    )


def about_watching(still: Watched, lively: Watched) -> str:
    """Say for how long pages were watched and what came of their polls."""
    return (
        f"Watched for {still.seconds:.0f} s without a change ({still.polls.total()} polls, {still.unchanged} of them "
        f"304) and for {lively.seconds:.0f} s with {SHARE_THAT_CHANGES:.0%} of the pages changed every "
        f"{CHANGES_EVERY_SECONDS:g} s ({lively.polls.total()} polls, {lively.unchanged} of them 304, "
        f"{len(lively.seen)} changes seen). The server was busy for {lively.cpu_seconds / lively.seconds:.0%} of a "
        "core. A page's age counts from just before the change is written to the last byte of the answer that "
        "shows it."
    )


async def draw(port: int, pages: Sequence[Page]) -> None:
    """Have every page show how things are."""
    asking = await load.connect(port)
    for page in pages:
        page.take(await asking.ask(page.anew))
    asking.close()


def cpu_of(stage: Stage, requests: list[bytes], count: int, *, expected: int) -> tuple[float, float]:
    """Return the server's CPU time and the bytes of each of so many polls."""
    repeated = (requests * (count // len(requests) + 1))[:count]
    before = stage.cpu_seconds("web")
    done = load.flood(stage.ports.web, repeated)
    cpu = stage.cpu_seconds("web") - before
    if done.statuses != {expected: count}:
        raise AssertionError(f"polls answered {done.statuses} instead of {expected}")
    return cpu / count, done.size / count


def watch_at_their_ages(stage: Stage, pages: Sequence[Page], *, seconds: float, changes: bool) -> Watched:
    """Open every page, its run as old as it is to be, and watch."""
    now = timezone.now()
    for number, age in enumerate(AGES):
        ids = [page.run.pk for page in pages[number :: len(AGES)]]
        Run.objects.filter(pk__in=ids).update(created_at=now - timedelta(seconds=age))
    asyncio.run(draw(stage.ports.web, pages))
    return asyncio.run(watch(stage, pages, seconds=seconds, changes=changes))


async def watch(stage: Stage, pages: Sequence[Page], *, seconds: float, changes: bool) -> Watched:
    """Let every page poll at its pace, beginning anywhere in it; with changes, to a tenth of them each round."""
    watched = Watched()
    dice = random.Random(4)
    began, before = time.perf_counter(), stage.cpu_seconds("web")
    ends = began + seconds

    async def poll(page: Page, due: float) -> None:
        asking = await load.connect(page.port)
        while True:
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            # The last changes are left time to be seen.
            if time.perf_counter() >= ends and not page.changed_at:
                break
            pace = page.pace_seconds
            answer = await asking.ask(page.again)
            watched.polls[pace] += 1
            watched.full_seconds += page.full_seconds
            # As in a browser: the timer does not wait for the answer, and begins anew with what is drawn anew.
            due += pace
            if answer.status == 304:
                watched.unchanged += 1
            else:
                page.take(answer)
                if page.changed_at:
                    watched.seen.append((pace, time.perf_counter() - page.changed_at))
                    page.changed_at = 0.0
                due = time.perf_counter() + page.pace_seconds
        asking.close()

    async def change() -> None:
        while True:
            as_drawn = [page for page in pages if not page.changed_at]
            for page in dice.sample(as_drawn, min(count, len(as_drawn))):
                if time.perf_counter() >= ends:
                    return
                # Before, so that whoever asks meanwhile does not see what has not happened yet.
                page.changed_at = time.perf_counter()
                await asyncio.to_thread(apart(page.run.touch))
                await asyncio.sleep(CHANGES_EVERY_SECONDS / count)

    count = max(int(len(pages) * SHARE_THAT_CHANGES), 1)
    async with asyncio.TaskGroup() as group:
        for page in pages:
            group.create_task(poll(page, began + dice.uniform(0, page.pace_seconds)))
        if changes:
            group.create_task(change())
    watched.seconds = time.perf_counter() - began
    watched.cpu_seconds = stage.cpu_seconds("web") - before
    if unseen := [page for page in pages if page.changed_at]:
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
