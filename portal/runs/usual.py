"""How long an app's runs usually take, in words, from this portal's own history."""

from collections import defaultdict
from collections.abc import Iterable

from django.core.cache import cache
from django.utils.translation import gettext as _

from portal.runs.models import Run
from portal.runs.states import Status

CACHE_SECONDS = 300
LAST_RUNS = 200
FEWEST = 3


def usual_ranges(app_ids: Iterable[int]) -> dict[int, tuple[int, int] | None]:
    """Return for each app the seconds in which most of its runs ended, or None when too few have.

    From the cache; what is missing there costs one query for all of them together.
    """
    keys = {app_id: f"usual:{app_id}" for app_id in app_ids}
    cached = cache.get_many(list(keys.values()))
    ranges = {app_id: cached[key] or None for app_id, key in keys.items() if key in cached}
    missing = [app_id for app_id in keys if app_id not in ranges]
    if missing:
        measured = _measure(missing)
        cache.set_many({keys[app_id]: found or () for app_id, found in measured.items()}, CACHE_SECONDS)
        ranges.update(measured)
    return ranges


def _measure(app_ids: list[int]) -> dict[int, tuple[int, int] | None]:
    # From the moment it was sent: of one whose answer was lost we learn late that it was accepted.
    done = Run.objects.filter(app_id__in=app_ids, status=Status.COMPLETED, sent_at__isnull=False)
    lengths: dict[int, list[float]] = defaultdict(list)
    newest = done.order_by("-finished_at").values_list("app_id", "sent_at", "finished_at")[:LAST_RUNS]
    for app_id, sent_at, finished_at in newest:
        if sent_at and finished_at:
            lengths[app_id].append((finished_at - sent_at).total_seconds())
    return {app_id: _middle(lengths[app_id]) for app_id in app_ids}


def _middle(lengths: list[float]) -> tuple[int, int] | None:
    """Return the range of the middle 80 %."""
    if len(lengths) < FEWEST:
        return None
    lengths = sorted(lengths)
    last = len(lengths) - 1
    return max(1, round(lengths[round(last * 0.1)])), max(1, round(lengths[round(last * 0.9)]))


def usual_text(found: tuple[int, int] | None) -> str:
    """Return "usually 30–60 s" or "usually 2–4 min"; empty when it is not known."""
    if not found:
        return ""
    low, high = found
    if high >= 120:
        low, high = max(1, round(low / 60)), round(high / 60)
        span = str(high) if low == high else f"{low}–{high}"
        return _("usually %(span)s min") % {"span": span}
    span = str(high) if low == high else f"{low}–{high}"
    return _("usually %(span)s s") % {"span": span}
