"""The benchmarks work: each measures something and prints its ratios. How fast it was is not tested here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.bench.__main__ import MEASUREMENTS
from tests.bench.budget import allowed_in, fullest
from tests.bench.control import drift
from tests.bench.page import sections, write
from tests.bench.polls import pace_of
from tests.bench.report import Figure, Measured, ratios
from tests.bench.sizes import FULL

ROOT = Path(__file__).resolve().parents[2]


def a_measurement(**changes: object) -> Measured:
    """Return what came of measuring something."""
    figure = Figure(name="to hello's", values=[0.1, 0.2, 0.3], goal=(">=", 0.15))
    values = {"name": "polls", "what": "open pages", "control_name": "hello", "control": [100.0], "figures": [figure]}
    return Measured(**{**values, **changes})  # type: ignore[arg-type]


def test_ratio_is_taken_to_the_controls_before_and_after() -> None:
    assert ratios([10, 30], [50, 150, 450]) == [0.1, 0.1]


def test_control_that_drifts_refuses_the_run() -> None:
    assert drift([90, 100, 110]) == pytest.approx(0.2)
    assert not a_measurement(control=[90.0, 100.0, 110.0]).is_refused
    drifted = a_measurement(control=[70.0, 100.0, 110.0])
    assert drifted.is_refused
    assert "REFUSED" in drifted.as_text()


def test_goal_is_held_to_the_median() -> None:
    figure = Figure(name="share", values=[0.1, 0.2, 0.9], goal=(">=", 0.15))
    assert figure.is_met
    assert figure.verdict == ">= 0.150: met"
    assert "MISSED" in Figure(name="share", values=[0.1], goal=(">=", 0.15)).verdict


def test_page_keeps_the_results_of_other_measurements(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    write(page, [a_measurement(), a_measurement(name="memory")], sizes=FULL, commit="Commit 1.")
    write(page, [a_measurement(what="pages anew")], sizes=FULL, commit="Commit 2.")
    kept = sections(page.read_text())
    assert list(kept) == ["polls", "memory"]
    assert "Pages anew." in kept["polls"]
    assert "Open pages." in kept["memory"]
    assert "0.200 | 0.100 to 0.300 | >= 0.150: met |" in kept["polls"]
    assert "Python" in kept["memory"]
    assert "rounds. Commit 2. Machine" in kept["polls"]
    assert "rounds. Commit 1. Machine" in kept["memory"]


def test_second_is_held_to_its_part_of_the_limit() -> None:
    assert allowed_in(1, window=10) == 10
    assert allowed_in(1, window=60) == 2
    assert allowed_in(10 / 60, window=10) == 2


def test_fullest_second_may_begin_anywhere() -> None:
    assert fullest([0.0, 0.9, 1.0, 1.1, 1.8, 2.0], seconds=1) == 4
    assert fullest([0.0, 0.9, 1.0, 1.1, 1.8, 2.0], seconds=0.15) == 2


def test_pace_is_read_from_the_part_that_is_polled() -> None:
    credits = '<div id="credits" hx-trigger="every 5s, portal:visible"></div>'
    part = '<section class="run-progress" id="run-progress" hx-trigger="every 10s, portal:visible"></section>'
    assert pace_of((credits + part).encode()) == 10
    with pytest.raises(AssertionError, match="without a timer"):
        pace_of(b'<section id="run-progress"></section>' + credits.encode())


@pytest.mark.once
@pytest.mark.processes
@pytest.mark.timeout(300)
def test_quick_measurements_print_their_ratios() -> None:
    on_postgres = "sqlite" not in settings.DATABASES["default"]["ENGINE"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--tolerance", "100"],
        cwd=ROOT,
        # The broker is the embedded one: other tests may use the machine's.
        env={
            **os.environ,
            "BENCH_DATABASE_URL": os.environ["DATABASE_URL"] if on_postgres else "sqlite",
            "BENCH_REDIS_URL": "embedded",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    assert "least to most" not in done.stdout
    results = re.split(rf"^({'|'.join(MEASUREMENTS)}): ", done.stdout, flags=re.MULTILINE)
    assert results[1::2] == list(MEASUREMENTS), done.stdout + done.stderr
    for result in results[2::2]:
        assert "met" in result or "MISSED" in result
        assert "drifted by" in result
