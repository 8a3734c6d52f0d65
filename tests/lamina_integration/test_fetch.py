"""Fetching what others name never reaches inside, never runs away, and says what came."""

from __future__ import annotations

import hashlib
import io
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from lamina_integration.fetch import Fetched, FetchFailed, FetchRefused, fetch, is_public

Behaviour = Callable[[socket.socket, bytes], None]
Serve = Callable[[Behaviour], Any]
PICTURE = bytes(range(256)) * 400


def answer(body: bytes, *headers: str, status: str = "200 OK") -> Behaviour:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(head + body)

    return behave


def picture() -> Behaviour:
    return answer(PICTURE, "Content-Type: Image/PNG; charset=x", f"Content-Length: {len(PICTURE)}")


def redirect(location: str) -> Behaviour:
    return answer(b"", f"Location: {location}", "Content-Length: 0", status="302 Found")


def get(
    url: str, *allowed: Any, into: io.BytesIO | None = None, max_bytes: int = 1_000_000, seconds: float = 5
) -> Fetched:
    return fetch(
        url,
        into=io.BytesIO() if into is None else into,
        max_bytes=max_bytes,
        deadline_seconds=seconds,
        allow_hosts=frozenset(f"{server.host}:{server.port}" for server in allowed),
    )


def test_what_is_fetched_is_described(serve: Serve) -> None:
    server, into = serve(picture()), io.BytesIO()
    fetched = get(f"{server.url}/a.png?x=1", server, into=into)
    assert into.getvalue() == PICTURE
    assert fetched == Fetched("image/png", len(PICTURE), hashlib.sha256(PICTURE).hexdigest(), f"{server.url}/a.png?x=1")


def test_body_that_is_chunked_or_ends_with_the_connection_is_read(serve: Serve) -> None:
    chunked = serve(answer(b"3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"))
    closing = serve(answer(b"abc"))
    assert [get(f"{server.url}/", server).size for server in (chunked, closing)] == [3, 3]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "2130706433",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "①②⑦.0.0.1",
    ],
)
def test_loopback_in_any_spelling_is_refused_and_hears_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    canary = serve(picture())
    monkeypatch.setattr("lamina_integration.fetch.PORTS", {"http": canary.port, "https": 443})
    with pytest.raises((FetchRefused, FetchFailed)):
        get(f"http://{host}/")
    assert canary.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "240.0.0.1",
        "0.0.0.0",
        "127.8.8.8",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "2002:a00:1::",
        "2001:0:a00:1::",
        "2001:db8::1",
    ],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_addresses_outside_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://x.example/a",
        "gopher://x.example/",
        "//x.example/a",
        "x.example/a",
        "",
        "http://",
        "http:///a",
        "http://[::1",
        "http://x.example:22/",
        "http://x.example:8080/",
        "http://user:word@x.example/",
        "http://user@x.example/",
        "http://x.example:99999/",
        "http://\x00/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(FetchRefused):
        get(url)


def test_allowed_host_is_exact(serve: Serve) -> None:
    allowed, other = serve(picture()), serve(picture())
    assert get(f"{allowed.url}/", allowed).size
    for url in (f"{other.url}/", f"http://localhost:{allowed.port}/"):
        with pytest.raises(FetchRefused):
            get(url, allowed)
    assert other.connections == 0


def test_redirects_are_followed_three_times(serve: Serve) -> None:
    last = serve(picture())
    servers = [last]
    for _ in range(3):
        servers.append(serve(redirect(f"{servers[-1].url}/next")))
    assert get(f"{servers[-1].url}/", *servers).final_url == f"{last.url}/next"
    servers.append(serve(redirect(f"{servers[-1].url}/")))
    with pytest.raises(FetchRefused, match="redirects"):
        get(f"{servers[-1].url}/", *servers)


def test_relative_redirect_stays_where_it_is(serve: Serve) -> None:
    def behave(connection: socket.socket, head: bytes) -> None:
        (picture() if head.startswith(b"GET /b/c.png ") else redirect("c.png"))(connection, head)

    server = serve(behave)
    assert get(f"{server.url}/b/a", server).final_url == f"{server.url}/b/c.png"


@pytest.mark.parametrize("location", ["http://localhost:{port}/", "http://127.1:{port}/", "file:///etc/passwd", ""])
def test_redirect_inside_is_refused_and_hears_nothing(serve: Serve, location: str) -> None:
    canary = serve(picture())
    door = serve(redirect(location.format(port=canary.port)))
    with pytest.raises(FetchRefused):
        get(f"{door.url}/", door)
    assert canary.connections == 0


class Resolver:
    """Answers each lookup of a name with the next list of addresses, and leads dialled public ones to a server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, server: Any, *answers: list[str]) -> None:
        self.lookups = 0
        self.dialled: list[str] = []
        connect = socket.create_connection
        pending = list(answers)

        def resolve(host: str, port: int) -> list[str]:
            self.lookups += 1
            return pending.pop(0) if len(pending) > 1 else pending[0]

        def create_connection(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
            self.dialled.append(address[0])
            return connect((server.host, server.port), *args, **kwargs)

        monkeypatch.setattr("lamina_integration.fetch._resolve", resolve)
        monkeypatch.setattr("socket.create_connection", create_connection)


def test_the_address_that_was_checked_is_the_one_dialled(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(picture())
    resolver = Resolver(monkeypatch, server, ["93.184.216.34"], ["127.0.0.1"])
    assert get("http://media.example/").size == len(PICTURE)
    assert (resolver.lookups, resolver.dialled) == (1, ["93.184.216.34"])


def test_name_with_one_address_inside_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(monkeypatch, serve(picture()), ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(FetchRefused):
        get("http://media.example/")
    assert resolver.dialled == []


def test_name_that_changes_its_mind_between_redirects_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(monkeypatch, serve(redirect("http://media.example/b")), ["93.184.216.34"], ["127.0.0.1"])
    with pytest.raises(FetchRefused):
        get("http://media.example/a")
    assert resolver.dialled == ["93.184.216.34"]


def test_redirect_from_outside_does_not_profit_from_the_allowed_hosts(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = serve(picture())
    outside = serve(redirect(f"{inside.url}/"))
    Resolver(monkeypatch, outside, ["93.184.216.34"])
    with pytest.raises(FetchRefused):
        get("http://media.example/", inside)
    assert inside.connections == 0


def test_announced_size_beyond_the_limit_is_refused_unread(serve: Serve) -> None:
    server, into = serve(answer(b"", "Content-Length: 2000001")), io.BytesIO()
    with pytest.raises(FetchRefused, match="2000001"):
        get(f"{server.url}/", server, into=into, max_bytes=2_000_000)
    assert into.getvalue() == b""


def test_endless_body_is_cut_at_the_limit(serve: Serve) -> None:
    def endless(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    server, into = serve(endless), io.BytesIO()
    with pytest.raises(FetchRefused):
        get(f"{server.url}/", server, into=into, max_bytes=300_000)
    assert len(into.getvalue()) <= 300_000


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n", b""])
def test_slow_drip_does_not_escape_the_deadline(serve: Serve, head: bytes) -> None:
    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    server = serve(drip)
    began = time.monotonic()
    with pytest.raises(FetchFailed, match="slow"):
        get(f"{server.url}/", server, seconds=0.3)
    assert time.monotonic() - began < 2


def test_body_cut_short_failed(serve: Serve) -> None:
    server = serve(answer(b"only this", "Content-Length: 500"))
    with pytest.raises(FetchFailed):
        get(f"{server.url}/", server)


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone", "500 Oops", "206 Partial Content", "304 Not Modified"])
def test_answer_that_is_no_content_failed_with_its_status(serve: Serve, status: str) -> None:
    server = serve(answer(b"", "Content-Length: 0", status=status))
    with pytest.raises(FetchFailed) as raised:
        get(f"{server.url}/", server)
    assert raised.value.status_code == int(status[:3])


def test_encoded_body_failed(serve: Serve) -> None:
    server = serve(answer(b"xx", "Content-Encoding: gzip", "Content-Length: 2"))
    with pytest.raises(FetchFailed):
        get(f"{server.url}/", server)


def test_nobody_there_failed(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FetchFailed):
        fetch(
            f"http://127.0.0.1:{port}/",
            into=io.BytesIO(),
            max_bytes=1,
            deadline_seconds=5,
            allow_hosts=frozenset({f"127.0.0.1:{port}"}),
        )


def test_name_without_an_address_failed() -> None:
    with pytest.raises(FetchFailed):
        get("http://nowhere.invalid/")


def test_certificate_is_checked_against_the_name(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(picture())
    Resolver(monkeypatch, server, ["93.184.216.34"])
    with pytest.raises(FetchFailed):
        get("https://media.example/", seconds=2)


def test_proxies_of_the_environment_play_no_part(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = serve(picture()), serve(picture())
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    get(f"{server.url}/", server)
    assert proxy.connections == 0


def test_trouble_with_our_own_file_is_not_blamed_on_the_sender(serve: Serve) -> None:
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    server = serve(picture())
    with pytest.raises(OSError, match="No space left"):
        get(f"{server.url}/", server, into=Full())
