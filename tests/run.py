"""`make test`: the whole suite with what every machine has, then again with what this one has besides.

First SQLite and the embedded Valkey; then on Postgres and Redis, where both can be reached, whatever
they make a difference to, and there alone what is costly and needs no second look. Beside the first run the
short storms where there is a redis-server to start, of which those that judge times wait until all else is
done; beside the last run the browser tests where there is a Chromium. TEST_DATABASE_URL and TEST_REDIS_URL
say where (default: this machine's usual ports). With REQUIRE_SERVICES=1, as in CI, whatever is missing is a
failure and not a shorter run.

pytest's own summary is the last thing printed.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psycopg
import redis

DATABASE_URL = "postgres://postgres@127.0.0.1:5432/postgres"
# High numbers: the low ones may hold something of the developer's.
REDIS_URL = "redis://127.0.0.1:6379/10"
BROWSERS = ("chromium", "chromium-browser")
NO_TESTS_SELECTED = 5
PYTEST = (sys.executable, "-m", "pytest")
SIDE_BY_SIDE = ("-n", "2")
# Where what runs beside them waits most of its time, one more has room.
THREE_BY_THREE = ("-n", "3")
# The browser journeys share one demo and turn its stand-in's knobs.
ONE_BY_ONE = ("-n", "0")
# What brings its own database and broker, or knows neither: the second time would show nothing new.
SAME_ON_POSTGRES = (
    "tests/lamina_integration/sandbox",
    "tests/lamina_integration/test_[!l]*.py",  # all but the limits, which are kept in Redis
    "tests/portal/demo",
    "tests/portal/media/test_films.py",
    "tests/portal/media/test_stills.py",
    "tests/test_architecture.py",
    "tests/test_house.py",
)


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One run of pytest: what it is called, what it runs, where its tests lie, and on what."""

    name: str
    options: tuple[str, ...]
    path: str = "tests"
    settings: Mapping[str, str] = field(default_factory=dict)


def main(arguments: list[str]) -> int:
    """Run what can be run; return pytest's status."""
    database_url = os.environ.get("TEST_DATABASE_URL") or DATABASE_URL
    redis_url = os.environ.get("TEST_REDIS_URL") or REDIS_URL
    browser = find_browser()
    missing = {
        "Chromium": "" if browser else "not installed (Debian: apt install chromium)",
        "Postgres": why_no_postgres(database_url),
        "Redis": why_no_redis(redis_url),
        "redis-server": "" if shutil.which("redis-server") else "not on the PATH (Debian: apt install redis-server)",
    }
    missing = {name: reason for name, reason in missing.items() if reason}
    if missing and os.environ.get("REQUIRE_SERVICES") == "1":
        for name, reason in missing.items():
            tell(f"{name}: {reason}")
        tell("REQUIRE_SERVICES=1, so this is a failure.")
        return 1

    for name, reason in missing.items():
        tell(f"Left out: {name} is {reason}.")
    has_services = not {"Postgres", "Redis"} & missing.keys()
    suite = "not browser and not storm"
    # What is costly, and as good on one database as on the other, is tried on the one that production has.
    first = f"{suite} and not once" if has_services else suite
    workers = THREE_BY_THREE if has_services else SIDE_BY_SIDE
    on_sqlite = Pass(name="On SQLite and the embedded Valkey", options=(*workers, "-m", first))
    on_postgres = Pass(
        name="On Postgres and Redis",
        options=(*SIDE_BY_SIDE, "-m", suite, *ignoring(SAME_ON_POSTGRES)),
        settings={"DATABASE_URL": database_url, "REDIS_URL": redis_url},
    )
    # In a process of their own: a browser keeps an event loop running that other tests cannot share.
    browsing = Pass(name="Through a browser", options=(*ONE_BY_ONE, "-m", "browser"), path="tests/browser")
    # Those storms whose times are judged wait until this file is let go of.
    with contextlib.ExitStack() as beside, tempfile.NamedTemporaryFile() as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        stormed = browsed = None
        if has_services and "redis-server" not in missing:
            storms = Pass(
                name="Short storms, on a Redis of their own",
                options=(*ONE_BY_ONE, "-m", "storm"),
                path="tests/storm",
                settings={"TEST_DATABASE_URL": database_url, "WAIT_FOR_FILE": busy.name},
            )
            stormed = beside.enter_context(Aside(storms, arguments))
        passes = [on_sqlite, on_postgres] if has_services else [on_sqlite]
        for each in passes:
            if browser and each is passes[-1]:
                browsed = beside.enter_context(Aside(browsing, arguments))
            if status := run(each, arguments):
                return status
        if browsed and (status := browsed.status()):
            return status
        fcntl.flock(busy, fcntl.LOCK_UN)
        return stormed.status() if stormed else 0


def ignoring(paths: Sequence[str]) -> tuple[str, ...]:
    """Return how pytest is told to leave these out."""
    return tuple(f"--ignore-glob={path}" for path in paths)


def run(each: Pass, arguments: list[str]) -> int:
    """Run pytest; return its status, 0 also where the arguments choose nothing of this pass."""
    tell(f"{each.name}:")
    return passed(subprocess.run(command(each, arguments), env=environment(each), check=False).returncode)


class Aside:
    """A pass that runs beside others, and is printed when they are done."""

    def __init__(self, each: Pass, arguments: list[str]) -> None:
        self._pass, self._arguments = each, arguments

    def __enter__(self) -> Self:
        tell(f"{self._pass.name}: begun, and told of later.")
        self._printed = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command(self._pass, self._arguments),
            env=environment(self._pass),
            stdout=self._printed,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            # As Ctrl-C does: the demo that it has started ends with it.
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
        self._printed.close()

    def status(self) -> int:
        """Wait until it is over, print what it printed, and return its status."""
        status = passed(self._process.wait())
        self._printed.seek(0)
        tell(f"{self._pass.name}:")
        tell(self._printed.read().decode(errors="replace"))
        return status


def passed(status: int) -> int:
    """Return pytest's status: 0 also where the arguments choose nothing of a pass, as browser tests only."""
    return 0 if status == NO_TESTS_SELECTED else status


def command(each: Pass, arguments: list[str]) -> list[str]:
    """Return how pytest is called: with what the arguments name, or with where a pass's tests lie."""
    names_some = any(Path(argument.partition("::")[0]).exists() for argument in arguments)
    return [*PYTEST, *each.options, *arguments, *(() if names_some else (each.path,))]


def environment(each: Pass) -> dict[str, str]:
    """Return the settings of a pass, whatever the shell or a .env file says."""
    # Empty is the default, and is stronger than .env.
    neutral = {"PORTAL_ENV": "development", "DATABASE_URL": "", "REDIS_URL": ""}
    return {**os.environ, **neutral, **each.settings}


def find_browser() -> str | None:
    """Return Chromium's path, nothing where there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def why_no_postgres(url: str) -> str:
    """Return why the tests cannot make their database there, nothing if they can."""
    try:
        with psycopg.connect(url.replace("postgres://", "postgresql://", 1), connect_timeout=3) as connection:
            can_create = connection.execute("select rolcreatedb from pg_roles where rolname = current_user").fetchone()
    except psycopg.Error as error:
        return f"not reached at TEST_DATABASE_URL ({str(error).splitlines()[0]})"
    return "" if can_create == (True,) else "the user of TEST_DATABASE_URL may not create databases"


def why_no_redis(url: str) -> str:
    """Return why the tests cannot use Redis there, nothing if they can."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError as error:
        return f"not reached at TEST_REDIS_URL ({error})"
    return ""


def tell(text: str) -> None:
    """Print a line before what pytest prints."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent)
    sys.exit(main(sys.argv[1:]))
