"""The table a storm ends with: a line for each promise, notes below."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from tests.storm.trial import SHOWN, Trial

HEAD = ("promise", "lost", "double", "stuck", "wrong", "time", "verdict", "tried")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one promise."""

    trial: Trial
    words: str
    seconds: float

    @property
    def holds(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.trial.complaints

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the promise's line."""
        found = self.trial.comparison
        counts = [str(len(each)) for each in (found.lost, found.double, found.stuck, found.wrong)]
        return (
            self.trial.name,
            *counts,
            f"{self.seconds:.0f} s",
            "holds" if self.holds else "FAILS",
            self.trial.tried or "not played to its end",
        )


def table(results: Iterable[Result], *, notes: Iterable[str]) -> str:
    """Return the table as Markdown, so that it can be put into a page as it is."""
    results = list(results)
    rows = [HEAD, *(result.cells for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    for result in results:
        lines += [f"\n{result.trial.name}, {result.words}:"] if result.trial.notes or not result.holds else []
        lines += [f"- {note}" for note in result.trial.notes]
        lines += [f"- FAILS: {complaint}" for complaint in result.trial.complaints[:SHOWN]]
        if (left := len(result.trial.complaints) - SHOWN) > 0:
            lines.append(f"- and {left} complaints more")
    return "\n".join([*lines, "", *notes])


def tell(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
