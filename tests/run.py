"""`make test`: the whole suite with what every machine has, then again with what this one has besides.

First SQLite and the embedded Valkey; then on Postgres and Redis, where both can be reached, whatever
they make a difference to, and there alone what is costly and needs no second look. Beside these two, one
after the other, the browser tests where there is a Chromium and the short storms where there is a
redis-server to start; those storms that judge times come after everything else. TEST_DATABASE_URL and
TEST_REDIS_URL say where (default: this machine's usual ports). With REQUIRE_SERVICES=1, as in CI, whatever
is missing is a failure and not a shorter run.

pytest's own summary is the last thing printed.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
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
    on_sqlite = Pass(name="On SQLite and the embedded Valkey", options=(*SIDE_BY_SIDE, "-m", first))
    on_postgres = Pass(
        name="On Postgres and Redis",
        options=(*SIDE_BY_SIDE, "-m", suite, *ignoring(SAME_ON_POSTGRES)),
        settings={"DATABASE_URL": database_url, "REDIS_URL": redis_url},
    )
    # In a process of their own: a browser keeps an event loop running that other tests cannot share.
    browsing = Pass(name="Through a browser", options=(*ONE_BY_ONE, "-m", "browser"), path="tests/browser")
    with tempfile.NamedTemporaryFile() as busy:
        aside = [browsing] if browser else []
        if has_services and "redis-server" not in missing:
            # They wait for most of their time. Those whose times are judged wait until this file is let go of.
            storms = Pass(
                name="Short storms, on a Redis of their own",
                options=(*ONE_BY_ONE, "-m", "storm"),
                path="tests/storm",
                settings={"TEST_DATABASE_URL": database_url, "WAIT_FOR_FILE": busy.name},
            )
            aside.append(storms)
        fcntl.flock(busy, fcntl.LOCK_EX)
        with Aside(aside, arguments) as beside:
            for each in [on_sqlite, on_postgres] if has_services else [on_sqlite]:
                if status := run(each, arguments):
                    return status
            fcntl.flock(busy, fcntl.LOCK_UN)
            return beside.status()


def ignoring(paths: Sequence[str]) -> tuple[str, ...]:
    """Return how pytest is told to leave these out."""
    return tuple(f"--ignore-glob={path}" for path in paths)


def run(each: Pass, arguments: list[str]) -> int:
    """Run pytest; return its status, 0 also where the arguments choose nothing of this pass."""
    tell(f"{each.name}:")
    return passed(subprocess.run(command(each, arguments), env=environment(each), check=False).returncode)


class Aside:
    """Passes that run one after another beside others, and are printed when those are done."""

    def __init__(self, passes: Sequence[Pass], arguments: list[str]) -> None:
        self._passes, self._arguments = passes, arguments
        self._folder = tempfile.TemporaryDirectory()
        self._printed = [Path(self._folder.name, str(number)) for number in range(len(passes))]
        self._statuses: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = False
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="aside")

    def __enter__(self) -> Self:
        for each in self._passes:
            tell(f"{each.name}: runs beside the others, and is told of later.")
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._turn:
            self._is_over = True
            if self._process and self._process.poll() is None:
                # As Ctrl-C does: the demo that it has started ends with it.
                self._process.send_signal(signal.SIGINT)
        self._thread.join()
        self._folder.cleanup()

    def _run(self) -> None:
        for each, printed in zip(self._passes, self._printed, strict=True):
            with self._turn, printed.open("wb") as said:
                if self._is_over:
                    return
                self._process = subprocess.Popen(
                    command(each, self._arguments), env=environment(each), stdout=said, stderr=subprocess.STDOUT
                )
            self._statuses.append(passed(self._process.wait()))
            if self._statuses[-1]:
                return

    def status(self) -> int:
        """Wait until they are over, print what they printed, and return the status of the first that failed."""
        self._thread.join()
        for each, printed in zip(self._passes, self._printed, strict=True):
            if printed.exists():
                tell(f"{each.name}:\n{printed.read_text(errors='replace')}")
        return next((status for status in self._statuses if status), 0)


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
