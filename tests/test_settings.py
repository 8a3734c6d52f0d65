"""The settings as production reads them, each time in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

ROOT = Path(__file__).parent.parent
PRODUCTION = {
    "PORTAL_ENV": "production",
    "SECRET_KEY": "a-secret-key-of-fifty-characters-and-more-than-that-0123456789",
    "FIELD_ENCRYPTION_KEY": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "portal.example",
    "DATABASE_URL": "postgres://portal@127.0.0.1:1/portal",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "LAMINA_BASE_URL": "https://app.uselamina.ai",
    "PORTAL_PUBLIC_URL": "https://portal.example",
}


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a management command with these variables and no others of ours."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_deployment_check_has_no_warning() -> None:
    checked = manage(PRODUCTION, "check", "--deploy", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"PORTAL_ENV"}))
def test_what_production_lacks_stops_the_start_with_one_line(name: str) -> None:
    lacking = {key: value for key, value in PRODUCTION.items() if key != name}
    checked = manage(lacking, "check")
    assert checked.returncode != 0
    assert checked.stderr.strip() == f"{name} is not set. Production needs it: see .env.example."


def test_every_setting_that_means_nothing_has_its_line_and_no_traceback() -> None:
    """A value is never shown, because it may hold a password."""
    meaningless = {
        "DEBUG": "maybe",
        "DATA_DIR": "/srv/100%",
        "ALLOWED_HOSTS": ",",
        "PORTAL_PUBLIC_URL": "portal.example",
        "LAMINA_BASE_URL": "ftp://user:hush@x/",
        "LAMINA_RATE_LIMIT": "0",
        "BUDGET_UNKNOWN_CREDITS": "-1",
        "CONFIRM_ABOVE_CREDITS": "few",
        "LAMINA_MEDIA_HOSTS": "127.0.0.1",
        "DATABASE_URL": "foo",
        "REDIS_URL": "redis://:hush@127.0.0.1/abc",
        "MEDIA_STORAGE_URL": "file://srv/media",
        "MEDIA_WORKED_ON_AT_ONCE": "0",
        "EMAIL_URL": "smtp.example:hush",
        "TIME_ZONE": "Mars/Olympus",
        "SECURE_SSL_REDIRECT": "perhaps",
        "LOG_LEVEL": "loud",
        "SENTRY_DSN": "hush",
    }
    checked = manage(PRODUCTION | meaningless, "selfcheck")
    assert checked.returncode == 1
    lines = checked.stderr.splitlines()
    assert [line.partition(" cannot be used: ")[0] for line in lines] == list(meaningless)
    assert "hush" not in checked.stdout + checked.stderr
    prepares = manage(PRODUCTION | {"DATABASE_PREPARES": "maybe"}, "check")
    assert prepares.stderr == "DATABASE_PREPARES cannot be used: set it to on or off.\n"


def test_example_can_be_copied_and_filled_in() -> None:
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    checked = manage({**example, **PRODUCTION}, "check")
    assert checked.returncode == 0, checked.stderr


def test_empty_is_not_set() -> None:
    """As .env.example, copied and half filled in, has it."""
    names = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    checked = manage(dict.fromkeys(names - {"PORTAL_ENV"}, "") | {"PORTAL_ENV": "development"}, "check")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("arguments", [["-A", "portal", "inspect", "ping"], ["-A", "portal.beat", "beat"]])
def test_workers_and_beat_end_with_the_line_too(arguments: list[str]) -> None:
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "portal.settings"}
    ended = subprocess.run(
        [sys.executable, "-m", "celery", *arguments],
        cwd=ROOT,
        env=environment | PRODUCTION | {"LOG_LEVEL": "loud"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stderr == "LOG_LEVEL cannot be used: set it to DEBUG, INFO, WARNING, ERROR or CRITICAL.\n"


def test_no_migration_is_missing(tmp_path: Path) -> None:
    checked = manage({"DATA_DIR": str(tmp_path)}, "makemigrations", "--check", "--dry-run")
    assert checked.returncode == 0, checked.stdout
