"""A run as a stream of server-sent messages: bare run objects, a ping now and then, an end after ten minutes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from lamina_integration.sandbox.api.runs import run_of, shown
from lamina_integration.sandbox.gate import legacy_of, world_of
from lamina_integration.sandbox.runs import Run
from lamina_integration.sandbox.world import World

PING_SECONDS = 15.0
END_SECONDS = 600.0
LAST = {"completed": "complete", "failed": "error", "cancelled": "error"}


async def stream_run(request: Request) -> Response:
    """Tell of a run until it ends."""
    run = run_of(request)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(_told(request, run), media_type="text/event-stream", headers=headers)


async def _told(request: Request, run: Run) -> AsyncIterator[bytes]:
    world = world_of(request)
    ends = world.clock.now + END_SECONDS
    told = -1
    while True:
        if run.is_terminal:
            yield _message(LAST[run.status], _payload(request, run))
            return
        if run.version != told:
            told = run.version
            yield _message("progress", _payload(request, run))
        elif world.clock.now >= ends:
            yield _message("timeout", {"message": "Stream timeout after 10 minutes"})
            return
        else:
            yield _message("ping", int(time.time() * 1000))
        await _change_or(world, run, min(ends, world.clock.now + PING_SECONDS), told)


def _payload(request: Request, run: Run) -> dict[str, Any]:
    told = shown(request, run)
    return {"data": told} if "wrapped-stream" in legacy_of(request) else told


async def _change_or(world: World, run: Run, moment: float, told: int) -> None:
    """Wait until the run is not as it was told, or a moment has come."""
    if run.version != told:
        return
    waits = [
        asyncio.ensure_future(world.runs.next_change(run)),
        asyncio.ensure_future(world.clock.until(moment)),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _message(name: str, payload: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(payload, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


routes = [Route("/v1/runs/{run_id}/stream", stream_run, methods=["GET"])]
