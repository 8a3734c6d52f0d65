"""What a workspace has spent this month, and on what; and the credits that stand beside every page."""

from datetime import UTC, datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from portal.workspaces.access import CREATORS, MemberRequest, member_required
from portal.workspaces.budgets import state_of
from portal.workspaces.credits import awaited_balance, has_key_of_its_own
from portal.workspaces.models import LedgerLine, LineKind
from portal.workspaces.words import held, left, line_text, plain, spent, used_text

LAST_LINES = 50


@require_safe
@member_required(*CREATORS)
def budget(request: MemberRequest) -> HttpResponse:
    """Show the month's budget, what is spent and held of it, and the newest lines of the ledger."""
    state = state_of(request.workspace)
    newest = LedgerLine.objects.filter(month__workspace=request.workspace).order_by("-created_at")
    lines = list(newest.select_related("month")[:LAST_LINES])
    # A run may be pruned; its line stays.
    runs = request.workspace.runs.only("pk", "workspace").in_bulk([line.run_id for line in lines if line.run_id])
    for run in runs.values():
        run.workspace = request.workspace
    context = {
        "state": state,
        "spent": spent(state),
        "held": held(state),
        "used": used_text(state),
        "limit": "" if state.limit is None else plain(state.limit),
        "left": "" if state.left is None else left(state.left),
        "is_counted_by_lamina": has_key_of_its_own(request.workspace),
        "lines": [
            {
                "at": line.created_at,
                "what": line.what,
                "kind": "" if line.kind == LineKind.RUN else line.get_kind_display(),
                "reference": line.reference,
                "run": runs.get(line.run_id),
                "text": line_text(line),
                "is_earlier": line.month.starts_on != state.starts_on,
            }
            for line in lines
        ],
    }
    return render(request, "runs/budget.html", context)


@require_safe
@member_required()
def credits_part(request: MemberRequest) -> HttpResponse:
    """Show the sidebar's credits alone, for a page whose run has just ended; with a timer until they are news."""
    since = request.GET.get("since", "")
    is_time = since.isascii() and since.isdigit() and len(since) < 15
    ended_at = datetime.fromtimestamp(int(since) / 1000, tz=UTC) if is_time else None
    context = {"awaits_balance": awaited_balance(request.workspace, since=ended_at)}
    response = render(request, "components/credits.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response
