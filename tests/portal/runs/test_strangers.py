"""What a run at Lamina may be taken for: never another workspace's, and never for gone on thin evidence."""

import uuid
from typing import Any

import pytest
from django.utils import timezone

from lamina_integration import Lane, RunSummary
from lamina_integration.client.answers import page
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.operations.pruning import prune_runs
from portal.runs import reconcile, submit, track
from portal.runs.models import Run
from portal.runs.states import Status, Teller
from portal.runs.submit import send
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Membership, Workspace
from tests.factories import MembershipFactory, run_of
from tests.portal.runs.test_reconcile import age, look


@pytest.fixture
def elsewhere(poster: PinnedApp, other_workspace: Workspace, lamina: Sandbox) -> Run:
    """A run of the same app in another workspace, which pays with the same key."""
    member = MembershipFactory(workspace=other_workspace)
    pin = PinnedApp.objects.create(workspace=other_workspace, app=poster.app, capability="image")
    return submit.submit(
        member=member,
        pin=pin,
        schema=poster.app.schema,
        inputs={"brief_text": "A mug"},
        outputs_wanted=[],
        token=uuid.uuid4(),
    )


def lose_the_request(run: Run, lamina: Sandbox) -> None:
    """Send a run that never arrives, and that is not sent once more by itself."""
    lamina.set(lost_requests=1.0)
    send(run.pk)
    lamina.set(lost_requests=0.0)
    Run.objects.filter(pk=run.pk).update(resends=1)


def test_second_run_of_one_is_not_taken_by_another_workspace_s(run: Run, elsewhere: Run, lamina: Sandbox) -> None:
    lamina.set(manual=True, webhooks=False)
    send(run.pk)
    with client_for(run.workspace, lane=Lane.INTERACTIVE) as client:
        second = client.runs.start(run.app.lamina_id, run.inputs)
        track.adopt(run.pk, client.runs.get(second.run_id), told_by=Teller.WORKER)
    lose_the_request(elsewhere, lamina)
    look()
    elsewhere.refresh_from_db()
    assert (elsewhere.status, elsewhere.lamina_run_id) == (Status.UNCONFIRMED, None)


def test_run_that_was_pruned_is_not_taken_by_another_workspace_s(run: Run, elsewhere: Run, lamina: Sandbox) -> None:
    send(run.pk)
    lose_the_request(elsewhere, lamina)
    now = timezone.now()
    Run.objects.filter(pk=run.pk).update(status=Status.COMPLETED, finished_at=now)
    run.outputs.update(copy_next_at=None)
    run.attempts.update(closed_at=now)
    assert prune_runs(timezone.now())[0] == 1
    look()
    elsewhere.refresh_from_db()
    assert (elsewhere.status, elsewhere.lamina_run_id) == (Status.UNCONFIRMED, None)


def test_run_that_lamina_took_late_is_not_taken_by_another_workspace_s(
    run: Run, elsewhere: Run, lamina: Sandbox
) -> None:
    lamina.set(manual=True, webhooks=False, lost_answers=1.0)
    send(run.pk)
    lamina.set(lost_answers=0.0)
    lose_the_request(elsewhere, lamina)
    age(run, seconds=80)
    look()
    elsewhere.refresh_from_db()
    assert (elsewhere.status, elsewhere.lamina_run_id) == (Status.UNCONFIRMED, None)


def test_unanswered_attempt_with_another_key_is_no_rival(run: Run, elsewhere: Run, lamina: Sandbox) -> None:
    lamina.set(manual=True, webhooks=False, lost_answers=1.0)
    send(run.pk)
    lamina.set(lost_answers=0.0)
    lose_the_request(elsewhere, lamina)
    elsewhere.workspace.lamina_api_key = "lma_second"
    elsewhere.workspace.save()
    look()
    run.refresh_from_db()
    assert run.lamina_run_id == lamina.ledger()["starts"][0]["runId"]


def test_list_of_another_key_proves_nothing(run: Run, lamina: Sandbox) -> None:
    lamina.set(manual=True, webhooks=False, lost_answers=1.0)
    send(run.pk)
    lamina.set(lost_answers=0.0)
    lamina._world.accounts.add("lma_second=second")
    age(run, minutes=5)
    run.workspace.lamina_api_key = "lma_second"
    run.workspace.save()
    look()
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED, "it is at Lamina, where this key does not see it"
    assert len(lamina.ledger()["starts"]) == 1


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([{"runId": f"ours-{n}", "status": "completed"} for n in range(100)], id="cut at a page"),
        pytest.param([{"runId": None, "status": "queued"}], id="unreadable"),
    ],
)
def test_list_that_does_not_say_how_many_there_are_proves_nothing(
    run: Run, member: Membership, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch, entries: list[dict[str, Any]]
) -> None:
    lamina.set(lost_requests=1.0)
    send(run.pk)
    age(run, minutes=5)
    for entry in entries:
        if entry["runId"]:
            run_of(member, run.pin, lamina_run_id=entry["runId"], status=Status.COMPLETED)
    answer = page(RunSummary)({"data": [entry | {"createdAt": timezone.now().isoformat()} for entry in entries]})
    monkeypatch.setattr(reconcile, "_listed_page", lambda *_args: answer)
    look()
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED
