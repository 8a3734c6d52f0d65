"""The ledger held against Lamina's own count, where a key is the workspace's alone."""

import time
import uuid
from datetime import timedelta
from decimal import Decimal
from threading import Event, Thread
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from lamina_integration.sandbox import Sandbox
from portal.workspaces import credits, tasks
from portal.workspaces.budgets import Price, hold, settle, state_of
from portal.workspaces.credits import ASKED, compare, has_key_of_its_own, refresh_balance, will_be_asked
from portal.workspaces.models import LedgerLine, LineKind, Workspace

TWELVE = Price(expected=Decimal(12), most=Decimal(20), outputs=1)


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    """A workspace with a key of its own, compared once."""
    workspace.lamina_api_key = "lma_own"
    workspace.save()
    look(workspace, 1000)
    return workspace


def look(workspace: Workspace, total: object) -> None:
    compare(workspace, Decimal(str(total)), asked_at=timezone.now() + timedelta(microseconds=1))


def ended(workspace: Workspace) -> LedgerLine:
    line = going(workspace)
    settle(line.pk, made=1)
    return line


def going(workspace: Workspace) -> LedgerLine:
    key = uuid.uuid4()
    return hold(workspace=workspace, key=key, price=TWELVE, run_id=key, reference="R-2222-3333", what="Poster")


def test_what_was_spent_before_the_first_look_is_not_ours(workspace: Workspace) -> None:
    look(workspace, 1000)
    assert state_of(workspace).spent == 0


def test_one_run_between_two_looks_becomes_exact(workspace: Workspace) -> None:
    line = ended(workspace)
    look(workspace, "1014.5")
    line.refresh_from_db()
    assert (line.settled, line.is_exact) == (Decimal("14.5"), True)
    assert state_of(workspace).spent == Decimal("14.5")
    assert not LedgerLine.objects.filter(kind=LineKind.CORRECTION).exists()
    settle(line.pk, made=0)
    assert state_of(workspace).spent == Decimal("14.5")


def test_several_runs_are_corrected_together(workspace: Workspace) -> None:
    ended(workspace)
    ended(workspace)
    look(workspace, 1020)
    assert state_of(workspace).spent == 20
    assert LedgerLine.objects.get(kind=LineKind.CORRECTION).settled == -4
    look(workspace, 1020)
    assert LedgerLine.objects.filter(kind=LineKind.CORRECTION).count() == 1


def test_what_no_run_can_have_cost_is_a_line_of_its_own(workspace: Workspace) -> None:
    line = ended(workspace)
    look(workspace, 1500)
    line.refresh_from_db()
    assert (line.settled, line.is_exact) == (12, False)
    assert LedgerLine.objects.get(kind=LineKind.CORRECTION).settled == 488


def test_nothing_is_corrected_while_a_run_goes_on(workspace: Workspace) -> None:
    ended(workspace)
    still = going(workspace)
    look(workspace, 1017)
    assert state_of(workspace).spent == 12
    settle(still.pk, made=1)
    look(workspace, 1026)
    assert state_of(workspace).spent == 26


def test_answer_older_than_a_change_is_left_alone(workspace: Workspace) -> None:
    asked_at = timezone.now()
    ended(workspace)
    compare(workspace, Decimal(1000), asked_at=asked_at)
    assert state_of(workspace).spent == 12


def test_correction_belongs_to_the_month_of_what_has_ended(workspace: Workspace) -> None:
    first, second = ended(workspace), ended(workspace)
    month = first.month
    month.starts_on = month.starts_on - timedelta(days=40)
    month.save()
    look(workspace, 1030)
    assert LedgerLine.objects.get(kind=LineKind.CORRECTION).month == second.month


@pytest.mark.parametrize(("own", "others", "is_own"), [("", "", False), ("a", "b", True), ("a", "a", False)])
def test_only_a_key_of_its_own_can_be_compared(
    workspace: Workspace, other_workspace: Workspace, own: str, others: str, is_own: bool
) -> None:
    workspace.lamina_api_key, other_workspace.lamina_api_key = own, others
    workspace.save()
    other_workspace.save()
    assert has_key_of_its_own(workspace) is is_own


def test_portal_s_key_stored_at_a_workspace_is_not_its_own(workspace: Workspace, settings: object) -> None:
    settings.LAMINA_API_KEY = "lma_own"
    assert not has_key_of_its_own(workspace)


def test_balance_and_count_come_with_one_answer(
    workspace: Workspace, lamina: Sandbox, settings: object, django_assert_max_num_queries: object
) -> None:
    workspace.lamina_api_key, settings.LAMINA_API_KEY = lamina.api_key, "lma_another"
    workspace.spent_elsewhere = workspace.compared_at = None
    workspace.save()
    cache.clear()
    refresh_balance(workspace.pk)
    workspace.refresh_from_db()
    assert workspace.credits_balance == 5000
    assert workspace.spent_elsewhere == 0


def test_balance_that_is_asked_for_too_soon_is_asked_for_once_more_later(
    workspace: Workspace, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    before = lamina.ledger()["requests"]["total"]
    later: list[float | None] = []
    monkeypatch.setattr(tasks.refresh_balance, "apply_async", lambda *, countdown, **_others: later.append(countdown))
    for _ in range(3):
        tasks.refresh_balance(workspace.pk)
    assert later == [10]
    assert lamina.ledger()["requests"]["total"] == before + 1


def test_balance_that_will_be_asked_for_anyway_needs_no_message(
    workspace: Workspace, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    monkeypatch.setattr(tasks.refresh_balance, "apply_async", lambda **_others: None)
    tasks.refresh_balance(workspace.pk)
    assert not will_be_asked(workspace.pk), "what ends now may not be counted yet"
    tasks.refresh_balance(workspace.pk)
    assert will_be_asked(workspace.pk)
    cache.delete(ASKED % workspace.pk)
    assert not will_be_asked(workspace.pk), "it can be asked for at once"
    tasks.refresh_balance(workspace.pk)
    assert not will_be_asked(workspace.pk), "what ends now may not be in that answer"


def test_balance_that_nobody_could_be_told_to_ask_for_is_asked_for_by_the_next(
    workspace: Workspace, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_others: object) -> None:
        raise OperationalError

    cache.clear()
    monkeypatch.setattr(tasks.refresh_balance, "apply_async", refuse)
    tasks.refresh_balance(workspace.pk)
    tasks.refresh_balance(workspace.pk)
    assert not will_be_asked(workspace.pk)


@pytest.mark.django_db(transaction=True)
def test_late_news_of_a_run_that_is_being_compared_waits_and_is_not_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ended(workspace)
    is_locked, errors = Event(), []
    correct = credits._correct

    def slowly(*args: Any) -> None:
        is_locked.set()
        time.sleep(0.5)
        correct(*args)

    def late() -> None:
        try:
            is_locked.wait(10)
            settle(line.pk, made=0)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    monkeypatch.setattr(credits, "_correct", slowly)
    thread = Thread(target=late)
    thread.start()
    look(workspace, 1005)
    thread.join()
    assert errors == []
    assert is_locked.is_set()
