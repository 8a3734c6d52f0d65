"""The stand-in answers as its own OpenAPI document says, whatever it is asked."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lamina_integration.sandbox import Sandbox
from tests.lamina_integration.sandbox.conftest import CARTOONIFY, KEYS

# Left out of what is asked: a copy is of whatever host the address names, and none can be reached in a test.
EXCLUDED = ("transfer",)
# All of the tool's checks, with three exceptions. What a query has too much of is brought within bounds, and what is
# no number there counts as not sent, so only bodies are to be refused. A body that is as described may be refused
# all the same where more than its shape decides: an app's or a model's own parameters, or how the run stands. And a
# run that was started need not be in the next answer: the tool looks for it by guesses at what belongs together.
CONFIGURATION = """
max-failures = 20
[cache]
enabled = false
[checks]
ensure_resource_availability.enabled = false
[[operations]]
include-method = "GET"
checks.negative_data_rejection.enabled = false
[[operations]]
include-path = [
    "/v1/apps/{appId}/runs", "/v1/content/run", "/v1/generate/image", "/v1/generate/video", "/v1/runs/{runId}/feedback",
]
checks.positive_data_acceptance.enabled = false
"""
# For a description by somebody else: it does not name what the stand-in takes besides (any null, and blank addresses)
# nor what it refuses besides (blank briefs, posts without anything in them).
LENIENT = "[checks]\nnegative_data_rejection.enabled = false\npositive_data_acceptance.enabled = false"


@pytest.fixture
def busy() -> Iterator[Sandbox]:
    """A stand-in in which some runs have ended and one goes on."""
    with Sandbox(manual=True, limit=0, plain_media=True, keys=KEYS) as lamina:
        yield lamina


def described(lamina: Sandbox) -> dict[str, Any]:
    """Return the document with ids of runs that are there, which nobody could guess."""
    with httpx.Client(base_url=lamina.url, headers={"x-api-key": KEYS[0]}) as api:

        def start(path: str, **body: Any) -> str:
            return str(api.post(path, json=body).json()["data"]["runId"])

        recipe = {"modality": "image", "variants": [{"prompt": "A mug"}]}
        completed = start(f"/v1/apps/{CARTOONIFY}/runs", inputs={"Style": "Ghibli"})
        freestyle = start("/v1/content/run", mode="freestyle", freestyleRecipe=recipe)
        model = start("/v1/generate/image", model="ideogram-v3", prompt="A mug")
        lamina.finish()
        asset = api.get("/v1/assets").json()["data"][0]["id"]
        going_on = start(f"/v1/apps/{CARTOONIFY}/runs", inputs={"Style": "Ghibli"})
        document: dict[str, Any] = api.get("/openapi.json").json()
    known = {
        "/v1/freestyle/{runId}": [freestyle],
        "/v1/generate/runs/{runId}": [model],
        "/v1/assets/{assetId}": [asset],
        "/v1/runs/{runId}/feedback": [completed],
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["name"] in ("runId", "assetId") and parameter["in"] == "path":
                    ids = known.get(path, [completed, going_on])
                    parameter["examples"] = {str(number): {"value": each} for number, each in enumerate(ids)}
    return document


def held_to(lamina: Sandbox, document: Path, *, excluded: tuple[str, ...], examples: int, lenient: bool = False) -> str:
    """Ask the stand-in everything a document describes; return what was said, once nothing was wrong with it."""
    lamina.set(manual=False, speed=100)  # a wait of two minutes takes a second
    folder = document.parent
    (folder / "schemathesis.toml").write_text(CONFIGURATION.replace("[checks]", LENIENT) if lenient else CONFIGURATION)
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", document.name),
            *("--url", lamina.url, "--header", f"x-api-key: {KEYS[0]}"),
            # Most of what covers a description is what it does not allow.
            *("--phases", "examples,fuzzing,stateful" if lenient else "examples,coverage,fuzzing,stateful"),
            *("--max-examples", str(examples), "--seed", "1"),
            *("--request-timeout", "30", "--no-color", "--no-shrink"),
            *(word for name in excluded for word in ("--exclude-operation-id", name)),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-6000:] + finished.stderr[-2000:]
    return finished.stdout


@pytest.mark.timeout(150)
def test_every_operation_answers_as_its_document_says(busy: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(described(busy)))
    assert "Tested: 46" in held_to(busy, tmp_path / "openapi.json", excluded=EXCLUDED, examples=2)


# The stand-in's own document may be wrong with it. Who has a description that somebody else wrote names it.
if os.environ.get("LAMINA_OPENAPI"):

    @pytest.mark.timeout(300)
    def test_every_operation_answers_as_lamina_s_own_description_says(busy: Sandbox, tmp_path: Path) -> None:
        shutil.copy(os.environ["LAMINA_OPENAPI"], tmp_path / "openapi.yaml")
        # Of a stream it says that it is text, which the tool takes for what each event is.
        said = held_to(busy, tmp_path / "openapi.yaml", excluded=("streamRun",), examples=2, lenient=True)
        assert "Tested: 46" in said
