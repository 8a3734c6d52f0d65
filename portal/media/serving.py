"""A file as an HTTP answer: whole or in part, private, and unable to run.

Access is decided before; nothing here knows who asks. Stored bytes never change, so a file's
own id is its ETag.
"""

from typing import Protocol, cast

from django.core.files.storage import Storage
from django.db.models.fields.files import FieldFile
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.utils.http import content_disposition_header

from portal.media.models import Media
from portal.media.names import download_name
from portal.media.ranges import Part, Slice, Unsatisfiable, find_part

LINK_SECONDS = 600
KEPT_SECONDS = 300
INLINE_KINDS = ("image/", "video/", "audio/")
# A player asks for all that is left and reads as it plays: a paused one would hold a thread for as long as its
# page is open. It gets so much, and asks again.
PLAYED_BYTES = 4 * 1024**2
# A file opened on its own is a page of our address: it may show itself and nothing else.
POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"


def answer(request: HttpRequest, media: Media, field: FieldFile, *, variant: str) -> HttpResponseBase:
    """Return a file of `media`, or the way to it, as the request's headers ask."""
    content_type = media.content_type if variant == "original" else "image/webp"
    extension = media.extension if variant == "original" else "webp"
    as_attachment = "download" in request.GET or not content_type.startswith(INLINE_KINDS)
    disposition = content_disposition_header(as_attachment, download_name(media.name, extension=extension))
    if not _has_local_files(field.storage):
        response: HttpResponseBase = _redirect(field, content_type=content_type, disposition=disposition or "inline")
    else:
        response = _local(request, field, etag=f'"{media.pk.hex}-{variant}"', content_type=content_type)
        if disposition:
            response["Content-Disposition"] = disposition
    response["Cache-Control"] = f"private, max-age={KEPT_SECONDS}"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = POLICY
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _has_local_files(storage: Storage) -> bool:
    try:
        storage.path("any")
    except NotImplementedError:
        return False
    return True


class SigningStorage(Protocol):
    """Storage that signs addresses, as django-storages has it."""

    def url(self, name: str, *, parameters: dict[str, str], expire: int) -> str: ...


def _redirect(field: FieldFile, *, content_type: str, disposition: str) -> HttpResponseRedirect:
    """Lead to the storage's own signed address, which says there what we would say here."""
    told = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
    # Django's own Storage knows no such arguments; what has no local files is S3 by our settings.
    storage = cast(SigningStorage, field.storage)
    return HttpResponseRedirect(storage.url(field.name or "", parameters=told, expire=LINK_SECONDS))


def _local(request: HttpRequest, field: FieldFile, *, etag: str, content_type: str) -> HttpResponseBase:
    if etag in _tags(request.headers.get("If-None-Match", "")):
        response: HttpResponseBase = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        try:
            response = _content(request, field, etag=etag, content_type=content_type)
        except FileNotFoundError as error:
            raise Http404 from error
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    return response


def _tags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def _content(request: HttpRequest, field: FieldFile, *, etag: str, content_type: str) -> HttpResponseBase:
    size = field.size
    wanted = request.headers.get("Range", "")
    open_end = PLAYED_BYTES if content_type.startswith(("video/", "audio/")) and "download" not in request.GET else None
    # Half a file of another version is worse than the whole of this one.
    if request.headers.get("If-Range", etag) != etag:
        wanted = ""
    try:
        part = find_part(wanted, size=size, open_end=open_end) if wanted else None
    except Unsatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    if request.method == "HEAD":
        response: HttpResponseBase = HttpResponse(content_type=content_type, status=206 if part else 200)
    else:
        response = _stream(
            field, part or Part(0, size - 1, size), content_type=content_type, status=206 if part else 200
        )
    response["Content-Length"] = str(part.length if part else size)
    if part:
        response["Content-Range"] = part.content_range
    return response


def _stream(field: FieldFile, part: Part, *, content_type: str, status: int) -> StreamingHttpResponse:
    file = field.storage.open(field.name or "", "rb")
    file.seek(part.first)
    return StreamingHttpResponse(Slice(file, length=part.length), content_type=content_type, status=status)
