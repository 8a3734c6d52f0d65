"""Settings that mean something and are unwise, or do not fit each other: each rule is a line, and nothing is asked.

Lamina's word on the portal's address is the one exception: it is kept in rows.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError

from portal.operations.selfcheck.troubles import Trouble
from portal.runs.callbacks import address_is_refused

# As Django's own deployment check has it.
SECRET_LETTERS, SECRET_KINDS = 50, 5
TOKEN_LETTERS = 16
# Names that only the machine itself, or its own network, knows.
INSIDE = re.compile(r"localhost|[^.]+|.+\.(localhost|local|internal|lan|home\.arpa)")
HOST_PATTERN = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*|\[[0-9a-fA-F:.]+\]")
ORIGIN = re.compile(r"https?://(\*\.)?([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d+)?")
# What Sentry does not take as a version's name.
UNNAMED = re.compile(r"[\n\r\t/\\]|^\.{1,2}$|^ *$|.{201}")

Rule = tuple[Callable[[], object], Trouble]

PRODUCTION: list[Rule] = [
    (lambda: settings.DEBUG, Trouble("DEBUG is on in production", "set DEBUG=off")),
    (
        lambda: not _is_hard_to_guess(settings.SECRET_KEY),
        Trouble("SECRET_KEY can be guessed", "set it to a long random word, as .env.example says"),
    ),
    (
        lambda: "*" in settings.ALLOWED_HOSTS,
        Trouble("ALLOWED_HOSTS lets everybody name the portal", "set it to the portal's own names"),
    ),
    (
        lambda: "sqlite3" in settings.DATABASES["default"]["ENGINE"],
        Trouble("DATABASE_URL names SQLite", "set it to Postgres: postgres://user:password@host:5432/name"),
    ),
    (
        lambda: settings.LAMINA_MEDIA_HOSTS,
        Trouble("LAMINA_MEDIA_HOSTS lets media be fetched from inside", "set it to nothing"),
    ),
    (
        lambda: not settings.METRICS_TOKEN,
        Trouble("METRICS_TOKEN is not set: /metrics answers nobody", "set it to a long random word"),
    ),
    (
        lambda: settings.METRICS_TOKEN and not _is_a_token(settings.METRICS_TOKEN),
        Trouble("METRICS_TOKEN can be guessed, or not be sent", "set it to a long random word without spaces"),
    ),
    (
        lambda: not Path(settings.STATIC_ROOT, "staticfiles.json").is_file(),
        Trouble("STATIC_ROOT holds no collected files", "run manage.py collectstatic, or mend STATIC_ROOT"),
    ),
]
ANYWHERE: list[Rule] = [
    (
        lambda: not all(ORIGIN.fullmatch(origin) for origin in settings.MEDIA_ORIGINS),
        Trouble("MEDIA_ORIGINS has something that is no origin", "write it as https://storage.example, without a path"),
    ),
    (
        lambda: settings.SENTRY_DSN and settings.RELEASE and UNNAMED.search(settings.RELEASE),
        Trouble("RELEASE is no name that Sentry takes", "set it to a word without slashes, up to 200 letters long"),
    ),
]


def check_settings() -> Iterator[Trouble]:
    """See that no setting is unwise."""
    for is_unwise, trouble in [*(PRODUCTION if settings.PRODUCTION else []), *ANYWHERE]:
        if is_unwise():
            yield trouble


def _is_hard_to_guess(secret: str) -> bool:
    is_long = len(secret) >= SECRET_LETTERS and len(set(secret)) >= SECRET_KINDS
    return is_long and not secret.startswith(("django-insecure-", "development-only-"))


def _is_a_token(token: str) -> bool:
    return len(token) >= TOKEN_LETTERS and len(set(token)) >= SECRET_KINDS and bool(re.fullmatch(r"[!-~]+", token))


def check_addresses() -> Iterator[Trouble]:
    """See that Lamina and browsers reach the portal under names it answers to, and that keys travel unread."""
    url = urlsplit(settings.PORTAL_PUBLIC_URL)
    if settings.PRODUCTION and url.scheme != "https":
        yield Trouble("PORTAL_PUBLIC_URL is not an https address", "set it to https://… as Lamina reaches it")
    allowed = [host.strip().lower() for host in settings.ALLOWED_HOSTS]
    if settings.PRODUCTION and url.hostname and _is_inside(url.hostname):
        yield Trouble("PORTAL_PUBLIC_URL is an address that Lamina cannot reach", "set it to the portal's public name")
    elif url.hostname and not any(_allows(pattern, url.hostname) for pattern in allowed):
        yield Trouble("ALLOWED_HOSTS has not the host of PORTAL_PUBLIC_URL", f"add {url.hostname} to ALLOWED_HOSTS")
    if url.path.strip("/"):
        yield Trouble("PORTAL_PUBLIC_URL has a path", "take it away: the portal is at the root of its host")
    if settings.PRODUCTION and urlsplit(settings.LAMINA_BASE_URL).scheme != "https":
        yield Trouble("LAMINA_BASE_URL is not an https address: keys can be read on their way", "set it to https://…")
    for host in settings.ALLOWED_HOSTS:
        if not HOST_PATTERN.fullmatch(host.strip()):
            yield Trouble(
                f"ALLOWED_HOSTS has {host!r}, which is no host's name", "write it without https://, port and path"
            )
    if _address_is_refused():
        yield Trouble("Lamina refuses PORTAL_PUBLIC_URL for its webhooks", "set it to an http or https address")


def _is_inside(host: str) -> bool:
    """Return whether a host is this machine, or known in a network of its own only."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return bool(INSIDE.fullmatch(host))


def _address_is_refused() -> bool:
    try:
        return bool(settings.PORTAL_PUBLIC_URL) and address_is_refused()
    except DatabaseError:
        return False


def _allows(pattern: str, host: str) -> bool:
    return pattern in {"*", host, f"[{host}]"} or (pattern.startswith(".") and f".{host}".endswith(pattern))
