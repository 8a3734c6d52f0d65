"""Pinning apps: from the command line, in the admin site, and what follows when a schema changes."""

import logging
from collections.abc import Callable
from decimal import Decimal
from io import StringIO

import pytest
import redis
from django.core.management import CommandError, call_command
from django.db.models import Q
from django.test import Client

import portal.workspaces.lamina
from lamina_integration import LaminaBudgetSpent
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import App, PinnedApp, SchemaVersion
from portal.catalogue.refreshing import in_turn
from portal.catalogue.schemas import remember
from portal.catalogue.tasks import refresh_app
from portal.workspaces.models import User, Workspace
from tests.conftest import POSTER
from tests.factories import app_from, detail

CARTOONIFY = "3f68debe-df0a-4fc9-bdd3-9d45a4160587"
ALWAYS_FAILS = "5a4d0000-0000-4000-9000-000000000091"


def test_command_pins_an_app_with_its_schema_and_cost(workspace: Workspace, lamina: Sandbox) -> None:
    out = StringIO()
    call_command("pin_app", POSTER, "--capability", "image", "--workspace", "demo", stdout=out)
    pinned = PinnedApp.objects.get()
    assert (pinned.app.name, pinned.capability) == ("Poster", "image")
    assert pinned.app.schema is not None
    assert pinned.app.credits_expected is not None
    assert "Poster is offered in Northwind Goods" in out.getvalue()


def test_command_says_its_answer_and_nothing_else(
    workspace: Workspace, lamina: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    call_command("pin_app", POSTER, "--capability", "image", "--workspace", "demo", stdout=StringIO())
    assert caplog.messages == []
    call_command("pin_app", POSTER, "--capability", "image", "--workspace", "demo", stdout=StringIO(), verbosity=2)
    assert caplog.messages != []


def test_pinning_again_moves_the_app_and_makes_no_second(workspace: Workspace, lamina: Sandbox) -> None:
    for capability in ("image", "video"):
        call_command("pin_app", POSTER, "--capability", capability, "--workspace", "demo", stdout=StringIO())
    assert PinnedApp.objects.get().capability == "video"


def test_command_says_in_one_line_what_is_wrong(workspace: Workspace, lamina: Sandbox) -> None:
    with pytest.raises(CommandError, match="no workspace 'nowhere'"):
        call_command("pin_app", POSTER, "--capability", "image", "--workspace", "nowhere")
    with pytest.raises(CommandError, match="did not give the app unknown-app"):
        call_command("pin_app", "unknown-app", "--capability", "image", "--workspace", "demo")
    assert not App.objects.exists()


def test_command_asks_whether_the_portal_runs_where_its_redis_is_away(
    workspace: Workspace, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal.workspaces.lamina, "_connection", redis.Redis(port=1))
    with pytest.raises(CommandError, match=r"was not asked for the app .*Does the portal run, or its demo\?"):
        call_command("pin_app", POSTER, "--capability", "image", "--workspace", "demo")


def test_staff_pin_an_app_in_the_admin_site(
    as_user: Callable[[User], Client], staff: User, workspace: Workspace, lamina: Sandbox
) -> None:
    post = {
        "workspace": workspace.pk,
        "lamina_id": POSTER,
        "capability": "image",
        "label": "Our posters",
        "position": 3,
        "is_offered": "on",
    }
    visitor = as_user(staff)
    assert visitor.get("/admin/catalogue/pinnedapp/add/").status_code == 200
    assert visitor.post("/admin/catalogue/pinnedapp/add/", post).status_code == 302
    pinned = PinnedApp.objects.get()
    assert (pinned.title, pinned.position, pinned.app.lamina_id) == ("Our posters", 3, POSTER)
    assert visitor.get(f"/admin/catalogue/pinnedapp/{pinned.pk}/change/").status_code == 200


def test_app_pinned_without_a_position_comes_after_the_others(
    as_user: Callable[[User], Client], staff: User, workspace: Workspace, lamina: Sandbox
) -> None:
    PinnedApp.objects.create(workspace=workspace, app=app_from(detail()), capability="image")
    post = {"workspace": workspace.pk, "lamina_id": POSTER, "capability": "image", "position": "", "is_offered": "on"}
    assert as_user(staff).post("/admin/catalogue/pinnedapp/add/", post).status_code == 302
    assert workspace.pinned_apps.get(app__lamina_id=POSTER).position == 1


def test_admin_says_at_once_when_lamina_has_no_such_app(
    as_user: Callable[[User], Client], staff: User, workspace: Workspace, lamina: Sandbox
) -> None:
    post = {"workspace": workspace.pk, "lamina_id": "nope", "capability": "image", "position": 0}
    page = as_user(staff).post("/admin/catalogue/pinnedapp/add/", post)
    assert "Lamina did not give this app" in page.content.decode()
    assert not PinnedApp.objects.exists()


def test_schema_that_did_not_change_is_no_new_version(db: None) -> None:
    document = detail({"id": "1", "name": "Brief", "type": "text"})
    app = app_from(document)
    remember(app, {**document, "description": "Other words", "capabilities": {"new": "member"}})
    assert SchemaVersion.objects.count() == 1
    remember(app, {**document, "parameters": []})
    assert SchemaVersion.objects.count() == 2
    app.refresh_from_db()
    assert app.schema == SchemaVersion.objects.first()


def test_app_that_cannot_be_refreshed_keeps_its_schema_and_says_so(workspace: Workspace, lamina: Sandbox) -> None:
    call_command("pin_app", POSTER, "--capability", "image", "--workspace", "demo", stdout=StringIO())
    app = App.objects.get()
    lamina.set(server_errors=1.0)
    refresh_app(app.pk)
    before = app.schema
    app.refresh_from_db()
    assert app.schema == before
    assert app.refresh_error


def test_background_refresh_keeps_the_estimate_with_its_date(workspace: Workspace, lamina: Sandbox) -> None:
    call_command("pin_app", POSTER, "--capability", "image", "--workspace", "demo", stdout=StringIO())
    app = App.objects.get()
    assert app.estimated_at is not None
    App.objects.update(credits_expected=999, estimated_at=None)
    refresh_app(app.pk)
    app.refresh_from_db()
    assert (app.credits_expected, app.credits_max) == (14, pytest.approx(Decimal("19.6")))
    assert app.estimated_at is not None


def test_release_step_refreshes_every_app_though_the_budget_lets_one_request_go_at_a_time(
    workspace: Workspace, lamina: Sandbox, settings: object
) -> None:
    for lamina_id in (POSTER, CARTOONIFY, ALWAYS_FAILS):
        call_command("pin_app", lamina_id, "--capability", "image", "--workspace", "demo", stdout=StringIO())
    App.objects.update(refreshed_at=None, estimated_at=None)
    settings.LAMINA_RATE_LIMIT = 600
    said = StringIO()
    call_command("refresh_schemas", stdout=said)
    assert "3 schemas are up to date." in said.getvalue()
    assert not App.objects.filter(Q(refreshed_at=None) | Q(estimated_at=None)).exists()


def test_turn_that_comes_too_late_is_not_waited_for() -> None:
    asked: list[float] = []

    def ask() -> None:
        asked.append(0.0)
        raise LaminaBudgetSpent(retry_after=0.01 if len(asked) < 3 else 60)

    with pytest.raises(LaminaBudgetSpent):
        in_turn(ask, patience_seconds=1)
    assert len(asked) == 3


def test_old_estimate_stays_with_its_old_date_while_lamina_does_not_answer(
    workspace: Workspace, lamina: Sandbox, settings: object
) -> None:
    call_command("pin_app", POSTER, "--capability", "image", "--workspace", "demo", stdout=StringIO())
    before = App.objects.get()
    settings.LAMINA_API_KEY = "lma_wrong"
    refresh_app(before.pk)
    after = App.objects.get()
    assert (after.credits_expected, after.estimated_at) == (before.credits_expected, before.estimated_at)
