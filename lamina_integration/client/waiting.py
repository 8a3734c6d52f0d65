"""Follow a run to its end: by long polls, by its event stream, or by polling.

Scripts, in the sense of calls.py: they decide what to ask and when, both clients carry it out.
What interrupts (no answer, a refusal for the rate, a spent budget) is waited out; what says no is
raised. News never goes back: neither from an end or a start to something before it, nor in progress
made. App runs can be followed in every way, the other two kinds by polling alone.
"""

from __future__ import annotations

import random
import time
from enum import StrEnum
from typing import Any, Generic, TypeVar

from lamina_integration.client.answers import UnreadableAnswer, one
from lamina_integration.client.calls import Call, Listen, News, NextEvent, Pause, Script, path
from lamina_integration.errors import (
    LaminaAuthError,
    LaminaBudgetSpent,
    LaminaForbidden,
    LaminaRateLimited,
    LaminaResponseError,
    LaminaRunUnfinished,
    LaminaUnreachable,
)
from lamina_integration.streams import run_of
from lamina_integration.wire import GenerationRun, RemoteRun, WaitAnswer

R = TypeVar("R", RemoteRun, GenerationRun)

# Seconds between two questions, by kind of run, as Lamina asks for.
IMAGE = (3.0, 5.0)
MULTI_STEP = (5.0, 10.0)
VIDEO = (10.0, 15.0)
LONG_POLL_SECONDS = 60
# A stream that keeps breaking is given up for polling.
MAX_BROKEN_STREAMS = 3


class By(StrEnum):
    """How to follow a run."""

    WAIT = "wait"
    STREAM = "stream"
    POLL = "poll"


def get_call(run_id: str) -> Call[RemoteRun]:
    """Describe asking after a run."""
    return Call("GET", path("/v1/runs/{run_id}", run_id=run_id), one(RemoteRun), run_id=run_id)


def wait_call(run_id: str, *, timeout_seconds: int) -> Call[WaitAnswer]:
    """Describe one long poll; the answer may take a little longer than it says."""
    return Call(
        "GET",
        path("/v1/runs/{run_id}/wait", run_id=run_id),
        _read_wait,
        query={"timeout": timeout_seconds},
        run_id=run_id,
        patience_seconds=timeout_seconds + 15.0,
    )


def news_of(
    run_id: str, *, by: By, seconds_between: tuple[float, float], give_up_after_seconds: float
) -> Script[RemoteRun]:
    """Give each new snapshot of a run, the last one terminal."""
    watch: _Watch[RemoteRun] = _Watch(
        run_id, seconds_between=seconds_between, give_up_after_seconds=give_up_after_seconds
    )
    if by is By.STREAM:
        yield from _by_stream(watch)
    elif by is By.WAIT:
        yield from _by_wait(watch)
    if not watch.is_over:
        yield from _by_polls(watch, get_call(run_id))


def news_of_polls(
    call: Call[R], *, run_id: str, seconds_between: tuple[float, float], give_up_after_seconds: float
) -> Script[R]:
    """Give each new snapshot of a run that can only be asked after, the last one terminal."""
    watch: _Watch[R] = _Watch(run_id, seconds_between=seconds_between, give_up_after_seconds=give_up_after_seconds)
    yield from _by_polls(watch, call)


def news_of_stream(run_id: str) -> Script[RemoteRun]:
    """Give what one event stream of a run tells, until it ends; what goes wrong is raised."""
    yield Listen(_stream_call(run_id))
    while (event := (yield NextEvent())) is not None and event.name != "timeout":
        run = run_of(event)
        if run is not None:
            yield News(run)
            if run.is_terminal:
                return


class _Watch(Generic[R]):
    """What is known of the run that is followed, and how long to go on."""

    def __init__(self, run_id: str, *, seconds_between: tuple[float, float], give_up_after_seconds: float) -> None:
        self.run_id = run_id
        self.last: R | None = None
        self._has_begun = False
        self._between = seconds_between
        self._deadline = time.monotonic() + give_up_after_seconds

    @property
    def is_over(self) -> bool:
        return self.last is not None and self.last.is_terminal

    def tell(self, run: R) -> Script[R]:
        """Pass a snapshot on if it says anything new."""
        if self.is_over or (self._has_begun and run.status == "queued"):
            return
        self._has_begun = self._has_begun or run.status == "running"
        run = _without_steps_back(run, self.last)
        if run != self.last:
            self.last = run
            yield News(run)

    def pause(self, seconds: float | None = None) -> Script[R]:
        """Wait a while, or raise LaminaRunUnfinished when there is no time left for it."""
        seconds = random.uniform(*self._between) if seconds is None else seconds  # noqa: S311 - only to spread requests
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise LaminaRunUnfinished(f"run {self.run_id} has not ended in time", run_id=self.run_id, run=self.last)
        yield Pause(min(seconds, left))

    def wait_out(self, error: Exception) -> Script[R]:
        """Wait as long as an interruption asks for."""
        yield from self.pause(error.retry_after if isinstance(error, (LaminaRateLimited, LaminaBudgetSpent)) else None)


INTERRUPTIONS = (LaminaUnreachable, LaminaRateLimited, LaminaBudgetSpent)


def _by_polls(watch: _Watch[R], call: Call[R]) -> Script[R]:
    while not watch.is_over:
        try:
            run = yield call
        except INTERRUPTIONS as error:
            yield from watch.wait_out(error)
            continue
        yield from watch.tell(run)
        if not watch.is_over:
            yield from watch.pause()


def _by_wait(watch: _Watch[RemoteRun]) -> Script[RemoteRun]:
    while not watch.is_over:
        asked = time.monotonic()
        try:
            answer = yield wait_call(watch.run_id, timeout_seconds=LONG_POLL_SECONDS)
        except INTERRUPTIONS as error:
            yield from watch.wait_out(error)
            continue
        except (LaminaAuthError, LaminaForbidden):
            raise
        except LaminaResponseError:
            return  # not served here, or no such run: asking for the run itself tells which
        yield from watch.tell(answer.run)
        if not watch.is_over:
            # An answer that comes at once without an end must not become a flood of questions.
            waited_long = answer.timed_out and time.monotonic() - asked > 1.0
            yield from watch.pause(0.0 if waited_long else None)


def _stream_call(run_id: str) -> Call[None]:
    return Call("GET", path("/v1/runs/{run_id}/stream", run_id=run_id), lambda _: None, run_id=run_id)


def _by_stream(watch: _Watch[RemoteRun]) -> Script[RemoteRun]:
    call = _stream_call(watch.run_id)
    broken = 0
    while not watch.is_over and broken < MAX_BROKEN_STREAMS:
        try:
            yield Listen(call)
            while not watch.is_over:
                event = yield NextEvent()
                if event is None or event.name == "timeout":
                    # Ten minutes are all a stream has; that it ends then is no fault.
                    broken += event is None
                    break
                run = run_of(event)
                if run is not None:
                    broken = 0
                    yield from watch.tell(run)
        except LaminaUnreachable:
            broken += 1
        except (LaminaRateLimited, LaminaBudgetSpent) as error:
            yield from watch.wait_out(error)
            continue
        except (LaminaAuthError, LaminaForbidden):
            raise
        except LaminaResponseError:
            return  # not served here, or no such run: asking for the run itself tells which
        if not watch.is_over:
            yield from watch.pause()


def _without_steps_back(run: R, last: R | None) -> R:
    """Return the snapshot with the progress of the one before where its own is less."""
    if not isinstance(run, RemoteRun) or not isinstance(last, RemoteRun) or last.progress is None:
        return run
    if run.progress is None:
        return run.model_copy(update={"progress": last.progress})
    higher = {
        name: max(before, now if now is not None else before)
        for name in ("completed_outputs", "failed_outputs", "percent_complete")
        if (before := getattr(last.progress, name)) is not None
        for now in [getattr(run.progress, name)]
    }
    return run.model_copy(update={"progress": run.progress.model_copy(update=higher)})


def _read_wait(payload: Any) -> WaitAnswer:
    if not isinstance(payload, dict):
        raise UnreadableAnswer("not an object")
    return WaitAnswer.model_validate({"run": payload.get("data"), "timed_out": payload.get("timeout")})
