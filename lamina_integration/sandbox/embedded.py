"""The stand-in inside another process: a real server on a free port, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self, TypeVar

from lamina_integration.sandbox.knobs import Knobs
from lamina_integration.sandbox.runs import Run
from lamina_integration.sandbox.scenario import Scenario
from lamina_integration.sandbox.scenario import read as read_scenario
from lamina_integration.sandbox.server import Server
from lamina_integration.sandbox.settings import DEFAULT_KEY, Settings
from lamina_integration.sandbox.world import World

T = TypeVar("T")
PATIENCE = 60


class Sandbox:
    """A running stand-in, for tests. Further arguments are knobs: Sandbox(speed=50, lost_answers=1)."""

    def __init__(
        self,
        *,
        apps: Iterable[Path] = (),
        builtin_apps: bool = True,
        data: Path | None = None,
        keys: Iterable[str] = (DEFAULT_KEY,),
        credits: float = 5000.0,
        port: int = 0,
        scenario: Path | None = None,
        **knobs: Any,
    ) -> None:
        script = read_scenario(scenario) if scenario else Scenario()
        self._settings = Settings(
            port=port,
            apps=tuple(apps),
            builtin_apps=builtin_apps,
            data=data,
            keys=tuple(keys),
            credits=credits,
            scenario=script,
            knobs=Knobs().changed(script.knobs).changed(knobs),
        )
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        started: Future[tuple[Server, asyncio.AbstractEventLoop]] = Future()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="lamina-sandbox", daemon=True)
        self._thread.start()
        self._server, self._loop = started.result(timeout=PATIENCE)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._server.stop)
        if self._thread:
            self._thread.join(timeout=PATIENCE)

    @property
    def url(self) -> str:
        """Return the address it listens at."""
        return self._server.url

    @property
    def api_key(self) -> str:
        """Return the first key it lets in."""
        return self._settings.keys[0].partition("=")[0]

    def set(self, **knobs: Any) -> None:
        """Turn knobs; `down` closes the port for so many seconds, 0 opens it again."""
        self._do(self._turn(knobs))

    def ledger(self) -> dict[str, Any]:
        """Return everything it was asked and did."""
        return self._do(_later(lambda: self._world.as_ledger()))

    def reset(self) -> None:
        """Begin anew: no runs, no uploads, an empty ledger, every knob as at the start."""
        self._do(self._reset())

    def settle(self) -> None:
        """Wait until everything that could happen by now has happened, deliveries included."""
        self._do(self._world.clock.settled())

    def advance(self, seconds: float) -> None:
        """Move the clock on and wait until all that was due is done."""
        self._do(self._world.clock.advance(seconds))

    def finish(self) -> None:
        """Move the clock on until every run has ended and every delivery has arrived or been given up."""
        self._do(self._world.clock.run_out())

    def complete(self, run_id: str) -> None:
        """Make all that is left of a run, now."""
        self._do(self._world.player.complete(self._run(run_id)))

    def fail(self, run_id: str, message: str = "Generation failed") -> None:
        """End a run as failed."""
        self._do(self._world.player.fail(self._run(run_id), message))

    def cancel(self, run_id: str) -> None:
        """End a run as cancelled, as if from Lamina's side."""
        self._do(self._world.player.cancel(self._run(run_id)))

    def top_up(self, credits: float, *, workspace: str | None = None) -> None:
        """Give a workspace further credits: the first one, if none is named."""
        slug = workspace or next(iter(self._world.accounts.workspaces))
        self._do(_later(lambda: self._world.top_up(slug, credits)))

    def redeliver(self, run_id: str) -> None:
        """Send a run's state to its callback again."""
        self._do(_later(lambda: self._world.courier.redeliver(self._run(run_id))))

    def delivery(self, run_id: str, *, kind: str = "genuine") -> tuple[dict[str, str], bytes]:
        """Return headers and body of a delivery of a run's present state, to be posted by hand.

        The kind is "genuine", "bad signature", "corrupt" or "stale".
        """
        run = self._run(run_id)
        payload = {"data": run.as_wire()}
        delivery: tuple[dict[str, str], bytes] = self._do(
            _later(lambda: self._world.courier.prepared(run, payload, kind=kind))
        )
        return delivery

    def rotate_signing_key(self, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on."""
        self._do(_later(lambda: self._world.keys.rotate(keep_old=keep_old)))

    @property
    def _world(self) -> World:
        return self._server.world

    def _run(self, run_id: str) -> Run:
        run = self._world.runs.find(run_id)
        if run is None:
            raise KeyError(run_id)
        return run

    async def _turn(self, knobs: dict[str, Any]) -> None:
        self._world.turn(knobs)
        if "down" in knobs:
            await self._server.leave(knobs["down"])

    async def _reset(self) -> None:
        await self._server.come_back()
        await self._world.reset()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=PATIENCE)

    def _serve(self, started: Future[tuple[Server, asyncio.AbstractEventLoop]]) -> None:
        async def serve() -> None:
            loop = asyncio.get_running_loop()
            server = Server(self._settings, on_start=lambda server: started.set_result((server, loop)))
            await server.run_until_stopped()

        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)


async def _later(function: Any) -> Any:
    """Call a function in the server's thread."""
    return function()
