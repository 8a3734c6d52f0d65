"""Shorter waits in the portal's processes, for the short storms of the test suite.

A lease of 40 seconds shows the same as one of 5, and eight times as often. A full storm has the
portal's own figures; the table says when it had not.
"""

import sys
from datetime import timedelta

from django.apps import AppConfig
from django.conf import settings

# Where they stand, and what they are called; other modules have copies by the same name.
WAITS = {
    "portal.runs.leases": ("LEASE_SECONDS", "RENEW_EVERY_SECONDS"),
    "portal.runs.reconcile": ("GRACE", "LOOK_AGAIN_SECONDS"),
    "portal.runs.lanes": ("NUDGE_AGAIN_SECONDS",),
    "portal.runs.inbox": ("KEY_COOL_DOWN_SECONDS", "KEY_RETRY_SECONDS", "KEYS_CACHE_SECONDS"),
    "portal.runs.submit": ("LONGEST_PAUSE_SECONDS",),
    "lamina_integration.limits": ("LONGEST_PAUSE_SECONDS", "TRIAL_SECONDS"),
}
OURS = ("portal.", "lamina_integration.")


class HasteConfig(AppConfig):
    """Shortens the waits once every model is loaded."""

    name = "tests.storm"
    label = "storm"

    def ready(self) -> None:
        """Divide each wait by the haste, in every module that has a copy of it."""
        for home, names in WAITS.items():
            __import__(home)
            for name in names:
                wait = getattr(sys.modules[home], name)
                shorter = shortened(wait)
                for module in [each for key, each in sys.modules.items() if key.startswith(OURS)]:
                    if getattr(module, name, None) is wait:
                        setattr(module, name, shorter)


def shortened(wait: timedelta | int | float) -> timedelta | int | float:
    """Return a wait divided by the haste, a whole number of seconds where it was one."""
    if isinstance(wait, int):
        return max(1, round(wait / settings.STORM_HASTE))
    return wait / settings.STORM_HASTE
