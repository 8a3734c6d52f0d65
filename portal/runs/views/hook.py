"""Where Lamina delivers its news."""

from functools import partial

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portal.runs import inbox, rejections, tasks
from portal.workspaces.tasks import nudge

PIECE_BYTES = 64 * 1024
MOST_PIECES = 64  # whoever sends more than 4 MB may lose the connection


@csrf_exempt
@require_POST
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """Take one delivery: store it if it is genuine, say nothing about which check failed."""
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        length = inbox.MAX_BODY_BYTES + 1
    if length > inbox.MAX_BODY_BYTES:
        return too_large(request)
    body = request.read(inbox.MAX_BODY_BYTES + 1)
    if len(body) > inbox.MAX_BODY_BYTES:
        return too_large(request)
    answer, delivery_id = inbox.receive(token=token, headers=request.headers, body=body)
    if delivery_id is not None:
        transaction.on_commit(partial(nudge, tasks.apply_delivery, delivery_id))
    elif answer is inbox.Answer.KEYS_NEEDED and inbox.may_nudge_for_keys():
        nudge(tasks.refresh_signing_keys)
    response = HttpResponse(status=answer.value)
    # Counted by reason; a line in the log for each would let a stranger fill it.
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own, for exactly this
    return response


def too_large(request: HttpRequest) -> HttpResponse:
    """Refuse a body that is longer than any delivery; what is read of it is thrown away."""
    rejections.count(rejections.Reason.TOO_LARGE)
    # The server drops a connection with an unread body, and with it the delivery that comes next on it.
    for _piece in range(MOST_PIECES):
        if not request.read(PIECE_BYTES):
            break
    return HttpResponse(status=413)
