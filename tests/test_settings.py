"""The settings as production reads them, each time in a process of its own."""

import os
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


def test_no_migration_is_missing(tmp_path: Path) -> None:
    checked = manage({"DATA_DIR": str(tmp_path)}, "makemigrations", "--check", "--dry-run")
    assert checked.returncode == 0, checked.stdout
