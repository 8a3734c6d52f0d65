"""Files in and out: the upload of one file, the picker, and the files themselves."""

import re
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.core.files.uploadhandler import load_handler
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_POST, require_safe

from portal.media import words
from portal.media.intake import UploadRefused, take_in
from portal.media.library import library, place_of
from portal.media.names import uploaded_name
from portal.media.receiving import ROOM_FOR_FIELDS, largest_file_bytes
from portal.media.serving import answer
from portal.media.throttle import seconds_to_wait
from portal.workspaces.access import MemberRequest, member_required
from portal.workspaces.models import Role

FIELD = re.compile(r"p\d{1,4}\Z", re.ASCII)
LIBRARY_PAGE = 24
HANDLERS = (
    "portal.media.receiving.BoundedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
)


@csrf_exempt  # checked by _receive: the middleware would read the whole body before anything is decided
@require_POST
@member_required(Role.OWNER, Role.CREATOR, Role.MERCHANT)
def upload(request: MemberRequest) -> HttpResponseBase:
    """Take in one file: 201 with its tile, 422 with the reason; too much at once is refused unread."""
    if wait := seconds_to_wait(request.member.user_id):
        message = _("That is a lot of files at once. Wait %(n)d seconds, then try again.") % {"n": wait}
        response = _refused(request, message, status=429)
        response["Retry-After"] = str(wait)
        return response
    size, limit = int(request.headers.get("Content-Length") or 0), largest_file_bytes()
    if size > limit + ROOM_FOR_FIELDS:
        return _refused(request, words.too_big(_("The file"), size, limit), status=413)
    request.upload_handlers = [load_handler(handler, request) for handler in HANDLERS]
    return _receive(request)


@csrf_protect
def _receive(request: MemberRequest) -> HttpResponse:
    field, accept = _field(request.POST), _accept(request.POST)
    given = request.FILES.get("file")
    name = uploaded_name((given.name if given else "") or "")
    if given is None:
        return _refused(request, words.failed(name), field=field, name=name)
    try:
        media = take_in(workspace=request.workspace, user=request.member.user, upload=given, accept=accept)
    except UploadRefused as refusal:
        return _refused(request, refusal.message, field=field, name=name)
    context = {"media": media, "field": field, "multiple": request.POST.get("multiple") == "1"}
    return render(request, "media/_tile.html", context, status=201)


def _refused(
    request: MemberRequest, message: str, *, field: str = "", name: str = "", status: int = 422
) -> HttpResponse:
    context = {"name": name, "message": message, "field": field}
    return render(request, "media/_refused.html", context, status=status)


@require_GET
@member_required()
def library_picker(request: MemberRequest) -> HttpResponse:
    """Show files that can be used again: uploads and what runs made."""
    accept, query = _accept(request.GET), request.GET.get("q", "").replace("\x00", "").strip()[:100]
    found = list(
        library(
            request.workspace,
            kinds=accept,
            limit=LIBRARY_PAGE + 1,
            before=request.GET.get("before", ""),
            search=query,
        )
    )
    page = found[:LIBRARY_PAGE]
    context = {
        "field": _field(request.GET),
        "accept": ",".join(accept),
        "multiple": request.GET.get("multiple") == "1",
        "media_list": page,
        "next_before": place_of(page[-1]) if len(found) > LIBRARY_PAGE else "",
        "q": query,
    }
    return render(request, "media/_library.html", context)


@require_safe
@member_required()
def file(request: MemberRequest, pk: UUID, variant: str) -> HttpResponseBase:
    """Serve a file of this workspace, its thumbnail or its poster."""
    media = get_object_or_404(request.workspace.media, pk=pk)
    field = {"original": media.file, "thumb": media.thumbnail, "poster": media.poster}.get(variant)
    if not field:
        raise Http404
    return answer(request, media, field, variant=variant)


def _field(data: Any) -> str:
    """Return the form field a file is for; a name that is none of ours is dropped."""
    name = data.get("field", "")
    return name if FIELD.match(name) else ""


def _accept(data: Any) -> Collection[str]:
    """Return the kinds a field takes; pictures when it does not say."""
    wanted = data.get("accept", "").split(",")
    return [kind for kind in words.FORMATS if kind in wanted] or ["image"]
