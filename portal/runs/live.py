"""Bring the news of runs that somebody looks at as Lamina makes it: one event stream for each, in one thread.

A stream costs one request for ten minutes. One worker at a time holds them all in an event loop; rows
are written by a thread beside it. Whatever goes wrong with a stream, the rounds go on and the run is
due for one at once; the stream is tried again after a pause that doubles.
"""

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from django.db import close_old_connections, connections
from django.utils import timezone
from redis.exceptions import RedisError

from lamina_integration import (
    AsyncLaminaClient,
    LaminaBudgetSpent,
    LaminaRateLimited,
    LaminaResponseError,
    LaminaUnreachable,
    Lane,
    RemoteRun,
)
from portal import trace
from portal.runs import track, watched
from portal.runs.models import Run
from portal.runs.states import Teller
from portal.workspaces.lamina import async_client_for, key_of

logger = logging.getLogger(__name__)

T = TypeVar("T")
MOST_STREAMS = 30
LOOK_SECONDS = 1.0
# Somebody who goes from page to page is not worth a new start each time.
LINGER_SECONDS = 8.0
# Below the broker's visibility timeout: a task that is still out then is delivered a second time.
SHIFT_SECONDS = 600.0
UNSERVED_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0


def watch(after_news: Callable[[uuid.UUID], None]) -> bool:
    """Stream the runs that are watched, until none is; returns whether the shift is over and another should begin.

    Does nothing while somebody else does it. `after_news` is called with a run that something was told of.
    """
    try:
        mine = watched.take_post()
    except RedisError as error:
        logger.warning("nobody can be watched error=%s", error)
        return False
    if mine is None:
        return False
    try:
        return asyncio.run(_Shift(mine, after_news).work())
    finally:
        watched.leave(mine)


class _Shift:
    """The streams of one worker, as long as it holds the post."""

    def __init__(self, mine: str, after_news: Callable[[uuid.UUID], None]) -> None:
        self._mine, self._after_news = mine, after_news
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live")
        self._streams: dict[uuid.UUID, asyncio.Task[None]] = {}
        self._clients: dict[str, AsyncLaminaClient] = {}
        self._again: dict[uuid.UUID, float] = {}
        self._broken: Counter[uuid.UUID] = Counter()

    async def work(self) -> bool:
        """Look every second which runs are watched; returns whether the shift ended with work left."""
        now = asyncio.get_running_loop().time
        ends, last_seen = now() + SHIFT_SECONDS, now()
        try:
            while now() < ends:
                runs = await self._aside(watched.look, self._mine, list(self._streams))
                if runs is None:
                    return False
                await self._follow(runs)
                if runs:
                    last_seen = now()
                elif now() - last_seen >= LINGER_SECONDS:
                    return False
                await asyncio.sleep(LOOK_SECONDS)
        except RedisError as error:
            logger.warning("the streams end: nobody knows who watches error=%s", error)
            return False
        finally:
            await self._end()
        return True

    async def _follow(self, runs: list[uuid.UUID]) -> None:
        """End the streams nobody looks at, and begin those that are missing."""
        for run_id in self._streams.keys() - set(runs):
            self._streams[run_id].cancel()
        now = asyncio.get_running_loop().time()
        free = [run_id for run_id in runs if run_id not in self._streams and self._again.get(run_id, 0.0) <= now]
        room = MOST_STREAMS - len(self._streams)
        if free and room > 0:
            for run in await self._aside(_at_lamina, free, room):
                with trace.about(run):  # a task keeps what was so when it began
                    stream = asyncio.create_task(self._stream(run))
                self._streams[run.pk] = stream

    async def _stream(self, run: Run) -> None:
        pause = 0.0
        try:
            async for remote in self._client(run).runs.stream(run.lamina_run_id or ""):
                self._broken.pop(run.pk, None)
                await self._aside(self._tell, run.pk, remote)
                if remote.is_terminal:
                    return
            pause = self._longer(run.pk)
        except (LaminaBudgetSpent, LaminaRateLimited) as error:
            pause = error.retry_after
        except LaminaResponseError as error:
            logger.info("run not streamed run=%s error=%s", run.reference, error)
            pause = UNSERVED_SECONDS
        except LaminaUnreachable as error:
            logger.info("stream broke run=%s error=%s", run.reference, error)
            pause = self._longer(run.pk)
        except Exception as error:
            logger.exception("stream given up run=%s error=%r", run.reference, error)
            pause = UNSERVED_SECONDS
        finally:
            self._streams.pop(run.pk, None)
            self._again[run.pk] = asyncio.get_running_loop().time() + pause
        await self._aside(_due, run.pk)

    def _client(self, run: Run) -> AsyncLaminaClient:
        key = key_of(run.workspace)
        if key not in self._clients:
            self._clients[key] = async_client_for(run.workspace, lane=Lane.TRACKING, connections=MOST_STREAMS)
        return self._clients[key]

    def _longer(self, run_id: uuid.UUID) -> float:
        """Return the pause before a stream that ended too early is tried again."""
        self._broken[run_id] += 1
        return float(min(2 ** (self._broken[run_id] - 1), LONGEST_PAUSE_SECONDS))

    def _tell(self, run_id: uuid.UUID, remote: RemoteRun) -> None:
        track.apply(run_id, remote, told_by=Teller.STREAM)
        self._after_news(run_id)

    async def _aside(self, work: Callable[..., T], *args: Any) -> T:
        """Do something with rows or Redis in the thread beside the loop, in turn."""
        return await asyncio.get_running_loop().run_in_executor(self._beside, partial(_with_rows, work, *args))

    async def _end(self) -> None:
        streams = list(self._streams.values())
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        for client in self._clients.values():
            await client.close()
        self._beside.submit(connections.close_all)
        self._beside.shutdown(wait=True)


def _with_rows(work: Callable[..., T], *args: Any) -> T:
    close_old_connections()
    return work(*args)


def _at_lamina(run_ids: list[uuid.UUID], most: int) -> list[Run]:
    """Return those of the runs that are at Lamina, the newest first."""
    runs = Run.objects.remote().filter(pk__in=run_ids).select_related("workspace")
    return list(runs.order_by("-created_at")[:most])


def _due(run_id: uuid.UUID) -> None:
    """Have the next round ask after a run whose stream has ended before it."""
    Run.objects.remote().filter(pk=run_id).update(next_at=timezone.now())
