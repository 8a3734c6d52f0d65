"""A workspace's key that cannot be decrypted: its own runs wait, and nobody else notices."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.runs import rounds, tasks
from portal.runs.models import Run
from portal.runs.outcomes import EXCUSED
from portal.runs.states import Status
from portal.runs.submit import send
from portal.workspaces.brakes import note_refusal
from portal.workspaces.lamina import clients_of_every_key
from portal.workspaces.models import Membership, User, Workspace
from tests.factories import MembershipFactory, WorkspaceFactory, run_of

STORED = "gAAAA-encrypted-with-a-key-that-is-gone"


def stored_key(workspace: Workspace) -> str:
    with connection.cursor() as cursor:
        cursor.execute("select lamina_api_key from workspaces_workspace where id = %s", [workspace.pk])
        return str(cursor.fetchone()[0])


@pytest.fixture
def locked(poster: PinnedApp, other_workspace: Workspace) -> Membership:
    """A member of another workspace, whose key was encrypted with a key that is gone."""
    member = MembershipFactory(workspace=other_workspace)
    PinnedApp.objects.create(workspace=other_workspace, app=poster.app, capability="image")
    with connection.cursor() as cursor:
        sql = "update workspaces_workspace set lamina_api_key = %s where id = %s"
        cursor.execute(sql, [STORED, other_workspace.pk])
    other_workspace.refresh_from_db()
    return member


def waiting_run(member: Membership) -> Run:
    return run_of(member, PinnedApp.objects.get(workspace=member.workspace), inputs={"brief_text": "A mug"})


def test_runs_of_others_are_followed(run: Run, locked: Membership, lamina: Sandbox) -> None:
    lamina.set(manual=True, webhooks=False)
    send(run.pk)
    run.refresh_from_db()
    going = waiting_run(locked)
    Run.objects.filter(pk=going.pk).update(status=Status.RUNNING, lamina_run_id="theirs")
    lamina.complete(run.lamina_run_id)
    Run.objects.update(next_at=timezone.now())
    rounds.go_round()
    run.refresh_from_db()
    assert run.status == Status.COMPLETED


def test_runs_of_others_are_sent_although_a_key_has_no_credits(run: Run, locked: Membership, lamina: Sandbox) -> None:
    note_refusal(WorkspaceFactory(lamina_api_key="lma_dry"))
    Run.objects.update(next_at=timezone.now())
    tasks.sweep()
    run.refresh_from_db()
    assert run.next_at > timezone.now(), "nobody has handed it out"


def test_its_own_run_waits_and_is_not_failed_however_long(locked: Membership, lamina: Sandbox) -> None:
    run = waiting_run(locked)
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.WAITING
    assert run.attempts.get().outcome in EXCUSED
    assert "key" in run.history.last().why
    assert lamina.ledger()["starts"] == []


def test_its_pages_are_shown_and_its_stored_key_stays(locked: Membership, as_user: Callable[[User], Client]) -> None:
    run = waiting_run(locked)
    assert as_user(locked.user).get(run.get_absolute_url()).status_code == 200
    locked.workspace.name = "Renamed"
    locked.workspace.save()
    assert stored_key(locked.workspace) == STORED


def test_what_any_key_may_ask_is_not_asked_with_it(locked: Membership, lamina: Sandbox) -> None:
    assert len(list(clients_of_every_key(lane="background"))) == 1


def test_step_that_fails_leaves_the_others_theirs() -> None:
    done = []

    def fails() -> None:
        raise ValueError("an odd row")

    def works() -> None:
        done.append(1)

    tasks.in_turn(fails, works)
    assert done == [1]
