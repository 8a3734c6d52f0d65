"""Choose an app, fill its form, start a run."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, Protocol, cast

from django.contrib import messages
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery, UUIDField
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.catalogue.forms import RunForm
from portal.catalogue.models import App, Capability, PinnedApp, SchemaVersion
from portal.catalogue.schemas import schema_of
from portal.media.models import Kind, Media
from portal.runs import costs, tasks
from portal.runs.drafting import find_draft, with_draft
from portal.runs.inputs_shown import left_out, new_outputs
from portal.runs.models import Draft, Output, Run
from portal.runs.recording import MendedAlready
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
    """Show an app's form with what is begun of it; a valid post starts one run and leads to its page."""
    pin, newest = get_offered(request, pin_id)
    if request.method == "POST":
        return receive(request, pin, newest, find_source(request))
    found = find_sent(request, pin) or find_begun(request, pin)
    source = found.source if isinstance(found, Draft) else find_source(request)
    begun = found or source
    form = RunForm(
        app=schema_of(newest),
        schema=newest,
        member=request.member,
        earlier_inputs=begun.inputs if begun else None,
        earlier_outputs=(begun.outputs_wanted or (source.outputs_wanted if source else None)) if begun else None,
        confirm=costs.to_confirm(pin.app),
        token=found.token if found else None,
    )
    if source and source.problems and not isinstance(found, Run):
        form.show_refusals(source.problems, of=source.inputs)
    return render(request, "runs/create.html", page_context(request, pin, form, begun=begun, source=source))


def receive(request: MemberRequest, pin: PinnedApp, newest: SchemaVersion, source: Run | None) -> HttpResponse:
    """Start the run that a posted form asks for, or show the form again; what was sent already is not sent twice."""
    if source and request.POST.get("mends") and source.status != Status.NEEDS_ATTENTION and not find_started(request):
        return show_what_went_on(request, source)
    form = bound_form(request, pin, newest)
    sent = None
    if form.is_valid():
        try:
            run = start(request, pin, form, source)
        except MendedAlready:
            return show_what_went_on(request, source)
        except SpendingRefused as error:
            form.add_error(None, refusal(error))
        else:
            if run.is_new:
                return redirect(run)
            sent = run
    else:
        sent = find_started(request)
    if sent and is_same(sent, pin, form):
        messages.info(request, _("This form has been sent already; this is its run."))
        return redirect(sent)
    if sent:
        form.renew_token()
    context = page_context(request, pin, form, begun=source, sent=sent, source=source)
    return render(request, "runs/create.html", context, status=409 if sent else 422)


def show_what_went_on(request: MemberRequest, source: Run | None) -> HttpResponse:
    """Lead to the run that a form was to mend, and that went on meanwhile: a second one would be paid for, too."""
    if source is None:
        raise Http404
    told = _("%s does not wait to be mended any more, so nothing was sent. What you filled in is kept.")
    messages.warning(request, told % source.reference)
    return redirect(source)


@cache
def pins_offered() -> QuerySet[PinnedApp]:
    """Return the query for what can be chosen, with its newest form; made once, because making it takes long."""
    offered = PinnedApp.objects.filter(is_offered=True, app__schema__isnull=False)
    return offered.select_related("app__schema").defer("app__schema__detail")


def get_offered(request: MemberRequest, pin_id: int) -> tuple[PinnedApp, SchemaVersion]:
    """Return an app that the workspace offers, with its newest schema."""
    offered = pins_offered()
    if request.method != "POST":
        offered = with_draft(offered, request.member)
    pin = get_object_or_404(offered, workspace=request.workspace, pk=pin_id)
    if (newest := pin.app.schema) is None:
        raise Http404
    pin.workspace = request.workspace
    return pin, newest


def page_context(
    request: MemberRequest,
    pin: PinnedApp,
    form: RunForm,
    *,
    begun: Run | Draft | None = None,
    sent: Run | None = None,
    source: Run | None = None,
) -> dict[str, object]:
    """Return what the page shows: `begun` fills the form, `sent` is what came of it before, `source` is run again."""
    draft = begun if isinstance(begun, Draft) else None
    if isinstance(begun, Run) and begun is not source:
        sent = begun
    # A draft of a run is one of the newest form by now, and does not know what the run had.
    earlier = [each for each in (draft and source, begun) if each and is_of(each, pin)]
    lines = [line for each in earlier for line in left_out(each, form)]
    return {
        "pin": pin,
        "form": form,
        "source_run": source,
        "sent_run": sent,
        "draft": draft,
        "draft_time": moment(draft.updated_at) if draft else "",
        "new_outputs": list(dict.fromkeys(label for each in earlier for label in new_outputs(each, form))),
        "left_out": [line for n, line in enumerate(lines) if line not in lines[:n]],
    } | cost_context(request, pin)


def is_of(begun: Run | Draft, pin: PinnedApp) -> bool:
    """Return whether what was begun is of this app."""
    return isinstance(begun, Draft) or begun.app_id == pin.app_id


def moment(at: datetime) -> str:
    """Return the time of day, with the day where it is not today."""
    at = timezone.localtime(at)
    return date_format(at, "H:i" if at.date() == timezone.localdate() else "j M, H:i")


def is_same(run: Run, pin: PinnedApp, form: RunForm) -> bool:
    """Return whether a run is what this form asks for."""
    return (run.app_id, run.inputs, run.outputs_wanted) == (pin.app_id, form.inputs(), form.outputs_wanted())


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
    """Record the run, and nudge a worker once that is committed; or return the one the form has started before.

    Raises SpendingRefused and MendedAlready.
    """
    run = submit(
        member=request.member,
        pin=pin,
        schema=form.schema_version,
        inputs=form.inputs(),
        outputs_wanted=form.outputs_wanted(),
        token=form.cleaned_data["token"],
        retry_of=source,
    )
    if run.is_new:
        transaction.on_commit(partial(nudge, tasks.send_run, str(run.pk)))
    return run


def find_started(request: MemberRequest) -> Run | None:
    """Return the run that this very form has started already, if it has."""
    try:
        token = uuid.UUID(request.POST.get("token", ""))
    except ValueError:
        return None
    return request.workspace.runs.filter(token=token).first()


def find_sent(request: MemberRequest, pin: PinnedApp) -> Run | None:
    """Return the run of the form that a browser's history led back to: its token is in the address."""
    try:
        token = uuid.UUID(request.GET.get("token", ""))
    except ValueError:
        return None
    return request.workspace.runs.filter(token=token, app_id=pin.app_id, created_by=request.user).first()


def find_begun(request: MemberRequest, pin: PinnedApp) -> Draft | None:
    """Return the member's draft; one of something else gives way to the run that is named to be run again."""
    draft = find_draft(pin, source_id=source_id_of(request))
    if draft and draft.source:
        draft.source.workspace = request.workspace
    return draft


def find_source(request: MemberRequest) -> Run | None:
    """Return the run whose inputs the form starts with: the one named in the address."""
    source_id = source_id_of(request)
    return request.workspace.runs.filter(pk=source_id).first() if source_id else None


def source_id_of(request: MemberRequest) -> uuid.UUID | None:
    """Return the id in the address of the run that is edited and run again."""
    try:
        return uuid.UUID(request.GET.get("from", ""))
    except ValueError:
        return None


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
