"""`manage.py selfcheck`: well when all is well, and one line with its fix for each trouble."""

import contextlib
import io
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from lamina_integration import LaminaError, LaminaUnreachable, Lane
from lamina_integration.sandbox import Sandbox
from portal import embedded
from portal.operations import broker
from portal.operations.selfcheck import check_addresses, check_mail, check_settings, outside
from portal.operations.selfcheck.outside import SMTP
from portal.operations.selfcheck.troubles import Trouble
from portal.workspaces.lamina import BUDGET_KEY, client_for
from portal.workspaces.models import Workspace
from tests.test_settings import PRODUCTION, manage

Check = Callable[[], tuple[int, dict[str, str]]]

# A production with nothing wrong, as far as its settings tell.
WISE = {
    "PRODUCTION": True,
    "DEBUG": False,
    "SECRET_KEY": "8rQ2v-uXk0aTnZ5yWcLmJ4hGfD7sPb1eOi9RtYqUxVzNwMlKq3HsA6dF",
    "ALLOWED_HOSTS": ["portal.example"],
    "PORTAL_PUBLIC_URL": "https://portal.example",
    "LAMINA_BASE_URL": "https://lamina.example",
    "LAMINA_MEDIA_HOSTS": frozenset(),
    "METRICS_TOKEN": "q9GkX2vTz7LmB4cR",
    "MEDIA_ORIGINS": ["https://storage.example", "https://*.storage.example:9000"],
    "SENTRY_DSN": "https://key@sentry.example/1",
    "RELEASE": "v1.2",
    "EMAIL_BACKEND": SMTP,
}


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
        lines: dict[str, str] = {}
        for line in out.getvalue().splitlines():
            name, _colon, text = line.partition(": ")
            lines[name] = f"{lines[name]}\n{text}" if name in lines else text
        return status, lines

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
        "settings",
        "addresses",
        "database",
        "redis",
        "workers",
        "storage",
        "disk",
        "lamina",
        "mail",
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


def test_number_too_high_for_the_cache_is_named(check: Check, settings: Any) -> None:
    """The cache forgives, and would never tell."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": f"{settings.REDIS_URL}?db=9999"}}
    assert "end REDIS_URL with a smaller number" in wrong(check)["redis"]


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


def test_origin_of_media_that_pages_may_not_show_is_named(check: Check, settings: Any) -> None:
    """As S3 has it: the link leads there, and the page's policy has to name it."""
    storage = dict(settings.STORAGES["default"])
    storage["OPTIONS"] = {**storage["OPTIONS"], "base_url": "https://bucket.storage.example/"}
    settings.STORAGES = {**settings.STORAGES, "default": storage}
    assert "add https://bucket.storage.example to MEDIA_ORIGINS" in wrong(check)["storage"]
    settings.MEDIA_ORIGINS = ["https://*.storage.example"]
    assert check()[0] == 0


def test_storage_is_left_as_it_was(check: Check, tmp_path: Path) -> None:
    check()
    assert [path for path in (tmp_path / "m").rglob("*") if path.is_file()] == []


def test_full_disk_is_named(check: Check, settings: Any) -> None:
    settings.DISK_LOW_BYTES = 10**18
    assert "manage.py prune" in wrong(check)["disk"]


def test_data_folder_that_is_missing_is_named(check: Check, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "nowhere"
    assert "mend DATA_DIR" in wrong(check)["disk"]


def test_data_folder_that_is_none_is_named(check: Check, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "file"
    settings.DATA_DIR.touch(mode=0o755)
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
    assert "mend the key of the workspace demo" in wrong(check)["lamina"]


@pytest.mark.parametrize("key", ["lma_x\n", " lma_x", "lma_x y", "lma_é", "lma_\x00"])
def test_key_that_cannot_be_sent_is_named_and_not_shown(check: Check, settings: Any, key: str) -> None:
    settings.LAMINA_API_KEY = key
    found = wrong(check)
    assert found.keys() == {"lamina"}
    assert found["lamina"].endswith("Fix: mend LAMINA_API_KEY.")
    assert "lma_" not in found["lamina"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "lamina.example", "ftp://lamina.example/"])
def test_lamina_that_cannot_be_reached_is_named(check: Check, settings: Any, address: str) -> None:
    settings.LAMINA_BASE_URL = address
    found = wrong(check)
    assert found.keys() == {"lamina"}
    assert found["lamina"].endswith("Fix: mend LAMINA_BASE_URL or the way to it.")


def test_lamina_that_answers_no_json_is_named(check: Check, settings: Any, lamina: Sandbox) -> None:
    settings.LAMINA_BASE_URL = f"{lamina.url}/elsewhere"
    assert "LAMINA_BASE_URL is the API's address" in wrong(check)["lamina"]


def budget() -> dict[bytes, bytes]:
    """Return what all processes know of Lamina."""
    with broker.connect() as redis:
        return redis.hgetall(BUDGET_KEY)


def test_lamina_is_asked_while_the_fleet_finds_it_away(check: Check, settings: Any, workspace: Workspace) -> None:
    """The state of any portal at work whose LAMINA_BASE_URL is wrong: nobody calls, and it is still to be named."""
    settings.LAMINA_BASE_URL = "http://127.0.0.1:1"
    with contextlib.suppress(LaminaError), client_for(workspace, lane=Lane.INTERACTIVE) as client:
        for _call in range(10):
            with contextlib.suppress(LaminaUnreachable):
                client.account.usage()
    assert b"away" in budget()
    assert "mend LAMINA_BASE_URL" in wrong(check)["lamina"]


def test_a_check_in_vain_holds_nobody_up(check: Check, settings: Any) -> None:
    settings.LAMINA_BASE_URL = "http://127.0.0.1:1"
    before = budget()
    for _time in range(3):
        wrong(check)
    assert budget() == before


def test_lamina_is_asked_without_redis(check: Check, settings: Any) -> None:
    settings.REDIS_URL, settings.LAMINA_BASE_URL = "redis://127.0.0.1:1/0", "http://127.0.0.1:1"
    assert "mend LAMINA_BASE_URL" in wrong(check)["lamina"]


def test_lamina_that_takes_no_more_requests_is_not_called_wrong(check: Check, lamina: Sandbox) -> None:
    lamina.set(rate_limited=1.0)
    status, lines = check()
    assert status == 0
    assert lines["lamina"] == "not looked at: Lamina takes no more requests from this address for 5 s"


def test_limit_above_lamina_s_is_named(check: Check, settings: Any, lamina: Sandbox) -> None:
    lamina.set(limit=100)
    settings.LAMINA_RATE_LIMIT = 101
    assert wrong(check) == {
        "lamina": "LAMINA_RATE_LIMIT is 101, and Lamina allows 100. Fix: set LAMINA_RATE_LIMIT to 100."
    }
    settings.LAMINA_RATE_LIMIT = 100
    assert check()[0] == 0


@pytest.fixture
def wise(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The settings of a production with nothing wrong."""
    (tmp_path / "staticfiles.json").touch()
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    for name, value in {**WISE, "STATIC_ROOT": tmp_path}.items():
        setattr(settings, name, value)
    return settings


def told(check: Callable[[], Iterator[Trouble]]) -> list[str]:
    """Return the lines of a check that asks nothing."""
    return [f"{trouble.what}. Fix: {trouble.fix}." for trouble in check()]


def test_wise_production_has_no_line(wise: Any) -> None:
    assert told(check_settings) + told(check_addresses) == []


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("DEBUG", True, "set DEBUG=off"),
        ("SECRET_KEY", "x", "set it to a long random word"),
        ("SECRET_KEY", "ab" * 40, "set it to a long random word"),
        ("SECRET_KEY", f"django-insecure-{WISE['SECRET_KEY']}", "set it to a long random word"),
        ("ALLOWED_HOSTS", ["*"], "set it to the portal's own names"),
        ("LAMINA_MEDIA_HOSTS", frozenset({"127.0.0.1:8765"}), "set it to nothing"),
        ("METRICS_TOKEN", "", "set it to a long random word"),
        ("METRICS_TOKEN", "sesame", "set it to a long random word"),
        ("METRICS_TOKEN", "q9GkX2vTz7LmB4cR ", "set it to a long random word"),
        ("STATIC_ROOT", Path("/nowhere"), "run manage.py collectstatic"),
        ("MEDIA_ORIGINS", ["storage.example"], "write it as https://"),
        ("MEDIA_ORIGINS", ["https://storage.example/portal"], "write it as https://"),
        ("MEDIA_ORIGINS", ["https://a.example; script-src *"], "write it as https://"),
        ("RELEASE", "feature/mugs", "set it to a word without slashes"),
    ],
)
def test_unwise_setting_is_named_with_its_fix(wise: Any, name: str, value: Any, fix: str) -> None:
    setattr(wise, name, value)
    assert [name in line and fix in line for line in told(check_settings)] == [True]


def test_sqlite_in_production_is_named(wise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(wise.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    assert ["DATABASE_URL" in line and "set it to Postgres" in line for line in told(check_settings)] == [True]


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("PORTAL_PUBLIC_URL", "http://portal.example", "set it to https://"),
        ("PORTAL_PUBLIC_URL", "https://portal.example/shop", "take it away"),
        ("PORTAL_PUBLIC_URL", "https://localhost", "public name"),
        ("PORTAL_PUBLIC_URL", "https://127.0.0.1:8000", "public name"),
        ("PORTAL_PUBLIC_URL", "https://10.0.0.7", "public name"),
        ("PORTAL_PUBLIC_URL", "https://[::1]", "public name"),
        ("PORTAL_PUBLIC_URL", "https://web", "public name"),
        ("PORTAL_PUBLIC_URL", "https://portal.internal", "public name"),
        ("LAMINA_BASE_URL", "http://lamina.example", "set it to https://"),
        ("ALLOWED_HOSTS", ["https://portal.example"], "without https://"),
        ("ALLOWED_HOSTS", ["portal.example:443"], "without https://"),
        ("ALLOWED_HOSTS", ["portal.example."], "without https://"),
        ("ALLOWED_HOSTS", ["other.example"], "add portal.example"),
    ],
)
def test_unwise_address_is_named_with_its_fix(wise: Any, name: str, value: Any, fix: str) -> None:
    setattr(wise, name, value)
    if name == "ALLOWED_HOSTS" and "portal.example" not in fix:
        wise.ALLOWED_HOSTS = [*WISE["ALLOWED_HOSTS"], *value]
    assert [name in line and fix in line for line in told(check_addresses)] == [True]


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
def test_public_address_the_portal_answers_to_is_fine_elsewhere(wise: Any, host: str) -> None:
    wise.PRODUCTION, wise.PORTAL_PUBLIC_URL, wise.ALLOWED_HOSTS = False, f"http://{host}:8000", [host]
    assert told(check_addresses) == []


def test_what_is_unwise_in_production_only_is_fine_elsewhere(wise: Any) -> None:
    wise.PRODUCTION = False
    wise.DEBUG, wise.SECRET_KEY, wise.METRICS_TOKEN, wise.STATIC_ROOT = True, "x", "", Path("/nowhere")
    wise.PORTAL_PUBLIC_URL = wise.LAMINA_BASE_URL = "http://localhost:8000"
    wise.ALLOWED_HOSTS, wise.LAMINA_MEDIA_HOSTS = ["*"], frozenset({"localhost:8765"})
    assert told(check_settings) + told(check_addresses) == []


@pytest.mark.parametrize("backend", ["console", "locmem", "dummy", "filebased"])
def test_production_without_a_mail_server_is_named(wise: Any, backend: str) -> None:
    wise.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    assert ["EMAIL_URL" in line and "smtp://" in line for line in told(check_mail)] == [True]
    wise.PRODUCTION = False
    assert told(check_mail) == []


def test_mail_server_that_is_away_is_named_and_its_password_is_not(settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", 1
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", "hush"
    assert told(check_mail) == [
        "The mail server does not answer (ConnectionRefusedError). Fix: mend EMAIL_URL, or start the server."
    ]


def test_mail_server_that_says_nothing_is_given_up(
    settings: Any, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", silent_port
    monkeypatch.setattr(outside, "MAIL_PATIENCE_SECONDS", 0.2)
    assert "mend EMAIL_URL" in told(check_mail)[0]


@pytest.mark.parametrize(("signs_in", "lines"), [("235 come in", 0), ("535 no", 1)])
def test_mail_server_is_signed_in_to(settings: Any, signs_in: str, lines: int) -> None:
    class Server(socketserver.StreamRequestHandler):
        """A mail server that knows people by their password and is sent nothing."""

        def handle(self) -> None:
            self.wfile.write(b"220 mail\r\n")
            answers = {b"ehlo": b"250-mail\r\n250 AUTH PLAIN", b"auth": signs_in.encode(), b"quit": b"221 bye"}
            for line in self.rfile:
                self.wfile.write(answers.get(line[:4].lower(), b"500 what?") + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", server.server_address[1]
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", "hush"
        found = told(check_mail)
        server.shutdown()
    assert len(found) == lines
    assert all("mend the user and the password in EMAIL_URL" in line for line in found)


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
    away = {
        "DATABASE_URL": "postgres://portal:hush@127.0.0.1:1/portal",
        "LAMINA_BASE_URL": "https://127.0.0.1:1",
        "LAMINA_API_KEY": "lma_hush",
        "EMAIL_URL": "smtp://portal:hush@127.0.0.1:1",
        "METRICS_TOKEN": "hush-q9GkX2vTz7LmB4cR",
    }
    ended = manage(PRODUCTION | away, "selfcheck", "--no-color")
    assert ended.returncode == 1
    lines = dict(line.split(": ", 1) for line in ended.stdout.splitlines())
    assert len(lines) == len(ended.stdout.splitlines()) == 11
    assert "STATIC_ROOT" in lines["settings"]
    assert "mend DATABASE_URL" in lines["database"]
    assert "mend REDIS_URL" in lines["redis"]
    assert "mend LAMINA_BASE_URL" in lines["lamina"]
    assert "mend EMAIL_URL" in lines["mail"]
    for name in ("encryption", "budgets", "workers"):
        assert lines[name].startswith("not looked at: "), lines[name]
        assert "hush" not in lines[name]
    assert "hush" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
