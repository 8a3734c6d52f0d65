"""The gallery: a grid of what was made, and one output large."""

from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from portal.media.models import Kind
from portal.media.names import download_name
from portal.runs.inputs_shown import inputs_shown
from portal.runs.models import Output, OutputStatus
from portal.runs.words import RunScreen
from portal.workspaces.access import MemberRequest, member_required

PER_PAGE = 36
# The newest run first, and in a run what stands first on its page; a place's newest version before its earlier ones.
ORDER = ("-run__created_at", "-run_id", "position", "-version")


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
        "is_only_mine": [name for name, value in filters.items() if value] == ["mine"],
        "filters": urlencode({name: value for name, value in filters.items() if value}),
    }
    is_more = request.htmx and request.htmx.target == "gallery-more"
    return render(request, "gallery/_items.html" if is_more else "gallery/list.html", context)


@require_safe
@member_required()
def detail(request: MemberRequest, output_id: int) -> HttpResponse:
    """Show one output large, beside what it was made from."""
    output = with_workspace(request, get_object_or_404(kept_outputs(request), pk=output_id))
    run = output.run
    context = {
        "output": output,
        "run": RunScreen(run, [output]),
        "inputs": inputs_shown(run),
        "previous_id": kept_outputs(request).filter(before(output)).reverse().values_list("pk", flat=True).first(),
        "next_id": kept_outputs(request).filter(after(output)).values_list("pk", flat=True).first(),
    }
    return render(request, "gallery/detail.html", context)


@require_safe
@member_required()
def text(request: MemberRequest, output_id: int) -> HttpResponse:
    """Give an output that is a text as a file."""
    output = get_object_or_404(kept_outputs(request).exclude(text=""), pk=output_id)
    name = download_name(f"{output.run.title} {output.label}", extension="txt")
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=name),
        "Cache-Control": "private, no-cache",
    }
    return HttpResponse(output.text, content_type="text/plain; charset=utf-8", headers=headers)


def kept_outputs(request: MemberRequest) -> QuerySet[Output]:
    """Return what a person can have of this workspace: files that are ours, and texts."""
    ready = Q(media__isnull=False) | Q(kind=Kind.TEXT, status=OutputStatus.COMPLETED)
    outputs = Output.objects.filter(ready, run__workspace=request.workspace)
    return outputs.select_related("media", "refinement", "run__app", "run__pin__app", "run__created_by").order_by(
        *ORDER
    )


def before(output: Output) -> Q:
    """Return what the gallery shows before an output."""
    run = output.run
    newer = Q(run__created_at__gt=run.created_at) | Q(run__created_at=run.created_at, run_id__gt=run.pk)
    earlier = Q(position__lt=output.position) | Q(position=output.position, version__gt=output.version)
    return newer | Q(earlier, run_id=run.pk)


def after(output: Output) -> Q:
    """Return what the gallery shows after an output."""
    run = output.run
    older = Q(run__created_at__lt=run.created_at) | Q(run__created_at=run.created_at, run_id__lt=run.pk)
    later = Q(position__gt=output.position) | Q(position=output.position, version__lt=output.version)
    return older | Q(later, run_id=run.pk)


def with_workspace(request: MemberRequest, output: Output) -> Output:
    """Return the output with the workspace that is loaded already, so that its addresses cost no query."""
    output.run.workspace = request.workspace
    if output.media:
        output.media.workspace = request.workspace
    return output
