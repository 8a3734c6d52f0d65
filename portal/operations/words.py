"""Ages and shares as staff read them."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _


def age_text(seconds: float | None) -> str:
    """Return "4 s", "3 min", "2 h 5 min" or "3 days"; a dash where nothing is known."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 120:
        return _("%d s") % whole
    if whole < 2 * 3600:
        return _("%d min") % (whole // 60)
    if whole < 48 * 3600:
        return _("%(hours)d h %(minutes)d min") % {"hours": whole // 3600, "minutes": whole % 3600 // 60}
    return _("%d days") % (whole // 86400)


def lag_text(seconds: float | None) -> str:
    """Return a short wait with one decimal; a dash where nothing is known."""
    if seconds is None or seconds >= 120:
        return age_text(seconds)
    return _("%s s") % number_format(seconds, decimal_pos=1)


def share_text(share: float | None) -> str:
    """Return a share in percent; a dash where nothing is known."""
    return "–" if share is None else _("%s %%") % number_format(share * 100, decimal_pos=0)
