"""Measure what was asked for, or everything: `make bench ARGS="deliveries polls"`.

Ends with 0 when every goal is met, 1 when one is missed, 2 when a run is refused because its control
drifted: then nothing is known, and it is to be measured again on a machine that is left alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench.control import TOLERANCE
from tests.bench.performing import measured
from tests.bench.report import Measured
from tests.bench.sizes import FULL, QUICK
from tests.commit import commit_words
from tests.storm.processes import StageError

MEASUREMENTS = ("deliveries", "polls", "settling", "budget", "memory")
PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "benchmarks.md"


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and say how it went."""
    options = read(arguments)
    sizes = QUICK if options.quick else FULL
    if options.rounds:
        sizes = replace(sizes, rounds=options.rounds)
    if options.quick:
        tell("Quick: sizes are so small that the figures mean nothing.")
    commit = commit_words()  # what is measured, whatever is checked out by the end
    found: list[Measured] = []
    names = options.names or MEASUREMENTS
    for together in [names] if options.quick else [[name] for name in names]:
        tell(f"Measuring {', '.join(together)} ...")
        try:
            new = [replace(each, tolerance=options.tolerance) for each in measured(together, sizes)]
        except StageError as error:
            tell(str(error))
            return 2
        for each in new:
            tell(each.as_text())
        found += new
    if any(each.is_refused for each in found):
        tell("Refused: a control drifted beyond the tolerance.")
        return 2
    if options.write:
        from tests.bench import page

        page.write(PAGE, found, sizes=sizes, commit=commit)
        tell(f"Written: {PAGE}")
    return 0 if all(each.is_met for each in found) else 1


def read(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(MEASUREMENTS)}; all of them without")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, to see that it works")
    parser.add_argument("--rounds", type=int, help="how often each is repeated")
    parser.add_argument("--write", action="store_true", help="write the results into docs/benchmarks.md")
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="how far a control may drift (default %(default)s)"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(MEASUREMENTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    return options


def tell(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
