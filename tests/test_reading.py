"""What a setting's text means, and what is said where it means nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from portal import reading
from portal.reading import Unusable

MEANINGLESS: list[tuple[Callable[[str], Any], str, list[str]]] = [
    (reading.switch, "on or off", ["maybe", "2", "onn", "-"]),
    (reading.whole(at_least=1), "whole number, 1 or more", ["0", "-5", "many", "1.5", "1e3", "٣", "1" * 5000, "1 2"]),
    (reading.whole(at_least=0), "whole number, 0 or more", ["-1", "x"]),
    (reading.folder, "without ?", ["/srv/data?", "/srv/#1", "/srv/100%"]),
    (reading.hosts, "portal.example.com", [",", " , "]),
    (reading.media_hosts, "host:port", ["127.0.0.1", "http://127.0.0.1:1", "a:b", "lamina.example:80/x", "*"]),
    (
        reading.address,
        "https://",
        ["lamina.example", "localhost:8765", "ftp://x/", "https://", "//x", "https://x:abc", "https://x:99999"],
    ),
    (
        reading.address,
        "https://",
        ["http://[::1", "https://a b", "https://exa\nmple.com", "https://*", "https://a..b", "x", ""],
    ),
    (reading.address, "? or #", ["https://x/?key=1", "https://x/#a"]),
    (
        reading.database,
        "postgres://user:password@host:5432/name",
        ["foo", "mysql://u@h/n", "postgres://h:abc/n", "postgres://u:p#ss@h/n", "postgres://u@h", "postgres:", "://"],
    ),
    (reading.database, "sqlite:///folder/file", ["sqlite://", "sqlite:///", "sqlite://srv/db.sqlite3", "sqlite:x"]),
    (
        reading.redis_address,
        "redis://host:6379/0",
        ["foo://bar", "redis://h/abc", "redis://h:x/0", "redis://h/0?db=3", "redis://h/0?socket_timeout=x", "redis:"],
    ),
    (
        reading.redis_address,
        "unix:///path",
        ["unix://", "unix:///s?db=2", "unix://srv/s", "redis://h/0?what=1", "redis://a..b/0", "h"],
    ),
    (reading.media_storage, "file:///folder", ["file://srv/media", "file://", "/srv/media", "s3://", "ftp://x/y"]),
    (
        reading.mail,
        "smtp://user:password@host:587",
        ["smtp://", "smtp.example.com:587", "mail://h", "x", "smtp://h:587x", "smtp://u:p#ss@h:587", "smtp://a..b:587"],
    ),
    (reading.time_zone, "Europe/Berlin", ["Mars/Olympus", "Europe", "/etc/passwd", "../x", "+01:00"]),
    (reading.log_level, "DEBUG, INFO", ["loud", "10", "INFO,"]),
    (reading.sentry_dsn, "https://key@host/number", ["x", "https://sentry.example/1", "https://k@h/", "k@h/1", "//"]),
]


@pytest.mark.parametrize(
    ("meaning", "fix", "text"),
    [
        pytest.param(meaning, fix, text, id=f"{fix}-{text[:30]!r}")
        for meaning, fix, texts in MEANINGLESS
        for text in texts
    ],
)
def test_what_means_nothing_is_told_with_what_to_set(meaning: Callable[[str], Any], fix: str, text: str) -> None:
    with pytest.raises(Unusable) as told:
        meaning(text)
    assert fix in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("meaning", "text"),
    [
        (reading.database, "postgres://portal:hush@h:x/n"),
        (reading.redis_address, "redis://:hush@h/x"),
        (reading.mail, "smtp://u:hush@h:x"),
        (reading.media_storage, "s3://?secret_key=hush"),
        (reading.sentry_dsn, "https://hush@h/x"),
        (reading.address, "ftp://u:hush@h"),
    ],
)
def test_no_value_is_repeated(meaning: Callable[[str], Any], text: str) -> None:
    with pytest.raises(Unusable) as told:
        meaning(text)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    ("meaning", "text", "means"),
    [
        (reading.switch, " On ", True),
        (reading.switch, "0", False),
        (reading.whole(at_least=1), " 7 ", 7),
        (reading.hosts, "a.example, .b.example,", ["a.example", ".b.example"]),
        (reading.media_hosts, "", frozenset()),
        (reading.media_hosts, "LocalHost:80, [::1]:8765", frozenset({"localhost:80", "[::1]:8765"})),
        (reading.address, "https://lamina.example/api/ ", "https://lamina.example/api"),
        (reading.address, "http://[::1]:8765", "http://[::1]:8765"),
        (reading.address_or_none, "", ""),
        (reading.redis_address, "redis://:p%40ss@h:6379/3", "redis://:p%40ss@h:6379/3"),
        (reading.redis_address, "redis://h", "redis://h"),
        (reading.redis_address, "unix:///srv/redis.sock", "unix:///srv/redis.sock"),
        (reading.time_zone, "Europe/Berlin", "Europe/Berlin"),
        (reading.log_level, "debug", "DEBUG"),
        (reading.sentry_dsn, "", ""),
        (reading.sentry_dsn, "https://key@o1.ingest.sentry.io/42", "https://key@o1.ingest.sentry.io/42"),
    ],
)
def test_what_means_something_is_read(meaning: Callable[[str], Any], text: str, means: Any) -> None:
    assert meaning(text) == means


def test_database_is_read_with_its_password_and_options() -> None:
    found = reading.database("postgres://portal:p%40ss@db:5433/name?sslmode=require")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db", 5433, "name")
    assert (found["PASSWORD"], found["OPTIONS"]) == ("p@ss", {"sslmode": "require"})
    assert reading.database("sqlite:////srv/portal.sqlite3")["NAME"] == "/srv/portal.sqlite3"


def test_mail_and_storage_are_read_whole() -> None:
    assert reading.mail("smtp+tls://u:p@h:587")["EMAIL_PORT"] == 587
    assert reading.media_storage("file:///srv/media")["OPTIONS"] == {"location": "/srv/media", "base_url": None}
    options = reading.media_storage("s3://portal?endpoint_url=http://storage:9000")["OPTIONS"]
    assert isinstance(options, dict)
    assert (options["bucket_name"], options["endpoint_url"]) == ("portal", "http://storage:9000")
