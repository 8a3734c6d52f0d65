"""/healthz and /readyz: each dependency flips its own line, nothing waits long, nothing is given away."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connections
from django.test import Client
from django.utils import timezone

from lamina_integration import Lane
from lamina_integration.sandbox import Sandbox
from portal.operations import broker, health
from portal.workspaces.lamina import (
    ANSWERED_KEY,
    BUDGET_KEY,
    NOTED_EVERY_SECONDS,
    NotedBudget,
    client_for,
    shared_budget,
)
from portal.workspaces.models import Workspace


def ask(client: Client) -> tuple[int, dict[str, Any], dict[str, bool | None]]:
    """Return the status, the whole answer, and the verdicts alone."""
    response = client.get("/readyz")
    answer = response.json()
    return response.status_code, answer, {name: check["ok"] for name, check in answer["checks"].items()}


ALL_WELL = {"database": True, "broker": True, "worker": True, "lamina": True, "disk": True}


def test_healthz_asks_nothing(client: Client) -> None:
    """No database fixture: a query would fail this test."""
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")
    assert client.post("/healthz").status_code == 405


def test_readyz_is_ready_when_all_is_well(portal_at_work: Workspace, client: Client) -> None:
    status, answer, verdicts = ask(client)
    assert (status, answer["ok"], verdicts) == (200, True, ALL_WELL)
    assert answer["checks"]["lamina"]["age_seconds"] <= 2
    assert answer["checks"]["worker"]["lanes"].keys() == set(configured.LANES)


def test_readyz_notices_a_lane_that_finishes_nothing_within_a_minute(portal_at_work: Workspace, client: Client) -> None:
    with broker.connect() as connection:
        connection.hset(broker.WORKED_KEY, "media", str(time.time() - 60))
    status, answer, verdicts = ask(client)
    assert (status, verdicts) == (503, ALL_WELL | {"worker": False})
    assert answer["checks"]["worker"]["lanes"]["media"] >= 59
    assert answer["checks"]["worker"]["lanes"]["interactive"] <= 2


def test_readyz_notices_a_lane_that_never_worked(portal_at_work: Workspace, client: Client) -> None:
    with broker.connect() as connection:
        connection.hdel(broker.WORKED_KEY, "batch")
    status, answer, verdicts = ask(client)
    assert (status, verdicts) == (503, ALL_WELL | {"worker": False})
    assert answer["checks"]["worker"]["lanes"]["batch"] is None


def test_readyz_notices_that_lamina_is_silent(portal_at_work: Workspace, client: Client) -> None:
    Workspace.objects.update(credits_checked_at=timezone.now() - timedelta(hours=1))
    status, answer, verdicts = ask(client)
    assert (status, verdicts) == (503, ALL_WELL | {"lamina": False})
    assert answer["checks"]["lamina"]["age_seconds"] >= 3599


def test_readyz_tells_lamina_s_last_answer_to_any_call(
    portal_at_work: Workspace, client: Client, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workspace.objects.update(credits_checked_at=timezone.now() - timedelta(hours=1))
    monkeypatch.setattr(NotedBudget, "_noted_at", -NOTED_EVERY_SECONDS)
    with client_for(portal_at_work, lane=Lane.INTERACTIVE) as asking:
        asking.account.usage()
    status, answer, verdicts = ask(client)
    assert (status, verdicts) == (200, ALL_WELL)
    assert answer["checks"]["lamina"]["age_seconds"] <= 2
    with broker.connect() as connection:
        connection.set(ANSWERED_KEY, time.time() - 90)
    assert ask(client)[2] == ALL_WELL, "nobody may have asked"
    assert ask(client)[1]["checks"]["lamina"]["age_seconds"] in range(90, 93)


def test_readyz_notices_within_a_minute_that_lamina_leaves_every_call_unanswered(
    portal_at_work: Workspace, client: Client
) -> None:
    Workspace.objects.update(credits_checked_at=None)
    with broker.connect() as connection:
        connection.set(ANSWERED_KEY, time.time() - 50)
        for _ in range(2):
            shared_budget().unanswered(30.0)
        assert ask(client)[2] == ALL_WELL
        connection.set(ANSWERED_KEY, time.time() - 61)
        assert (ask(client)[0], ask(client)[2]) == (503, ALL_WELL | {"lamina": False})
        connection.delete(BUDGET_KEY)


def test_answers_are_written_down_once_in_a_few_seconds(
    workspace: Workspace, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotedBudget, "_noted_at", -NOTED_EVERY_SECONDS)
    with client_for(workspace, lane=Lane.INTERACTIVE) as asking, broker.connect() as connection:
        asking.account.usage()
        connection.delete(ANSWERED_KEY)
        asking.account.usage()
        assert not connection.exists(ANSWERED_KEY)


def test_readyz_of_a_portal_that_never_asked_lamina_is_ready(portal_at_work: Workspace, client: Client) -> None:
    Workspace.objects.all().delete()
    status, _answer, verdicts = ask(client)
    assert (status, verdicts) == (200, ALL_WELL | {"lamina": None})


def test_readyz_notices_a_full_disk(portal_at_work: Workspace, client: Client, settings: Any) -> None:
    settings.DISK_LOW_BYTES = 10**18
    status, _answer, verdicts = ask(client)
    assert (status, verdicts) == (503, ALL_WELL | {"disk": False})


def test_readyz_notices_that_the_database_is_away(
    portal_at_work: Workspace, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "NAME", "/nowhere/at all/portal")
    status, _answer, verdicts = ask(client)
    assert (status, verdicts) == (503, ALL_WELL | {"database": False, "lamina": None})


def test_readyz_notices_that_redis_is_away(portal_at_work: Workspace, client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    status, _answer, verdicts = ask(client)
    assert (status, verdicts) == (503, ALL_WELL | {"broker": False, "worker": None})


def test_readyz_answers_in_time_when_everything_hangs(
    portal_at_work: Workspace, client: Client, settings: Any, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{silent_port}/0"
    hanging = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": str(silent_port)}
    for name, value in {**hanging, "OPTIONS": {"connect_timeout": 4}, "USER": "nobody", "PASSWORD": "hush"}.items():
        monkeypatch.setitem(connections.settings["default"], name, value)
    began = time.monotonic()
    status, _answer, verdicts = ask(client)
    assert time.monotonic() - began < 2
    assert (status, verdicts) == (
        503,
        {"database": False, "broker": False, "worker": None, "lamina": None, "disk": True},
    )
    ask(client)
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("probe-database") <= 1, "questions to what hangs must not pile up"


def test_readyz_says_only_verdicts_and_ages(portal_at_work: Workspace, client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://:hush@127.0.0.1:1/0"
    _status, answer, _verdicts = ask(client)
    assert answer.keys() == {"ok", "checks"}
    for check in answer["checks"].values():
        assert check.keys() <= {"ok", "age_seconds", "lanes"}
    assert "hush" not in str(answer)


def test_readyz_is_for_anybody_and_never_kept(portal_at_work: Workspace, client: Client) -> None:
    response = client.get("/readyz")
    assert "no-store" in response["Cache-Control"]
    assert client.post("/readyz").status_code == 405


def test_failed_refresh_of_a_schema_is_no_answer(db: None) -> None:
    from portal.catalogue.models import App

    App.objects.create(lamina_id="a", name="A", refreshed_at=timezone.now(), refresh_error="no answer")
    assert health.last_answer() is None
