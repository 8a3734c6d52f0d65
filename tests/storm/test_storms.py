"""Every promise's storm, short: small figures, the portal's waits an eighth, one stage for all.

Other tests may run beside them. Those whose times are judged come last, and wait until whoever holds the file that
WAIT_FOR_FILE names has let go of it.
"""

import fcntl
import os
from collections.abc import Iterator

import pytest

from tests.storm.playing import play
from tests.storm.promises import PROMISES
from tests.storm.stage import DATABASE_URL, Stage, missing, standing
from tests.storm.table import table

pytestmark = [pytest.mark.storm, pytest.mark.timeout(600)]
SCALE = 0.01
HASTE = 8
SEED = 20


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The processes, once for all promises."""
    database_url = os.environ.get("TEST_DATABASE_URL") or DATABASE_URL
    if why := missing(database_url):
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(why)
        pytest.skip(why)
    with standing(database_url=database_url, haste=HASTE) as standing_stage:
        yield standing_stage


@pytest.fixture
def quiet(name: str) -> None:
    """Nothing that runs beside this, where times are judged."""
    if PROMISES[name].is_timed and (path := os.environ.get("WAIT_FOR_FILE")):
        with open(path) as held:
            fcntl.flock(held, fcntl.LOCK_EX)


# Those with settings of their own late and together: each change starts workers anew.
NAMES = sorted(
    PROMISES, key=lambda name: (PROMISES[name].is_timed, PROMISES[name].is_limited, bool(PROMISES[name].settings))
)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", NAMES)
def test_promise_holds_in_a_short_storm(name: str, stage: Stage) -> None:
    result = play(PROMISES[name], stage=stage, scale=SCALE, seed=SEED)
    assert result.holds, "\n" + table([result], notes=[])
