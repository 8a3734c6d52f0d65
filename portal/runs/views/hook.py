"""Where Lamina delivers its news."""

from functools import partial
from typing import IO, cast

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from portal.runs import inbox, rejections, tasks
from portal.runs.views.quiet import quiet_post
from portal.workspaces.tasks import nudge

PIECE_BYTES = 64 * 1024
MOST_PIECES = 64  # whoever sends more than 4 MB may lose the connection


@csrf_exempt
@quiet_post
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """Take one delivery: store it if it is genuine, say nothing about which check failed."""
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        length = inbox.MAX_BODY_BYTES + 1
    stream = stream_of(request)
    if length > inbox.MAX_BODY_BYTES:
        return too_large(stream)
    body = stream.read(inbox.MAX_BODY_BYTES + 1)
    if len(body) > inbox.MAX_BODY_BYTES:
        return too_large(stream)
    answer, delivery_id = inbox.receive(token=token, headers=request.headers, body=body)
    if delivery_id is not None:
        transaction.on_commit(partial(nudge, tasks.apply_delivery, delivery_id))
    elif answer is inbox.Answer.KEYS_NEEDED and inbox.may_nudge_for_keys():
        nudge(tasks.refresh_signing_keys)
    return HttpResponse(status=answer.value)


def stream_of(request: HttpRequest) -> IO[bytes]:
    """Return what the body is read from.

    Of a body that comes in chunks, and so without a length, Django reads nothing; the server knows its end.
    """
    if request.META.get("HTTP_TRANSFER_ENCODING") and request.META.get("wsgi.input_terminated"):
        return cast(IO[bytes], request.META["wsgi.input"])
    return cast(IO[bytes], request)


def too_large(stream: IO[bytes]) -> HttpResponse:
    """Refuse a body that is longer than any delivery; what is read of it is thrown away."""
    rejections.count(rejections.Reason.TOO_LARGE)
    # The server drops a connection with an unread body, and with it the delivery that comes next on it.
    for _piece in range(MOST_PIECES):
        if not stream.read(PIECE_BYTES):
            break
    return HttpResponse(status=413)
