"""The page of results: docs/benchmarks.md, with the commit and the machine they were taken on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.report import Measured
from tests.bench.sizes import FULL, Sizes

PACKAGES = ("Django", "granian", "celery", "kombu", "redis", "psycopg", "httpx")
HEAD = """# Benchmarks

Written by `make bench ARGS=--write`; read by nobody's program. Every figure is a median of rounds with the least and
the most beside it. Between the rounds a control is measured, and a ratio is taken to the mean of the controls before
and after it; a run whose control drifts further than it says is refused. Server, load generator, database and broker
share one machine, so that a rate alone says little: the ratios, and the CPU time of the server's processes (user and
system), say more. A measurement that has no section was not taken yet, or was refused.

Rates are those of the Python that is named with them, too. Take them with one that was built with optimisation, as the
image's and Debian's are (`make bench PYTHON=/usr/bin/python3` where there is no .venv yet): one that was built by hand
without it settled a quarter fewer runs a second on the same machine.
"""


def write(page: Path, found: Sequence[Measured], *, sizes: Sizes, commit: str) -> None:
    """Write these results, and keep what the page has of other measurements."""
    kept = sections(page.read_text()) if page.exists() else {}
    when = f"\nTaken on {datetime.now(UTC):%d %B %Y}, {sizes.rounds} rounds. {commit} {machine()}\n"
    if sizes != FULL:
        when += "\n**Scaled down**: fewer rounds or smaller ones than `make bench` takes by itself.\n"
    for each in found:
        kept[each.name] = each.as_markdown() + when
    page.write_text("\n".join([HEAD, *kept.values()]))


def sections(text: str) -> dict[str, str]:
    """Return a page's sections by their names."""
    parts = text.split("\n## ")[1:]
    return {part.split("\n", 1)[0].lower(): f"## {part.rstrip()}\n" for part in parts}


def machine() -> str:
    """Describe where this runs: processor, memory, kernel, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    servers = ", ".join(filter(None, [program("postgres --version", "psql --version"), program("redis-server -v")]))
    return (
        f"Machine: {processor()}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()} of {sys.base_prefix}, {packages}; {servers or 'no servers of its own'}."
    )


def processor() -> str:
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def program(*commands: str) -> str:
    """Return what the first of these that is installed says of itself."""
    for command in commands:
        try:
            said = subprocess.run(command.split(), capture_output=True, text=True, check=True, timeout=10).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        return said.strip().splitlines()[0]
    return ""
