"""Workspaces in the admin site: budgets and their reasons."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

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


def test_workspace_with_runs_or_files_cannot_be_deleted(desk: Client, workspace: Workspace) -> None:
    media_of(workspace)
    address = reverse("admin:workspaces_workspace_delete", args=[workspace.pk])
    assert "Cannot delete workspace" in desk.get(address).content.decode()
    desk.post(address, {"post": "yes"})
    assert Workspace.objects.filter(pk=workspace.pk).exists()
