"""What every page of a workspace shows around its content."""

from functools import cached_property
from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpRequest

from portal.workspaces.access import MemberRequest
from portal.workspaces.budgets import BudgetState, seen_with
from portal.workspaces.models import Workspace
from portal.workspaces.words import left, month_text, spending_notice

SECTIONS = {"choose": "create", "create": "create", "budget": "budget"}


class Shell:
    """The section we are in, the credits, and the workspaces to change to, each looked up only when a page shows it."""

    def __init__(self, request: MemberRequest) -> None:
        self._request = request

    @cached_property
    def section(self) -> str:
        """Return which entry of the navigation the page belongs to; empty where it is none."""
        match = self._request.resolver_match
        if match and match.namespace in {"runs", "gallery"}:
            return SECTIONS.get(match.url_name or "", match.namespace)
        return ""

    @cached_property
    def credits(self) -> dict[str, Any]:
        """Return what is left at Lamina, in words (empty: not known), and of when that is."""
        workspace = self._request.workspace
        balance = workspace.credits_balance
        return {"left": "" if balance is None else left(balance), "as_of": workspace.credits_checked_at}

    @cached_property
    def other_workspaces(self) -> QuerySet[Workspace]:
        """Return the person's other workspaces."""
        return self._request.user.workspaces.exclude(pk=self._request.workspace.pk)

    @cached_property
    def _seen(self) -> tuple[BudgetState, str]:
        return seen_with(self._request.member)

    @cached_property
    def spending(self) -> Any:
        """Return the notice about spending, where there is one."""
        state, stopped_why = self._seen
        return spending_notice(stopped_why, state)

    @cached_property
    def budget_text(self) -> str:
        """Return how the month stands, in words; empty without a budget."""
        return month_text(self._seen[0])


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return what stands around a workspace's page; nothing on a page that is of none."""
    if getattr(request, "workspace", None) is None:
        return {}
    return {"shell": Shell(cast(MemberRequest, request))}  # `member_required` has set what it reads
