"""Settings of the portal, read once from the environment.

Every variable stands in .env.example with its meaning. Each has a default that makes the demo work; empty is not set.
What production needs and has not, and what means nothing anywhere (`portal.reading` says what does), stops whatever
is started with a line that names it. What is only unwise is told by `manage.py selfcheck`.
"""

import base64
import contextlib
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF

from portal import reading
from portal.embedded import socket_path
from portal.operations.reporting import report_errors

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

PORTAL_ENV = env.str("PORTAL_ENV", default="development")
if PORTAL_ENV not in {"development", "production"}:
    sys.exit(f"PORTAL_ENV is {PORTAL_ENV!r}: set it to development or production.")
PRODUCTION = PORTAL_ENV == "production"

Meaning = TypeVar("Meaning")
# A line for each variable that cannot be used, for the end of this file: who fills in .env mends them all at once.
_unusable: list[str] = []


def read(name: str, default: str, meaning: Callable[[str], Meaning]) -> Meaning:
    """Return what a variable means, or the default where it is not set; what means nothing leaves its line."""
    try:
        return meaning(env.str(name, default="") or default)
    except reading.Unusable as error:
        _unusable.append(f"{name} cannot be used: {error}.")
        return meaning(default)


def needed(name: str, development: str, meaning: Callable[[str], Meaning]) -> Meaning:
    """Return what a variable means that production must set and development has a default for."""
    if PRODUCTION and not env.str(name, default=""):
        _unusable.append(f"{name} is not set. Production needs it: see .env.example.")
    return read(name, development, meaning)


DEBUG = read("DEBUG", "off", reading.switch)
DATA_DIR = read("DATA_DIR", str(BASE_DIR / "var"), reading.folder)

SECRET_KEY = needed("SECRET_KEY", "development-only-" + hashlib.sha256(str(BASE_DIR).encode()).hexdigest(), str)
# The first key encrypts, all of them decrypt: put a new one in front to rotate.
FIELD_ENCRYPTION_KEYS = needed(
    "FIELD_ENCRYPTION_KEY", base64.urlsafe_b64encode(hashlib.sha256(SECRET_KEY.encode()).digest()).decode(), str
).split(",")

ALLOWED_HOSTS = needed("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", reading.hosts)
# Where Lamina reaches the portal. Empty: no webhook is asked for, the sweep alone brings the news.
PORTAL_PUBLIC_URL = needed("PORTAL_PUBLIC_URL", "", reading.address_or_none)
CSRF_TRUSTED_ORIGINS = [PORTAL_PUBLIC_URL] if PORTAL_PUBLIC_URL.startswith("https://") else []

# Lamina

LAMINA_BASE_URL = needed("LAMINA_BASE_URL", "http://127.0.0.1:8765", reading.address)
LAMINA_API_KEY: str = env.str("LAMINA_API_KEY", default="" if PRODUCTION else "lma_demo_key")
LAMINA_RATE_LIMIT = read("LAMINA_RATE_LIMIT", "100", reading.whole(at_least=1))
LAMINA_RATE_WINDOW_SECONDS = 60.0
# Of a month's budget, for a run of an app that Lamina gives no estimate for.
BUDGET_UNKNOWN_CREDITS = read("BUDGET_UNKNOWN_CREDITS", "50", reading.whole(at_least=0))
# A run that may cost more than this is sent only after a person has ticked the number.
CONFIRM_ABOVE_CREDITS = read("CONFIRM_ABOVE_CREDITS", "100", reading.whole(at_least=0))
# A stand-in's, which has a port; what comes from anywhere else is fetched from public machines only.
_stand_in = urlsplit(LAMINA_BASE_URL)
LAMINA_MEDIA_HOSTS = read(
    "LAMINA_MEDIA_HOSTS",
    _stand_in.netloc.rpartition("@")[2] if _stand_in.port and not PRODUCTION else "",
    reading.media_hosts,
)

# Applications

INSTALLED_APPS = [
    "portal.workspaces",
    "portal.media",
    "portal.catalogue",
    "portal.runs",
    "portal.gallery",
    "portal.operations",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "lucide",
]

MIDDLEWARE = [
    "portal.operations.tracing.request_id_middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.workspaces.context.shell",
                "portal.runs.context.active_runs",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Database

DATABASES = {"default": needed("DATABASE_URL", f"sqlite:///{DATA_DIR / 'portal.sqlite3'}", reading.database)}
if "sqlite3" in DATABASES["default"]["ENGINE"]:
    # Whoever has just cloned this has none yet; where it cannot be made, SQLite says that it cannot open its file.
    if Path(DATABASES["default"]["NAME"]).parent == DATA_DIR and not _unusable:
        with contextlib.suppress(OSError):
            DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Writers take their turn at BEGIN; Django's own mode lets two start and fails the second.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # Values travel beside the statement, and one that a connection has sent five times is prepared. A rollback makes
    # psycopg forget what is prepared, by DEALLOCATE ALL, which PgBouncer understands since 1.22.
    sent_once = {
        "server_side_binding": True,
        "prepare_threshold": 5 if read("DATABASE_PREPARES", "on", reading.switch) else None,
    }
    DATABASES["default"]["OPTIONS"] = DATABASES["default"].get("OPTIONS", {}) | sent_once
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis: broker, cache and the request budget, in two numbered databases

REDIS_URL = needed("REDIS_URL", f"unix://{socket_path(DATA_DIR)}", reading.redis_address)


def redis_database(number: int) -> str:
    """Return REDIS_URL with another database number."""
    if REDIS_URL.startswith("unix://"):
        return f"{REDIS_URL}?db={number}"
    parts = urlsplit(REDIS_URL)
    return parts._replace(path=f"/{int(parts.path.strip('/') or 0) + number}").geturl()


CACHES = {
    "default": {
        "BACKEND": "portal.workspaces.cache.ForgivingRedisCache",
        "LOCATION": redis_database(1),
        "KEY_PREFIX": "portal",
        # Whoever waits here is a person, or Lamina: a Redis that hangs is done without (see workspaces.away).
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_AGE = 14 * 24 * 3600

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://") + (
    "?virtual_host=0" if REDIS_URL.startswith("unix://") else ""
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# The longest countdown and the longest task together stay well below the visibility timeout: a task
# that is still out when it ends is delivered a second time.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    # Those of workers, which wait for work, and of beat; whoever sends in passing waits less (see reconnecting).
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
    "max_retries": 1,
    "interval_start": 0,
    "interval_max": 0.2,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_DEFAULT_QUEUE = "interactive"
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# Of how many tasks Celery lets one connection to the database be used: never by its count, because connecting costs
# as much as a task does. `portal.celery` has Django close what is old or broken instead.
CELERY_DB_REUSE_MAX = sys.maxsize
# A start in flight must live to hear its answer: killed with the connection, it would leave a run of which
# nobody knows whether Lamina has it. Its message may come a second time instead, and then finds nothing to claim.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# The lanes of the workers: what a person waits for, what needs nothing but our own rows and so never waits
# behind a Lamina that hangs, copies of large files, changes in words, and everything else. Runs of batches are
# sent to `batch`.
CELERY_TASK_ROUTES = {
    "portal.runs.tasks.send_run": {"queue": "interactive"},
    "portal.runs.tasks.cancel_run": {"queue": "interactive"},
    "portal.runs.tasks.send_batch_run": {"queue": "batch"},
    "portal.runs.tasks.sweep": {"queue": "inbox"},
    "portal.runs.tasks.apply_delivery": {"queue": "inbox"},
    "portal.runs.tasks.copy_output": {"queue": "media"},
    # Takes as long as Lamina works on it, up to ten minutes: in a lane of its own it holds up nothing else.
    "portal.runs.tasks.send_refinement": {"queue": "refinement"},
    "portal.*": {"queue": "tracking"},
}
LANES = ("interactive", "inbox", "tracking", "batch", "media", "refinement")
# Sweeps only: each looks in the database for rows that should have moved and nudges them, so an empty
# queue costs one interval and never any work. A sweep that waited too long gives way to the next; the
# minute more is for clocks that differ, as a worker whose clock is ahead would drop every one of them.
CLOCKS_DIFFER_SECONDS = 60
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": seconds, "options": {"expires": seconds * 2 + CLOCKS_DIFFER_SECONDS}}
    for name, task, seconds in [
        ("sweep", "portal.runs.tasks.sweep", 3.0),
        ("track-runs", "portal.runs.tasks.track_runs", 4.0),
        ("watch-runs", "portal.runs.tasks.watch_runs", 15.0),
        ("check-budgets", "portal.runs.tasks.check_budgets", 30.0),
        ("refresh-schemas", "portal.catalogue.tasks.refresh_schemas", 600.0),
        ("refresh-credits", "portal.workspaces.tasks.refresh_credits", 600.0),
        ("refresh-signing-keys", "portal.runs.tasks.refresh_signing_keys", 1800.0),
    ]
}
# And a sign of life of every lane, so that one that has nothing to do is told from one that is stuck.
CELERY_BEAT_SCHEDULE |= {
    f"heartbeat-{lane}": {
        "task": "portal.operations.tasks.beat_heart",
        "schedule": 15.0,
        "options": {"expires": 30 + CLOCKS_DIFFER_SECONDS, "queue": lane},
    }
    for lane in LANES
}

# Media: ours, private, on local disk or in S3-compatible storage

STORAGES = {
    "default": read("MEDIA_STORAGE_URL", f"file://{DATA_DIR / 'media'}", reading.media_storage),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# First of all the one that refuses what no limit allows before it is read, whatever view it is for.
FILE_UPLOAD_HANDLERS = [
    "portal.media.receiving.BoundedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
MEDIA_MAX_IMAGE_BYTES = 25 * 1024**2
MEDIA_MAX_VIDEO_BYTES = 200 * 1024**2
MEDIA_MAX_PIXELS = 50_000_000
# In one process; each takes 120 MB for a photo of 24 megapixels.
MEDIA_WORKED_ON_AT_ONCE = read("MEDIA_WORKED_ON_AT_ONCE", "2", reading.whole(at_least=1))
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024**2
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024**2

STATIC_URL = "/static/"
STATIC_ROOT = Path(read("STATIC_ROOT", str(DATA_DIR / "static"), str))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# People

AUTH_USER_MODEL = "workspaces.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "portal.workspaces.accounts.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_CHANGE_EMAIL = True
EMAIL_CONFIG = read("EMAIL_URL", "consolemail://", reading.mail)
vars().update(EMAIL_CONFIG)

# Operations

# What a monitor sends to read /metrics. Empty: in development this machine itself may, in production nobody.
METRICS_TOKEN: str = env.str("METRICS_TOKEN", default="")
# Less room than this in DATA_DIR is told as a trouble: two films on their way are as large.
DISK_LOW_BYTES = 512 * 1024**2

# Languages

LANGUAGE_CODE = "en"
TIME_ZONE = read("TIME_ZONE", "UTC", reading.time_zone)
USE_TZ = True
USE_I18N = True
LANGUAGES = [("en", "English")]
FORMAT_MODULE_PATH = ["portal.formats"]

# Security

# Media in S3-compatible storage comes from its own address, by links that end after ten minutes.
MEDIA_ORIGINS = read("MEDIA_ORIGINS", "", reading.words)

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *MEDIA_ORIGINS],
        "media-src": [SELF, "blob:", *MEDIA_ORIGINS],
        "object-src": [NONE],
        "base-uri": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
CSRF_COOKIE_HTTPONLY = True
if PRODUCTION:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = read("SECURE_SSL_REDIRECT", "on", reading.switch)
    SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"

# Logs and errors

LOG_LEVEL = read("LOG_LEVEL", "INFO", reading.log_level)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "portal.operations.tracing.LineFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        },
        "json": {"()": "portal.operations.tracing.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json" if PRODUCTION else "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {name: {"level": "WARNING"} for name in ("httpx", "httpcore", "PIL", "django.server")},
}

SENTRY_DSN = read("SENTRY_DSN", "", reading.sentry_dsn)
# Which version of the portal this is, as reports name it.
RELEASE: str = env.str("RELEASE", default="")

if _unusable:
    sys.exit("\n".join(_unusable))
if SENTRY_DSN:
    report_errors(SENTRY_DSN, environment=PORTAL_ENV, release=RELEASE)
