"""What a run or a change says while nothing but its turn keeps it: why its last try came to nothing."""

from django.utils.translation import gettext as _


def away_words() -> str:
    """Return what it says while Lamina answers nobody."""
    return _("Lamina does not answer at the moment; this waits and goes on.")


def unreachable_words() -> str:
    """Return what it says when its own request did not get through."""
    return _("Lamina cannot be reached; this waits and goes on.")


def busy_words() -> str:
    """Return what it says when Lamina, or the request budget, has it come back later."""
    return _("Lamina asks us to wait a moment.")


def unreadable_words() -> str:
    """Return what it says while the workspace's key cannot be decrypted."""
    return _("Staff have to mend this workspace's key; this waits and goes on.")


def ours_words() -> str:
    """Return what it says after a fault of ours."""
    return _("Something went wrong on our side; it is tried again.")
