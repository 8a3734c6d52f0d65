"""Deliveries that were refused, counted by reason: in the cache, because junk must never write a row."""

import time

from django.core.cache import cache
from django.db import models
from django.utils.translation import gettext_lazy as _

BUCKET_SECONDS = 300
KEPT_SECONDS = 25 * 3600


class Reason(models.TextChoices):
    """Why a delivery was refused, in the order in which it is looked at."""

    TOO_LARGE = "too_large", _("Larger than 256 KB")
    HEADERS = "headers", _("No signature or no time in its headers")
    UNKNOWN_KEY = "unknown_key", _("Signed with a key we do not know: asked to come again")
    FORGED = "forged", _("Signed by somebody else, or with a key newer than a minute: asked to come again")
    MALFORMED = "malformed", _("Signed, and tells of no run")
    UNKNOWN_ADDRESS = "unknown_address", _("Signed, and sent to an address we never gave")


def count(reason: Reason) -> None:
    """Count one refused delivery."""
    key = f"rejected:{reason}:{int(time.time()) // BUCKET_SECONDS}"
    try:
        cache.incr(key)
    except ValueError:
        # Not there yet. Of two who see that, one adds and both count.
        cache.add(key, 0, KEPT_SECONDS)
        try:
            cache.incr(key)
        except ValueError:
            return  # evicted at this moment; a count is a hint, not a promise


def recent(seconds: int = 3600) -> dict[str, int]:
    """Return how many were refused lately, by reason; to within five minutes."""
    now = int(time.time()) // BUCKET_SECONDS
    buckets = range(now - seconds // BUCKET_SECONDS, now + 1)
    keys = {f"rejected:{reason}:{bucket}": reason for reason in Reason.values for bucket in buckets}
    counted = dict.fromkeys(Reason.values, 0)
    for key, number in cache.get_many(list(keys)).items():
        counted[keys[key]] += int(number)
    return counted
