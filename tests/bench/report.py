"""What a measurement gives: figures with their spread, goals met or missed, and words about them."""

from __future__ import annotations

import itertools
import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.control import TOLERANCE, drift

COMPARE = {">=": operator.ge, "<=": operator.le, "=": operator.eq}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure, round by round, and the goal it has, if it has one."""

    name: str
    values: Sequence[float]
    unit: str = ""
    goal: tuple[str, float] | None = None

    @property
    def median(self) -> float:
        """Return the middle one."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool:
        """Return whether the median keeps to the goal; without a goal it does."""
        return self.goal is None or COMPARE[self.goal[0]](self.median, self.goal[1])

    @property
    def spread(self) -> str:
        """Return the least and the most."""
        return f"{shown(min(self.values))} to {shown(max(self.values))}" if len(self.values) > 1 else "one round"

    @property
    def verdict(self) -> str:
        """Return the goal and whether it is met, in words."""
        if self.goal is None:
            return ""
        return f"{self.goal[0]} {shown(self.goal[1])}{self.unit}: {'met' if self.is_met else 'MISSED'}"

    def as_line(self) -> str:
        """Return the figure for a terminal."""
        verdict = f"   {self.verdict}" if self.verdict else ""
        return f"  {self.name:<58} {shown(self.median):>7}{self.unit:<4} ({self.spread}){verdict}"

    def as_row(self) -> str:
        """Return the figure as a row of a table."""
        return f"| {self.name} | {shown(self.median)}{self.unit} | {self.spread} | {self.verdict} |"


@dataclass(kw_only=True)
class Measured:
    """What one measurement came to."""

    name: str
    what: str
    control_name: str
    control: Sequence[float]
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tolerance: float = TOLERANCE

    @property
    def drift(self) -> float:
        """Return how far the control moved."""
        return drift(self.control)

    @property
    def is_refused(self) -> bool:
        """Return whether the machine changed too much meanwhile for the figures to mean anything."""
        return self.drift > self.tolerance

    @property
    def is_met(self) -> bool:
        """Return whether every goal is met."""
        return all(figure.is_met for figure in self.figures)

    @property
    def about_control(self) -> str:
        """Return how steady the control was."""
        steady = (
            f"control ({self.control_name}): {shown(statistics.median(self.control))} a second, "
            f"drifted by {self.drift:.0%} (at most {self.tolerance:.0%})"
        )
        return steady + ("; REFUSED: the machine changed meanwhile, measure again" if self.is_refused else "")

    def as_text(self) -> str:
        """Return all of it for a terminal."""
        lines = [f"{self.name}: {self.what}", *(figure.as_line() for figure in self.figures)]
        return "\n".join([*lines, f"  {self.about_control}", *(f"  {note}" for note in self.notes)])

    def as_markdown(self) -> str:
        """Return all of it as a section of a page."""
        lines = [f"## {self.name.capitalize()}", "", f"{self.what[0].upper()}{self.what[1:]}.", ""]
        lines += ["| figure | median | least to most | goal |", "| --- | --- | --- | --- |"]
        lines += [figure.as_row() for figure in self.figures]
        lines += ["", f"{self.about_control[0].upper()}{self.about_control[1:]}."]
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes), ""])


def shown(number: float) -> str:
    """Return a number with as many digits as mean something."""
    if number == int(number) and abs(number) < 1_000_000:
        return str(int(number))
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.1f}" if abs(number) >= 10 else f"{number:.3f}"


def ratios(numerators: Sequence[float], controls: Sequence[float]) -> list[float]:
    """Return each round to the mean of the control before and after it."""
    pairs = itertools.pairwise(controls)
    return [value / ((before + after) / 2) for value, (before, after) in zip(numerators, pairs, strict=True)]
