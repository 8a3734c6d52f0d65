"""Every promise's storm, short: small figures, the portal's waits an eighth, one stage for all.

They may be spread over several processes, which have a stage each. Those whose times are judged come last,
and each of them waits until no other is played, and keeps the others waiting.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storm.playing import play
from tests.storm.promises import PROMISES
from tests.storm.stage import DATABASE_URL, PORTS, Stage, missing, standing
from tests.storm.table import table

pytestmark = [pytest.mark.storm, pytest.mark.timeout(300)]
SCALE = 0.01
HASTE = 8
SEED = 20
PORTS_A_STAGE = 20


@pytest.fixture(scope="module")
def stage(worker_id: str) -> Iterator[Stage]:
    """The processes, once for all promises."""
    database_url = os.environ.get("TEST_DATABASE_URL") or DATABASE_URL
    if why := missing(database_url):
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(why)
        pytest.skip(why)
    # pytest-xdist's processes are gw0, gw1 and so on; two that looked for free ports at once could find the same.
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    ports = PORTS[number * PORTS_A_STAGE : (number + 1) * PORTS_A_STAGE]
    with standing(database_url=database_url, haste=HASTE, ports=ports) as standing_stage:
        yield standing_stage


@pytest.fixture
def turn(name: str, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The stage's turn, beside those of other processes or before and after them."""
    with (folder_of_all(tmp_path_factory) / "playing").open("w") as playing:
        fcntl.flock(playing, fcntl.LOCK_EX if PROMISES[name].is_timed else fcntl.LOCK_SH)
        yield


def folder_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of this run have in common: pytest-xdist gives each one within it."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


# Those with settings of their own late and together: each change starts the workers anew.
NAMES = sorted(
    PROMISES, key=lambda name: (PROMISES[name].is_timed, bool(PROMISES[name].settings), PROMISES[name].is_limited)
)


@pytest.mark.usefixtures("turn")
@pytest.mark.parametrize("name", NAMES)
def test_promise_holds_in_a_short_storm(name: str, stage: Stage) -> None:
    result = play(PROMISES[name], stage=stage, scale=SCALE, seed=SEED)
    assert result.holds, "\n" + table([result], notes=[])
