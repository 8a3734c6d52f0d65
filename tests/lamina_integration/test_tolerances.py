"""Where the sources of the contract contradict each other, this client copes with both.

One test for each numbered contradiction that is not shown beside the module it concerns (look for
its number at the end of a test's name in the neighbouring files); the last test counts them all.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lamina_integration import LaminaClient, Parameter, SigningKey, client
from lamina_integration.inputs import check, find
from lamina_integration.webhooks import sign, verify
from lamina_integration.wire import (
    GenerationRun,
    ModelDetail,
    PastPublication,
    Published,
    Refinement,
    Routing,
    Score,
    Template,
    Transferred,
)

HERE = Path(__file__).parent
VECTORS = json.loads((HERE / "data" / "signed_deliveries.json").read_text())


def asked(answer: dict[str, Any], call: Any) -> httpx.Request:
    """Return what a call asked."""
    requests: list[httpx.Request] = []

    def lamina(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"data": answer})

    with LaminaClient(base_url="https://lamina.test", api_key="k", transport=httpx.MockTransport(lamina)) as client:
        call(client)
    return requests[0]


def test_only_the_present_paths_are_called_c1() -> None:
    sources = "".join(path.read_text() for path in Path(client.__file__).parent.glob("*.py"))
    addresses = re.findall(r'"(/[a-z0-9]+/[^"]*)"', sources)
    assert len(addresses) > 30
    assert all(address.startswith("/v1/") for address in addresses)
    assert not [address for address in addresses if "executions" in address or "compound" in address]


def test_name_is_looked_up_as_key_then_id_then_name_c5() -> None:
    parameters = [Parameter(name="x", id="1"), Parameter(name="b", id="x"), Parameter(name="c", key="x")]
    assert find(parameters, "x") is parameters[2]
    assert find(parameters[:2], "x") is parameters[1]


def test_publication_is_told_in_either_word_and_without_a_summary_c7() -> None:
    told = {
        "results": [
            {"accountId": "1", "status": "published"},
            {"accountId": "2", "status": "success"},
            {"status": "error"},
        ]
    }
    published = Published.model_validate(told)
    assert (published.succeeded, published.failed) == (2, 1)
    assert PastPublication.model_validate({"id": "1", "status": "pending"}).status == "pending"


@pytest.mark.parametrize(
    "told", [{"url": "https://x/1"}, {"cdnUrl": "https://x/1"}, {"cdnUrl": "https://x/1", "url": "https://y"}]
)
def test_transferred_file_is_where_either_member_says_c8(told: dict[str, str]) -> None:
    assert Transferred.model_validate(told).url == "https://x/1"


def test_signing_key_is_the_raw_key_of_a_jwk_c9() -> None:
    key = SigningKey.model_validate(VECTORS["jwk"])
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["seed_hex"]))
    assert urlsafe_b64decode(key.x + "=") == private.public_key().public_bytes_raw()


def test_signature_is_ed25519_c10() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["seed_hex"]))
    signature = bytes.fromhex(sign(private, b"{}", 5))
    private.public_key().verify(signature, b"5.{}")


def test_each_try_of_a_delivery_is_believed_and_told_apart_c13() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["seed_hex"]))
    body, digests = b'{"data":{"runId":"r","status":"completed"}}', set()
    for tried_at in (1000, 1005, 1035, 1155, 1300):
        headers = {
            "X-Lamina-Webhook-Signature": sign(private, body, tried_at),
            "X-Lamina-Webhook-Timestamp": str(tried_at),
        }
        delivery = verify(headers=headers, body=body, keys=[SigningKey.model_validate(VECTORS["jwk"])], now=tried_at)
        assert delivery.run.status == "completed"
        digests.add(delivery.digest)
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("told", "step"),
    [
        ({"status": "ran", "mode": "app", "runId": "r"}, "follow"),
        ({"runId": "r", "workflowId": "a", "workflowName": "A", "status": "queued"}, "follow"),
        ({"executionId": "r", "status": "queued"}, "follow"),
        ({"status": "needs_input", "askUser": [{"name": "front", "question": "Which?"}]}, "ask"),
        ({"runId": None, "needsInput": {"message": "Missing.", "missing": [{"name": "Front"}]}}, "ask"),
        ({"status": "needs_clarification", "clarifications": [{"question": "Reel?"}]}, "clarify"),
        ({"status": "unmatched", "reason": "No."}, "give_up"),
        ({"status": "plan", "mode": "recipe"}, "give_up"),
        ({"status": "something new"}, "give_up"),
    ],
)
def test_created_content_says_what_to_do_next_in_every_shape_c14(told: dict[str, Any], step: str) -> None:
    assert Routing.model_validate(told).next_step == step


def test_older_questions_are_read_like_new_ones_c14() -> None:
    missing = [{"id": "1", "name": "Front", "description": "A front photo"}, {"name": "Back"}]
    told = {"workflowId": "a", "workflowName": "A", "needsInput": {"message": "Two are missing.", "missing": missing}}
    routing = Routing.model_validate(told)
    assert [(q.name, q.question) for q in routing.ask_user] == [("Front", "A front photo"), ("Back", "Back")]
    assert routing.selected_app is not None
    assert (routing.selected_app.app_id, routing.reason) == ("a", "Two are missing.")


@pytest.mark.parametrize(
    ("status", "step"),
    [("plan", "start"), ("needs_clarification", "clarify"), ("unmatched", "give_up"), ("needs_input", "ask")],
)
def test_plan_has_four_words_c15(status: str, step: str) -> None:
    assert Routing.model_validate({"status": status}).next_step == step


def test_plan_that_still_asks_is_asked_about_c15() -> None:
    assert Routing.model_validate({"status": "plan", "askUser": [{"name": "back"}]}).next_step == "ask"


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({"contentItemId": "i", "overallScore": 84.5, "dimensions": {"x": 1}}, ("i", 84.5)),
        ({"contentItemId": "i", "score": 0.84, "label": "strong"}, ("i", 0.84)),
        ({"id": "i", "score": 8}, ("i", 8)),
        ({"id": "i", "overallScore": 0, "score": 5}, ("i", 0)),
    ],
)
def test_score_is_the_raw_figure_of_any_shape_c16(told: dict[str, Any], read: tuple[str, float]) -> None:
    score = Score.model_validate(told)
    assert (score.content_item_id, score.overall) == read


def test_discovery_asks_for_what_is_needed_c23() -> None:
    for limit, sent in ((3, 3), (20, 20), (50, 20), (0, 1)):
        request = asked({"matches": []}, lambda lamina, limit=limit: lamina.apps.discover("a reel", limit=limit))
        assert json.loads(request.content) == {"intent": "a reel", "limit": sent}


def test_text_is_sent_as_text_c27() -> None:
    parameters = [Parameter(name="n")]
    assert [problem.code for problem in check(parameters, {"n": 5})] == ["invalid_type"]
    assert check(parameters, {"n": "5"}) == ()


def test_output_labels_are_sent_byte_for_byte_c29() -> None:
    labels = ["Front  View ", "front view"]
    for call in (
        lambda lamina: lamina.runs.start("a", {}, outputs=labels),
        lambda lamina: lamina.content.run_app("a", {}, outputs=labels),
    ):
        assert json.loads(asked({"runId": "r"}, call).content)["outputs"] == labels


def test_fields_of_a_model_are_those_of_its_own_description_c30() -> None:
    fields = {"multiShots": {"type": "boolean"}, "prompt": {"type": "string", "maxLength": 2000}}
    assert ModelDetail.model_validate({"id": "m", "paramSchema": fields}).param_schema == fields


def test_template_is_guidance_and_ignores_what_prose_promises_c32() -> None:
    told = {"id": "t", "name": "T", "recommendedAppId": "a", "inputs": {"x": 1}, "guidanceData": {"testIdeas": ["y"]}}
    template = Template.model_validate(told)
    assert template.guidance is not None
    assert template.guidance.test_ideas == ("y",)


def test_feedback_is_work_made_anew_c33() -> None:
    outputs = [{"id": "n", "label": "Front", "type": "image", "value": "https://x/2.png"}]
    refined = Refinement.model_validate({"runId": "r", "status": "completed", "summary": "Warmed.", "outputs": outputs})
    assert (refined.summary, refined.outputs[0].value) == ("Warmed.", "https://x/2.png")
    request = asked({"runId": "r"}, lambda lamina: lamina.runs.feedback("r", "warmer"))
    assert json.loads(request.content) == {"feedback": "warmer"}


def test_run_of_a_model_makes_one_thing_c11() -> None:
    told = {"runId": "g", "status": "failed", "model": None, "output": None, "errorMessage": "no"}
    assert GenerationRun.model_validate(told).output_url is None


def test_every_contradiction_has_a_test() -> None:
    names = re.findall(r"def (test_\w+)\(", "".join(path.read_text() for path in HERE.glob("test_*.py")))
    shown = {int(number) for name in names for number in re.findall(r"_c(\d+)(?=_|$)", name)}
    assert shown == set(range(1, 37))
