"""What every measurement is compared with: a view that says hello, through the portal's own middleware.

A figure taken alone says as much about the machine, and about who else uses it, as about the portal.
So the control is measured before and after each round, and a ratio is taken to the mean of the two.
A machine that changed meanwhile shows in the control, and its run is refused.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from tests.bench.load import Load
    from tests.bench.stage import Stage

# How far apart the fastest and the slowest control of a run may be, as a share of their median.
TOLERANCE = 0.25


def hello(request: HttpRequest) -> HttpResponse:
    """Say hello."""
    return HttpResponse("hello")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One look at the control: how many a second, and the server's time for each."""

    per_second: float
    cpu_seconds: float
    load: Load


@dataclass(kw_only=True)
class Hello:
    """The control of everything that the web server answers."""

    stage: Stage
    requests: int
    samples: list[Sample] = field(default_factory=list)

    def measure(self) -> Sample:
        """Return what the control does now."""
        # Here, because Django loads this module for the view alone.
        from tests.bench import load

        raw = load.request("GET", "/hello/", port=self.stage.ports.web)
        before = self.stage.cpu_seconds("web")
        done = load.flood(self.stage.ports.web, [raw] * self.requests)
        if done.statuses != {200: self.requests}:
            raise AssertionError(f"hello answered {done.statuses}")
        cpu = (self.stage.cpu_seconds("web") - before) / self.requests
        self.samples.append(Sample(per_second=done.per_second, cpu_seconds=cpu, load=done))
        return self.samples[-1]

    @property
    def rates(self) -> list[float]:
        """Return how many a second, look by look."""
        return [sample.per_second for sample in self.samples]


def drift(rates: Sequence[float]) -> float:
    """Return how far apart the fastest and the slowest are, as a share of the median."""
    return (max(rates) - min(rates)) / statistics.median(rates)
