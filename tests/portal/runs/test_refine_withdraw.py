"""A wish that was not sent can be taken back; one that is being sent cannot, and says so."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client

from lamina_integration.sandbox import Sandbox
from portal.operations.timeline import timeline
from portal.runs import refine
from portal.runs.models import Refinement, RefinementState, Run
from portal.workspaces.budgets import state_of
from portal.workspaces.models import LedgerLine, LineState, User
from tests.factories import run_of
from tests.portal.runs.conftest import Ask
from tests.portal.runs.test_refine import asked_of

BUTTON = 'id="withdraw"'


def way_of(refinement: Refinement, workspace: str = "demo") -> str:
    return f"/w/{workspace}/runs/{refinement.run_id}/changes/{refinement.pk}/withdraw/"


def pressed(browser: Client, refinement: Refinement) -> str:
    """Press the button, and return the page it leads to."""
    answer = browser.post(way_of(refinement), follow=True)
    assert answer.redirect_chain == [(refinement.run.get_absolute_url(), 302)]
    return answer.content.decode()


def test_waiting_wish_is_withdrawn_and_holds_nothing(ask: Ask, done: Run, visitor: Client, lamina: Sandbox) -> None:
    refinement = ask("Warmer light")
    held = state_of(done.workspace).held
    assert BUTTON in visitor.get(done.get_absolute_url()).content.decode()
    page = pressed(visitor, refinement)
    refinement.refresh_from_db()
    assert (refinement.state, refinement.is_withdrawn) == (RefinementState.FAILED, True)
    line = LedgerLine.objects.get(pk=refinement.line_id)
    assert (line.state, line.held, line.settled) == (LineState.RELEASED, 0, 0)
    assert state_of(done.workspace).held == held - line.amount
    assert '<span class="status" data-tone="off">Withdrawn</span>' in page
    assert page.count("The change was withdrawn before it was sent. Nothing was charged.") == 2, "notice and list"
    assert "withdrew the change before it was sent." in page, "the history says who"
    assert BUTTON not in page
    refine.send(refinement.pk)
    assert asked_of(lamina) == []


def test_another_change_can_be_asked_for_after_one_was_withdrawn(ask: Ask, visitor: Client, lamina: Sandbox) -> None:
    pressed(visitor, ask("Warmer light"))
    refine.send(ask("Cooler light").pk)
    assert asked_of(lamina) == ["Cooler light"]


def test_wish_that_is_being_sent_is_not_withdrawn_and_that_is_said(ask: Ask, done: Run, visitor: Client) -> None:
    refinement = ask()
    assert refine.claim(refinement.pk)
    version = Run.objects.get(pk=done.pk).version
    assert BUTTON not in visitor.get(done.get_absolute_url()).content.decode()
    assert "It was too late to withdraw the change: Lamina is being asked for it." in pressed(visitor, refinement)
    refinement.refresh_from_db()
    assert (refinement.state, refinement.outcome_code) == (RefinementState.SENDING, "")
    assert LedgerLine.objects.get(pk=refinement.line_id).held > 0
    assert Run.objects.get(pk=done.pk).version == version


def test_wish_that_is_over_is_not_withdrawn_and_that_is_said(ask: Ask, visitor: Client) -> None:
    refinement = ask()
    refine.send(refinement.pk)
    assert "There was nothing left to withdraw" in pressed(visitor, refinement)
    refinement.refresh_from_db()
    assert refinement.state == RefinementState.DONE


def test_second_press_changes_nothing_and_complains_of_nothing(ask: Ask, done: Run, visitor: Client) -> None:
    refinement = ask()
    pressed(visitor, refinement)
    page = pressed(visitor, refinement)
    assert "nothing left to withdraw" not in page
    assert "too late" not in page
    assert done.history.filter(why__contains="withdrew the change").count() == 1


@pytest.mark.django_db(transaction=True)
def test_wish_is_withdrawn_or_sent_and_never_both(ask: Ask, done: Run, creator: User, lamina: Sandbox) -> None:
    for turn in range(6):
        refinement = ask(f"Wish {turn}")
        start = threading.Barrier(2)

        def work(refinement: Refinement = refinement, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                refine.send(refinement.pk)
            finally:
                connection.close()

        worker = threading.Thread(target=work)
        worker.start()
        start.wait()
        was_withdrawn = refine.withdraw(refinement, person=creator)
        worker.join()
        refinement.refresh_from_db()
        assert refinement.is_withdrawn == was_withdrawn
        assert (refinement.words in asked_of(lamina)) != was_withdrawn
        done.outputs.update(copy_next_at=None)


def test_withdrawing_is_for_those_who_may_ask(
    ask: Ask, as_user: Callable[[User], Client], reviewer: User, outsider: User, owner: User
) -> None:
    refinement = ask()
    page = as_user(reviewer).get(refinement.run.get_absolute_url()).content.decode()
    assert "Change asked for" in page
    assert BUTTON not in page
    assert as_user(reviewer).post(way_of(refinement)).status_code == 403
    assert as_user(outsider).post(way_of(refinement)).status_code == 404
    assert as_user(outsider).post(way_of(refinement, "other")).status_code == 404
    assert as_user(owner).get(way_of(refinement)).status_code == 405
    refinement.refresh_from_db()
    assert refinement.is_open
    assert "Withdrawn" in pressed(as_user(owner), refinement)


def test_change_of_another_run_is_not_found_below_this_one(ask: Ask, done: Run, visitor: Client) -> None:
    refinement = ask()
    other = run_of(done.workspace.memberships.get(), done.pin)
    address = way_of(refinement).replace(str(done.pk), str(other.pk))
    assert visitor.post(address).status_code == 404


def test_staff_see_that_a_change_was_withdrawn(ask: Ask, done: Run, creator: User) -> None:
    refine.withdraw(ask(), person=creator)
    moments = [moment for moment in timeline(done) if moment.what == "Withdrawn"]
    assert [moment.tone for moment in moments] == ["off"]
