"""A wish behind a brake: it says why it waits, costs no requests meanwhile, and goes on by itself."""

import uuid
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from lamina_integration import RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.runs import refine
from portal.runs.models import Refinement, RefinementState, Run
from portal.runs.refine import sending
from portal.workspaces.brakes import note_refusal
from portal.workspaces.budgets import lift, stop_spending
from portal.workspaces.credits import refresh_balance
from portal.workspaces.lamina import shared_budget
from portal.workspaces.models import LedgerLine, Membership, User, Wallet
from tests.factories import run_of
from tests.portal.runs.conftest import Ask, copy_all
from tests.portal.runs.test_refine import asked_of

TOO_FEW = "The workspace has not enough credits at Lamina. It is saved and goes on when topped up."


@pytest.fixture
def refused(ask: Ask, lamina: Sandbox) -> Refinement:
    """A wish that Lamina refused for want of credits."""
    lamina.set(out_of_credits=True)
    refinement = ask("Warmer light")
    refine.send(refinement.pk)
    return fresh(refinement)


def fresh(refinement: Refinement) -> Refinement:
    refinement.refresh_from_db()
    return refinement


def another(done: Run, member: Membership) -> Refinement:
    """Return a wish about another run of the same workspace that is done."""
    run = run_of(member, done.pin, status="completed", lamina_run_id=uuid.uuid4().hex)
    return refine.ask(member=member, run=run, words="Cooler", token=uuid.uuid4())


def sweep() -> int:
    """Send what the sweep would have sent a few minutes later; return how many that were."""
    Refinement.objects.update(next_at=timezone.now())
    due = refine.due_to_send()
    for refinement_id, _run_id in due:
        refine.send(refinement_id)
    return len(due)


def look_at_balance(done: Run) -> None:
    cache.clear()
    refresh_balance(done.workspace_id)


def requests_of(lamina: Sandbox) -> int:
    return int(lamina.ledger()["requests"]["total"])


def test_wish_refused_for_want_of_credits_waits_in_those_words(refused: Refinement, done: Run, visitor: Client) -> None:
    assert (refused.state, refused.outcome, refused.tries) == (RefinementState.WAITING, TOO_FEW, 0)
    assert refused.sent_at is None
    assert LedgerLine.objects.get(pk=refused.line_id).held > 0
    page = visitor.get(done.get_absolute_url()).content.decode()
    assert f"Your change waits. {TOO_FEW}" in page
    assert f"{TOO_FEW} Nothing was charged for it so far." in page
    assert "as estimated" not in page, "what the run has cost is not what the change costs"
    assert 'name="words"' not in page
    assert "Change waits" in visitor.get("/w/demo/runs/").content.decode()


def test_wish_of_a_key_without_credits_costs_no_request(
    refused: Refinement, done: Run, member: Membership, lamina: Sandbox
) -> None:
    later = another(done, member)
    before = requests_of(lamina)
    for _ in range(3):
        refine.send(refused.pk)
        refine.send(later.pk)
        assert sweep() == 0
    assert requests_of(lamina) == before
    assert (fresh(later).state, later.outcome) == (RefinementState.WAITING, TOO_FEW)


def test_wish_waits_for_credits_that_a_run_was_refused_for(ask: Ask, done: Run, lamina: Sandbox) -> None:
    note_refusal(done.workspace)
    refinement = ask()
    before = requests_of(lamina)
    refine.send(refinement.pk)
    assert fresh(refinement).is_held_up
    assert requests_of(lamina) == before


def test_one_wish_is_let_through_to_try_after_a_while(
    refused: Refinement, done: Run, member: Membership, lamina: Sandbox
) -> None:
    wishes = [refused, *(another(done, member) for _ in range(3))]
    Wallet.objects.update(try_at=timezone.now())
    lamina.set(out_of_credits=False)
    assert sweep() == len(wishes)
    assert sum(fresh(wish).is_held_up for wish in wishes) == len(wishes) - 1


def test_try_that_is_refused_again_leaves_the_wish_as_good_as_new(refused: Refinement) -> None:
    for _ in range(refine.sending.MOST_TRIES + 2):
        Wallet.objects.update(try_at=timezone.now())
        assert sweep() == 1
    assert fresh(refused).is_held_up
    assert refused.tries == 0


def test_wish_goes_on_at_the_next_sweep_when_topped_up(refused: Refinement, done: Run, lamina: Sandbox) -> None:
    look_at_balance(done)
    assert refine.due_to_send() == []
    assert refused.next_at > timezone.now() + timedelta(minutes=4)
    lamina.set(out_of_credits=False)
    look_at_balance(done)
    assert refine.due_to_send() == [(refused.pk, done.pk)]
    assert (fresh(refused).outcome, refused.outcome_code) == ("", "")
    refine.send(refused.pk)
    copy_all(done)
    assert (fresh(refused).state, asked_of(lamina)) == (RefinementState.DONE, ["Warmer light"])


def test_open_page_hears_that_its_wish_goes_on(
    refused: Refinement, done: Run, visitor: Client, lamina: Sandbox
) -> None:
    address = f"{done.get_absolute_url()}progress/"
    tag = visitor.get(address)["ETag"]
    assert visitor.get(address, headers={"If-None-Match": tag}).status_code == 304
    Wallet.objects.all().delete()
    refine.due_to_send()
    assert TOO_FEW not in visitor.get(address, headers={"If-None-Match": tag}).content.decode()


def test_sweep_tells_a_wish_that_waits_for_its_turn_what_keeps_it(
    ask: Ask, done: Run, staff: User, visitor: Client
) -> None:
    refinement = ask()
    tag = visitor.get(f"{done.get_absolute_url()}progress/")["ETag"]
    stop = stop_spending(workspace=None, why="The bill is being checked", by=staff)
    assert sweep() == 0
    assert "(The bill is being checked)" in fresh(refinement).outcome
    assert visitor.get(f"{done.get_absolute_url()}progress/", headers={"If-None-Match": tag}).status_code == 200
    lift(stop, why="Explained", by=staff)
    assert refine.due_to_send() == [(refinement.pk, done.pk)]


def test_wish_is_not_asked_for_when_spending_is_stopped_in_the_last_moment(
    ask: Ask, staff: User, lamina: Sandbox
) -> None:
    refinement = refine.claim(ask().pk)
    assert refinement is not None
    stop_spending(workspace=None, why="Now", by=staff)
    assert refine.call(refinement) is None
    assert "(Now)" in fresh(refinement).outcome
    assert (refinement.state, refinement.sent_at, refinement.tries) == (RefinementState.WAITING, None, 0)
    assert asked_of(lamina) == []


def test_wish_whose_key_lamina_does_not_accept_waits_for_another_key(ask: Ask, done: Run, lamina: Sandbox) -> None:
    done.workspace.lamina_api_key = "lma_nobody_knows_it"
    done.workspace.save(update_fields=["lamina_api_key"])
    refinement = ask()
    refine.send(refinement.pk)
    assert fresh(refinement).is_held_up
    assert "does not accept the key" in refinement.outcome
    done.workspace.lamina_api_key = lamina.api_key
    done.workspace.save(update_fields=["lamina_api_key"])
    assert refine.due_to_send() == [(refinement.pk, done.pk)]


def test_wish_that_somebody_else_claims_does_not_use_up_the_try_of_an_empty_wallet(
    refused: Refinement, monkeypatch: pytest.MonkeyPatch
) -> None:
    Wallet.objects.update(try_at=timezone.now())

    def faster(*_arguments: object, **_more: object) -> str:
        Wallet.objects.update(try_at=timezone.now() + timedelta(minutes=5))
        Refinement.objects.filter(pk=refused.pk).update(state=RefinementState.SENDING)
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(refine.sending, "find_brake", faster)
        assert refine.claim(refused.pk) is None
    assert refine.claim(refused.pk) is not None, "another would have to wait for five minutes"


def test_worker_that_was_given_up_does_not_send_again_what_another_has_sent(ask: Ask, lamina: Sandbox) -> None:
    lost = refine.claim(ask().pk)
    Refinement.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    refine.release_lost()
    assert lost is not None
    other = refine.claim(lost.pk)
    assert other is not None
    refine.mark_sent(other, RemoteRun.model_validate({"runId": lost.run.lamina_run_id}))
    lamina.set(rate_limited=1.0)
    refine.call(lost)
    assert fresh(lost).state == RefinementState.SENDING
    assert lost.sent_at is not None


def test_wish_goes_on_saying_that_lamina_does_not_answer_until_it_does(ask: Ask, done: Run, lamina: Sandbox) -> None:
    lamina.set(server_errors=1.0)
    refinement = ask("Warmer light")
    while not shared_budget().is_away():
        refine.send(refinement.pk)
    tries = fresh(refinement).tries
    refine.send(refinement.pk)
    told = fresh(refinement)
    assert (told.state, told.tries) == (RefinementState.WAITING, tries), "nothing was wrong with it"
    assert "not answer" in told.outcome or "cannot be reached" in told.outcome
    done.refresh_from_db()
    asked, version = lamina.ledger()["requests"]["total"], done.version
    for _ in range(3):
        refine.send(refinement.pk)
    done.refresh_from_db()
    assert (lamina.ledger()["requests"]["total"], done.version) == (asked, version)
    lamina.set(server_errors=0.0)
    shared_budget().answered()
    refine.send(refinement.pk)
    assert fresh(refinement).state == RefinementState.DONE


def test_wish_that_waited_for_something_else_says_that_lamina_does_not_answer(ask: Ask, done: Run) -> None:
    refinement = ask("Warmer light")
    Refinement.objects.update(outcome="Lamina asks us to wait a moment.")
    for _ in range(5):
        shared_budget().unanswered(60)
    done.refresh_from_db()
    before = done.version
    refine.send(refinement.pk)
    refine.send(refinement.pk)
    assert fresh(refinement).outcome == "Lamina does not answer at the moment; this waits and goes on."
    done.refresh_from_db()
    assert done.version == before + 1, "its page hears of it, once"


def test_wish_waits_again_when_a_stop_is_lifted_in_the_last_moment(
    ask: Ask, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch, staff: User
) -> None:
    refinement = ask("Warmer light")
    claimed = refine.claim(refinement.pk)
    assert claimed
    stop_spending(workspace=None, why="Now", by=staff)
    monkeypatch.setattr(sending, "find_stop", lambda _workspace: None)
    sending.call(claimed)
    assert (fresh(refinement).state, refinement.outcome) == (
        RefinementState.WAITING,
        "Spending was stopped for a moment.",
    )


def test_wish_is_not_told_to_wait_a_moment_when_lamina_does_not_answer_at_all(ask: Ask, lamina: Sandbox) -> None:
    for _ in range(5):
        shared_budget().unanswered(60)
    refinement = ask("Warmer light")
    refine.send(refinement.pk)
    assert fresh(refinement).outcome == "Lamina does not answer at the moment; this waits and goes on."
    assert refinement.tries == 0
