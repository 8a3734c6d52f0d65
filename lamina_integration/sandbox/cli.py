"""The command line of the stand-in."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import MISSING, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lamina_integration.sandbox import scenario
from lamina_integration.sandbox.catalogue import AppFileError
from lamina_integration.sandbox.knobs import CHOICES, PROBABILITY, KnobError, Knobs
from lamina_integration.sandbox.legacy import SWITCHES
from lamina_integration.sandbox.scenario import ScenarioError
from lamina_integration.sandbox.server import Server
from lamina_integration.sandbox.settings import DEFAULT_KEY, Settings

# What makes the media is only loaded by the process that makes them, which would be late to find it missing.
MAKERS = {"PIL": "Pillow", "av": "av"}

EPILOG = f"""\
words of --legacy (several with commas between them):
{chr(10).join(f"  {word:19} {line}" for word, line in SWITCHES.items())}

Every knob may also be turned while it runs: PATCH /_sandbox/knobs with a JSON object.
GET /_sandbox/ledger tells everything the stand-in was asked and did.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stand-in until it is stopped; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if missing := [package for module, package in MAKERS.items() if find_spec(module) is None]:
        return _complain(f"its media need {' and '.join(missing)}: pip install {' '.join(missing)}")
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("lamina.sandbox").setLevel(options.log_level.upper())
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = _settings(options)
    except (KnobError, ScenarioError) as error:
        return _complain(str(error))
    try:
        asyncio.run(_serve(settings))
    except (AppFileError, ValueError) as error:
        return _complain(str(error))
    except OSError as error:
        where = error.filename or f"{settings.host}:{settings.port}"
        return _complain(f"{where}: {(error.strerror or str(error)).lower()}")
    except KeyboardInterrupt:  # pressed before the server took the signal over
        return 130
    return 0


async def _serve(settings: Settings) -> None:
    await Server(settings, on_start=_announce).run_until_stopped()


def _announce(server: Server) -> None:
    print(f"Lamina stand-in at {server.url}", flush=True)  # noqa: T201 - whoever started it reads the address here


def _complain(message: str) -> int:
    print(f"lamina sandbox: {message}", file=sys.stderr)  # noqa: T201
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lamina_integration.sandbox",
        description="Play Lamina's HTTP API on this machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--public-url", help="the address others reach it at, if not the one it listens at")
    parser.add_argument("--data", type=Path, help="keep media, uploads, runs and keys in this folder")
    parser.add_argument(
        "--apps", type=Path, action="append", default=[], help="a further folder of app files; repeatable"
    )
    parser.add_argument("--scenario", type=Path, help="a TOML file of knobs, and of rules for what befalls runs")
    parser.add_argument("--no-builtin-apps", action="store_true", help="offer only the apps of --apps")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        help=f"KEY or KEY=workspace to let in; repeatable (default: {DEFAULT_KEY})",
    )
    parser.add_argument(
        "--credits", type=float, default=5000.0, help="each workspace's at the start (default: %(default)s)"
    )
    parser.add_argument("--log-level", default="warning", choices=["debug", "info", "warning", "error"])
    knobs = parser.add_argument_group("knobs")
    for knob in fields(Knobs):
        default = knob.default if knob.default is not MISSING else None
        if default is not None and knob.name != "down":
            _add_knob(knobs, knob.name, default, is_probability=knob.metadata == PROBABILITY)
    return parser


def _add_knob(group: Any, name: str, default: Any, *, is_probability: bool) -> None:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(default, bool):
        group.add_argument(flag, dest=name, choices=["on", "off"], help=f"(default: {'on' if default else 'off'})")
    elif isinstance(default, tuple):
        group.add_argument(flag, dest=name, metavar="A,B", help=f"(default: {','.join(map(str, default)) or 'none'})")
    else:
        kind = "probability, " if is_probability else ""
        group.add_argument(
            flag,
            dest=name,
            type=type(default),
            choices=CHOICES.get(name),
            metavar=None if name in CHOICES else name.upper(),
            help=f"({kind}default: {default!r})",
        )


def _settings(options: argparse.Namespace) -> Settings:
    turned: dict[str, Any] = {}
    for knob in fields(Knobs):
        if not hasattr(options, knob.name):
            continue
        value = getattr(options, knob.name)
        if value is None:  # not given: what the scenario says, or the default
            continue
        if isinstance(knob.default, bool):
            value = value == "on"
        elif isinstance(knob.default, tuple):
            words = [word for word in value.split(",") if word]
            value = [float(word) for word in words] if knob.name == "webhook_retry_seconds" else words
        turned[knob.name] = value
    script = scenario.read(options.scenario) if options.scenario else scenario.Scenario()
    return Settings(
        host=options.host,
        port=options.port,
        public_url=options.public_url,
        data=options.data,
        apps=tuple(options.apps),
        builtin_apps=not options.no_builtin_apps,
        keys=tuple(options.key) or (DEFAULT_KEY,),
        credits=options.credits,
        log_level=options.log_level,
        makes_apart=True,
        scenario=script,
        knobs=Knobs().changed(script.knobs).changed(turned),
    )
