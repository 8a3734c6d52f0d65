"""What a setting's text means: one function for each kind of value, which raises Unusable when it means nothing.

Pure, for the settings, which read every variable with one of these, and for the self-check. What means something and
is unwise all the same is no matter of these: the portal starts with it, and the self-check tells. Reasons are the
end of "NAME cannot be used: ..." and say what to set; none repeats a value, which may hold a password.
"""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit
from zoneinfo import ZoneInfo

import environ
import redis
from django.core.exceptions import ImproperlyConfigured

SWITCHES = {
    **dict.fromkeys(("on", "true", "yes", "y", "1", "ok"), True),
    **dict.fromkeys(("off", "false", "no", "n", "0"), False),
}
HOST_AND_PORT = re.compile(r"([\w.-]+|\[[0-9a-f:.]+\]):\d{1,5}")
PERCENT = "what else than letters and digits is in a password is written %…, such as %40 for @"


class Unusable(Exception):
    """A text that means nothing, with what to set instead."""


def switch(text: str) -> bool:
    """Return whether something is on."""
    try:
        return SWITCHES[text.strip().lower()]
    except KeyError:
        raise Unusable("set it to on or off") from None


def whole(*, at_least: int) -> Callable[[str], int]:
    """Return a function that returns a whole number, no smaller than that."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text) or int(text) < at_least:
            raise Unusable(f"set it to a whole number, {at_least} or more")
        return int(text)

    return read


def words(text: str) -> list[str]:
    """Return what stands between commas; nothing is fine."""
    return [word for part in text.split(",") if (word := part.strip())]


def folder(text: str) -> Path:
    """Return a folder's whole path, which is also part of addresses: of the database's and of Redis' socket."""
    if re.search(r"[?#%\r\n\t]", text):
        raise Unusable("choose a folder without ?, # and % in its path")
    return Path(text).resolve()


def hosts(text: str) -> list[str]:
    """Return names of hosts, at least one."""
    if found := words(text):
        return found
    raise Unusable("name the hosts the portal answers to, such as portal.example.com")


def media_hosts(text: str) -> frozenset[str]:
    """Return pairs of a host and its port, as fetching compares them."""
    found = frozenset(word.lower() for word in words(text))
    if all(HOST_AND_PORT.fullmatch(host) for host in found):
        return found
    raise Unusable("set it to host:port, with commas between several, or to nothing")


def address(text: str) -> str:
    """Return an http or https address without a slash at its end; a path is fine, what comes after one is not."""
    parts = _split(text, "set it to an address such as https://portal.example.com")
    if parts.scheme not in {"http", "https"} or not _is_host(parts.hostname):
        raise Unusable("set it to an address that begins with https:// (or http://) and a host")
    if parts.query or parts.fragment:
        raise Unusable("take away its ? or # and what follows")
    return text.strip().rstrip("/")


def address_or_none(text: str) -> str:
    """Return an address, or nothing."""
    return address(text) if text.strip() else ""


def database(text: str) -> dict[str, Any]:
    """Return Django's entry for a Postgres or SQLite database."""
    fix = f"set it to postgres://user:password@host:5432/name; {PERCENT}"
    text = text.strip()
    if text.startswith("sqlite:"):
        if not re.match("sqlite:///.", text):
            raise Unusable("set it to sqlite:///folder/file with three slashes (four where the folder begins with one)")
    elif not text.startswith(("postgres://", "postgresql://")):
        raise Unusable(fix)
    else:
        _split(text, fix)
    try:
        found: dict[str, Any] = environ.Env.db_url_config(text)
    except (ValueError, ImproperlyConfigured):
        raise Unusable(fix) from None
    if not found["NAME"] and "service" not in found.get("OPTIONS", {}):
        raise Unusable(fix)
    return found


def redis_address(text: str) -> str:
    """Return where Redis is, for the clients that it and Celery have."""
    fix = "set it to redis://host:6379/0, with a number at its end, or to unix:///path"
    text = text.strip()
    parts = _split(text, f"{fix}; {PERCENT}")
    if parts.scheme == "unix":
        if parts.netloc or parts.query or not parts.path.strip("/"):
            raise Unusable(fix)
        return text
    is_known = (
        parts.scheme in {"redis", "rediss"}
        and _is_host(parts.hostname or "localhost")
        and re.fullmatch(r"/?[0-9]{0,6}/?", parts.path)
    )
    if not is_known or parts.fragment or "db" in parse_qs(parts.query):
        raise Unusable(f"{fix}; {PERCENT}")
    try:
        # Connects to nothing yet, and takes no option that it does not know.
        redis.ConnectionPool.from_url(text).make_connection()
    except (AttributeError, TypeError, ValueError):
        raise Unusable(fix) from None
    return text


def media_storage(text: str) -> dict[str, object]:
    """Return the STORAGES entry for file:///path or s3://bucket?endpoint_url=…&region_name=…"""
    parts = _split(text, "set it to file:///folder or s3://bucket")
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"} or not parts.path.strip("/"):
            raise Unusable("set it to file:///folder with three slashes")
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": parts.path, "base_url": None},
        }
    if parts.scheme == "s3" and parts.netloc:
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": parts.netloc,
                "default_acl": "private",
                "querystring_auth": True,
                "querystring_expire": 600,
                "file_overwrite": False,
                "max_memory_size": 1024**2,  # beyond that an opened file is kept on disk
                **options,
            },
        }
    raise Unusable("set it to file:///folder or s3://bucket")


def mail(text: str) -> dict[str, Any]:
    """Return Django's settings for the way mails take."""
    fix = f"set it to smtp://user:password@host:587 or consolemail://; {PERCENT}"
    parts = _split(text, fix)
    if parts.scheme.startswith("smtp") and not _is_host(parts.hostname):
        raise Unusable(fix)
    try:
        found: dict[str, Any] = environ.Env.email_url_config(text.strip())
    except (ValueError, ImproperlyConfigured):
        raise Unusable(fix) from None
    return found


def time_zone(text: str) -> str:
    """Return the name of a time zone."""
    try:
        return ZoneInfo(text.strip()).key
    except (LookupError, OSError, ValueError):
        raise Unusable("set it to a name such as UTC or Europe/Berlin") from None


def log_level(text: str) -> str:
    """Return the name of a level of logging."""
    level = text.strip().upper()
    if level not in logging.getLevelNamesMapping():
        raise Unusable("set it to DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def sentry_dsn(text: str) -> str:
    """Return where Sentry takes reports, or nothing."""
    text, fix = text.strip(), "copy it from Sentry (https://key@host/number), or set it to nothing"
    parts = _split(text, fix)
    is_whole = parts.username and _is_host(parts.hostname) and parts.path.rpartition("/")[2].isdecimal()
    if text and not (parts.scheme in {"http", "https"} and is_whole):
        raise Unusable(fix)
    return text


def _split(text: str, fix: str) -> SplitResult:
    """Return an address's parts, of which each can be asked for."""
    if re.search(r"[\r\n\t]", text.strip()):
        raise Unusable(fix)
    try:
        parts = urlsplit(text.strip())
        _ = parts.hostname, parts.port
    except ValueError:
        raise Unusable(fix) from None
    return parts


def _is_host(name: str | None) -> bool:
    """Return whether a name can be one in an address; whoever asks for another gets an error of Unicode's."""
    try:
        (name or "").encode("idna")
    except UnicodeError:
        return False
    return bool(re.fullmatch(r"[\w.:-]+", name or ""))
