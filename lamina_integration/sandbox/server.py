"""The stand-in on a port: uvicorn, told to be quiet, to stop quickly, and to break connections off on request."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from lamina_integration.sandbox.api import router
from lamina_integration.sandbox.gate import Gate
from lamina_integration.sandbox.settings import Settings
from lamina_integration.sandbox.world import World

BACKLOG = 256


class Connection(H11Protocol):
    """A connection the gate can reach, to break it off."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app_state = {**self.app_state, "connection": self}

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered on it."""
        return self.cycle is None or self.cycle.response_complete


class Server(uvicorn.Server):
    """One stand-in being served. It can leave its port and come back to it."""

    def __init__(self, settings: Settings, *, on_start: Callable[[Server], None] | None = None) -> None:
        self.listener = _listener(settings.host, settings.port)
        self.address: tuple[str, int] = self.listener.getsockname()[:2]
        host = f"[{self.address[0]}]" if ":" in self.address[0] else self.address[0]
        self.url = f"http://{host}:{self.address[1]}"
        try:
            self.world = World(settings, base_url=(settings.public_url or self.url).rstrip("/"))
        except BaseException:
            self.listener.close()
            raise
        self.world.door = self.leave
        self._on_start = on_start
        self._stopping = asyncio.Event()
        self._return: asyncio.TimerHandle | None = None
        super().__init__(
            uvicorn.Config(
                Gate(router(), world=self.world),
                http=Connection,
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_config=None,
                log_level="critical",
                access_log=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=1,
                server_header=False,
            )
        )

    async def run_until_stopped(self) -> None:
        """Serve until `stop` is called or a signal says so."""
        try:
            await self.serve(sockets=[self.listener])
        finally:
            await self.world.stop()

    def stop(self) -> None:
        """Stop soon; callable within the server's loop."""
        self.should_exit = True
        self._stopping.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take up what was left, open the port, then say that it is open."""
        self.world.resume()
        await super().startup(sockets=sockets)
        if self._on_start:
            self._on_start(self)

    async def main_loop(self) -> None:
        """Keep the Date header right until told to stop, which is noticed at once."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), timeout=1)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop cleanly on SIGINT and SIGTERM where signals arrive at all: in the main thread."""
        loop = asyncio.get_running_loop()
        caught = []
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(RuntimeError, ValueError, NotImplementedError):
                loop.add_signal_handler(number, self.stop)
                caught.append(number)
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)

    async def leave(self, seconds: float) -> None:
        """Close the port for some seconds, so that connecting is refused; for none, open it again."""
        if not seconds:
            await self.come_back()
            return
        self.world.down_until = time.monotonic() + seconds
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection) and connection.is_idle:
                connection.transport.abort()
        if self._return:
            self._return.cancel()
        loop = asyncio.get_running_loop()
        self._return = loop.call_later(seconds, lambda: loop.create_task(self.come_back()))

    async def come_back(self) -> None:
        """Open the same port again."""
        if self._return:
            self._return.cancel()
            self._return = None
        self.world.down_until = 0.0
        if self.should_exit or any(server.is_serving() for server in self.servers):
            return
        listener = _listener(*self.address)
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(config=self.config, server_state=self.server_state, app_state={}),
            sock=listener,
            backlog=BACKLOG,
        )
        self.servers = [server]


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio would not switch Nagle's delay off and every answer would take 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
