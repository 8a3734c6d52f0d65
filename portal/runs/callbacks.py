"""Where Lamina is asked to tell its news of an attempt, and what happens when it does not take our address."""

import logging
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Exists
from django.urls import reverse

from portal.runs.models import Attempt, Callback

logger = logging.getLogger(__name__)

REFUSED_CODE = "WEBHOOK_INVALID_URL"
REFUSED_KEY = "callback-refused"
TRIED_AGAIN_SECONDS = 600


def was_refused(run_id: Any) -> Exists:
    """Return an expression for whether Lamina refused our address for a run that an outer query names."""
    return Exists(Attempt.objects.filter(run_id=run_id, callback=Callback.REFUSED))


def url_of(attempt: Attempt) -> str | None:
    """Return the attempt's own address for Lamina's news; None when Lamina cannot reach the portal, or refused it."""
    if attempt.without_callback or not settings.PORTAL_PUBLIC_URL:
        return None
    if cache.get(REFUSED_KEY) == settings.PORTAL_PUBLIC_URL:
        return None
    return settings.PORTAL_PUBLIC_URL + reverse("hook", args=[attempt.token])


def note_refused(attempt: Attempt) -> None:
    """Write down that Lamina refused our address: this run goes without, and others for a while.

    It is a setting of ours that is wrong, never the inputs; the sweep brings the news.
    """
    Attempt.objects.filter(pk=attempt.pk).update(callback=Callback.REFUSED)
    cache.set(REFUSED_KEY, settings.PORTAL_PUBLIC_URL, TRIED_AGAIN_SECONDS)
    logger.error("PORTAL_PUBLIC_URL is refused by Lamina run=%s", attempt.run.reference)


def address_is_refused() -> bool:
    """Return whether Lamina refused our address when it was last told one."""
    told = Attempt.objects.exclude(callback="").order_by("-pk").values_list("callback", flat=True).first()
    return told == Callback.REFUSED
