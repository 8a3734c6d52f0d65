"""What is fixed when the stand-in starts; what may change while it runs is in knobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lamina_integration.sandbox.knobs import Knobs
from lamina_integration.sandbox.scenario import Scenario

DEFAULT_KEY = "lma_sandbox_key"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the stand-in listens and keeps its files, who may call it, and how it behaves at first."""

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str | None = None
    data: Path | None = None
    apps: tuple[Path, ...] = ()
    builtin_apps: bool = True
    keys: tuple[str, ...] = (DEFAULT_KEY,)
    credits: float = 5000.0
    log_level: str = "warning"
    makes_apart: bool = False  # media in a process of its own: a server's memory goes back to what it was
    scenario: Scenario = field(default_factory=Scenario)
    knobs: Knobs = field(default_factory=Knobs)
