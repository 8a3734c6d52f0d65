"""What staff can do with runs and deliveries."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from portal.runs.models import Run
from portal.runs.states import Status
from portal.workspaces.models import User
from tests.factories import UserFactory

RUNS = "/admin/runs/run/"


@pytest.fixture
def unconfirmed(run: Run) -> Run:
    """A run that was sent and never answered."""
    Run.objects.filter(pk=run.pk).update(status=Status.UNCONFIRMED)
    return Run.objects.get(pk=run.pk)


def test_staff_send_an_unconfirmed_run_once_more_on_their_word(
    as_user: Callable[[User], Client], staff: User, unconfirmed: Run
) -> None:
    as_user(staff).post(RUNS, {"action": "send_once_more", "_selected_action": [str(unconfirmed.pk)]})
    unconfirmed.refresh_from_db()
    assert unconfirmed.status == Status.WAITING
    line = unconfirmed.history.last()
    assert (line.told_by, line.why) == ("staff", f"{staff} says that it never arrived.")


def test_running_run_is_never_sent_once_more(as_user: Callable[[User], Client], staff: User, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, lamina_run_id="remote")
    as_user(staff).post(RUNS, {"action": "send_once_more", "_selected_action": [str(run.pk)]})
    run.refresh_from_db()
    assert run.status == Status.RUNNING


def test_who_may_only_look_cannot_send(as_user: Callable[[User], Client], unconfirmed: Run) -> None:
    looker = UserFactory(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_run"))
    page = as_user(looker).get(RUNS).content.decode()
    assert "send_once_more" not in page
    as_user(looker).post(RUNS, {"action": "send_once_more", "_selected_action": [str(unconfirmed.pk)]})
    unconfirmed.refresh_from_db()
    assert unconfirmed.status == Status.UNCONFIRMED


def test_any_run_is_found_by_reference_person_and_lamina_s_id(
    as_user: Callable[[User], Client], staff: User, run: Run
) -> None:
    Run.objects.filter(pk=run.pk).update(lamina_run_id="far-away-7", status=Status.QUEUED)
    visitor = as_user(staff)
    for words in (run.reference, "far-away-7", run.created_by.email, run.workspace.name):
        assert run.reference in visitor.get(RUNS, {"q": words}).content.decode(), words
    assert run.reference in visitor.get(f"{RUNS}{run.pk}/change/").content.decode()
