"""A month's budget: what fits, what does not, and that it is exact whoever comes at once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from threading import Barrier, BoundedSemaphore

import pytest
from django.db import connection, transaction

from portal.workspaces import budgets
from portal.workspaces.budgets import OverBudget, Price, SpendingStopped, hold, release, settle, state_of
from portal.workspaces.models import BudgetMonth, LedgerLine, LineState, User, Workspace

TWELVE = Price(expected=Decimal(12), least=Decimal(9), most=Decimal(20), outputs=2)


def hold_for(workspace: Workspace, price: Price = TWELVE) -> LedgerLine:
    key = uuid.uuid4()
    return hold(workspace=workspace, key=key, price=price, run_id=key, reference="R-2222-3333", what="Poster")


def limit(workspace: Workspace, amount: object) -> None:
    workspace.monthly_budget = Decimal(str(amount))
    workspace.save()


def connections_allowed() -> int:
    """How many connections the database takes from everybody together."""
    if connection.vendor != "postgresql":
        return 128
    with connection.cursor() as cursor:
        cursor.execute("show max_connections")
        return int(cursor.fetchone()[0])


def stands(workspace: Workspace) -> tuple[Decimal, Decimal]:
    state = state_of(workspace)
    return state.held, state.spent


def test_the_most_a_run_may_cost_is_held_and_its_estimate_is_counted(workspace: Workspace) -> None:
    line = hold_for(workspace)
    assert stands(workspace) == (20, 0)
    settle(line.pk, made=2)
    assert stands(workspace) == (0, 12)


def test_a_part_is_counted_in_proportion(workspace: Workspace) -> None:
    line = hold_for(workspace, Price(expected=Decimal(10), most=Decimal(10), outputs=3))
    settle(line.pk, made=1)
    assert stands(workspace) == (0, Decimal("3.33"))


def test_settling_twice_counts_once_and_later_news_the_difference(workspace: Workspace) -> None:
    line = hold_for(workspace)
    settle(line.pk, made=1)
    settle(line.pk, made=1)
    assert stands(workspace) == (0, 6)
    settle(line.pk, made=2)
    assert stands(workspace) == (0, 12)


def test_release_gives_everything_back_once(workspace: Workspace) -> None:
    line = hold_for(workspace)
    release(line.pk)
    release(line.pk)
    assert stands(workspace) == (0, 0)


def test_what_fills_the_budget_to_the_last_cent_fits_and_nothing_more(workspace: Workspace) -> None:
    limit(workspace, "0.70")
    tenth = Price(expected=Decimal("0.10"), outputs=1)
    for _ in range(7):
        hold_for(workspace, tenth)
    with pytest.raises(OverBudget):
        hold_for(workspace, Price(expected=Decimal("0.01"), outputs=1))
    assert stands(workspace) == (Decimal("0.70"), 0)


def test_without_a_limit_everything_fits_and_is_counted(workspace: Workspace) -> None:
    for _ in range(3):
        hold_for(workspace)
    assert stands(workspace) == (60, 0)


def test_an_unknown_cost_holds_the_set_amount(workspace: Workspace, settings: object) -> None:
    settings.BUDGET_UNKNOWN_CREDITS = 30
    line = hold_for(workspace, Price(outputs=2))
    assert stands(workspace) == (30, 0)
    settle(line.pk, made=1)
    assert stands(workspace) == (0, 15)


def test_a_new_month_begins_with_nothing_and_the_old_run_counts_in_its_own(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(workspace, 30)
    monkeypatch.setattr(budgets, "this_month", lambda: date(2026, 11, 1))
    old = hold_for(workspace)
    with pytest.raises(OverBudget) as refused:
        hold_for(workspace)
    assert refused.value.state.resets_on == date(2026, 12, 1)
    monkeypatch.setattr(budgets, "this_month", lambda: date(2026, 12, 1))
    hold_for(workspace)
    settle(old.pk, made=2)
    months = BudgetMonth.objects.order_by("starts_on").values_list("starts_on", "held", "spent")
    assert list(months) == [(date(2026, 11, 1), 0, 12), (date(2026, 12, 1), 20, 0)]


def test_stop_of_one_workspace_leaves_the_others_alone(
    workspace: Workspace, other_workspace: Workspace, staff: User
) -> None:
    stop = budgets.stop_spending(workspace=workspace, why="An odd bill", by=staff)
    with pytest.raises(SpendingStopped):
        hold_for(workspace)
    hold_for(other_workspace)
    assert budgets.lift(stop, why="Explained", by=staff)
    hold_for(workspace)


def test_stop_of_all_stops_every_workspace_and_outlasts_one_that_is_lifted(workspace: Workspace, staff: User) -> None:
    own = budgets.stop_spending(workspace=workspace, why="An odd bill", by=staff)
    budgets.stop_spending(workspace=None, why="Lamina's prices", by=staff)
    budgets.lift(own, why="Explained", by=staff)
    with pytest.raises(SpendingStopped) as refused:
        hold_for(workspace)
    assert refused.value.stop.why == "Lamina's prices"
    assert stands(workspace) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_sixty_four_at_once_never_overspend(workspace: Workspace) -> None:
    limit(workspace, "123.45")
    start = Barrier(64)
    # Other tests and storms need their connections to the same server meanwhile.
    room = BoundedSemaphore(min(64, connections_allowed() // 2))

    def try_to_hold(_number: int) -> bool:
        start.wait()
        with room:
            try:
                with transaction.atomic():
                    hold_for(workspace, Price(expected=Decimal("7.10"), most=Decimal("7.13"), outputs=1))
            except OverBudget:
                return False
            finally:
                connection.close()
            return True

    with ThreadPoolExecutor(64) as threads:
        let_through = sum(threads.map(try_to_hold, range(64)))
    assert let_through == 17  # 17 × 7.13 = 121.21; one more would be 128.34
    assert stands(workspace) == (Decimal("121.21"), 0)
    assert LedgerLine.objects.filter(state=LineState.HELD).count() == 17


@pytest.mark.django_db(transaction=True)
def test_holding_and_settling_at_once_leaves_the_sums_of_the_lines(workspace: Workspace) -> None:
    limit(workspace, 200)

    def live(number: int) -> None:
        try:
            with transaction.atomic():
                line = hold_for(workspace)
            settle(line.pk, made=number % 3)
            if number % 5 == 0:
                release(line.pk)
        except OverBudget:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(live, range(64)))
    assert list(budgets.differences()) == []
    state = state_of(workspace)
    assert (state.held, state.used <= 200) == (0, True)


def test_difference_between_counters_and_lines_is_found_and_mended(workspace: Workspace) -> None:
    settle(hold_for(workspace).pk, made=2)
    hold_for(workspace)
    BudgetMonth.objects.update(held=1, spent=999)
    assert [(held, spent) for _month, held, spent in budgets.differences()] == [(20, 12)]
    list(budgets.differences(mend=True))
    assert stands(workspace) == (20, 12)
    assert list(budgets.differences()) == []


@pytest.mark.parametrize(
    ("used", "percent", "is_near", "is_used_up"),
    [("79.99", 79, False, False), ("80", 80, True, False), ("99.99", 99, True, False), ("100", 100, True, True)],
)
def test_warning_begins_at_eighty_and_ends_at_a_hundred_percent(
    used: str, percent: int, is_near: bool, is_used_up: bool
) -> None:
    state = budgets.BudgetState(
        limit=Decimal(100), spent=Decimal(used) - 5, held=Decimal(5), starts_on=date(2026, 11, 1)
    )
    assert (state.percent, state.is_near, state.is_used_up) == (percent, is_near, is_used_up)


def test_month_that_turns_while_it_is_looked_for_is_one_month(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    months = iter([date(2026, 7, 1), *[date(2026, 8, 1)] * 9])
    monkeypatch.setattr(budgets, "this_month", lambda: next(months))
    hold_for(workspace)
    assert BudgetMonth.objects.get().starts_on == date(2026, 7, 1)
