"""The portal's own settings for a storm: what must be changed to make one, and nothing else.

`STORM_HASTE` divides the portal's waits (see `haste`), `STORM_VISIBILITY_TIMEOUT` is the broker's.
"""

from portal.settings import *  # noqa: F403
from portal.settings import CELERY_BROKER_TRANSPORT_OPTIONS, INSTALLED_APPS, STORAGES, env

STORM_HASTE = env.float("STORM_HASTE", default=1.0)
_visibility = env.int("STORM_VISIBILITY_TIMEOUT", default=CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"])
CELERY_BROKER_TRANSPORT_OPTIONS = {
    **CELERY_BROKER_TRANSPORT_OPTIONS,
    "visibility_timeout": _visibility,
    # Looked for twice within it, as the portal's own ten seconds are within its fifteen minutes.
    "unacked_restore_interval": min(CELERY_BROKER_TRANSPORT_OPTIONS["unacked_restore_interval"], _visibility / 2),
}
LAMINA_RATE_WINDOW_SECONDS = env.float("STORM_RATE_WINDOW", default=60.0)
# The styles are not what is tried: without their manifest there is nothing to collect at each start.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
ACCOUNT_RATE_LIMITS = False
if STORM_HASTE != 1:
    INSTALLED_APPS = [*INSTALLED_APPS, "tests.storm.haste.HasteConfig"]
