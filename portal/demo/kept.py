"""What a data folder keeps from start to start: secrets, the demo's passwords, the stand-in's port."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from portal.demo.errors import DemoError
from portal.demo.loopback import find_free, is_free, ports_for

ACCOUNTS = ("owner", "creator", "staff")

WORDS = (Path(__file__).parent / "words.txt").read_text().split()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The values of one data folder."""

    secret_key: str
    field_encryption_key: str
    passwords: dict[str, str]
    stand_in_port: int

    @classmethod
    def read(cls, data: Path) -> "Kept":
        """Return what a folder keeps; raises DemoError when no demo has been started in it."""
        path = data / "demo.json"
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError as error:
            raise DemoError(f"No demo was ever started in {data}. Start it once, or name its folder: DATA=.") from error
        except (OSError, ValueError, TypeError) as error:
            raise DemoError(
                f"{path} cannot be read. Mend it, or start afresh in another folder: DATA=folder."
            ) from error


def load_or_make(data: Path, *, portal_port: int) -> Kept:
    """Return what the folder keeps; on its first start, make it."""
    path = data / "demo.json"
    if not path.exists():
        kept = Kept(
            secret_key=secrets.token_urlsafe(48),
            field_encryption_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            passwords={account: make_password() for account in ACCOUNTS},
            stand_in_port=find_free(ports_for(data), but_not=portal_port),
        )
        _write(path, json.dumps(asdict(kept), indent=2))
        return kept
    kept = Kept.read(data)
    check_stand_in_port(kept.stand_in_port, portal_port=portal_port, path=path)
    return kept


def make_password() -> str:
    """Return a password that can be read aloud: three words and two digits."""
    return "-".join([*(secrets.choice(WORDS) for _ in range(3)), str(secrets.randbelow(90) + 10)])


def check_stand_in_port(port: int, *, portal_port: int, path: Path) -> None:
    """Raise if the stand-in cannot have its port again.

    It must not move by itself: links to what it made carry the port, in rows and in its own files.
    """
    if port == portal_port:
        raise DemoError(f"Port {port} is the stand-in's in this data folder. Choose another for the portal with PORT=.")
    if not is_free(port):
        raise DemoError(
            f"Port {port}, the stand-in's in this data folder, is in use. "
            f"Stop the program that has it, or use another folder: DATA=folder. (It is kept in {path}.)"
        )


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, all of it or none."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
