"""What waits behind a stop of spending, an empty wallet or a refused key: says why, is not hammered, goes on alone."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from lamina_integration import LaminaForbidden
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import App, PinnedApp
from portal.runs import lanes, reconcile, refine, tasks
from portal.runs.models import Run
from portal.runs.recording import MOST_FOLLOWERS
from portal.runs.states import Status, Teller
from portal.runs.submit import claim, mark_sent, send, submit
from portal.runs.track import adopt
from portal.workspaces.brakes import TRY_EVERY, balances_to_ask, note_key_refused
from portal.workspaces.budgets import lift, state_of, stop_spending
from portal.workspaces.credits import refresh_balance
from portal.workspaces.models import LedgerLine, LineKind, Membership, User, Wallet, Workspace
from tests.portal.runs.test_costs import news

NOT_ACCEPTED = "Lamina does not accept the key in use here. Staff have to mend it; this waits and goes on by itself."
TOO_FEW = "The workspace has not enough credits at Lamina. It is saved and goes on when topped up."


def another(run: Run, member: Membership) -> Run:
    return submit(
        member=member, pin=run.pin, schema=run.schema, inputs=run.inputs, outputs_wanted=[], token=uuid.uuid4()
    )


def sweep() -> None:
    """Send what the sweep would have sent, as if it were high time."""
    Run.objects.filter(status=Status.WAITING, next_at__lte=timezone.now() + timedelta(minutes=1)).update(
        next_at=timezone.now()
    )
    for run_id, _lane in lanes.runs_to_send():
        send(run_id)


def starts(lamina: Sandbox) -> int:
    return len(lamina.ledger()["starts"])


def refresh(run: Run) -> Run:
    run.refresh_from_db()
    return run


def five_minutes_later() -> None:
    """Let the pause after a refusal be over."""
    Wallet.objects.update(key_refused_at=timezone.now() - TRY_EVERY)


def look_at_balance(workspace: Workspace) -> None:
    cache.clear()
    refresh_balance(workspace.pk)


def test_stopped_spending_sends_nothing_and_the_waiting_run_says_why(
    run: Run, lamina: Sandbox, staff: User, as_user: Callable[[User], Client], creator: User
) -> None:
    stop_spending(workspace=None, why="The bill is being checked", by=staff)
    send(run.pk)
    sweep()
    assert refresh(run).status == Status.WAITING
    assert starts(lamina) == 0
    page = as_user(creator).get(run.get_absolute_url()).content.decode()
    assert "Staff have stopped spending for now (The bill is being checked)." in page
    assert "It is saved and goes on by itself" in page
    assert state_of(run.workspace).held > 0


def test_everything_goes_on_by_itself_when_the_stop_is_lifted(run: Run, lamina: Sandbox, staff: User) -> None:
    stop = stop_spending(workspace=run.workspace, why="An odd bill", by=staff)
    sweep()
    assert "An odd bill" in refresh(run).held_up
    lift(stop, why="Explained", by=staff)
    for run_id, _lane in lanes.runs_to_send():
        send(run_id)
    assert refresh(run).status in {Status.QUEUED, Status.RUNNING, Status.COMPLETED}
    assert run.held_up == ""
    assert starts(lamina) == 1


def test_stop_in_the_last_moment_before_the_request_leaves_is_kept(run: Run, staff: User) -> None:
    attempt = claim(run.pk)
    stop_spending(workspace=None, why="Now", by=staff)
    assert not mark_sent(attempt)
    assert refresh(run).status == Status.WAITING
    assert "(Now)" in run.held_up


def test_cancel_works_while_spending_is_stopped(
    run: Run, staff: User, as_user: Callable[[User], Client], creator: User
) -> None:
    stop_spending(workspace=None, why="Now", by=staff)
    sweep()
    as_user(creator).post(f"{run.get_absolute_url()}cancel/")
    assert refresh(run).status == Status.CANCELLED
    assert state_of(run.workspace).used == 0


def test_run_whose_key_lamina_refuses_waits_in_those_words_and_the_key_s_other_runs_with_it(
    run: Run, member: Membership, settings: Any, lamina: Sandbox, as_user: Callable[[User], Client], creator: User
) -> None:
    settings.LAMINA_API_KEY = "lma_wrong"
    send(run.pk)
    assert (refresh(run).status, run.held_up) == (Status.WAITING, NOT_ACCEPTED)
    asked = lamina.ledger()["requests"]["total"]
    later = another(run, member)
    for _ in range(5):
        send(later.pk)
        sweep()
    assert refresh(later).held_up == NOT_ACCEPTED
    assert (run.attempts.count(), later.attempts.count()) == (1, 0)
    assert lamina.ledger()["requests"]["total"] == asked
    assert state_of(run.workspace).held > 0
    page = as_user(creator).get(run.get_absolute_url()).content.decode()
    assert "Lamina does not accept the key in use here." in page


def test_runs_go_on_when_their_key_is_replaced(run: Run, settings: Any, lamina: Sandbox) -> None:
    right = settings.LAMINA_API_KEY
    settings.LAMINA_API_KEY = "lma_wrong"
    send(run.pk)
    sweep()
    assert starts(lamina) == 0
    settings.LAMINA_API_KEY = right
    for run_id, _lane in lanes.runs_to_send():
        send(run_id)
    assert (refresh(run).held_up, starts(lamina)) == ("", 1)
    assert balances_to_ask() == []
    assert not Wallet.objects.filter(key_refused_at__isnull=False).exists(), "nobody speaks with that key any more"


def test_runs_go_on_when_lamina_accepts_the_key_again(run: Run, member: Membership, lamina: Sandbox) -> None:
    note_key_refused(run.workspace)  # revoked there, and given back
    later = another(run, member)
    sweep()
    assert {refresh(each).held_up for each in (run, later)} == {NOT_ACCEPTED}
    five_minutes_later()
    sweep()
    assert starts(lamina) == 2
    assert {refresh(each).held_up for each in (run, later)} == {""}


def test_key_that_stays_refused_costs_one_call_in_five_minutes(
    run: Run, member: Membership, settings: Any, lamina: Sandbox
) -> None:
    settings.LAMINA_API_KEY = "lma_wrong"
    later = another(run, member)
    before = lamina.ledger()["requests"]["total"]
    for calls in (1, 2, 3):
        for _ in range(3):
            sweep()
        assert lamina.ledger()["requests"]["total"] - before == calls
        five_minutes_later()
    assert {refresh(each).status for each in (run, later)} == {Status.WAITING}


def test_waiting_run_says_what_keeps_it_now(run: Run, staff: User, lamina: Sandbox) -> None:
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    stop = stop_spending(workspace=None, why="The bill", by=staff)
    lanes.runs_to_send()
    assert "The bill" in refresh(run).held_up
    lift(stop, why="Explained", by=staff)
    lanes.runs_to_send()
    assert refresh(run).held_up == TOO_FEW


def test_app_that_the_key_may_not_run_fails_the_run(
    run: Run, member: Membership, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = LaminaForbidden("No access to this app", status_code=403, code="FORBIDDEN")
    monkeypatch.setattr("portal.runs.submit.prepare", Mock(side_effect=refused))
    send(run.pk)
    assert (refresh(run).status, run.error_code) == (Status.FAILED, "app_gone")
    monkeypatch.undo()
    later = another(run, member)
    send(later.pk)
    assert refresh(later).status != Status.WAITING, "the key itself is good"


def test_run_refused_for_want_of_credits_waits_in_those_words(
    run: Run, lamina: Sandbox, as_user: Callable[[User], Client], creator: User
) -> None:
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    assert (refresh(run).status, run.held_up) == (Status.WAITING, TOO_FEW)
    assert run.attempts.get().closed_at is not None
    browser = as_user(creator)
    for address in (run.get_absolute_url(), f"{run.get_absolute_url()}progress/"):
        assert TOO_FEW in browser.get(address).content.decode()


def test_lamina_is_not_hammered_and_other_runs_of_the_key_hold_back(
    run: Run, member: Membership, lamina: Sandbox
) -> None:
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    later = another(run, member)
    for _ in range(5):
        send(later.pk)
        sweep()
    assert refresh(later).held_up == TOO_FEW
    assert later.attempts.count() == 0
    assert run.attempts.count() == 1


def test_one_run_is_let_through_to_try_after_a_while(run: Run, member: Membership, lamina: Sandbox) -> None:
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    rest = [another(run, member) for _ in range(3)]
    Wallet.objects.update(try_at=timezone.now())
    sweep()
    sweep()
    assert sum(each.attempts.count() for each in rest) == 1


def test_everything_goes_on_when_the_balance_has_grown(run: Run, member: Membership, lamina: Sandbox) -> None:
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    later = another(run, member)
    sweep()
    look_at_balance(run.workspace)
    sweep()
    assert {refresh(each).status for each in (run, later)} == {Status.WAITING}
    lamina.set(out_of_credits=False)
    look_at_balance(run.workspace)
    for run_id, _lane in lanes.runs_to_send():
        send(run_id)
    assert Status.WAITING not in {refresh(each).status for each in (run, later)}
    assert starts(lamina) == 2
    assert {each.held_up for each in (run, later)} == {""}


def test_balance_of_a_key_without_credits_is_asked_for_again_soon_and_not_at_every_sweep(
    run: Run, lamina: Sandbox
) -> None:
    assert balances_to_ask() == []
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    assert balances_to_ask() == [run.workspace_id]
    assert balances_to_ask() == []
    Wallet.objects.update(asked_at=timezone.now() - timedelta(minutes=1))
    assert balances_to_ask() == [run.workspace_id]


def test_run_that_the_balance_pays_for_is_not_kept_by_a_dearer_one(
    run: Run, member: Membership, lamina: Sandbox
) -> None:
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    lamina.set(out_of_credits=False)
    Wallet.objects.update(balance_then=10**6, balance=10**6)
    later = another(run, member)
    send(later.pk)
    assert refresh(later).status != Status.WAITING


def test_workspace_with_another_key_is_not_held_back(
    run: Run, lamina: Sandbox, other_workspace: Workspace, outsider: User, poster: PinnedApp
) -> None:
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    other_workspace.lamina_api_key = "lma_other"
    other_workspace.save()
    pin = PinnedApp.objects.create(workspace=other_workspace, app=poster.app, capability="image")
    member = outsider.memberships.get()
    theirs = submit(member=member, pin=pin, schema=poster.app.schema, inputs={}, outputs_wanted=[], token=uuid.uuid4())
    assert claim(theirs.pk) is not None


def test_run_that_somebody_else_claims_does_not_use_up_the_try_of_an_empty_wallet(
    run: Run, member: Membership, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    Wallet.objects.update(try_at=timezone.now())
    later = another(run, member)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "move", lambda self, to, **how: False)
        assert claim(later.pk) is None
    assert claim(later.pk) is not None, "another would have to wait for five minutes"


def test_held_up_run_offers_no_second_one(
    run: Run, lamina: Sandbox, staff: User, as_user: Callable[[User], Client], creator: User
) -> None:
    stop_spending(workspace=None, why="The bill is being checked", by=staff)
    send(run.pk)
    page = as_user(creator).get(run.get_absolute_url()).content.decode()
    assert "The bill is being checked" in page
    assert "Edit and run again" not in page


def test_accepted_run_that_failed_for_want_of_credits_is_over_and_says_so(
    run: Run, member: Membership, lamina: Sandbox, as_user: Callable[[User], Client], creator: User
) -> None:
    claim(run.pk)
    adopt(run.pk, news(run, "failed", 0, errorMessage="Insufficient credits"), told_by=Teller.DELIVERY)
    assert refresh(run).status == Status.FAILED
    page = as_user(creator).get(run.get_absolute_url()).content.decode()
    assert "The workspace has not enough credits for this run." in page
    assert "Nothing was charged." in page
    follower = Run.objects.get(retry_of=run)
    assert f"It goes on by itself as {follower.reference} when the credits at Lamina are topped up." in page
    assert 'id="again"' not in page, "it would be made twice"
    assert "Edit and run again" in page
    assert follower.get_absolute_url() in page
    assert LedgerLine.objects.get(pk=run.pk).settled == 0
    later = another(run, member)
    send(later.pk)
    assert refresh(later).held_up == TOO_FEW


def fail_for_want_of_credits(run: Run) -> Run:
    """Have Lamina take a run and fail it; return the one that goes on for it."""
    Run.objects.filter(pk=run.pk).update(held_up="", not_before=None)
    Wallet.objects.all().delete()
    assert claim(run.pk)
    told = news(run, "failed", 0, run_id=str(run.pk), errorMessage="Insufficient credits")
    adopt(run.pk, told, told_by=Teller.DELIVERY)
    return Run.objects.get(retry_of=run)


def test_accepted_run_that_failed_for_want_of_credits_goes_on_as_another_when_topped_up(
    run: Run, member: Membership, lamina: Sandbox
) -> None:
    Run.objects.filter(pk=run.pk).update(outputs_wanted=["Front"])
    follower = fail_for_want_of_credits(refresh(run))
    told = news(run, "failed", 0, run_id=str(run.pk), errorMessage="Insufficient credits")
    adopt(run.pk, told, told_by=Teller.SWEEP)
    assert list(Run.objects.exclude(pk=run.pk)) == [follower], "the news came twice"
    assert follower.status == Status.WAITING
    assert follower.held_up == TOO_FEW
    assert (follower.inputs, follower.outputs_wanted, follower.created_by) == (run.inputs, ["Front"], run.created_by)
    assert f"Goes on as {follower.reference} when topped up." in {move.why for move in run.history.all()}
    lamina.set(out_of_credits=True)
    look_at_balance(run.workspace)
    sweep()
    assert starts(lamina) == 0
    lamina.set(out_of_credits=False)
    look_at_balance(run.workspace)
    for run_id, _lane in lanes.runs_to_send():
        send(run_id)
    assert refresh(follower).lamina_run_id
    assert starts(lamina) == 1


def test_run_goes_on_for_want_of_credits_less_and_less_often_and_not_for_ever(run: Run, lamina: Sandbox) -> None:
    pauses = []
    for _ in range(MOST_FOLLOWERS):
        run = fail_for_want_of_credits(run)
        pauses.append((run.not_before - timezone.now()).total_seconds())
    assert 290 < pauses[0] < 310
    assert all(later > 1.9 * earlier for earlier, later in pairwise(pauses))
    with pytest.raises(Run.DoesNotExist):
        fail_for_want_of_credits(run)


def test_run_that_its_person_does_not_want_any_more_does_not_go_on(run: Run, lamina: Sandbox) -> None:
    Run.objects.filter(pk=run.pk).update(cancel_asked_at=timezone.now(), status=Status.QUEUED, lamina_run_id="one")
    adopt(run.pk, news(run, "failed", 0, run_id="one", errorMessage="Insufficient credits"), told_by=Teller.DELIVERY)
    assert list(Run.objects.all()) == [run]


def test_run_does_not_go_on_where_the_budget_has_no_room(run: Run, lamina: Sandbox, staff: User) -> None:
    stop_spending(workspace=run.workspace, why="An odd bill", by=staff)
    Run.objects.filter(pk=run.pk).update(status=Status.QUEUED, lamina_run_id="one")
    adopt(run.pk, news(run, "failed", 0, run_id="one", errorMessage="Insufficient credits"), told_by=Teller.DELIVERY)
    assert refresh(run).status == Status.FAILED
    assert list(Run.objects.all()) == [run]


def test_sweep_asks_for_the_balance_and_sends_nothing_else(run: Run, lamina: Sandbox) -> None:
    lamina.set(out_of_credits=True, out_of_credits_answer="402")
    send(run.pk)
    tasks.sweep()
    assert Wallet.objects.get().asked_at is not None


def test_hold_that_outlived_its_run_is_settled(run: Run) -> None:
    Run.objects.update(status=Status.CANCELLED)
    state = state_of(run.workspace)
    assert state.held > 0
    assert reconcile.check_budgets() == 0, "too young to be a fault"
    run.workspace.budget_months.get().lines.update(changed_at=timezone.now() - timedelta(minutes=1))
    assert reconcile.check_budgets() == 1
    assert state_of(run.workspace).held == 0
    assert reconcile.check_budgets() == 0


def test_hold_of_a_run_that_is_gone_is_counted_as_a_whole(run: Run) -> None:
    App.objects.update(credits_expected=12)
    workspace = run.workspace
    run.delete()
    workspace.budget_months.get().lines.update(changed_at=timezone.now() - timedelta(minutes=1), expected=12)
    reconcile.check_budgets()
    assert (state_of(workspace).held, state_of(workspace).spent) == (0, 12)


def test_hold_of_a_run_that_goes_on_is_left_alone(run: Run) -> None:
    run.workspace.budget_months.get().lines.update(changed_at=timezone.now() - timedelta(days=1))
    assert reconcile.check_budgets() == 0
    assert state_of(run.workspace).held > 0


def test_hold_of_a_refinement_that_goes_on_is_left_alone_and_one_that_ended_is_settled(
    run: Run, member: Membership
) -> None:
    Run.objects.update(status=Status.COMPLETED, lamina_run_id="one")
    reconcile.check_budgets()
    wish = refine.ask(member=member, run=refresh(run), words="Bluer, please", token=uuid.uuid4())
    lines = LedgerLine.objects.filter(kind=LineKind.REFINEMENT)
    LedgerLine.objects.update(changed_at=timezone.now() - timedelta(minutes=1))
    reconcile.check_budgets()
    assert lines.get().held > 0
    type(wish).objects.update(state="failed")
    assert reconcile.check_budgets() == 1
    assert lines.get().held == 0
