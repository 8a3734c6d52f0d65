"""Older shapes behind switches: what each changes, and that the client reads it all the same."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from lamina_integration import (
    By,
    LaminaClient,
    LaminaInvalidInputs,
    LaminaNotFound,
    LaminaRateLimited,
    RemoteRun,
)
from lamina_integration.sandbox import Sandbox
from lamina_integration.sandbox.cli import _parser
from lamina_integration.sandbox.knobs import KnobError, Knobs
from lamina_integration.sandbox.legacy import SWITCHES
from lamina_integration.webhooks import verify
from tests.lamina_integration.sandbox.conftest import CARTOONIFY, KEYS, PREMIUM, Callback, run_of
from tests.lamina_integration.test_readme import README

INPUTS = {"Style": "Ghibli"}
BRIEF = "A cartoon portrait in the Ghibli style"
PLAN = {"brief": "Catalogue views of a garment in the studio"}


@pytest.fixture
def client(lamina: Sandbox) -> Iterator[LaminaClient]:
    with LaminaClient(base_url=lamina.url, api_key=KEYS[0]) as one:
        yield one


class Stage:
    """A stand-in with one switch on, and everybody who asks it."""

    def __init__(self, lamina: Sandbox, api: httpx.Client, client: LaminaClient, callback: Callback) -> None:
        self.lamina, self.api, self.client, self.callback = lamina, api, client, callback

    def posted(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.api.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json()["data"])

    def refused(self) -> httpx.Response:
        return self.api.post(f"/v1/apps/{CARTOONIFY}/runs", json={"inputs": {"Style": "None"}})

    def ended(self) -> str:
        """Return a run that has ended."""
        run_id = self.client.runs.start(CARTOONIFY, INPUTS).run_id
        self.lamina.finish()
        return run_id

    def delivered(self, start: Callable[[], Any]) -> tuple[dict[str, str], dict[str, Any], RemoteRun]:
        """Return what a run was delivered as, and what it is read as."""
        start()
        self.lamina.finish()
        headers, body = self.callback.received[-1]
        keys = self.client.webhooks.signing_keys()
        return headers, json.loads(body), verify(headers=headers, body=body, keys=keys).run


@pytest.fixture
def stage(lamina: Sandbox, api: httpx.Client, client: LaminaClient, callback: Callback) -> Stage:
    return Stage(lamina, api, client, callback)


def old_paths(on: Stage) -> None:
    for start, runs in (
        (f"/api/apps/{CARTOONIFY}/executions", "/api/executions"),
        (f"/v1/apps/{CARTOONIFY}/executions", "/v1/executions"),
    ):
        told = on.posted(start, inputs=INPUTS)
        assert "runId" not in told
        run = RemoteRun.model_validate(on.api.get(f"{runs}/{told['executionId']}").json()["data"])
        assert (run.run_id, run.status) == (told["executionId"], "queued")
    on.lamina.complete(run.run_id)
    assert on.api.get(f"/v1/executions/{run.run_id}/wait").json()["data"]["status"] == "completed"
    assert on.api.get(f"/api/apps/{CARTOONIFY}/workflow").json()["data"]["nodes"]
    assert on.api.get("/api/webhooks/signing-key").json()["keys"]
    assert len(on.posted("/v1/compound/brief", goal="Sell mugs", count=1)["concepts"]) == 1
    assert on.client.runs.get(run.run_id).run_id == run.run_id, "the present paths are as they are"


def execution_id(on: Stage) -> None:
    webhook = {"webhook": on.callback.url}
    headers, told, run = on.delivered(lambda: on.client.runs.start(CARTOONIFY, INPUTS, **webhook))
    run_id = run.run_id
    assert told["data"]["executionId"] == headers["X-Lamina-Webhook-Request-Id"] == run_id
    for answer in (
        on.api.get(f"/v1/runs/{run_id}"),
        on.api.post(f"/v1/runs/{run_id}/cancel"),
        on.api.post(f"/v1/runs/{run_id}/feedback", json={"feedback": "Warmer"}),
    ):
        assert answer.json()["data"]["executionId"] == run_id
        assert "runId" not in answer.text
    assert on.client.runs.cancel(run_id) == "completed"
    assert on.client.runs.feedback(run_id, "Colder").run_id == run_id
    assert [each.run_id for each in on.client.runs.list().items] == [run_id]
    assert [each.run_id for each in on.client.runs.follow(run_id, by=By.STREAM)] == [run_id]


def required(on: Stage) -> None:
    app = on.client.apps.get(PREMIUM)
    (word,) = on.api.get("/_sandbox/knobs").json()["legacy"]
    assert {parameter.required for parameter in app.parameters} == {word == "required-true"}
    missing = [parameter.key for parameter in app.parameters if not parameter.has_default]
    with pytest.raises(LaminaInvalidInputs) as refused:
        on.client.runs.start(PREMIUM, {})
    assert list(refused.value.by_parameter) == missing


def option_objects(on: Stage) -> None:
    told = on.api.get(f"/v1/apps/{CARTOONIFY}").json()["data"]["parameters"]
    (style,) = [each for each in told if each["name"] == "Style"]
    assert set(style["options"][0]) == {"value", "label", "description"}
    (read,) = [each for each in on.client.apps.get(CARTOONIFY).parameters if each.name == "Style"]
    assert read.options[2] == "Disney / Pixar"
    assert on.client.runs.start(CARTOONIFY, {"Style": read.options[2]}).run_id


def app_capabilities(on: Stage) -> None:
    detail = on.client.apps.get_detail(CARTOONIFY)
    assert ("outputs" in detail, detail["capabilities"]["produces"]) == (False, ["image"])
    assert on.client.apps.get(CARTOONIFY).outputs == ()


def publish_docs(on: Stage) -> None:
    channel = on.client.publishing.channels()[0].id
    told = on.posted("/v1/publishing/publish", accountIds=[channel, "none"], caption="New.")
    assert ([each["status"] for each in told["results"]], "summary" in told) == (["published", "failed"], False)
    published = on.client.publishing.publish([channel, "none"], caption="New.")
    assert (published.succeeded, published.failed) == (1, 1)


def transfer_docs(on: Stage) -> None:
    source = f"{on.lamina.url}/samples/product.jpg"
    assert set(on.posted("/v1/publishing/transfer-asset", sourceUrl=source, mediaType="image")) == {"url"}
    assert on.client.publishing.transfer_asset(source, media_type="image").url


def output_url(on: Stage) -> None:
    run_id = on.ended()
    (output,) = run_of(on.api, run_id)["outputs"]
    assert "value" not in output
    assert on.client.runs.get(run_id).outputs[0].value == output["url"]


def failed_outputs(on: Stage) -> None:
    on.lamina.set(output_errors=1.0)
    run_id = on.ended()
    (output,) = run_of(on.api, run_id)["outputs"]
    assert (output["status"], output["type"]) == ("failed", "pending")
    assert on.client.runs.get(run_id).outputs[0].status == "error"


def artifacts(on: Stage) -> None:
    run = run_of(on.api, on.ended())
    assert run["artifacts"][0] | {"id": run["outputs"][0]["id"]} == run["artifacts"][0]
    assert "canChainAs" in run["artifacts"][0]
    assert "canChainAs" not in run["outputs"][0]
    assert on.client.runs.get(run["runId"]).outputs[0].is_usable


def bare_webhooks(on: Stage) -> None:
    _, told, run = on.delivered(
        lambda: on.client.models.generate_image("ideogram-v3", prompt="A mug", webhook_url=on.callback.url)
    )
    assert told["runId"] == run.run_id
    assert run.outputs[0].value == told["output"]["url"]


def no_user_id(on: Stage) -> None:
    headers, _, run = on.delivered(lambda: on.client.runs.start(CARTOONIFY, INPUTS, webhook=on.callback.url))
    assert (run.status, "X-Lamina-Webhook-User-Id" in headers) == ("completed", False)


def wrapped_stream(on: Stage) -> None:
    run_id = on.ended()
    assert '"data":{"runId"' in on.api.get(f"/v1/runs/{run_id}/stream").text.replace(" ", "")
    assert [each.status for each in on.client.runs.follow(run_id, by=By.STREAM)] == ["completed"]


def no_timeout_flag(on: Stage) -> None:
    run_id = on.client.runs.start(CARTOONIFY, INPUTS).run_id
    on.lamina.set(manual=False, speed=100)
    assert on.client.runs.wait(run_id, timeout_seconds=1).timed_out is True
    assert "timeout" not in on.api.get(f"/v1/runs/{run_id}/wait", params={"timeout": 100}).json()
    answer = on.client.runs.wait(run_id)
    assert (answer.run.status, answer.timed_out) == ("completed", False)


def create_queued(on: Stage) -> None:
    told = on.posted("/v1/content/create", brief=BRIEF)
    assert (set(told), told["status"]) == ({"runId", "workflowId", "workflowName", "status"}, "queued")
    assert on.client.content.create(BRIEF).next_step == "follow"


def create_needs_input(on: Stage) -> None:
    told = on.posted("/v1/content/create", **PLAN)
    assert (told["runId"], told["workflowId"], told["status"]) == (None, PREMIUM, "needs_input")
    assert set(told["selectedApp"]) == {"appId", "name", "whyMatched", "confidence"}
    assert {"brandContext", "guidanceSummary"} < set(told)
    assert set(told["needsInput"]) == {"message", "missing", "suggestedPrompt"}
    assert set(told["needsInput"]["missing"][0]) == {"id", "name", "type", "accept"}
    routing = on.client.content.create(PLAN["brief"])
    assert routing.next_step == "ask"
    assert routing.selected_app is not None
    assert routing.selected_app.rationale
    photo = "https://shop.example/mug.jpg"
    assert on.client.runs.start(PREMIUM, {question.name: photo for question in routing.ask_user}).run_id


def plan_needs_input(on: Stage) -> None:
    assert on.posted("/v1/content/plan", **PLAN)["status"] == "needs_input"
    assert on.client.content.plan(PLAN["brief"]).next_step == "ask"
    assert on.client.content.plan(BRIEF).next_step == "start"


def score_shapes(on: Stage) -> None:
    run_id = on.ended()
    (told,) = on.posted("/v1/content/score")["scores"]
    (word,) = on.api.get("/_sandbox/knobs").json()["legacy"]
    members, most = ({"id", "score"}, 10) if word == "score-plugin" else ({"contentItemId", "score", "label"}, 1)
    assert (set(told), 0 < told["score"] <= most) == (members, True)
    (score,) = on.client.content.score()
    assert (score.content_item_id, score.overall) == (run_id, told["score"])


def minimal_errors(on: Stage) -> None:
    assert on.api.get("/v1/apps/none").json() == {"error": "App not found"}
    with pytest.raises(LaminaNotFound):
        on.client.apps.get("none")


def string_details(on: Stage) -> None:
    (said,) = on.refused().json()["details"]
    assert said.startswith('"Style": ')
    with pytest.raises(LaminaInvalidInputs) as refused:
        on.client.runs.start(CARTOONIFY, {"Style": "None"})
    assert list(refused.value.by_parameter) == ["Style"]
    for path, body, name in (
        ("/v1/content/plan", {}, "brief"),
        ("/v1/generate/image", {"model": "ideogram-v3", "prompt": "a", "params": {"seed": -1}}, "seed"),
        ("/v1/runs?status=odd", None, "status"),
    ):
        answer = on.api.get(path) if body is None else on.api.post(path, json=body)
        assert [each.startswith(f'"{name}": ') for each in answer.json()["details"]] == [True]


def plain_429(on: Stage) -> None:
    on.lamina.set(rate_limited=1.0)
    assert on.api.get("/v1/apps").text.startswith("Too many requests from this IP")
    with pytest.raises(LaminaRateLimited) as refused:
        on.client.apps.list()
    assert refused.value.retry_after == 5


def status_422(on: Stage) -> None:
    assert on.refused().status_code == 422
    with pytest.raises(LaminaInvalidInputs) as refused:
        on.client.models.generate_image("invented-9", prompt="A mug")
    assert (refused.value.status_code, list(refused.value.by_parameter)) == (422, ["model"])
    assert on.api.get("/v1/apps/none").status_code == 404


SHOWN: dict[str, Callable[[Stage], None]] = {
    "old-paths": old_paths,
    "execution-id": execution_id,
    "required-true": required,
    "required-false": required,
    "option-objects": option_objects,
    "app-capabilities": app_capabilities,
    "publish-docs": publish_docs,
    "transfer-docs": transfer_docs,
    "output-url": output_url,
    "failed-outputs": failed_outputs,
    "artifacts": artifacts,
    "bare-webhooks": bare_webhooks,
    "no-user-id": no_user_id,
    "wrapped-stream": wrapped_stream,
    "no-timeout-flag": no_timeout_flag,
    "create-queued": create_queued,
    "create-needs-input": create_needs_input,
    "plan-needs-input": plan_needs_input,
    "score-cli": score_shapes,
    "score-plugin": score_shapes,
    "minimal-errors": minimal_errors,
    "string-details": string_details,
    "plain-429": plain_429,
    "status-422": status_422,
}


@pytest.mark.parametrize("word", SWITCHES)
def test_older_shape_is_had_by_its_word_and_read_by_the_client(stage: Stage, word: str) -> None:
    stage.lamina.set(legacy=[word])
    SHOWN[word](stage)


def test_all_older_shapes_at_once_are_read_as_well(stage: Stage) -> None:
    stage.lamina.set(legacy=list(SWITCHES), manual=False, speed=100)
    run = stage.client.runs.start(CARTOONIFY, INPUTS)
    *_, last = stage.client.runs.follow(run.run_id, by=By.STREAM)
    assert (last.run_id, last.outputs[0].is_usable) == (run.run_id, True)


def test_old_path_is_not_there_without_its_word(api: httpx.Client) -> None:
    assert api.get("/api/apps").status_code == api.get("/v1/executions").status_code == 404


def test_word_nobody_knows_is_refused_with_those_there_are(lamina: Sandbox) -> None:
    with pytest.raises(KnobError, match="execution-id"):
        Knobs().changed({"legacy": ["execution-id", "execution-ids"]})
    answer = httpx.patch(f"{lamina.url}/_sandbox/knobs", json={"legacy": ["oldest"]})
    assert (answer.status_code, "plain-429" in answer.json()["error"]) == (400, True)


def test_words_are_told_with_a_line_each_where_people_look() -> None:
    said = _parser().format_help()
    assert SWITCHES.items() <= set(re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", README, re.MULTILINE))
    for word, line in SWITCHES.items():
        assert f"{word} " in said
        assert line in said
