"""Who may see the operators' pages: staff people, and monitors with the token."""

import ipaddress
import secrets
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from portal.workspaces.access import View

STAFF = "staff"
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")


def staff_required(view: View) -> View:
    """Let only staff through, whatever workspaces they are in; marks the view for the access test."""

    @wraps(view)
    def guarded(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.is_staff:
            raise PermissionDenied(_("This page is for staff."))
        return view(request, *args, **kwargs)

    guarded.access = STAFF  # type: ignore[attr-defined]
    return guarded


def may_read_metrics(request: HttpRequest) -> bool:
    """Return whether the request carries METRICS_TOKEN or, where there is none in development, comes from this machine.

    What a proxy hands on comes from this machine too, and a plain one adds no header that tells it: production,
    which has one in front, lets nobody in without the token.
    """
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return secrets.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    if settings.PRODUCTION or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
