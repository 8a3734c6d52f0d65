"""Refusing without a line in the log, where a stranger could fill it: what is refused is counted by reason."""

from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from portal.workspaces.access import View


def quiet_post(view: View) -> View:
    """Let only POST through; Django logs neither another method, which `require_POST` would, nor any refusal."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs) if request.method == "POST" else HttpResponseNotAllowed(["POST"])
        response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own, for exactly this
        return response

    return inner
