"""Deliveries sent by hand: many at once, each answer and its time kept. Plain sockets, so that the sender is cheap."""

import contextlib
import http.client
import queue
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

Letter = tuple[str, dict[str, str], bytes]  # path, headers, body


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery's answer: 0 when there was none; the seconds since it should have left."""

    letter: Letter
    status: int
    seconds: float


def post_all(
    url: str, letters: Iterable[Letter], *, threads: int = 8, a_second: float | None = None, patience: float = 0.0
) -> list[Sent]:
    """Send every letter, in order, at a steady rate if one is given.

    With patience a letter that nobody answered, or that was answered 5xx, is sent again for so many seconds.
    At a rate the time runs from the moment a letter was due, not from when a thread was free for it: a
    server that stalls is not flattered by the letters that waited for it.
    """
    host = urlsplit(url).netloc
    waiting: queue.SimpleQueue[tuple[int, Letter] | None] = queue.SimpleQueue()
    for number, letter in enumerate(letters):
        waiting.put((number, letter))
    for _ in range(threads):
        waiting.put(None)
    began = time.monotonic() + 0.05
    sent: list[Sent] = []

    def work() -> None:
        connection = http.client.HTTPConnection(host, timeout=20)
        while (item := waiting.get()) is not None:
            number, letter = item
            due = began + number / a_second if a_second else time.monotonic()
            if (early := due - time.monotonic()) > 0:
                time.sleep(early)
            status = _post(connection, letter)
            while (status == 0 or status >= 500) and time.monotonic() < due + patience:
                time.sleep(0.2)
                status = _post(connection, letter)
            sent.append(Sent(letter, status, time.monotonic() - due))
        connection.close()

    workers = [threading.Thread(target=work, name="post") for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sent


def _post(connection: http.client.HTTPConnection, letter: Letter) -> int:
    path, headers, body = letter
    try:
        connection.request("POST", path, body=body, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        with contextlib.suppress(OSError):
            connection.close()
        return 0


def percentile(seconds: Iterable[float], share: float) -> float:
    """Return the time that this share stayed below."""
    ordered = sorted(seconds)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
