"""One promise being tried: what was done, what was demanded, and what came of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.storm.ledger import Allowed, Comparison, compare
from tests.storm.processes import wait_until
from tests.storm.stage import NOTE, Stage
from tests.storm.visitor import Answer

SHOWN = 6  # so many complaints of a kind are told; the rest is counted


@dataclass
class Trial:
    """The hands of a promise: forms to send, things to wait for, demands to make."""

    name: str
    stage: Stage
    scale: float
    seed: int
    tried: str = ""
    comparison: Comparison = field(default_factory=Comparison)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = Random(f"{self.seed}:{self.name}")

    def count(self, full: int, *, least: int) -> int:
        """Return a figure of the promise at this scale."""
        return max(least, round(full * self.scale))

    def briefs(self, count: int, *, kind: str = "") -> list[str]:
        """Return so many intents: a sentence each, told apart by its number."""
        return [f"{self.name} {kind}{number:05d}" for number in range(count)]

    def submit(self, briefs: list[str], *, app: str = NOTE, **how: Any) -> dict[str, Answer]:
        """Send a form for each sentence."""
        pin = self.stage.pins[app]
        return self.stage.visitor.send_many(pin, briefs, seed=self.dice.getrandbits(32), **how)

    def demand(self, is_so: object, sentence: str) -> None:
        """Fail the promise with this sentence unless it is so."""
        if not is_so:
            self.failures.append(sentence)

    def note(self, sentence: str) -> None:
        """Say something beside the figures."""
        self.notes.append(sentence)

    def settle(self, *, within: float, but: Callable[[], int] = lambda: 0) -> float:
        """Wait until every run has ended and every output is ours; return the seconds it took.

        `but` says how many runs may stay unsettled. What is not settled in time is found by the
        comparison; here it is only not waited for.
        """
        began = time.monotonic()
        rows = self.stage.rows
        wait_until(
            lambda: rows.unsettled(self.name) <= but() and not rows.uncopied(self.name), seconds=within, pause=0.25
        )
        return time.monotonic() - began

    def compare(self, briefs: list[str], allowed: Allowed | None = None) -> None:
        """Compare the portal's tables with the ledger."""
        self.comparison = compare(
            self.stage.rows.tables(self.name),
            self.stage.lamina.ledger(),
            tag=self.name,
            intents=briefs,
            allowed=allowed or Allowed(),
        )

    @property
    def complaints(self) -> list[str]:
        """Return everything that is wrong."""
        return [*self.failures, *self.comparison.complaints]
