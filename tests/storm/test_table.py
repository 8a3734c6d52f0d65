"""The table at the end of a storm."""

from types import SimpleNamespace

from tests.storm.__main__ import made_with, read_options
from tests.storm.table import Result, table
from tests.storm.trial import SHOWN, Trial


def a_result(*, failures: int = 0) -> Result:
    """Return what came of a promise, with so many demands not met."""
    trial = Trial(name="R0", stage=SimpleNamespace(), scale=1, seed=1, tried="three things")
    trial.comparison.lost = [f"run {number}" for number in range(failures)]
    return Result(trial=trial, words="nothing happens", seconds=1.6)


def test_table_says_that_a_promise_holds() -> None:
    assert table([a_result()], notes=["A machine."]).splitlines()[2].split("|")[1:-1] == [
        " R0      ", " 0    ", " 0      ", " 0     ", " 0     ", " 2 s  ", " holds   ", " three things "
    ]  # fmt: skip


def test_table_tells_a_few_complaints_and_counts_the_rest() -> None:
    told = table([a_result(failures=SHOWN + 3)], notes=[])
    assert "FAILS" in told
    assert told.count("- FAILS: lost: run") == SHOWN
    assert "and 3 complaints more" in told


def test_table_names_the_commit_and_the_scale() -> None:
    told = table([a_result()], notes=made_with(read_options(["--scale", "0.1"]), commit="Commit 1, and clean."))
    assert "\nCommit 1, and clean.\nMachine: " in told
    assert "Scale 0.1 of the promises' figures" in told
