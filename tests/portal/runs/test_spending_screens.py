"""What the form says of costs and budgets, and when it does not send."""

from collections.abc import Callable

import pytest
from django.test import Client

from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import App, PinnedApp
from portal.runs.models import Run
from portal.workspaces.budgets import state_of, stop_spending
from portal.workspaces.models import User, Workspace
from tests.portal.runs.test_pages import form_post


@pytest.fixture
def visitor(as_user: Callable[[User], Client], creator: User) -> Client:
    return as_user(creator)


@pytest.fixture
def poster(poster: PinnedApp) -> PinnedApp:
    """The poster app, estimated at 12 credits (9 to 20)."""
    App.objects.update(credits_expected=12, credits_min=9, credits_max=20)
    poster.app.refresh_from_db()
    return poster


def text_of(response: object) -> str:
    return " ".join(response.content.decode().split()).replace("&#x27;", "'")


def test_form_says_the_cost_and_what_the_workspace_has(visitor: Client, poster: PinnedApp) -> None:
    Workspace.objects.update(credits_balance=340)
    page = text_of(visitor.get(poster.get_absolute_url()))
    assert "about 12 credits (9 to 20); the workspace has 340" in page
    assert 'name="confirmed"' not in page


def test_form_says_when_the_cost_is_not_known(visitor: Client, poster: PinnedApp) -> None:
    Workspace.objects.update(credits_balance=340)
    App.objects.update(credits_expected=None, credits_min=None, credits_max=None)
    page = text_of(visitor.get(poster.get_absolute_url()))
    assert "not known: Lamina gives no estimate for this app; the workspace has 340" in page


def test_run_that_does_not_fit_is_refused_with_everything_kept(visitor: Client, poster: PinnedApp) -> None:
    Workspace.objects.update(monthly_budget=15)
    answer = visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug on a table"))
    page = text_of(answer)
    assert answer.status_code == 422
    assert "This run may cost up to 20 credits. This month's budget has 15 credits left: 0 of 15 credits." in page
    assert "Nothing was sent and nothing is charged; everything you filled in is still here." in page
    assert "It begins anew on" in page
    assert "The portal's staff can raise it" in page
    assert "A mug on a table" in page
    assert not Run.objects.exists()


def test_stopped_spending_is_said_at_the_form_and_saves_nothing(
    visitor: Client, poster: PinnedApp, workspace: Workspace, staff: User
) -> None:
    stop_spending(workspace=None, why="The bill is being checked", by=staff)
    answer = visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug on a table"))
    assert answer.status_code == 422
    assert "Staff have stopped spending for now (The bill is being checked)." in text_of(answer)
    assert "A mug on a table" in text_of(answer)
    assert not Run.objects.exists()
    assert state_of(workspace).used == 0


def test_costly_run_is_sent_only_once_its_number_is_ticked(
    visitor: Client, poster: PinnedApp, settings: object
) -> None:
    settings.CONFIRM_ABOVE_CREDITS = 19
    assert "Yes, spend up to 20 credits" in text_of(visitor.get(poster.get_absolute_url()))
    asked = visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug"))
    assert asked.status_code == 422
    assert "This may cost up to 20 credits. Tick that you want to spend them." in text_of(asked)
    outdated = visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug", confirmed="15"))
    assert outdated.status_code == 422
    assert not Run.objects.exists()
    assert visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug", confirmed="20")).status_code == 302
    assert Run.objects.count() == 1


def test_estimate_is_never_fetched_while_a_page_is_served(visitor: Client, poster: PinnedApp, lamina: Sandbox) -> None:
    before = lamina.ledger()["requests"]["total"]
    visitor.get(poster.get_absolute_url())
    visitor.post(poster.get_absolute_url(), form_post(poster, p0=""))
    assert lamina.ledger()["requests"]["total"] == before
