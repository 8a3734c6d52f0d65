"""Choose an app, fill its form, start a run."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, cast

from django.contrib import messages
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery, UUIDField
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.catalogue.forms import RunForm
from portal.catalogue.models import App, Capability, PinnedApp, SchemaVersion
from portal.catalogue.schemas import schema_of
from portal.media.models import Kind, Media
from portal.runs import costs, tasks
from portal.runs.inputs_shown import left_out
from portal.runs.models import Output, Run
from portal.runs.states import Status
from portal.runs.submit import submit
from portal.runs.usual import usual_ranges, usual_text
from portal.workspaces.access import CREATORS, MemberRequest, member_required
from portal.workspaces.budgets import SpendingRefused
from portal.workspaces.models import Workspace
from portal.workspaces.tasks import nudge
from portal.workspaces.words import cost_text, price_text, refusal


class Tile(Protocol):
    """A pinned app, with what its tile shows beside it."""

    app: App
    app_id: int
    workspace: Workspace
    cover_id: uuid.UUID | None
    usual_text: str
    credits_text: str
    cover: Media | None


@require_safe
@member_required()
def choose(request: MemberRequest) -> HttpResponse:
    """Show the workspace's apps, by what they make."""
    pins = list(
        request.workspace.pinned_apps.filter(is_offered=True, app__schema__isnull=False)
        .select_related("app")
        .annotate(cover_id=Subquery(newest_pictures(OuterRef("app_id"), OuterRef("workspace_id")), UUIDField()))
    )
    usual = usual_ranges(pin.app_id for pin in pins)
    covers = Media.objects.in_bulk([pin.cover_id for pin in pins if pin.cover_id])
    for pin in cast(list[Tile], pins):
        pin.workspace = request.workspace
        pin.usual_text = usual_text(usual[pin.app_id])
        pin.credits_text = price_text(costs.price_of(pin.app))
        pin.cover = covers.get(pin.cover_id) if pin.cover_id else None
        if pin.cover:
            pin.cover.workspace = request.workspace
    return render(request, "runs/choose.html", {"groups": grouped(pins)})


def newest_pictures(app_id: OuterRef, workspace_id: OuterRef) -> QuerySet[Output, Any]:
    """Return a query for the newest picture or video that an app made in a workspace."""
    made = Output.objects.filter(
        run__app_id=app_id, run__workspace_id=workspace_id, media__kind__in=[Kind.IMAGE, Kind.VIDEO]
    )
    return made.order_by("-made_at").values("media_id")[:1]


def grouped(pins: Iterable[PinnedApp]) -> list[dict[str, object]]:
    """Return the pins under their capabilities, in the capabilities' order; empty ones are left out."""
    groups: list[dict[str, object]] = []
    for capability in Capability:
        members = [pin for pin in pins if pin.capability == capability]
        if members:
            groups.append({"capability": capability.value, "label": capability.label, "pins": members})
    return groups


@require_http_methods(["GET", "HEAD", "POST"])
@member_required(*CREATORS)
def create(request: MemberRequest, pin_id: int) -> HttpResponse:
    """Show an app's form; a valid post starts one run and leads to its page."""
    offered = request.workspace.pinned_apps.filter(is_offered=True, app__schema__isnull=False)
    pin = get_object_or_404(offered.select_related("app__schema").defer("app__schema__detail"), pk=pin_id)
    if (newest := pin.app.schema) is None:
        raise Http404
    pin.workspace = request.workspace
    source = find_source(request)
    if request.method == "POST":
        if run := find_started(request):
            messages.info(request, _("This form has been sent already; this is its run."))
            return redirect(run)
        form = bound_form(request, pin, newest)
        if form.is_valid():
            try:
                return redirect(start(request, pin, form, source))
            except SpendingRefused as error:
                form.add_error(None, refusal(error))
    else:
        form = RunForm(
            app=schema_of(newest),
            schema=newest,
            member=request.member,
            earlier_inputs=source.inputs if source else None,
            earlier_outputs=source.outputs_wanted if source else None,
            confirm=costs.to_confirm(pin.app),
        )
        if source and source.status == Status.NEEDS_ATTENTION:
            form.show_refusals(source.problems)
    gone = left_out(source, form.app) if source and source.app_id == pin.app_id else []
    context = {"pin": pin, "form": form, "source_run": source, "left_out": gone} | cost_context(request, pin)
    return render(request, "runs/create.html", context, status=422 if form.is_bound else 200)


def bound_form(request: MemberRequest, pin: PinnedApp, newest: SchemaVersion) -> RunForm:
    """Return the posted form, read with the schema it was drawn from."""
    schema = newest
    posted = request.POST.get("schema", "")
    if posted.isascii() and posted.isdigit() and len(posted) < 18 and int(posted) != schema.pk:
        schema = pin.app.schema_versions.defer("detail").filter(pk=int(posted)).first() or schema
    return RunForm(
        request.POST,
        request.FILES,
        app=schema_of(schema),
        schema=schema,
        member=request.member,
        confirm=costs.to_confirm(pin.app),
    )


def start(request: MemberRequest, pin: PinnedApp, form: RunForm, source: Run | None) -> Run:
    """Record the run, and nudge a worker once that is committed."""
    run = submit(
        member=request.member,
        pin=pin,
        schema=form.schema_version,
        inputs=form.inputs(),
        outputs_wanted=form.outputs_wanted(),
        token=form.cleaned_data["token"],
        retry_of=source,
    )
    transaction.on_commit(partial(nudge, tasks.send_run, str(run.pk)))
    return run


def find_started(request: MemberRequest) -> Run | None:
    """Return the run that this very form has started already, if it has."""
    try:
        token = uuid.UUID(request.POST.get("token", ""))
    except ValueError:
        return None
    return request.workspace.runs.filter(token=token).first()


def find_source(request: MemberRequest) -> Run | None:
    """Return the run whose inputs the form starts with: the one named in the address."""
    try:
        source_id = uuid.UUID(request.GET.get("from", ""))
    except ValueError:
        return None
    return request.workspace.runs.filter(pk=source_id).first()


def cost_context(request: MemberRequest, pin: PinnedApp) -> dict[str, object]:
    """Return what stands beside the button: the usual time, the cost and what is left."""
    price, balance = costs.price_of(pin.app), request.workspace.credits_balance
    least = price.expected if price.least is None else price.least
    return {
        "price": price,
        "unaffordable": balance is not None and least is not None and balance < least,
        "usual_text": usual_text(usual_ranges([pin.app_id])[pin.app_id]),
        "cost_text": cost_text(price, balance),
        "old_estimate": old_estimate(pin.app),
    }


def old_estimate(app: App) -> datetime | None:
    """Return when Lamina made the app's estimate, where that is more than a day ago."""
    made = app.estimated_at
    return made if made and timezone.now() - made > timedelta(days=1) else None
