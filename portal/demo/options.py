"""What a person may choose: `make demo PORT=… DATA=… APPS=… WEBHOOKS=… SPEED=…`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.demo.errors import DemoError


@dataclass(frozen=True, kw_only=True)
class Options:
    """The choices of one start."""

    port: int
    data: Path
    apps: Path | None
    webhooks: bool
    speed: float


def read_options(environ: Mapping[str, str]) -> Options:
    """Return the choices that stand in the environment, defaults for the rest."""
    return Options(
        port=_port(environ.get("PORT") or "8000"),
        data=Path(environ.get("DATA") or "var/demo").expanduser().resolve(),
        apps=_folder(environ.get("APPS") or ""),
        webhooks=_switch(environ.get("WEBHOOKS") or "on"),
        speed=_speed(environ.get("SPEED") or "1"),
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise DemoError(f"PORT is {text!r}: give a number from 1 to 65535, for example PORT=8001.")
    return int(text)


def _folder(text: str) -> Path | None:
    if not text:
        return None
    folder = Path(text).expanduser().resolve()
    if not folder.is_dir():
        raise DemoError(f"APPS names {folder}, which is no folder. Give one that holds app files (*.json).")
    return folder


def _switch(text: str) -> bool:
    if text.lower() not in {"on", "off"}:
        raise DemoError(f"WEBHOOKS is {text!r}: give WEBHOOKS=on or WEBHOOKS=off.")
    return text.lower() == "on"


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 1000:
        raise DemoError(f"SPEED is {text!r}: give a number above 0; SPEED=4 makes runs four times as fast.")
    return speed
