"""The load generator: requests over kept connections, as bytes that were made beforehand.

One event loop and a parser that knows only what the portal answers, so that it takes a small part
of what the server takes for the least of its answers. Each round tells how much that was.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HEAD_ENDS = b"\r\n\r\n"
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: its status, its head in bytes, its length on the wire, and its body."""

    status: int
    head: bytes
    size: int
    body: bytes

    def header(self, name: bytes) -> bytes:
        """Return a header's value; empty when there is none."""
        at = self.head.lower().find(b"\r\n" + name.lower() + b":")
        return self.head[at + len(name) + 3 :].split(b"\r\n", 1)[0].strip() if at >= 0 else b""


@dataclass(kw_only=True)
class Load:
    """What came of some requests."""

    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    size: int = 0
    seconds: float = 0.0
    own_cpu_seconds: float = 0.0

    @property
    def count(self) -> int:
        """Return how many were answered."""
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        """Return the rate of answers."""
        return self.count / self.seconds

    def note(self, answer: Answer, latency: float) -> None:
        """Count an answer."""
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        self.latencies.append(latency)
        self.size += answer.size

    def quantile(self, share: float) -> float:
        """Return the latency that this share of the answers was within."""
        return sorted(self.latencies)[min(int(self.count * share), self.count - 1)]


class Connection(asyncio.Protocol):
    """One kept connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answered: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes in; an answer that is whole wakes whoever asked."""
        self._received += data
        end = self._received.find(HEAD_ENDS)
        if end < 0 or self._answered is None:
            return
        head = self._received[: end + 2]
        status = int(head[9:12])
        length = 0
        if status not in (204, 304):
            at = head.lower().find(b"\r\ncontent-length:")
            if at < 0:
                self._fail(ConnectionError(f"an answer without a length: {head!r}"))
                return
            length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        total = end + 4 + length
        if len(self._received) < total:
            return
        answer = Answer(status, head, total, self._received[end + 4 : total])
        self._received = self._received[total:]
        waiting, self._answered = self._answered, None
        if not waiting.done():
            waiting.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever still waits."""
        self._fail(error or ConnectionError("the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)
        self._answered = None

    async def ask(self, request: bytes) -> Answer:
        """Send a request and return its answer."""
        assert self._transport is not None
        if self._transport.is_closing():
            raise ConnectionError("the server closed the connection")
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()


async def connect(port: int) -> Connection:
    """Return a connection to this machine's port."""
    _transport, protocol = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return protocol


def request(
    method: str, path: str, *, port: int, headers: dict[str, str] | None = None, body: bytes | None = None
) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + HEAD_ENDS + (body or b"")


def flood(port: int, requests: Sequence[bytes], *, connections: int = 16) -> Load:
    """Send requests as fast as the server answers, one after the other on each connection."""
    return asyncio.run(_flood(port, requests, connections))


async def _flood(port: int, requests: Sequence[bytes], connections: int) -> Load:
    load = Load()
    left = deque(requests)
    pool = [await connect(port) for _ in range(connections)]

    async def work(connection: Connection) -> None:
        while left:
            raw = left.popleft()
            asked = time.perf_counter()
            load.note(await connection.ask(raw), time.perf_counter() - asked)

    began, own = time.perf_counter(), time.thread_time()
    async with asyncio.timeout(PATIENCE_SECONDS + len(requests) / 10):
        await asyncio.gather(*(work(connection) for connection in pool))
    load.seconds, load.own_cpu_seconds = time.perf_counter() - began, time.thread_time() - own
    for connection in pool:
        connection.close()
    return load


def pace(port: int, requests: Iterable[bytes], *, per_second: float) -> Load:
    """Send requests at a steady rate, whether or not earlier ones were answered.

    A latency counts from the moment its request was due: a server that stalls is charged for all
    who would have come meanwhile.
    """
    return asyncio.run(_pace(port, requests, per_second))


async def _pace(port: int, requests: Iterable[bytes], per_second: float) -> Load:
    load = Load()
    idle = [await connect(port) for _ in range(16)]

    async def send(raw: bytes, due: float) -> None:
        connection = idle.pop() if idle else await connect(port)
        answer = await connection.ask(raw)
        load.note(answer, time.perf_counter() - due)
        idle.append(connection)

    began, own = time.perf_counter(), time.thread_time()
    async with asyncio.timeout(PATIENCE_SECONDS * 5), asyncio.TaskGroup() as group:
        for number, raw in enumerate(requests):
            due = began + number / per_second
            if (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            group.create_task(send(raw, due))
    load.seconds, load.own_cpu_seconds = time.perf_counter() - began, time.thread_time() - own
    for connection in idle:
        connection.close()
    return load
