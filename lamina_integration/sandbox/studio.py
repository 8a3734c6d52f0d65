"""Fetches what inputs name and has media made of it, a little at a time, beside the requests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import httpx

from lamina_integration.sandbox.media.briefs import Brief, Made, Source, Unmakeable
from lamina_integration.sandbox.media.make import make
from lamina_integration.sandbox.outgoing import outgoing
from lamina_integration.sandbox.refusals import invalid, problem
from lamina_integration.sandbox.times import iso
from lamina_integration.sandbox.workshop import Workshop

if TYPE_CHECKING:
    from lamina_integration.sandbox.world import World

T = TypeVar("T")
PLAIN = "plain"
MAX_BYTES = 100 * 1024 * 1024
# A host that is not there is told before a caller who waits for a copy gives up.
TIMEOUT = httpx.Timeout(15, connect=5)
THREADS = 1  # a picture takes a third of a second; one after the other keeps memory low


class Studio:
    """Makes outputs; one thread at work, everything else waits its turn."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="studio")
        self._workshop = Workshop() if world.settings.makes_apart else None
        self._fetching: dict[str, asyncio.Future[Path]] = {}
        self._plain_media: dict[tuple[str, tuple[int, int]], asyncio.Future[Made]] = {}

    async def make(self, brief: Brief, *, run_id: str) -> Made:
        """Return one finished output."""
        if self._world.knobs.plain_media and brief.kind != "text":
            return await self._plain(brief)
        folder = self._world.folder("media", run_id)
        name = hashlib.sha256(f"{brief.seed}:{brief.label}".encode()).hexdigest()[:16]
        return await self.heavy(make, brief, folder=folder, name=name)

    async def _plain(self, brief: Brief) -> Made:
        """Return the one file that stands for all outputs of a kind and shape."""
        kind = (brief.kind, brief.aspect)
        if kind not in self._plain_media:
            plain = replace(brief, sources=(), files={}, text="", label=brief.kind, look="studio", number=0, options={})
            folder = self._world.folder("media", PLAIN)
            name = f"{brief.kind}-{brief.aspect[0]}x{brief.aspect[1]}"
            self._plain_media[kind] = asyncio.ensure_future(self.heavy(make, plain, folder=folder, name=name))
        return await asyncio.shield(self._plain_media[kind])

    def forget(self) -> None:
        """Forget the files that were fetched."""
        self._fetching.clear()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do something heavy without holding up requests."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def heavy(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Do something that takes memory, in the workshop where there is one."""
        if self._workshop is None:
            return await self.in_thread(lambda: function(*arguments, **named))
        workshop = self._workshop
        return await self.in_thread(lambda: workshop.do(function, *arguments, **named))

    async def with_files(self, brief: Brief) -> Brief:
        """Return the brief with each source's file at hand."""
        files = {source.url: await self._file(source) for source in brief.sources}
        return replace(brief, files=files)

    async def _file(self, source: Source) -> Path:
        own = await self._own_file(source.url)
        if own:
            return own
        if source.url.startswith(self._world.base_url + "/"):
            raise Unmakeable(f"{source.parameter}: nothing was uploaded to {source.url}")
        fetching = self._fetching.get(source.url)
        if fetching is None or (fetching.done() and (fetching.cancelled() or fetching.exception())):
            # Several outputs of a run want the same photo; it is asked for once.
            fetching = self._fetching[source.url] = asyncio.ensure_future(self._fetch(source))
        return await asyncio.shield(fetching)

    async def _own_file(self, url: str) -> Path | None:
        """Return the file behind an address of our own: an upload, a sample or an earlier output."""
        if not url.startswith(self._world.base_url + "/"):
            return None
        kind, _, rest = unquote(urlsplit(url).path).strip("/").partition("/")
        if kind == "assets":
            return self._world.assets.path(rest.split("/")[0])
        if kind == "samples":
            return await self._world.sample(rest.removesuffix(".jpg"))
        if kind == "media":
            return self._world.media_path(rest)
        return None

    async def _fetch(self, source: Source) -> Path:
        path = self._world.folder("fetched") / hashlib.sha256(source.url.encode()).hexdigest()[:32]
        answer: int | str = "too large"
        try:
            async with (
                outgoing(timeout=TIMEOUT, follow_redirects=True) as client,
                client.stream("GET", source.url) as response,
            ):
                answer = response.status_code
                size = 0
                with path.open("wb") as file:
                    async for chunk in response.aiter_bytes():
                        size += len(chunk)
                        if size > MAX_BYTES:
                            answer = "too large"
                            break
                        file.write(chunk)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            answer = type(error).__name__
        self._world.ledger.fetches.append({"url": source.url, "answer": answer, "time": iso()})
        if answer != 200:
            raise Unmakeable(f"{source.parameter}: could not fetch {source.url} ({answer})")
        return path

    async def copy_of(self, url: str) -> Path:
        """Return a file with what is at an address, or refuse."""
        try:
            return await self._file(Source(url=url, parameter="sourceUrl", kind="", role="product"))
        except Unmakeable as error:
            raise invalid(
                "The source could not be fetched", problem("sourceUrl", "invalid_media", str(error))
            ) from error

    def stop(self) -> None:
        """Take on nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._workshop:
            self._workshop.stop()
