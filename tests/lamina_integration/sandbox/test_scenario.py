"""Scenarios: what befalls which runs, as a file has it."""

from pathlib import Path

import httpx
import pytest

from lamina_integration.sandbox import Sandbox, scenario
from lamina_integration.sandbox.knobs import KnobError, Knobs
from tests.lamina_integration.sandbox.conftest import ALWAYS_FAILS, CARTOONIFY, run_of, started


def test_rules_befall_the_runs_they_are_about(tmp_path: Path) -> None:
    path = tmp_path / "storm.toml"
    path.write_text(f"""
        seed = 3
        [knobs]
        plain_media = true
        [[rules]]
        app = "{CARTOONIFY}"
        starts = [2]
        fail = "Out of paint"
        [[rules]]
        starts = [4]
        lose_answer = true
    """)
    with Sandbox(scenario=path, manual=True) as lamina:
        api = httpx.Client(base_url=lamina.url, headers={"x-api-key": lamina.api_key})
        runs = [started(api) for _ in range(3)]
        with pytest.raises(httpx.RemoteProtocolError):
            started(api, ALWAYS_FAILS, inputs={})
        lamina.finish()
        assert [run_of(api, run_id)["errorMessage"] for run_id in runs] == [None, "Out of paint", None]
        assert [start["answered"] for start in lamina.ledger()["starts"]] == [True, True, True, False]
        api.close()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a = ", "not TOML"),
        ("storm = 1", "unknown storm; known are seed, knobs and rules"),
        ("[[rules]]\nfail = 1", "rule 1: fail cannot be 1"),
        ("[[rules]]\nweather = 'bad'", "rule 1: unknown 'weather'"),
        ("[[rules]]\napp = 'a'", "rule 1 does nothing"),
    ],
)
def test_broken_scenario_gives_one_line_with_its_name(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "storm.toml"
    path.write_text(text)
    with pytest.raises(scenario.ScenarioError) as caught:
        scenario.read(path)
    assert str(caught.value).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize(
    "changes",
    [
        {"speeed": 1.0},
        {"speed": 0},
        {"lost_answers": 1.5},
        {"webhooks": 1},
        {"limit": -1},
        {"media_fault": "burnt"},
        {"fail_apps": {"a": 1}},
        {"webhook_states": "completed"},
    ],
)
def test_knob_that_does_not_fit_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(KnobError):
        Knobs().changed(changes)
