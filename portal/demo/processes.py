"""The demo's processes: started, started again when they die, stopped together.

Each is a session of its own, so Ctrl-C in the terminal reaches the supervisor alone and a whole
group can be ended with whatever it forked.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.demo.errors import DemoError
from portal.demo.guard import Guard
from portal.demo.stopping import StopRequest
from portal.demo.terminal import say

LONGEST_PAUSE_SECONDS = 30
# A process that ran this long had started well: its next end is a new story.
SETTLED_AFTER_SECONDS = 60


class Stopped(Exception):
    """Somebody asked to stop while the demo was starting."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A process that runs as long as the demo does."""

    name: str
    command: list[str]
    answers: Callable[[], bool]
    stop_within_seconds: float


@dataclass(kw_only=True)
class Child:
    """A service's present process, and how its restarts went."""

    service: Service
    process: subprocess.Popen[bytes]
    started_at: float
    quick_ends: int = 0
    restart_at: float | None = None


@dataclass(kw_only=True)
class Family:
    """All processes of one demo."""

    environment: Mapping[str, str]
    logs: Path
    lock: int
    guard: Guard
    stop: StopRequest
    children: dict[str, Child] = field(default_factory=dict)

    def start(self, service: Service) -> None:
        """Start a service; it will be kept running."""
        process = self._spawn(service.name, service.command)
        self.children[service.name] = Child(service=service, process=process, started_at=time.monotonic())
        self._tell_guard()

    def wait_until_answering(self, names: Iterable[str], *, seconds: float = 60) -> None:
        """Return once all these services answer; raise if one ends before, or does not answer in time."""
        awaited = [self.children[name] for name in names]
        silent = awaited
        deadline = time.monotonic() + seconds
        while silent:
            silent = [child for child in silent if not child.service.answers()]
            for child in awaited:
                # Those that answer as well: it may be somebody else who does so from the same port.
                if child.process.poll() is not None:
                    raise DemoError(
                        self._last_words(child.service.name, f"ended with status {child.process.returncode}")
                    )
            for child in silent:
                if time.monotonic() > deadline:
                    raise DemoError(
                        self._last_words(child.service.name, f"did not answer within {seconds:.0f} seconds")
                    )
            if silent and self.stop.wait(0.1):
                raise Stopped

    def run(self, commands: Mapping[str, list[str]], *, extra: Mapping[str, str] | None = None) -> None:
        """Run commands side by side to their end; raise if one fails."""
        running = {name: self._spawn(name, command, extra=extra or {}) for name, command in commands.items()}
        try:
            while any(process.poll() is None for process in running.values()):
                if self.stop.wait(0.1):
                    raise Stopped
        finally:
            for process in running.values():
                _end_group(process, signal.SIGKILL)
                process.wait()
        for name, process in running.items():
            if process.returncode:
                raise DemoError(self._last_words(name, f"failed with status {process.returncode}"))

    def keep_running(self) -> None:
        """Start again what dies, until somebody asks to stop."""
        while not self.stop.wait(1):
            for child in self.children.values():
                self._look_after(child)

    def stop_all(self, *groups: tuple[str, ...]) -> None:
        """Stop everything, group by group; who takes too long, or is asked about twice, is killed."""
        asked = self.stop.count
        for names in groups:
            children = [self.children[name] for name in names if name in self.children]
            for child in children:
                _end_group(child.process, signal.SIGTERM, leader_only=True)
            for child in children:
                deadline = time.monotonic() + child.service.stop_within_seconds
                while child.process.poll() is None and time.monotonic() < deadline and self.stop.count <= asked + 1:
                    time.sleep(0.02)
            for child in children:
                # The group as well: what a process forked must not stay behind.
                _end_group(child.process, signal.SIGKILL)
                child.process.wait()

    def _spawn(
        self, name: str, command: list[str], *, extra: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with self._log_of(name).open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.environment, **(extra or {})},
                start_new_session=True,
                # Whoever writes to the data folder holds it, so that no second demo starts beside a straggler.
                pass_fds=[self.lock],
            )

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        name = child.service.name
        if child.restart_at is not None:
            if now >= child.restart_at:
                child.process = self._spawn(name, child.service.command)
                child.started_at, child.restart_at = now, None
                self._tell_guard()
        elif child.process.poll() is not None:
            _end_group(child.process, signal.SIGKILL)
            child.quick_ends = 1 if now - child.started_at > SETTLED_AFTER_SECONDS else child.quick_ends + 1
            pause = min(2 ** (child.quick_ends - 1), LONGEST_PAUSE_SECONDS)
            child.restart_at = now + pause
            say(f"The {name} process {_how(child.process)}; starting it again in {pause} s. Log: {self._log_of(name)}")

    def _tell_guard(self) -> None:
        self.guard.watch(child.process.pid for child in self.children.values() if child.process.returncode is None)

    def _log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _last_words(self, name: str, what: str) -> str:
        """Return what happened to a process, with the last line it wrote."""
        log = self._log_of(name)
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        words = f": {lines[-1]}" if lines else ""
        return f"The {name} process {what}{words} (all of it: {log})"


def _how(process: subprocess.Popen[bytes]) -> str:
    status = process.returncode
    return f"was killed ({signal.Signals(-status).name})" if status < 0 else f"ended with status {status}"


def _end_group(process: subprocess.Popen[bytes], number: signal.Signals, *, leader_only: bool = False) -> None:
    """Send a signal to a process or all of its group; that there is nobody left is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if not leader_only:
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.send_signal(number)
