"""What a run holds and what it comes to, at every way it can end."""

import uuid
from decimal import Decimal
from typing import Any

import pytest

from lamina_integration import RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import App, PinnedApp
from portal.runs import costs, reconcile
from portal.runs.models import Run
from portal.runs.outcomes import give_up, leave_unconfirmed, refuse
from portal.runs.states import Status, Teller
from portal.runs.submit import cancel, claim, mark_sent, send, submit
from portal.runs.track import adopt, apply
from portal.workspaces.budgets import OverBudget, state_of
from portal.workspaces.models import LedgerLine, LineKind, LineState, Membership, Workspace


@pytest.fixture
def poster(poster: PinnedApp) -> PinnedApp:
    """The poster app, estimated at 12 credits (9 to 20) for its two pictures."""
    App.objects.update(credits_expected=12, credits_min=9, credits_max=20)
    poster.app.refresh_from_db()
    return poster


def stands(workspace: Workspace) -> tuple[Decimal, Decimal]:
    """Return what is held and what is spent."""
    state = state_of(workspace)
    return state.held, state.spent


def news(run: Run, status: str, made: int, run_id: str = "", **members: Any) -> RemoteRun:
    outputs = [
        {"id": f"n{n}", "label": label, "type": "text", "status": "completed", "value": "words"}
        for n, label in list(enumerate(["Front", "Back"]))[:made]
    ]
    run_id = run_id or run.lamina_run_id or "one"
    return RemoteRun.model_validate({"runId": run_id, "status": status, "outputs": outputs, **members})


def begun(run: Run, lamina: Sandbox) -> Run:
    lamina.set(manual=True)
    send(run.pk)
    run.refresh_from_db()
    return run


def test_submission_holds_the_most_it_may_cost(run: Run, workspace: Workspace) -> None:
    assert stands(workspace) == (20, 0)
    line = LedgerLine.objects.get(pk=run.pk)
    assert (line.reference, line.what, line.outputs, line.state) == (run.reference, "Poster", 2, LineState.HELD)


def test_same_form_twice_holds_once(poster: PinnedApp, member: Membership) -> None:
    token = uuid.uuid4()
    for _ in range(2):
        submit(member=member, pin=poster, schema=poster.app.schema, inputs={}, outputs_wanted=[], token=token)
    assert stands(member.workspace) == (20, 0)


def test_run_that_does_not_fit_is_not_saved(poster: PinnedApp, member: Membership) -> None:
    Workspace.objects.update(monthly_budget="19.99")
    with pytest.raises(OverBudget):
        submit(member=member, pin=poster, schema=poster.app.schema, inputs={}, outputs_wanted=[], token=uuid.uuid4())
    assert not Run.objects.exists()
    assert not LedgerLine.objects.exists()
    assert stands(member.workspace) == (0, 0)


@pytest.mark.parametrize(
    ("status", "made", "spent"),
    [
        ("completed", 2, 12),
        ("completed", 1, 6),
        ("completed", 0, 12),  # done is done, whatever the answer left out
        ("failed", 1, 6),
        ("failed", 0, 0),
        ("cancelled", 1, 6),
        ("cancelled", 0, 0),
    ],
)
def test_end_settles_by_what_was_made(
    run: Run, lamina: Sandbox, workspace: Workspace, status: str, made: int, spent: int
) -> None:
    begun(run, lamina)
    assert stands(workspace) == (20, 0)
    apply(run.pk, news(run, status, made), told_by=Teller.SWEEP)
    assert stands(workspace) == (0, spent)


def test_failure_for_want_of_credits_counts_nothing_and_the_run_that_goes_on_is_held(
    run: Run, lamina: Sandbox, workspace: Workspace
) -> None:
    begun(run, lamina)
    apply(run.pk, news(run, "failed", 0, errorMessage="Insufficient credits"), told_by=Teller.SWEEP)
    assert LedgerLine.objects.get(pk=run.pk).settled == 0
    assert stands(workspace) == (20, 0)


def test_cancel_before_it_is_sent_gives_everything_back(run: Run, workspace: Workspace) -> None:
    cancel(run)
    assert stands(workspace) == (0, 0)
    assert LedgerLine.objects.get().state == LineState.RELEASED


def test_refused_start_gives_everything_back(run: Run, lamina: Sandbox, workspace: Workspace) -> None:
    attempt = claim(run.pk)
    give_up(attempt)
    run.refresh_from_db()
    assert run.status == Status.FAILED
    assert stands(workspace) == (0, 0)


def test_refused_inputs_hold_nothing_until_it_turns_out_that_lamina_has_it(run: Run, workspace: Workspace) -> None:
    attempt = claim(run.pk)
    refuse(attempt, ())
    assert stands(workspace) == (0, 0)
    adopt(run.pk, news(run, "running", 0), told_by=Teller.DELIVERY)
    assert stands(workspace) == (20, 0)


def test_mended_run_takes_the_place_of_the_one_it_mends(
    run: Run, poster: PinnedApp, member: Membership, workspace: Workspace
) -> None:
    Workspace.objects.update(monthly_budget=20)
    refuse(claim(run.pk), ())
    run.refresh_from_db()
    submit(
        member=member,
        pin=poster,
        schema=poster.app.schema,
        inputs={},
        outputs_wanted=[],
        token=uuid.uuid4(),
        retry_of=run,
    )
    assert stands(workspace) == (20, 0)


def test_lost_answer_and_one_more_sending_keep_the_one_hold(run: Run, workspace: Workspace) -> None:
    attempt = claim(run.pk)
    mark_sent(attempt)
    leave_unconfirmed(attempt, why="cut")
    assert stands(workspace) == (20, 0)
    attempt.run.wait_again(told_by=Teller.SWEEP, why="not there")
    assert stands(workspace) == (20, 0)
    claim(run.pk)
    assert stands(workspace) == (20, 0)


def test_cancelled_run_that_lamina_certainly_does_not_have_costs_nothing(run: Run, workspace: Workspace) -> None:
    attempt = claim(run.pk)
    mark_sent(attempt)
    leave_unconfirmed(attempt, why="cut")
    cancel(attempt.run)
    assert stands(workspace) == (20, 0)
    attempt.run.wait_again(told_by=Teller.SWEEP, why="not there")
    assert stands(workspace) == (0, 0)


def test_run_that_is_given_up_without_knowing_counts_as_a_whole(run: Run, workspace: Workspace) -> None:
    attempt = claim(run.pk)
    mark_sent(attempt)
    leave_unconfirmed(attempt, why="cut")
    attempt.run.move(Status.FAILED, told_by=Teller.STAFF, why="Nobody can find it")
    assert stands(workspace) == (0, 12)


def test_run_that_lamina_had_begun_after_all_is_counted(run: Run, workspace: Workspace) -> None:
    cancel(run)
    assert stands(workspace) == (0, 0)
    adopt(run.pk, news(run, "running", 0), told_by=Teller.DELIVERY)
    assert stands(workspace) == (0, 12)
    run.refresh_from_db()
    apply(run.pk, news(run, "completed", 1), told_by=Teller.DELIVERY)
    assert stands(workspace) == (0, 6)


def test_second_run_at_lamina_is_counted_once_however_often_it_is_heard_of(
    run: Run, lamina: Sandbox, workspace: Workspace
) -> None:
    begun(run, lamina)
    for _ in range(2):
        adopt(run.pk, news(run, "completed", 1, run_id="another"), told_by=Teller.DELIVERY)
    assert stands(workspace) == (20, 6)
    assert LedgerLine.objects.get(kind=LineKind.SECOND).run_id == run.pk


def test_submission_that_is_rolled_back_holds_nothing(
    poster: PinnedApp, member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = costs.hold

    def die(*args: Any, **kwargs: Any) -> None:
        hold(*args, **kwargs)
        raise SystemExit

    monkeypatch.setattr(costs, "hold", die)
    with pytest.raises(SystemExit):
        submit(member=member, pin=poster, schema=poster.app.schema, inputs={}, outputs_wanted=[], token=uuid.uuid4())
    assert not Run.objects.exists()
    assert stands(member.workspace) == (0, 0)


def test_move_that_is_rolled_back_settles_nothing(
    run: Run, lamina: Sandbox, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(run, lamina)
    follow = costs.follow

    def die(*args: Any, **kwargs: Any) -> None:
        follow(*args, **kwargs)
        raise SystemExit

    monkeypatch.setattr(costs, "follow", die)
    with pytest.raises(SystemExit):
        apply(run.pk, news(run, "completed", 2), told_by=Teller.SWEEP)
    run.refresh_from_db()
    assert run.status == Status.QUEUED
    assert stands(workspace) == (20, 0)


def test_worker_lost_in_the_middle_keeps_the_hold_until_the_run_has_ended(run: Run, workspace: Workspace) -> None:
    attempt = claim(run.pk)
    attempt.lease_until = attempt.opened_at
    attempt.save()
    reconcile.release_lost_attempts()
    assert stands(workspace) == (20, 0)
