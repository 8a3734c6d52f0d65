"""Workspaces in the admin site: budgets and their reasons."""

import uuid
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.runs.models import Run
from portal.workspaces.budgets import Price, find_stop, hold, lift, stop_spending
from portal.workspaces.models import User, Workspace
from tests.factories import media_of


@pytest.fixture
def desk(as_user: Callable[[User], Client], staff: User) -> Client:
    return as_user(staff)


def save(desk: Client, workspace: Workspace, **fields: str) -> int:
    inline = {f"memberships-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
    values = {"name": workspace.name, "slug": workspace.slug, "monthly_budget": "", **fields, **inline}
    return desk.post(reverse("admin:workspaces_workspace_change", args=[workspace.pk]), values).status_code


def test_budget_is_set_with_a_reason_that_is_kept(desk: Client, workspace: Workspace) -> None:
    assert save(desk, workspace, monthly_budget="500", budget_why="The contract of November") == 302
    workspace.refresh_from_db()
    assert workspace.monthly_budget == 500
    kept = LogEntry.objects.get().get_change_message()
    assert "The contract of November" in kept
    assert "500" in kept


def test_budget_without_a_reason_is_not_saved(desk: Client, workspace: Workspace) -> None:
    assert save(desk, workspace, monthly_budget="500") == 200
    workspace.refresh_from_db()
    assert workspace.monthly_budget is None


def test_other_changes_need_no_reason_and_leave_the_budget(desk: Client, workspace: Workspace) -> None:
    Workspace.objects.update(monthly_budget=500)
    assert save(desk, workspace, name="Another name", monthly_budget="500") == 302
    workspace.refresh_from_db()
    assert (workspace.name, workspace.monthly_budget) == ("Another name", 500)


@pytest.mark.parametrize("change", [{"new_key": "lma_second"}, {"forget_key": "on"}], ids=["replaced", "forgotten"])
def test_another_key_is_told_of_runs_that_are_not_over(
    desk: Client, workspace: Workspace, run: Run, change: dict[str, str]
) -> None:
    def told() -> bool:
        assert save(desk, workspace, **change) == 302
        page = desk.get(reverse("admin:workspaces_workspace_changelist")).content.decode()
        return "1 run that is not over was sent with the key before." in page

    assert not told(), "it waits, and is sent with the new one"
    Run.objects.update(sent_at=timezone.now())
    assert told()
    Run.objects.update(finished_at=timezone.now())
    assert not told()


def test_workspace_with_runs_or_files_cannot_be_deleted(desk: Client, workspace: Workspace) -> None:
    media_of(workspace)
    address = reverse("admin:workspaces_workspace_delete", args=[workspace.pk])
    assert "Cannot delete workspace" in desk.get(address).content.decode()
    desk.post(address, {"post": "yes"})
    assert Workspace.objects.filter(pk=workspace.pk).exists()


def test_adding_a_stop_stops_spending_and_a_reason_lifts_it(desk: Client, workspace: Workspace, staff: User) -> None:
    added = desk.post(reverse("admin:workspaces_spendingstop_add"), {"workspace": "", "why": "The bill is checked"})
    assert added.status_code == 302
    stop = find_stop(workspace)
    assert (stop.why, stop.by, stop.workspace) == ("The bill is checked", staff, None)
    address = reverse("admin:workspaces_spendingstop_change", args=[stop.pk])
    assert desk.post(address, {"lifted_why": ""}).status_code == 200
    assert find_stop(workspace) is not None
    assert desk.post(address, {"lifted_why": "It was right"}).status_code == 302
    assert find_stop(workspace) is None
    stop.refresh_from_db()
    assert (stop.lifted_by, stop.lifted_why, stop.why) == (staff, "It was right", "The bill is checked")


def test_lifting_one_stop_says_what_still_stops_spending(
    desk: Client, workspace: Workspace, other_workspace: Workspace, staff: User
) -> None:
    stop_spending(workspace=None, why="The bill is checked", by=staff)
    first = stop_spending(workspace=None, why="A key has leaked", by=staff)
    mine = stop_spending(workspace=workspace, why="It has not paid", by=staff)
    stop_spending(workspace=other_workspace, why="Somebody has left", by=staff)
    address = reverse("admin:workspaces_spendingstop_change", args=[mine.pk])
    page = desk.get(address).content.decode()
    assert "Saving this lifts this stop alone." in page
    page = desk.post(address, {"lifted_why": "It has paid"}, follow=True).content.decode()
    assert "Still stopped: all workspaces: The bill is checked" in page
    assert "Still stopped: all workspaces: A key has leaked" in page
    assert "Still stopped: Other Goods" not in page, "that never held there"
    address = reverse("admin:workspaces_spendingstop_change", args=[first.pk])
    page = desk.post(address, {"lifted_why": "It is another key"}, follow=True).content.decode()
    assert "Still stopped: all workspaces: The bill is checked" in page
    assert "Still stopped: Other Goods: Somebody has left" in page


def test_stops_are_listed_by_whether_they_are_in_force(desk: Client, workspace: Workspace, staff: User) -> None:
    stop_spending(workspace=workspace, why="It has not paid", by=staff)
    lift(stop_spending(workspace=None, why="The bill is checked", by=staff), why="It was right", by=staff)
    address = reverse("admin:workspaces_spendingstop_changelist")
    page = desk.get(address).content.decode()
    assert "In force" in page
    assert "Not empty" not in page
    for value, here, gone in (("yes", "has not paid", "bill is"), ("no", "bill is", "has not paid")):
        page = desk.get(address, {"in_force": value}).content.decode()
        assert here in page
        assert gone not in page


def test_ledger_is_read_and_never_typed_in(desk: Client, workspace: Workspace) -> None:
    key = uuid.uuid4()
    price = Price(expected=Decimal(12), outputs=1)
    hold(workspace=workspace, key=key, price=price, run_id=key, reference="R-2222-3333", what="Poster")
    for name in ("ledgerline", "budgetmonth", "wallet"):
        assert desk.get(reverse(f"admin:workspaces_{name}_changelist")).status_code == 200
        assert desk.get(reverse(f"admin:workspaces_{name}_add")).status_code == 403
    page = desk.get(reverse("admin:workspaces_ledgerline_change", args=[key])).content.decode()
    assert "R-2222-3333" in page
    assert 'name="settled"' not in page


def test_overview_shows_stops_and_the_fullest_budgets(desk: Client, workspace: Workspace, staff: User) -> None:
    Workspace.objects.update(monthly_budget=14)
    key = uuid.uuid4()
    price = Price(expected=Decimal(12), outputs=1)
    hold(workspace=workspace, key=key, price=price, run_id=key, reference="R-2222-3333", what="Poster")
    stop_spending(workspace=None, why="The bill is checked", by=staff)
    page = desk.get(reverse("operations:overview")).content.decode()
    for words in ("All workspaces", "The bill is checked", "85 % of the budget", "0 of 14 credits spent, and 12 held"):
        assert words in page
