"""Answers with something odd in them, and media nobody should read to the end."""

import json

import httpx

from lamina_integration.sandbox import Sandbox
from lamina_integration.sandbox.knobs import Dice
from lamina_integration.sandbox.oddities import ODD, oddly
from tests.lamina_integration.sandbox.conftest import run_of, started

RUN = {"runId": "1", "status": "running", "outputs": [{"id": "a", "value": None}, {"id": "b", "value": "x"}]}


def test_oddly_changes_one_place_and_leaves_the_original_alone() -> None:
    before = json.dumps(RUN)
    dice = Dice(seed=3)
    odd = [oddly(RUN, dice) for _ in range(200)]
    assert json.dumps(RUN) == before
    assert sum(each != RUN for each in odd) > 190  # to put a null where there was one is no change
    assert {name for name in RUN if any(each[name] != RUN[name] for each in odd)} == RUN.keys()


def test_oddly_falls_the_same_way_for_the_same_seed() -> None:
    first, second = Dice(seed=3), Dice(seed=3)
    assert [oddly(RUN, first) for _ in range(20)] == [oddly(RUN, second) for _ in range(20)]


def test_nothing_odd_is_a_state_of_a_run() -> None:
    assert not {"queued", "running", "completed", "failed", "cancelled"} & {
        each for each in ODD if isinstance(each, str)
    }


def test_odd_answers_are_still_json_of_their_length_and_only_about_runs(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api)
    sane = run_of(api, run_id)
    lamina.set(odd_answers=1.0)
    answers = [api.get(f"/v1/runs/{run_id}") for _ in range(20)]
    assert all(answer.status_code == 200 for answer in answers)
    assert any(answer.json() != {"data": sane} for answer in answers)
    assert api.get("/v1/account/usage").json()["data"]
    lamina.set(odd_answers=0.0)
    assert run_of(api, run_id) == sane


def test_huge_media_announces_its_size_and_endless_media_does_not(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api)
    lamina.finish()
    url = run_of(api, run_id)["outputs"][0]["value"]
    for fault, length in (("huge", str(2 * 1024**3)), ("endless", None)):
        lamina.set(media_fault=fault)
        with httpx.stream("GET", url) as answer:
            assert answer.headers.get("Content-Length") == length
            assert len(next(answer.iter_raw())) > 0
