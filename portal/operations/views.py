"""What monitors ask for, and the pages of staff."""

import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from portal.catalogue.drift import changed_lately, steps
from portal.catalogue.models import App
from portal.operations import health
from portal.operations.access import may_read_metrics, staff_required
from portal.operations.deliveries import FILTERS, counts, latest
from portal.operations.drift import touched_drafts, touched_runs
from portal.operations.exposition import exposition
from portal.operations.figures import figures
from portal.operations.finding import find_runs
from portal.operations.looking import runs_in_turn, runs_to_look_at
from portal.operations.overview import lanes
from portal.operations.screens import (
    again_text,
    budget_rows,
    call_rows,
    dependency_rows,
    figure_cards,
    in_turn_text,
    key_groups,
    lane_rows,
    look_groups,
)
from portal.operations.timeline import timeline
from portal.operations.waiting import being_sent
from portal.runs.callbacks import address_is_refused
from portal.runs.inputs_shown import refusals
from portal.runs.models import Run
from portal.runs.states import Status
from portal.workspaces.brakes import refused_keys
from portal.workspaces.budgets import near_or_over
from portal.workspaces.models import SpendingStop


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers; nothing else is asked."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Say of each dependency whether it is well and how old the last sign of it is, and nothing more."""
    found = health.look()
    checks: dict[str, dict[str, object]] = {}
    for name, finding in found.findings.items():
        checks[name] = {"ok": finding.ok}
        if finding.age_seconds is not None:
            checks[name]["age_seconds"] = finding.age_seconds
        if finding.details:
            checks[name]["lanes"] = finding.details
    return JsonResponse({"ok": found.is_ready, "checks": checks}, status=200 if found.is_ready else 503)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Give the figures in Prometheus' text format to whoever may read them."""
    if not may_read_metrics(request):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


@require_safe
@never_cache
@staff_required
def overview(request: HttpRequest) -> HttpResponse:
    """Show how the portal does: the four numbers, what waits and why; with `q`, the runs that fit."""
    words = request.GET.get("q", "")[:200].replace("\x00", "")
    found, seen, sending = figures(), health.look(), being_sent()
    context = {
        "now": timezone.now(),
        "words": words,
        "results": find_runs(words),
        "cards": figure_cards(found),
        "dependencies": dependency_rows(seen),
        "calls": call_rows(seen.broker, sending),
        "lanes": lane_rows(lanes(found, seen.broker, sending)),
        "groups": look_groups(runs_to_look_at()),
        "in_turn": in_turn_text(runs_in_turn()),
        "found": found,
        "address_is_refused": address_is_refused(),
        "refused_keys": key_groups(refused_keys()),
        "changed_apps": list(changed_lately()[:20]),
        "stops": SpendingStop.objects.filter(lifted_at=None).select_related("workspace", "by"),
        "budgets": budget_rows(near_or_over()),
    }
    return render(request, "operations/overview.html", context)


@require_safe
@never_cache
@staff_required
def app_versions(request: HttpRequest, app_id: int) -> HttpResponse:
    """Show what changed between the versions of an app's schema, and which runs and drafts the newest one touches."""
    app = get_object_or_404(App, pk=app_id)
    count, touched = touched_runs(app)
    draft_count, drafts = touched_drafts(app)
    context = {
        "app": app,
        "steps": steps(app),
        "touched": touched,
        "touched_count": count,
        "drafts": drafts,
        "draft_count": draft_count,
    }
    return render(request, "operations/app.html", context)


@require_safe
@never_cache
@staff_required
def deliveries(request: HttpRequest) -> HttpResponse:
    """Show what Lamina delivered and what was refused; with `show`, one kind of it."""
    show = request.GET.get("show", "")
    context = {
        "counts": counts(),
        "deliveries": latest(show),
        "show": show if show in FILTERS else "",
        "address_is_refused": address_is_refused(),
    }
    return render(request, "operations/deliveries.html", context)


@require_safe
@never_cache
@staff_required
def run_timeline(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """Show everything that is known to have happened to one run."""
    runs = Run.objects.select_related("workspace", "app", "pin__app", "created_by", "retry_of")
    run = get_object_or_404(runs, pk=run_id)
    again = run.history.filter(leaving=Status.UNCONFIRMED, to=Status.WAITING).values_list("told_by", flat=True)
    context = {
        "run": run,
        "sent_again": again_text(list(again)),
        "moments": timeline(run),
        "refusals": refusals(run),
        "followers": run.followers.only("pk", "reference"),
    }
    return render(request, "operations/run.html", context)
