"""`manage.py selfcheck`: well when all is well, and one line with its fix for each trouble."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from lamina_integration.sandbox import Sandbox
from portal import embedded
from portal.operations import broker
from portal.workspaces.models import Workspace
from tests.test_settings import PRODUCTION, manage

Check = Callable[[], tuple[int, dict[str, str]]]


@pytest.fixture
def well(workspace: Workspace, lanes_at_work: None, lamina: Sandbox, settings: Any, tmp_path: Path) -> None:
    """A portal with nothing wrong: the stand-in answers, lanes work, media have a folder."""
    storages = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / "m")}}
    settings.STORAGES = {**settings.STORAGES, "default": storages}


@pytest.fixture
def check(well: None) -> Check:
    """A function that runs the command and returns its status and its lines by check."""

    def run() -> tuple[int, dict[str, str]]:
        out = io.StringIO()
        try:
            call_command("selfcheck", stdout=out, no_color=True)
        except SystemExit as error:
            status = int(error.code or 0)
        else:
            status = 0
        lines = [line.partition(": ") for line in out.getvalue().splitlines()]
        return status, {name: text for name, _colon, text in lines}

    return run


def wrong(check: Check) -> dict[str, str]:
    """Return the lines that name a trouble; the command must have ended with status 1."""
    status, lines = check()
    assert status == 1
    return {name: text for name, text in lines.items() if text != "ok" and not text.startswith("not looked at: ")}


def test_all_well_ends_with_status_0(check: Check) -> None:
    status, lines = check()
    assert (status, set(lines.values())) == (0, {"ok"}), lines
    assert lines.keys() == {
        "database",
        "redis",
        "workers",
        "storage",
        "disk",
        "lamina",
        "addresses",
        "encryption",
        "budgets",
    }


def test_redis_that_is_away_is_one_line(check: Check, settings: Any) -> None:
    settings.REDIS_URL = "redis://:hush@127.0.0.1:1/0"
    found = wrong(check)
    assert found.keys() == {"redis"}
    assert "mend REDIS_URL" in found["redis"]
    assert "hush" not in found["redis"]
    assert check()[1]["workers"] == "not looked at: Redis does not answer (ConnectionError)"


@pytest.fixture
def evicting_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that throws keys away when it is full."""
    with embedded.running(tmp_path_factory.mktemp("valkey")) as listens_at:
        url = f"unix://{listens_at}"
        with broker.redis.Redis.from_url(url) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        yield url


def test_redis_that_evicts_is_named(check: Check, settings: Any, evicting_redis: str) -> None:
    settings.REDIS_URL = evicting_redis
    found = wrong(check)
    assert "allkeys-lru" in found["redis"]
    assert "Fix: set it to noeviction" in found["redis"]


def test_silent_lane_is_named_with_how_to_start_it(check: Check) -> None:
    with broker.connect() as redis:
        redis.hset(broker.WORKED_KEY, "media", "1")
    found = wrong(check)
    assert found.keys() == {"workers"}
    assert "lane media" in found["workers"]
    assert "-Q media" in found["workers"]


def test_beat_is_named_when_no_lane_works_and_nothing_is_queued(check: Check) -> None:
    with broker.connect() as redis:
        redis.delete(broker.WORKED_KEY, *(name for lane in settings.LANES for name in broker._lists_of(lane)))
    assert "start beat" in wrong(check)["workers"]


def test_storage_that_cannot_be_written_is_named(check: Check, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    storage = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(tmp_path / "file" / "m")},
    }
    settings.STORAGES = {**settings.STORAGES, "default": storage}
    found = wrong(check)
    assert found.keys() == {"storage"}
    assert "MEDIA_STORAGE_URL" in found["storage"]


def test_storage_is_left_as_it_was(check: Check, tmp_path: Path) -> None:
    check()
    assert [path for path in (tmp_path / "m").rglob("*") if path.is_file()] == []


def test_full_disk_is_named(check: Check, settings: Any) -> None:
    settings.DISK_LOW_BYTES = 10**18
    assert "manage.py prune" in wrong(check)["disk"]


def test_data_folder_that_is_missing_is_named(check: Check, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "nowhere"
    assert "mend DATA_DIR" in wrong(check)["disk"]


def test_key_that_lamina_refuses_is_named_and_not_shown(check: Check, settings: Any) -> None:
    settings.LAMINA_API_KEY = "lma_wrong"
    found = wrong(check)
    assert found == {"lamina": "Lamina does not accept the key. Fix: mend LAMINA_API_KEY."}


def test_key_of_a_workspace_is_tried_when_the_portal_has_none(
    check: Check, settings: Any, workspace: Workspace, lamina: Sandbox
) -> None:
    settings.LAMINA_API_KEY = ""
    assert "set LAMINA_API_KEY" in wrong(check)["lamina"]
    workspace.lamina_api_key = lamina.api_key
    workspace.save()
    assert check()[0] == 0
    workspace.lamina_api_key = "lma_wrong"
    workspace.save()
    assert "mend the workspace's key" in wrong(check)["lamina"]


def test_lamina_that_cannot_be_reached_is_named(check: Check, settings: Any) -> None:
    settings.LAMINA_BASE_URL = "http://127.0.0.1:1"
    assert "mend LAMINA_BASE_URL" in wrong(check)["lamina"]


def test_public_address_of_production_has_to_be_https(check: Check, settings: Any) -> None:
    settings.PRODUCTION, settings.PORTAL_PUBLIC_URL = True, "http://localhost"
    assert "https" in wrong(check)["addresses"]


def test_public_address_has_to_be_one_the_portal_answers_to(check: Check, settings: Any) -> None:
    settings.PORTAL_PUBLIC_URL, settings.ALLOWED_HOSTS = "https://portal.example", [".other.example"]
    assert "add portal.example to ALLOWED_HOSTS" in wrong(check)["addresses"]
    settings.ALLOWED_HOSTS = [".example"]
    assert check()[0] == 0


def test_stored_key_that_no_configured_key_reads_is_named(check: Check, settings: Any, workspace: Workspace) -> None:
    workspace.lamina_api_key = "lma_secret"
    workspace.save()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    found = wrong(check)
    assert found.keys() == {"encryption"}
    assert "stored key of demo cannot be decrypted" in found["encryption"]


def test_encryption_key_that_is_none_is_named(check: Check, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["abc"]
    assert "FIELD_ENCRYPTION_KEY" in wrong(check)["encryption"]


def test_missing_migrations_are_named(check: Check) -> None:
    with connection.cursor() as cursor:
        cursor.execute("delete from django_migrations where app = 'runs'")
    assert "run manage.py migrate" in wrong(check)["database"]


def test_database_that_is_away_is_one_line_and_the_rest_is_tried() -> None:
    """In production, in a process of its own: everything is away, and each is named once, without secrets."""
    away = {"DATABASE_URL": "postgres://portal:hush@127.0.0.1:1/portal", "LAMINA_BASE_URL": "http://127.0.0.1:1"}
    ended = manage(PRODUCTION | away | {"LAMINA_API_KEY": "lma_hush"}, "selfcheck", "--no-color")
    assert ended.returncode == 1
    lines = dict(line.split(": ", 1) for line in ended.stdout.splitlines())
    assert len(lines) == len(ended.stdout.splitlines()) == 9
    assert "mend DATABASE_URL" in lines["database"]
    assert "mend REDIS_URL" in lines["redis"]
    assert "Lamina" in lines["lamina"]
    for name in ("encryption", "budgets", "workers"):
        assert lines[name].startswith("not looked at: "), lines[name]
        assert "hush" not in lines[name]
    assert "hush" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
