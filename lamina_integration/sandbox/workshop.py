"""Heavy work in a process of its own, which ends when there is nothing to do.

Pictures and films take a hundred megabytes that the C library does not give back in full; what a
process took is given back with it. It is spoken to in pickles over its own pipes, not through
multiprocessing, which would run a script that starts a stand-in a second time.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

T = TypeVar("T")
IDLE_SECONDS = 5.0
HERE = Path(__file__).parent
# The packages without what their __init__ brings in: a maker needs no server and no client, and they take as much
# memory as a picture.
BEGIN = """
import sys, types
for name, path in zip(sys.argv[1::2], sys.argv[2::2]):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [path]
from lamina_integration.sandbox.workshop import serve
serve(sys.stdin.buffer, sys.stdout.buffer)
"""


class Workshop:
    """One process at most; started when there is work, ended some seconds after the last."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closing: threading.Timer | None = None
        self._lock = threading.Lock()

    def do(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Return what a function of a module returns, or raise what it raises."""
        with self._lock:
            if self._closing:
                self._closing.cancel()
            process = self._process = self._process or _started()
            try:
                done, outcome = _ask(process, (function, arguments, named))
            except (OSError, EOFError) as error:
                self._end()
                raise RuntimeError("The process that makes media has ended") from error
            self._closing = threading.Timer(IDLE_SECONDS, self.close)
            self._closing.daemon = True
            self._closing.start()
        if not done:
            raise outcome
        made: T = outcome
        return made

    def close(self) -> None:
        """End the process, once it has done what it is at."""
        with self._lock:
            if self._closing:
                self._closing.cancel()
            self._end()

    def stop(self) -> None:
        """End the process at once, whatever it is at."""
        if process := self._process:
            process.kill()
        self.close()

    def _end(self) -> None:
        if self._process:
            with suppress(BrokenPipeError):  # it has ended before us
                _pipe(self._process.stdin).close()
            self._process.wait()
            _pipe(self._process.stdout).close()
            self._process = None


def _started() -> subprocess.Popen[bytes]:
    packages = ("lamina_integration", str(HERE.parent), "lamina_integration.sandbox", str(HERE))
    return subprocess.Popen(  # noqa: S603 - nothing in it is anybody else's
        [sys.executable, "-c", BEGIN, *packages],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A Ctrl-C in a terminal is for the stand-in, which ends this when it has finished.
        start_new_session=True,
    )


def _ask(process: subprocess.Popen[bytes], work: Any) -> tuple[bool, Any]:
    told = _pipe(process.stdin)
    pickle.dump(work, told)
    told.flush()
    answer: tuple[bool, Any] = pickle.load(_pipe(process.stdout))  # noqa: S301 - from our own process
    return answer


def _pipe(pipe: Any) -> BinaryIO:
    found: BinaryIO = pipe
    return found


def serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """Do what is asked, one thing after the other, until nobody asks any more."""
    while True:
        try:
            function, arguments, named = pickle.load(asked)  # noqa: S301 - from our own process
        except EOFError:
            return
        try:
            answer = (True, function(*arguments, **named))
        except Exception as error:  # whatever it is, it is raised where the work was asked for
            answer = (False, error)
        pickle.dump(answer, answers)
        answers.flush()
