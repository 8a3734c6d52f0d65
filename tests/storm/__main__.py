"""`make storm`: try the promises and print the table; the status is 1 when one does not hold.

make storm                                  every promise, with the promise's own figures
make storm ARGS="R1 R5"                     only these
make storm ARGS="--scale 0.1"               a tenth of the figures
make storm ARGS="--list"
"""

import argparse
import os
import platform
import signal
import sys
import time
from pathlib import Path

from tests.commit import commit_words
from tests.storm.playing import play
from tests.storm.processes import StageError
from tests.storm.promises import PROMISES
from tests.storm.stage import DATABASE_URL, missing, standing
from tests.storm.table import Result, table, tell
from tests.storm.trial import SHOWN

SEED = 20


def main(arguments: list[str]) -> int:
    """Play the chosen promises; return 0 when all hold, 1 when one does not, 2 when none could be tried."""
    options = read_options(arguments)
    if options.list:
        for promise in PROMISES.values():
            tell(f"{promise.name:4} {promise.words}")
        return 0
    database_url = os.environ.get("TEST_DATABASE_URL") or DATABASE_URL
    if why := missing(database_url):
        tell(why)
        return 2
    commit = commit_words()  # what is tried, whatever is checked out by the end
    chosen = [PROMISES[name] for name in options.promises or PROMISES]
    results: list[Result] = []
    failed = True
    began = time.monotonic()
    try:
        with standing(
            database_url=database_url, haste=options.haste, keep_data=lambda: options.keep and failed
        ) as stage:
            tell(f"The stage stands after {time.monotonic() - began:.0f} s; its data: {stage.data}")
            for promise in chosen:
                tell(f"{promise.name}: {promise.words} ...")
                results.append(play(promise, stage=stage, scale=options.scale, seed=options.seed))
                tell(f"    {'holds' if results[-1].holds else 'FAILS'} after {results[-1].seconds:.0f} s")
                for complaint in results[-1].trial.complaints[:SHOWN]:
                    tell(f"    {complaint}")
            failed = not all(result.holds for result in results)
    except StageError as error:
        tell(str(error))
        return 2
    tell("\n" + table(results, notes=made_with(options, commit=commit)))
    if failed and options.keep:
        tell(f"\nData and logs stay in {stage.data}")
    return 1 if failed else 0


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make storm ARGS=", description="Try the promises about runs.")
    parser.add_argument("promises", nargs="*", metavar="R1", choices=[[], *PROMISES], help="which (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the promises' figures (default: 1)")
    parser.add_argument("--haste", type=float, default=1.0, help="divides the portal's own waits (default: 1)")
    parser.add_argument("--seed", type=int, default=SEED, help="of everything that is drawn (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="show the promises and end")
    parser.add_argument("--keep", action="store_true", help="keep the data folder with its logs when one fails")
    return parser.parse_args(arguments)


def made_with(options: argparse.Namespace, *, commit: str) -> list[str]:
    """Return what the table was made with: without it the figures say little."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    lines = [
        commit,
        f"Machine: {os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}; everything on it,"
        f" the stand-in and the storm itself included; load at the end {os.getloadavg()[1]:.1f}.",
        f"Scale {options.scale:g} of the promises' figures, seed {options.seed}, the portal's own waits "
        + ("as they are." if options.haste == 1 else f"divided by {options.haste:g}."),
    ]
    return lines


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[2])
    # Whoever ends a storm wants its processes and its database gone, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
