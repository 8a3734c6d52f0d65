"""Every promise's storm, short: small figures, the portal's waits an eighth, one stage for all.

Those whose times are judged are marked `alone`; the others may be spread over several processes, which
have a stage each.
"""

import os
from collections.abc import Iterator

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


# Those with settings of their own last and together: each change starts the workers anew.
NAMES = sorted(PROMISES, key=lambda name: (bool(PROMISES[name].settings), PROMISES[name].is_limited))
CASES = [pytest.param(name, marks=pytest.mark.alone if PROMISES[name].is_timed else ()) for name in NAMES]


@pytest.mark.parametrize("name", CASES)
def test_promise_holds_in_a_short_storm(name: str, stage: Stage) -> None:
    result = play(PROMISES[name], stage=stage, scale=SCALE, seed=SEED)
    assert result.holds, "\n" + table([result], notes=[])
