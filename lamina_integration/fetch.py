"""Fetch what somebody else names, without ever reaching inside.

An address from outside (an output's, a person's) is fetched only from public machines: the name is
resolved once, refused if any of its addresses is not public, and the address that was checked is
the one dialled, so a name cannot change its mind in between. Every redirect is a new fetch under
the same rules. Size and wall-clock time are bounded from the first byte of the handshake to the
last of the body; memory stays flat. Proxies and cookies play no part.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import httpcore
import httpx

from lamina_integration.client.exchange import tls_context

MAX_REDIRECTS = 3
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0
PORTS = {"http": 80, "https": 443}
HEADERS = [(b"Accept", b"*/*"), (b"Accept-Encoding", b"identity"), (b"User-Agent", b"lamina-integration")]

# Public by the registries' book, but inside all the same: relays into IPv4, and two clouds' metadata hosts.
INSIDE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fec0::/10",
    )
)


class FetchError(Exception):
    """Nothing was fetched; what was written so far is worth nothing."""


class FetchRefused(FetchError):
    """We would not: the address leads inside, or the content is too large. Trying again changes nothing."""


class FetchFailed(FetchError):
    """It did not work: no answer, a bad one, one cut short, or too slow. `status_code` if there was an answer."""

    def __init__(self, message: str, *, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched, as its sender describes it, and what really came."""

    content_type: str
    size: int
    sha256: str
    final_url: str


def fetch(
    url: str,
    *,
    into: BinaryIO,
    max_bytes: int,
    deadline_seconds: float,
    allow_hosts: frozenset[str] = frozenset(),
) -> Fetched:
    """Write what is at an address into a file, or raise FetchRefused or FetchFailed.

    `allow_hosts` names exact "host:port" pairs that may be anywhere, on any port: the stand-in on
    loopback, a storage server in the same network. A redirect that comes from elsewhere does not
    profit from it.
    """
    deadline = time.monotonic() + deadline_seconds
    trusted = True
    for _ in range(MAX_REDIRECTS + 1):
        target = _parse(url)
        trusted = trusted and f"{target.host}:{_port(target)}".lower() in allow_hosts
        _check_target(target, trusted=trusted)
        outcome = _get(target, into=into, max_bytes=max_bytes, deadline=deadline, trusted=trusted)
        if isinstance(outcome, Fetched):
            return outcome
        url = outcome
    raise FetchRefused(f"more than {MAX_REDIRECTS} redirects")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to a machine on the public internet, and to no relay into something else."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if any(ip.version == network.version and ip in network for network in INSIDE):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _parse(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise FetchRefused("not an address") from error


def _port(target: httpx.URL) -> int | None:
    return target.port or PORTS.get(target.scheme)


def _check_target(target: httpx.URL, *, trusted: bool) -> None:
    if target.scheme not in PORTS or not target.host:
        raise FetchRefused("not an http or https address")
    if target.userinfo:
        raise FetchRefused("an address with a user name in it")
    if not trusted and _port(target) not in PORTS.values():
        raise FetchRefused(f"port {_port(target)} is not one of the web's")


def _get(target: httpx.URL, *, into: BinaryIO, max_bytes: int, deadline: float, trusted: bool) -> Fetched | str:
    """Fetch one address; return what came, or where it redirects to."""
    backend = _CheckedBackend(deadline=deadline, trusted=trusted)
    address = httpcore.URL(
        scheme=target.raw_scheme, host=target.raw_host, port=_port(target), target=target.raw_path or b"/"
    )
    headers = [(b"Host", target.netloc), *HEADERS]
    timeouts = {
        "connect": CONNECT_SECONDS,
        "read": SILENCE_SECONDS,
        "write": SILENCE_SECONDS,
        "pool": CONNECT_SECONDS,
    }
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=tls_context(), max_connections=1, network_backend=backend, http2=False
            ) as pool,
            pool.stream("GET", address, headers=headers, extensions={"timeout": timeouts}) as response,
        ):
            received = {name.lower(): value.decode("latin-1") for name, value in response.headers}
            if response.status in (301, 302, 303, 307, 308) and b"location" in received:
                return _join(target, received[b"location"])
            _check_answer(response.status, received, max_bytes=max_bytes)
            size, digest = _copy(response.iter_stream(), into=into, max_bytes=max_bytes)
    except httpcore.TimeoutException as error:
        raise FetchFailed(f"{target.host} is too slow") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise FetchFailed(f"{target.host} could not be read: {type(error).__name__}") from error
    return Fetched(
        content_type=received.get(b"content-type", "").partition(";")[0].strip().lower(),
        size=size,
        sha256=digest,
        final_url=str(target),
    )


def _join(target: httpx.URL, location: str) -> str:
    try:
        return str(target.join(location))
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise FetchRefused("redirected to something that is no address") from error


def _check_answer(status: int, headers: dict[bytes, str], *, max_bytes: int) -> None:
    if status != 200:
        raise FetchFailed(f"answered {status}", status_code=status)
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        raise FetchFailed("answered in an encoding that was not asked for", status_code=status)
    announced = headers.get(b"content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise FetchRefused(f"{announced} bytes are more than the {max_bytes} allowed")


def _copy(stream: Iterable[bytes], *, into: BinaryIO, max_bytes: int) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    for chunk in stream:
        size += len(chunk)
        if size > max_bytes:
            raise FetchRefused(f"more than the {max_bytes} bytes allowed")
        digest.update(chunk)
        into.write(chunk)
    return size, digest.hexdigest()


class _CheckedBackend(httpcore.NetworkBackend):
    """Opens connections to checked addresses only, and lets none outlive the deadline."""

    def __init__(self, *, deadline: float, trusted: bool) -> None:
        self._deadline = deadline
        self._trusted = trusted
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _resolve(host, port)
        if not self._trusted and not all(map(is_public, addresses)):
            raise FetchRefused(f"{host} is not a public machine")
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                stream = self._backend.connect_tcp(address, port, timeout=_left(self._deadline, timeout))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream, deadline=self._deadline)
        raise failure or httpcore.ConnectError(f"{host} has no address")


class _BoundedStream(httpcore.NetworkStream):
    """A connection on which nothing waits beyond the deadline, however slowly bytes drip in."""

    def __init__(self, stream: httpcore.NetworkStream, *, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout=_left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=_left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, timeout=_left(self._deadline, timeout))
        return _BoundedStream(secured, deadline=self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return left if timeout is None else min(left, timeout)


def _resolve(host: str, port: int) -> list[str]:
    """Return every address of a name; odd spellings of an address (0x7f.1, 2130706433, 0) resolve to what they are."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} does not resolve") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
