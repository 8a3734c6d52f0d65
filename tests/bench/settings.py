"""The portal's settings for the benchmarks: the same, with one more address that answers "hello"."""

import os

# Before the portal reads them: a person's own .env must not decide what is measured.
os.environ.setdefault("PORTAL_ENV", "development")

from portal.settings import *  # noqa: F403
from portal.settings import INSTALLED_APPS, STORAGES

INSTALLED_APPS += ["tests.bench"]
ROOT_URLCONF = "tests.bench.urls"
# Pages name their styles without a manifest, which would have to be collected first.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
