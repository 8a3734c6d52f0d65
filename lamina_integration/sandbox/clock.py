"""The clock runs live by: real time times a speed, or a time that only moves when told to.

Waiting for a moment is the only way anything here is late, so a test with a manual clock decides
what has happened. The clock also knows how many of its tasks are at work, which lets `settled`
answer "everything that could happen by now has happened".
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Coroutine
from typing import Any


class Clock:
    """Seconds since the stand-in started, in its own time."""

    def __init__(self, *, speed: float = 1.0, manual: bool = False) -> None:
        self.speed = speed
        self.manual = manual
        self._reached = 0.0
        self._since = time.monotonic()
        self._waiting: list[tuple[float, int, asyncio.Future[None], bool]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def now(self) -> float:
        """Return the moment it is."""
        if self.manual:
            return self._reached
        return self._reached + (time.monotonic() - self._since) * self.speed

    def change(self, *, speed: float | None = None, manual: bool | None = None) -> None:
        """Go on from the present moment at another speed, or by hand."""
        self._reached = self.now
        self._since = time.monotonic()
        self.speed = self.speed if speed is None else speed
        self.manual = self.manual if manual is None else manual
        self._arm()

    async def advance(self, seconds: float) -> None:
        """Move on by some seconds and wait until all that was due has been done."""
        await self.settled()
        self._reached = self.now + seconds
        self._since = time.monotonic()
        self._wake()
        await self.settled()

    async def run_out(self) -> None:
        """Move on to every moment something waits for, one after the other, until nothing does."""
        await self.settled()
        while moments := [moment for moment, _, reached, counted in self._waiting if counted and not reached.done()]:
            await self.advance(max(0.0, min(moments) - self.now))

    async def until(self, moment: float) -> None:
        """Wait for a moment; one that has passed does not wait."""
        if moment <= self.now:
            return
        counted = asyncio.current_task() in self._tasks
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (moment, next(self._numbers), reached, counted))
        self._arm()
        if counted:
            self._at_work(-1)
        try:
            await reached
        finally:
            if counted and reached.cancelled():
                self._at_work(+1)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside the requests, counted as at work except while it waits for a moment."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        self._at_work(+1)
        task.add_done_callback(self._ended)
        return task

    async def settled(self) -> None:
        """Wait until every task has ended or waits for a moment that is still to come."""
        while self._busy:
            await self._quiet.wait()

    async def stop(self) -> None:
        """End everything that was spawned."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _, _, reached, _ in self._waiting:  # what is left belongs to requests: let them answer
            if not reached.done():
                reached.set_result(None)
        if self._timer:
            self._timer.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._at_work(-1)
        if not task.cancelled() and (error := task.exception()):
            asyncio.get_running_loop().call_exception_handler({"message": "a task of the stand-in", "exception": error})

    def _at_work(self, change: int) -> None:
        self._busy += change
        if self._busy:
            self._quiet.clear()
        else:
            self._quiet.set()

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._waiting and not self.manual:
            delay = max(0.0, (self._waiting[0][0] - self.now) / self.speed)
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        # A timer may ring a hair early; what is that close is due.
        while self._waiting and self._waiting[0][0] <= self.now + 1e-6:
            _, _, reached, counted = heapq.heappop(self._waiting)
            if not reached.done():
                reached.set_result(None)
                if counted:
                    self._at_work(+1)
        self._arm()
