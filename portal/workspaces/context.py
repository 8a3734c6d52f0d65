"""What every page of a workspace shows around its content."""

from typing import Any, cast

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from portal.workspaces.access import MemberRequest
from portal.workspaces.budgets import seen_with
from portal.workspaces.words import left, month_text, spending_notice

SECTIONS = {"choose": "create", "create": "create", "budget": "budget"}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the section we are in, the credits, and the workspaces to change to, each only when asked for."""
    workspace = getattr(request, "workspace", None)
    if workspace is None:
        return {}
    by_member = cast(MemberRequest, request)  # `member_required` has set it
    match = request.resolver_match
    section = ""
    if match and match.namespace in {"runs", "gallery"}:
        section = SECTIONS.get(match.url_name or "", match.namespace)
    state, stopped_why = seen_with(by_member.member)
    others = SimpleLazyObject(lambda: list(by_member.user.workspaces.exclude(pk=workspace.pk)))
    return {
        "shell": {
            "section": section,
            "credits": {
                "left": "" if workspace.credits_balance is None else left(workspace.credits_balance),
                "as_of": workspace.credits_checked_at,
            },
            "other_workspaces": others,
            "spending": spending_notice(stopped_why, state),
            "budget_text": month_text(state),
        }
    }
