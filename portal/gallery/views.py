"""The gallery: a grid of what was made, and one output large."""

from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from portal.media.models import Kind
from portal.runs.inputs_shown import inputs_shown
from portal.runs.models import Output, OutputStatus
from portal.runs.words import RunScreen
from portal.workspaces.access import MemberRequest, member_required

PER_PAGE = 36


@require_safe
@member_required()
def gallery(request: MemberRequest) -> HttpResponse:
    """Show what the workspace's runs have made, newest first, filtered; the next items alone for "load more"."""
    kind, app, text = (request.GET.get(name, "").replace("\x00", "").strip() for name in ("kind", "app", "q"))
    mine = request.GET.get("mine") == "1"
    outputs = kept_outputs(request)
    if kind in Kind.values:
        outputs = outputs.filter(kind=kind)
    if app.isascii() and app.isdigit() and len(app) < 18:
        outputs = outputs.filter(run__pin_id=int(app))
    if mine:
        outputs = outputs.filter(run__created_by=request.user)
    if text:
        outputs = outputs.filter(
            Q(label__icontains=text) | Q(run__reference__iexact=text) | Q(run__app__name__icontains=text)
        )
    page = Paginator(outputs, PER_PAGE).get_page(request.GET.get("page"))
    page.object_list = [with_workspace(request, output) for output in page.object_list]
    filters = {"kind": kind, "app": app, "q": text, "mine": "1" if mine else ""}
    context = {
        "page": page,
        "kind": kind,
        "app": app,
        "q": text,
        "mine": mine,
        "kinds": Kind.choices,
        "pins": request.workspace.pinned_apps.select_related("app"),
        "total": page.paginator.count,
        "has_filters": any(filters.values()),
        "filters": urlencode({name: value for name, value in filters.items() if value}),
    }
    is_more = request.htmx and request.htmx.target == "gallery-more"
    return render(request, "gallery/_items.html" if is_more else "gallery/list.html", context)


@require_safe
@member_required()
def detail(request: MemberRequest, output_id: int) -> HttpResponse:
    """Show one output large, beside what it was made from."""
    output = with_workspace(request, get_object_or_404(kept_outputs(request), pk=output_id))
    newer = kept_outputs(request).filter(pk__gt=output.pk).order_by("pk").values_list("pk", flat=True).first()
    older = kept_outputs(request).filter(pk__lt=output.pk).order_by("-pk").values_list("pk", flat=True).first()
    run = output.run
    context = {
        "output": output,
        "run": RunScreen(run, [output]),
        "inputs": inputs_shown(run),
        "previous_id": newer,
        "next_id": older,
    }
    return render(request, "gallery/detail.html", context)


def kept_outputs(request: MemberRequest) -> QuerySet[Output]:
    """Return what a person can have of this workspace: files that are ours, and texts."""
    ready = Q(media__isnull=False) | Q(kind=Kind.TEXT, status=OutputStatus.COMPLETED)
    outputs = Output.objects.filter(ready, run__workspace=request.workspace)
    return outputs.select_related("media", "refinement", "run__app", "run__pin__app", "run__created_by").order_by("-pk")


def with_workspace(request: MemberRequest, output: Output) -> Output:
    """Return the output with the workspace that is loaded already, so that its addresses cost no query."""
    output.run.workspace = request.workspace
    if output.media:
        output.media.workspace = request.workspace
    return output
