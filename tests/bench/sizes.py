"""How much of everything: enough to mean something, or with --quick just enough to see that it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many rounds, and how much in each."""

    rounds: int
    hellos: int
    deliveries: int
    paced_seconds: float
    polls: int
    pages: int
    watch_seconds: float
    nothings: int
    runs: int
    bare_runs: int
    budget_calls: int
    budget_window: float
    warm_runs: int
    many_runs: int


FULL = Sizes(
    rounds=5,
    hellos=4000,
    deliveries=800,
    paced_seconds=5,
    polls=800,
    pages=200,
    watch_seconds=20,
    nothings=1000,
    runs=200,
    bare_runs=400,
    budget_calls=160,
    budget_window=60,
    warm_runs=500,
    many_runs=5000,
)
QUICK = Sizes(
    rounds=1,
    hellos=200,
    deliveries=40,
    paced_seconds=0.5,
    polls=40,
    pages=20,
    watch_seconds=5,
    nothings=40,
    runs=8,
    bare_runs=8,
    budget_calls=64,
    budget_window=2,
    warm_runs=10,
    many_runs=20,
)
