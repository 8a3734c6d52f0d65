"""`make test`: the whole suite with what every machine has, then again with what this one has besides.

First SQLite and the embedded Valkey, with the browser tests where there is a Chromium; then the
same without the browser tests on Postgres and Redis, where both can be reached, and the short storms
where there is a redis-server to start besides. TEST_DATABASE_URL and TEST_REDIS_URL say where (default:
this machine's usual ports). With REQUIRE_SERVICES=1, as in CI, whatever is missing is a failure and not
a shorter run.

pytest's own summary is the last thing printed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
import redis

DATABASE_URL = "postgres://postgres@127.0.0.1:5432/postgres"
# High numbers: the low ones may hold something of the developer's.
REDIS_URL = "redis://127.0.0.1:6379/10"
BROWSERS = ("chromium", "chromium-browser")
NO_TESTS_SELECTED = 5
PYTEST = (sys.executable, "-m", "pytest", "-n", "2")
# The browser journeys share one demo and turn its stand-in's knobs, the storms share one stage: one after the other.
ONE_BY_ONE = ("-n", "0")


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
    tell("On SQLite and the embedded Valkey:")
    status = pytest(("-m", "not browser and not storm"), arguments, settings={})
    if status not in (0, NO_TESTS_SELECTED):
        return status
    if browser:
        # In a process of their own: a browser keeps an event loop running that other tests cannot share.
        tell("Through a browser:")
        status = pytest((*ONE_BY_ONE, "-m", "browser"), arguments, settings={})
        if status not in (0, NO_TESTS_SELECTED):
            return status
    if {"Postgres", "Redis"} & missing.keys():
        return 0
    tell("On Postgres and Redis:")
    services = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    status = pytest(("-m", "not browser and not storm"), arguments, settings=services)
    # A choice of browser tests only has nothing to repeat.
    if status not in (0, NO_TESTS_SELECTED):
        return status
    if "redis-server" not in missing:
        tell("Short storms, on a Redis of their own:")
        status = pytest((*ONE_BY_ONE, "-m", "storm"), arguments, settings={"TEST_DATABASE_URL": database_url})
    return 0 if status == NO_TESTS_SELECTED else status


def pytest(selection: tuple[str, ...], arguments: list[str], *, settings: Mapping[str, str]) -> int:
    """Run pytest once with these settings, whatever the shell or a .env file says; return its status."""
    # Empty is the default, and is stronger than .env.
    neutral = {"PORTAL_ENV": "development", "DATABASE_URL": "", "REDIS_URL": ""}
    command = [*PYTEST, *selection, *arguments]
    return subprocess.run(command, env={**os.environ, **neutral, **settings}, check=False).returncode


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
