"""Ports of this machine: which are free, and what answers on them."""

import errno
import socket
import zlib
from collections.abc import Iterable
from pathlib import Path

from portal.demo.errors import DemoError

HOST = "127.0.0.1"
# Below the range out of which systems hand out ports at random, so that a kept one stays free.
STAND_IN_PORTS = range(20000, 30000)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise DemoError(
                    f"Port {port} is for the system's administrator only. Choose one above 1023."
                ) from error
            return False
    return True


def ports_for(data: Path) -> list[int]:
    """Return the stand-in's ports in the order to try them: each data folder begins elsewhere.

    A port is chosen some seconds before it is listened on, so two demos that are started for the
    first time together would otherwise choose the same one.
    """
    first = zlib.crc32(str(data).encode()) % len(STAND_IN_PORTS)
    return [*STAND_IN_PORTS[first:], *STAND_IN_PORTS[:first]]


def find_free(ports: Iterable[int], *, but_not: int) -> int:
    """Return the first of these ports that is free."""
    for port in ports:
        if port != but_not and is_free(port):
            return port
    raise DemoError("None of the ports that could be used is free. Stop some of the programs that use them.")


def check_portal_port(port: int) -> None:
    """Raise, naming a free port, if the portal cannot have this one."""
    if not is_free(port):
        free = find_free(range(max(port, 1024) + 1, 65536), but_not=port)
        raise DemoError(
            f"Port {port} is in use. Stop the program that has it, or choose another: make demo PORT={free}"
        )


def get_status(port: int, path: str) -> int | None:
    """Return the status of a GET, nothing if no HTTP answer came within a second or two.

    By hand, because http.client costs the supervisor ten megabytes for the rest of its life.
    """
    try:
        with socket.create_connection((HOST, port), timeout=2) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
            head = client.recv(64).split()
    except OSError:
        return None
    if len(head) < 2 or not head[0].startswith(b"HTTP/") or not head[1].isdigit():
        return None
    return int(head[1])
