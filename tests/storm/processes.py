"""Processes that are killed and come back: each a group of its own, started again as a container would be."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.demo.guard import Guard

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 90


class StageError(Exception):
    """The processes did not come up; says which and why."""


def wait_until(is_so: Callable[[], object], *, seconds: float, pause: float = 0.1) -> bool:
    """Return True once it is so, False when the time is up."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


@dataclass(kw_only=True)
class Service:
    """One process of the stage: how it starts, and how one knows that it is up."""

    name: str
    command: list[str]
    is_up: Callable[["Service"], bool]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    log_begins: int = 0
    wanted: bool = False
    starts: int = 0

    @property
    def lives(self) -> bool:
        """Return whether its first process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def said(self) -> str:
        """Return what it wrote since it was last started."""
        with self.log.open("rb") as file:
            file.seek(self.log_begins)
            return file.read().decode(errors="replace")


@dataclass
class Company:
    """All processes of a stage, each started again when it ends unless it is meant to be away."""

    environment: dict[str, str]
    guard: Guard
    services: dict[str, Service] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep_running, name="keeper", daemon=True)
        self._keeper.start()

    def add(self, service: Service) -> None:
        """Take in a service; it is started by name."""
        self.services[service.name] = service

    def start(self, *names: str) -> None:
        """Start services that are not up, and keep them up."""
        for name in names:
            with self._lock:
                service = self.services[name]
                service.wanted = True
                if not service.lives:
                    self._spawn(service)

    def wait_up(self, *names: str) -> None:
        """Return once these are up; raise StageError when one is not in time."""
        for name in names:
            service = self.services[name]
            if not wait_until(lambda service=service: service.lives and service.is_up(service), seconds=READY_SECONDS):
                raise StageError(f"{name} did not come up; its log ends: {service.said[-600:]}")

    def kill(self, name: str, *, comes_back: bool = True) -> None:
        """End a service's whole group with SIGKILL, as the machine would; it comes back unless told not to."""
        with self._lock:
            service = self.services[name]
            service.wanted = comes_back
            self._end(service, signal.SIGKILL)

    @contextlib.contextmanager
    def hanging(self, name: str) -> Iterator[None]:
        """Have a service's first process stand still for as long as the block runs: it listens, and never answers."""
        process = self.services[name].process
        if process is None:
            raise StageError(f"{name} does not run")
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def stop(self, name: str, *, seconds: float = 10) -> None:
        """Ask a service to end, and see to it that it does."""
        with self._lock:
            service = self.services[name]
            service.wanted = False
            if service.process is None:
                return
            with contextlib.suppress(ProcessLookupError):
                service.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                service.process.wait(seconds)
            self._end(service, signal.SIGKILL)

    def restart(self, *names: str, **environment: str) -> None:
        """Kill services and start them with other settings; return once they are up."""
        self.environment |= environment
        for name in names:
            self.kill(name, comes_back=False)
        self.start(*names)
        self.wait_up(*names)

    def children(self, name: str) -> list[int]:
        """Return the processes that a service has forked."""
        process = self.services[name].process
        if process is None:
            return []
        with contextlib.suppress(OSError):
            return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        return []

    def end_all(self) -> None:
        """End everything at once, in the reverse order of their taking in."""
        self._over.set()
        self._keeper.join()
        for service in reversed(self.services.values()):
            service.wanted = False
            self._end(service, signal.SIGKILL)
        self.guard.watch(())

    def _keep_running(self) -> None:
        while not self._over.wait(0.1):
            for service in list(self.services.values()):
                with self._lock:
                    if service.wanted and not service.lives:
                        self._end(service, signal.SIGKILL)
                        self._spawn(service)

    def _spawn(self, service: Service) -> None:
        service.log_begins = service.log.stat().st_size if service.log.exists() else 0
        with service.log.open("ab") as log:
            service.process = subprocess.Popen(
                service.command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        service.starts += 1
        self.guard.watch(each.process.pid for each in self.services.values() if each.process is not None)

    def _end(self, service: Service, number: signal.Signals) -> None:
        if service.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(service.process.pid, number)
        service.process.wait()


def run_to_end(command: list[str], *, environment: Mapping[str, str], log: Path) -> None:
    """Run a command; raise StageError with its last words when it fails."""
    with log.open("ab") as file:
        ended = subprocess.run(command, cwd=ROOT, env=dict(environment), stdout=file, stderr=file, check=False)
    if ended.returncode:
        raise StageError(f"{' '.join(command[-3:])} failed: {log.read_text(errors='replace')[-600:]}")


def memory_of(pid: int) -> int:
    """Return the bytes a process has in memory; 0 when it is gone."""
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
