"""The portal's settings for tests: an embedded Valkey of their own unless REDIS_URL names a server.

Every test process has its own data folder and its own prefix in the cache, so that processes can
run side by side.
"""

import atexit
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from portal import embedded

_cleanup = ExitStack()
atexit.register(_cleanup.close)
_data = Path(_cleanup.enter_context(tempfile.TemporaryDirectory(prefix="portal-test-", ignore_cleanup_errors=True)))

(_data / "static").mkdir()
os.environ["DATA_DIR"] = str(_data)
os.environ["PORTAL_ENV"] = "development"
os.environ.pop("PORTAL_PUBLIC_URL", None)
os.environ.setdefault("DATABASE_URL", f"sqlite:///{_data / 'portal.sqlite3'}")
os.environ["LAMINA_RATE_LIMIT"] = "1000000"
if not os.environ.get("REDIS_URL"):
    os.environ["REDIS_URL"] = f"unix://{_cleanup.enter_context(embedded.running(_data))}"
    # Not inherited: each process has a server of its own.
    atexit.register(os.environ.pop, "REDIS_URL", None)

from portal.settings import *  # noqa: E402, F403
from portal.settings import CACHES, CELERY_BROKER_TRANSPORT_OPTIONS, DATABASES, STORAGES  # noqa: E402

_worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
CACHES["default"]["KEY_PREFIX"] = f"test-{_worker}-{os.getpid()}"
CELERY_BROKER_TRANSPORT_OPTIONS |= {"global_keyprefix": f"test-{_worker}-{os.getpid()}:"}
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ACCOUNT_RATE_LIMITS = False
if "sqlite3" in DATABASES["default"]["ENGINE"]:
    # A file, as in the demo: the in-memory one of Django's tests cannot be shared by threads that write.
    DATABASES["default"]["TEST"] = {"NAME": str(_data / "test.sqlite3")}
