"""The stage of a storm: the portal as docker-compose runs it, its Redis, and the stand-in, each a process.

Postgres is the one thing that is there already; the stage makes a database of its own in it and
drops it at the end.
"""

import contextlib
import http.client
import os
import secrets
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis
import yaml

from portal.demo.guard import Guard
from tests.storm.lamina import StandIn
from tests.storm.processes import ROOT, Company, Service, StageError, run_to_end, wait_until
from tests.storm.rows import Rows
from tests.storm.visitor import Visitor

APPS = Path(__file__).parent / "apps"
NOTE = "57042000-0000-4000-8000-000000000001"
PICTURE = "57042000-0000-4000-8000-000000000002"
SHOT = "57042000-0000-4000-8000-000000000003"
LONE = [f"57042000-0000-4000-8000-00000000001{number}" for number in range(1, 6)]
HOST = "127.0.0.1"
# Below the ports that connections get by themselves: a server that is killed must find its own free again.
PORTS = range(8100, 8200)
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
WORKERS = tuple(name for name in COMPOSE if name.startswith("worker-"))
LANES = tuple(name.removeprefix("worker-") for name in WORKERS)
PORTAL = ("web", *WORKERS, "beat")
# Settings that one worker needs alone: what nobody has acknowledged in time any of them takes back, for all queues.
TAKES_BACK = {"STORM_VISIBILITY_TIMEOUT": "worker-interactive"}
DATABASE_URL = "postgres://postgres@127.0.0.1:5432/postgres"
UNLIMITED = "1000000"
PASSWORD = secrets.token_urlsafe(12)


def missing(database_url: str) -> str:
    """Return in one line what a storm needs and this machine has not; nothing if all is there."""
    if shutil.which("redis-server") is None:
        return "Storms start a Redis of their own: put redis-server on the PATH (Debian: apt install redis-server)."
    try:
        with psycopg.connect(database_url.replace("postgres://", "postgresql://", 1), connect_timeout=3) as connection:
            allowed = connection.execute("select rolcreatedb from pg_roles where rolname = current_user").fetchone()
    except psycopg.Error as error:
        return f"Storms need a Postgres at TEST_DATABASE_URL ({str(error).splitlines()[0]})."
    return (
        "" if allowed == (True,) else "The user of TEST_DATABASE_URL may not create databases; storms make their own."
    )


class Stage:
    """Every process of a storm, and the ways to look at and disturb them."""

    def __init__(self, *, database_url: str, haste: float, data: Path) -> None:
        self.data = data
        self.haste = haste
        self._server_url = database_url.replace("postgres://", "postgresql://", 1)
        self._database = f"storm_{os.getpid()}_{secrets.token_hex(3)}"
        self._ports = free_ports()
        self.web_url = f"http://{HOST}:{self._ports['web']}"
        self.database_url = urlsplit(database_url)._replace(path=f"/{self._database}").geturl()
        self._defaults = {
            "LAMINA_RATE_LIMIT": UNLIMITED,
            "STORM_RATE_WINDOW": "60",
            "STORM_VISIBILITY_TIMEOUT": "900",
            "PORTAL_PUBLIC_URL": self.web_url,
        }
        self.limit = {"LAMINA_RATE_LIMIT": "100", "STORM_RATE_WINDOW": f"{60 / haste:g}"}
        (data / "logs").mkdir(parents=True, exist_ok=True)
        (data / "redis").mkdir(exist_ok=True)
        (data / "static").mkdir(exist_ok=True)
        self.guard = Guard()
        self.company = Company(self._environment(), self.guard)
        for service in self._services():
            self.company.add(service)

    def start(self) -> None:
        """Bring everything up: a database with its tables, people and apps, then the processes."""
        self._in_postgres(f'create database "{self._database}"')
        self.company.start("redis", "lamina")
        self.company.wait_up("redis")
        self.company.wait_up("lamina")
        self.run("tests.storm.furnish", NOTE, PICTURE, SHOT, *LONE)
        self.company.start(*PORTAL)
        self.company.wait_up(*PORTAL)
        self.redis = redis.Redis(host=HOST, port=self._ports["redis"], socket_timeout=5)
        self.lamina = StandIn(f"http://{HOST}:{self._ports['lamina']}", self.data / "lamina")
        self.rows = Rows(self.database_url.replace("postgres://", "postgresql://", 1))
        self.pins: dict[str, int] = {
            row["lamina_id"]: row["id"]
            for row in self.rows.ask(
                "select p.id, a.lamina_id from catalogue_pinnedapp p join catalogue_app a on a.id = p.app_id"
            )
        }
        self.visitor = self.sign_in("creator")

    def keep_the_limit(self) -> None:
        """Have Lamina and the portal count requests as they do in life from now on."""
        self.lamina.turn(limit=int(self.limit["LAMINA_RATE_LIMIT"]), window=60 / self.haste)
        if self.limit.items() - self.company.environment.items():
            self.company.restart(*WORKERS, **self.limit)

    def sign_in(self, who: str) -> Visitor:
        """Return somebody with a session."""
        return Visitor(self.web_url, email=f"{who}@demo.test", password=PASSWORD)

    def begin(self, *, settings: dict[str, str], knobs: dict[str, Any], is_limited: bool = False) -> None:
        """Clear the stage for the next promise: no run, no message, no knob is left of the one before.

        A limited one keeps to Lamina's limit from its middle on; where everything is small it does so
        from the start, which saves a restart.
        """
        wanted = {**self._defaults, **settings, **(self.limit if is_limited and self.haste > 1 else {})}
        changed = {name: value for name, value in wanted.items() if self.company.environment.get(name) != value}
        self.company.start("redis", "lamina", *PORTAL)
        self.company.wait_up("redis", "lamina")
        busy = not wait_until(self._is_idle, seconds=3)
        if changed or busy:
            names: Sequence[str] = PORTAL if "PORTAL_PUBLIC_URL" in changed else WORKERS
            if not busy and changed.items() <= settings.items() and changed.keys() <= TAKES_BACK.keys():
                names = [TAKES_BACK[name] for name in changed]
            self.company.environment |= changed
            for name in names:
                self.company.kill(name, comes_back=False)
        self.lamina.reset()
        self.lamina.turn(**knobs)
        self.rows.do("truncate runs_run, workspaces_budgetmonth, workspaces_ledgerline cascade")
        self.rows.do("update workspaces_workspace set monthly_budget = null")
        self.redis.delete(*LANES, "unacked", "unacked_index")
        for key in self.redis.keys("*lamina-budget*"):
            self.redis.delete(key)
        with redis.Redis(host=HOST, port=self._ports["redis"], db=1) as cache:
            cache.flushdb()
        self.company.start(*PORTAL)
        self.company.wait_up(*PORTAL)

    def stop(self) -> None:
        """End everything and leave nothing behind but the data folder."""
        self.company.end_all()
        with contextlib.suppress(AttributeError):
            self.visitor.close()
            self.lamina.close()
            self.rows.close()
            self.redis.close()
        self.guard.__exit__(None, None, None)
        self._in_postgres(f'drop database if exists "{self._database}" with (force)')

    def run(self, module: str, *arguments: str) -> None:
        """Run a module with the portal's settings to its end."""
        log = self.data / "logs" / f"{module.rsplit('.', 1)[-1]}.log"
        run_to_end([sys.executable, "-m", module, *arguments], environment=self.company.environment, log=log)

    def queued(self, lane: str) -> int:
        """Return how many messages wait in a lane."""
        return int(self.redis.llen(lane))  # type: ignore[arg-type]

    def log_of(self, name: str) -> str:
        """Return everything a process has written."""
        return self.company.services[name].log.read_text(errors="replace")

    def _is_idle(self) -> bool:
        open_attempts = self.rows.one("select count(*) from runs_attempt where closed_at is null")
        return not open_attempts and not any(self.queued(lane) for lane in LANES if lane != "tracking")

    def _in_postgres(self, statement: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        lamina = f"{HOST}:{self._ports['lamina']}"
        return {
            **inherited,
            **self._defaults,
            "DJANGO_SETTINGS_MODULE": "tests.storm.settings",
            "STORM_HASTE": f"{self.haste:g}",
            "PORTAL_ENV": "development",
            "DEBUG": "off",
            "SECRET_KEY": secrets.token_urlsafe(40),
            "DATA_DIR": str(self.data),
            "STATIC_ROOT": str(self.data / "static"),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": f"redis://{HOST}:{self._ports['redis']}/0",
            "LAMINA_BASE_URL": f"http://{lamina}",
            "LAMINA_API_KEY": "lma_storm_key",
            "LAMINA_MEDIA_HOSTS": lamina,
            "ALLOWED_HOSTS": f"localhost,{HOST}",
            "MEDIA_STORAGE_URL": f"file://{self.data / 'media'}",
            "DEMO_PASSWORD_OWNER": PASSWORD,
            "DEMO_PASSWORD_CREATOR": PASSWORD,
            "DEMO_PASSWORD_STAFF": PASSWORD,
            "PYTHONUNBUFFERED": "1",
        }

    def _services(self) -> Iterator[Service]:
        ports = self._ports
        redis_words = shlex.split(COMPOSE["redis"]["command"])
        yield self._service(
            "redis",
            [*redis_words, "--bind", HOST, "--port", str(ports["redis"]), "--dir", str(self.data / "redis")],
            lambda _service: self._redis_answers(),
        )
        yield self._service(
            "lamina",
            [
                *(sys.executable, "-m", "lamina_integration.sandbox", "--port", str(ports["lamina"])),
                *("--data", str(self.data / "lamina"), "--key", "lma_storm_key", "--apps", str(APPS)),
                *("--credits", "10000000", "--limit", "0", "--plain-media", "on", "--webhook-pace", "0.2"),
            ],
            lambda _service: get_status(ports["lamina"], "/_sandbox/healthz") == 200,
        )
        changes = {
            "0.0.0.0": HOST,
            "8000": str(ports["web"]),
            "/srv/portal/data/beat-schedule": str(self.data / "beat"),
        }
        signs: dict[str, Callable[[Service], bool]] = {
            "web": lambda _service: get_status(ports["web"], "/healthz") == 200,
            "beat": lambda service: "beat: Starting" in service.said,
        }
        for name in PORTAL:
            program, *words = [changes.get(word, word) for word in shlex.split(COMPOSE[name]["command"])]
            is_up = signs.get(name, lambda service: " ready." in service.said)
            yield self._service(name, [sys.executable, "-m", program, *words], is_up)

    def _service(self, name: str, command: list[str], is_up: Callable[[Service], bool]) -> Service:
        return Service(name=name, command=command, is_up=is_up, log=self.data / "logs" / f"{name}.log")

    def _redis_answers(self) -> bool:
        try:
            with redis.Redis(host=HOST, port=self._ports["redis"], socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextlib.contextmanager
def standing(
    *,
    database_url: str,
    haste: float,
    keep_data: Callable[[], bool] = lambda: False,
) -> Iterator[Stage]:
    """A stage for as long as the block runs; its data folder goes unless it is to be kept."""
    data = Path(tempfile.mkdtemp(prefix="portal-storm-"))
    stage = Stage(database_url=database_url, haste=haste, data=data)
    try:
        stage.start()
        yield stage
    finally:
        stage.stop()
        if not keep_data():
            shutil.rmtree(data, ignore_errors=True)


def free_ports() -> dict[str, int]:
    """Return some of the ports of storms that nobody listens on, for the processes that have one."""
    names = ("web", "lamina", "redis")
    found: list[int] = []
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                found.append(port)
        if len(found) == len(names):
            return dict(zip(names, found, strict=True))
    raise StageError(f"no {len(names)} free ports between {PORTS[0]} and {PORTS[-1]}")


def get_status(port: int, path: str) -> int:
    """Return the status of an answer, 0 when there is none."""
    connection = http.client.HTTPConnection(HOST, port, timeout=3)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
