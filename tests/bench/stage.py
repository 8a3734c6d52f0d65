"""The processes that are measured, as production starts them, on a database and a broker of their own.

Where they are: BENCH_DATABASE_URL (or the word sqlite) and BENCH_REDIS_URL (or the word embedded),
otherwise Postgres and Redis at this machine's usual ports if they answer, otherwise SQLite and the
embedded Valkey. In Postgres a database is made and dropped again; in Redis two numbered databases
are used that must be empty before, and are after.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from portal import embedded
from portal.demo.guard import Guard
from portal.demo.loopback import get_status
from tests.storm.processes import Company, Service, StageError

POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
REDIS = "redis://127.0.0.1:6379"
# The first of these that is empty, with the one after it.
PAIRS = (14, 12, 10, 8)
TICKS = os.sysconf("SC_CLK_TCK")
WEB_WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where everybody listens."""

    web: int
    stand_in: int


@dataclass(kw_only=True)
class Stage:
    """What is running, and what it has cost so far."""

    folder: Path
    environment: dict[str, str]
    ports: Ports
    company: Company
    database: str
    broker: str

    def start(self, name: str, command: list[str], *, is_up: Callable[[Service], bool]) -> None:
        """Start a process; return when it is up."""
        self.company.add(Service(name=name, command=command, is_up=is_up, log=self.folder / f"{name}.log"))
        self.company.start(name)
        self.company.wait_up(name)

    def stop(self, *names: str) -> None:
        """End processes and whatever they forked; raise if one had died meanwhile."""
        for name in names:
            self.company.stop(name)
            service = self.company.services.pop(name)
            if service.starts > 1:
                raise StageError(f"{name} died and was started again; its log ends: {service.said[-600:]}")

    def start_web(self) -> None:
        """Start the web server with production's options."""
        port = self.ports.web
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", str(WEB_WORKERS), "--blocking-threads", "8", "portal.wsgi:application"]
        self.start("web", command, is_up=lambda _service: get_status(port, "/healthz") == 200)

    def start_worker(self, name: str, *, queues: str, processes: int) -> None:
        """Start a worker with production's pool, and return when it takes orders."""
        command = [sys.executable, "-m", "celery", "-A", "portal.celery", "worker", "--pool", "prefork"]
        command += ["--concurrency", str(processes), "-Q", queues, "-n", f"{name}@%h", "-l", "INFO"]
        self.start(name, command, is_up=lambda service: " ready." in service.said)

    def start_beat(self) -> None:
        """Start what sends the sweeps, and return when it has begun."""
        command = [sys.executable, "-m", "celery", "-A", "portal.beat", "beat", "-l", "INFO", "--pidfile="]
        command += ["-s", str(self.folder / "beat-schedule")]
        self.start("beat", command, is_up=lambda service: "beat: Starting" in service.said)

    def start_stand_in(self, apps: Path) -> None:
        """Start the stand-in with these apps, without a limit, its runs over at once."""
        port = self.ports.stand_in
        command = [sys.executable, "-m", "lamina_integration.sandbox", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--data", str(self.folder / "lamina"), "--key", self.environment["LAMINA_API_KEY"]]
        command += ["--apps", str(apps), "--no-builtin-apps", "--limit", "0", "--speed", "1000000"]
        command += ["--credits", "100000000", "--log-level", "warning"]
        self.start("stand-in", command, is_up=lambda _service: get_status(port, "/_sandbox/healthz") == 200)

    def empty_broker(self) -> None:
        """Forget what is queued, cached and budgeted."""
        empty(self.environment["REDIS_URL"])

    def cpu_seconds(self, name: str) -> float:
        """Return the user and system time of a process and all it forked, so far."""
        return sum(cpu_seconds_of(pid) for pid in self.members(name))

    def members(self, name: str) -> list[int]:
        """Return the ids of a process and all it forked."""
        process = self.company.services[name].process
        leader = process.pid if process else None
        return [pid for pid in all_pids() if session_of(pid) == leader]


def all_pids() -> list[int]:
    """Return the ids of this machine's processes."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def fields_of(pid: int) -> list[str]:
    """Return what the kernel says of a process, beginning with its state; nothing once it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def session_of(pid: int) -> int | None:
    """Return the session a process belongs to."""
    fields = fields_of(pid)
    return int(fields[3]) if fields else None


def cpu_seconds_of(pid: int) -> float:
    """Return a process's user and system time, without its children's."""
    fields = fields_of(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


@contextmanager
def stage() -> Iterator[Stage]:
    """Set the stage: a database with tables, an empty broker, and settings that name them."""
    with ExitStack() as cleanup:
        folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        database_url = cleanup.enter_context(database(folder))
        redis_url = cleanup.enter_context(broker(folder))
        ports = Ports(**dict(zip(("web", "stand_in"), free_ports(2), strict=True)))
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
            "PORTAL_ENV": "development",
            "DEBUG": "off",
            "DATA_DIR": str(folder / "data"),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PORTAL_PUBLIC_URL": f"http://127.0.0.1:{ports.web}",
            "ALLOWED_HOSTS": "127.0.0.1",
            "LAMINA_BASE_URL": f"http://127.0.0.1:{ports.stand_in}",
            "LAMINA_API_KEY": "lma_bench_key",
            "LAMINA_RATE_LIMIT": "10000000",
            "LAMINA_MEDIA_HOSTS": f"127.0.0.1:{ports.stand_in}",
            "SENTRY_DSN": "",
            "MALLOC_ARENA_MAX": "2",
            "PYTHONUNBUFFERED": "1",
        }
        (folder / "data").mkdir(exist_ok=True)
        company = Company(environment, cleanup.enter_context(Guard()))
        cleanup.callback(company.end_all)
        yield Stage(
            folder=folder,
            environment=environment,
            ports=ports,
            company=company,
            database="SQLite" if database_url.startswith("sqlite") else "Postgres",
            broker="the embedded Valkey" if redis_url.startswith("unix:") else "Redis",
        )


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """Give the address of an empty database, dropped afterwards."""
    server = os.environ.get("BENCH_DATABASE_URL") or POSTGRES
    if server.startswith("sqlite"):
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    try:
        connection = psycopg.connect(server.replace("postgres://", "postgresql://", 1), autocommit=True)
    except psycopg.Error as error:
        if os.environ.get("BENCH_DATABASE_URL"):
            raise StageError(f"BENCH_DATABASE_URL cannot be reached: {error}") from error
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    name = f"portal_bench_{os.getpid()}"
    with connection:
        connection.execute(f"create database {name}")
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"drop database {name} with (force)")


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Give the address of an empty Redis database, with the next one empty as well."""
    named = os.environ.get("BENCH_REDIS_URL")
    if named == "embedded":
        with embedded.running(folder / "data") as listens_at:
            yield f"unix://{listens_at}"
        return
    try:
        address = next(filter(is_empty, [named] if named else [f"{REDIS}/{number}" for number in PAIRS]), None)
    except redis.RedisError as error:
        if named:
            raise StageError(f"BENCH_REDIS_URL cannot be reached: {error}") from error
        with embedded.running(folder / "data") as listens_at:
            yield f"unix://{listens_at}"
        return
    if address is None:
        where = "BENCH_REDIS_URL or the database after it is" if named else "Every Redis database tried is"
        raise StageError(f"{where} not empty: name others with BENCH_REDIS_URL.")
    try:
        yield address
    finally:
        empty(address)


def empty(address: str) -> None:
    """Remove all from a Redis database and the next one, or from an embedded broker."""
    if address.startswith("unix:"):
        redis.Redis.from_url(address).flushall()
        return
    for each in (address, next_database(address)):
        redis.Redis.from_url(each).flushdb()


def is_empty(address: str) -> bool:
    """Tell whether a Redis database and the next one hold nothing."""
    return not any(redis.Redis.from_url(each).dbsize() for each in (address, next_database(address)))


def next_database(address: str) -> str:
    """Return the address of the Redis database with the next number."""
    parts = urlsplit(address)
    return parts._replace(path=f"/{int(parts.path.strip('/') or 0) + 1}").geturl()


def free_ports(count: int) -> list[int]:
    """Return different ports that nobody listens at."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
