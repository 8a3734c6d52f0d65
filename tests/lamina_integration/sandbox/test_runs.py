"""A run's life: started, checked, moved, waited for, cancelled, refined."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from lamina_integration.sandbox import Sandbox
from lamina_integration.sandbox.runs import Run
from tests.lamina_integration.sandbox.conftest import (
    ALWAYS_FAILS,
    CARTOONIFY,
    EVERY_KIND,
    PREMIUM,
    TRY_ON,
    photo,
    run_of,
    started,
    uploaded,
)


def test_start_answers_with_placeholders(api: httpx.Client) -> None:
    answer = api.post(
        f"/v1/apps/{CARTOONIFY}/runs",
        json={"inputs": {"Style": "Ghibli"}},
        params={"webhook": "https://shop.example/h"},
    )
    data = answer.json()["data"]
    assert answer.status_code == 202
    assert (data["workflowId"], data["workflowName"], data["status"]) == (CARTOONIFY, "Cartoonify!", "queued")
    assert data["webhookUrl"] == "https://shop.example/h"
    (output,) = data["outputs"]
    assert output | {"id": ""} == {
        "id": "", "label": "AI Designer", "type": "pending", "value": None, "status": "pending", "error": None,
    }  # fmt: skip


def test_run_moves_with_the_clock_and_fills_one_output_at_a_time(lamina: Sandbox, api: httpx.Client) -> None:
    garment = uploaded(api, photo())
    run_id = started(api, TRY_ON, inputs={"person_image_url": garment, "garment_images_urls": [garment]})
    seen = []
    for seconds in (0, 1, 3, 3):
        lamina.advance(seconds)
        run = run_of(api, run_id)
        seen.append(
            (run["status"], [output["status"] for output in run["outputs"]], run["progress"]["percentComplete"])
        )
    assert seen == [
        ("queued", ["pending", "pending"], 0),
        ("running", ["pending", "pending"], 0),
        ("running", ["completed", "pending"], 50),
        ("completed", ["completed", "completed"], 100),
    ]
    assert run["startedAt"] >= run["createdAt"]
    assert run["completedAt"] >= run["startedAt"]


def test_everything_wrong_with_the_inputs_is_said_at_once(api: httpx.Client) -> None:
    inputs = {"front_image_url": "front.jpg", "location_text": "Mars", "Colour": "red", "model_gender_text": None}
    answer = api.post(f"/v1/apps/{PREMIUM}/runs", json={"inputs": inputs, "outputs": ["front view", "Top View"]})
    body = answer.json()
    assert (answer.status_code, body["code"], body["error"]) == (400, "VALIDATION_ERROR", "Invalid inputs")
    assert [(detail["param"], detail["code"]) for detail in body["details"]] == [
        ("front_image_url", "invalid_media"),
        ("location_text", "invalid_option"),
        ("Colour", "unknown_parameter"),
        ("back_image_url", "missing_no_default"),
        ("outputs", "unknown_output"),
    ]
    assert all(detail["message"] for detail in body["details"])


@pytest.mark.parametrize("name", ["4a45d4c6-808e-45e8-9f7c-6a06953583fb", "Upload"])
def test_parameter_is_found_by_id_and_by_name(api: httpx.Client, name: str) -> None:
    assert started(api, inputs={"Style": "Disney / Pixar", name: "https://shop.example/me.jpg"})


def test_numbers_are_text_unless_told_otherwise(lamina: Sandbox, api: httpx.Client) -> None:
    inputs = {
        "plain_text": 5,
        "null_default_text": "x",
        "no_default_options_text": "Satin ",
        "one_image_url": "https://shop.example/1.jpg",
    }
    started(api, EVERY_KIND, inputs=inputs)
    lamina.set(strict_text=True)
    answer = api.post(f"/v1/apps/{EVERY_KIND}/runs", json={"inputs": inputs})
    assert answer.json()["details"][0]["code"] == "invalid_type"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"inputs": []}', b"{}"])
def test_body_that_is_no_start_is_refused(api: httpx.Client, body: bytes) -> None:
    assert api.post(f"/v1/apps/{CARTOONIFY}/runs", content=body).json()["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("webhook", ["ftp://shop.example/", "shop.example", "http://"])
def test_callback_that_is_no_web_address_is_refused(api: httpx.Client, webhook: str) -> None:
    answer = api.post(f"/v1/apps/{CARTOONIFY}/runs", json={"inputs": {"Style": "Ghibli"}}, params={"webhook": webhook})
    assert (answer.status_code, answer.json()["code"]) == (400, "WEBHOOK_INVALID_URL")


def test_chosen_outputs_are_the_only_ones_made_and_paid(lamina: Sandbox, api: httpx.Client) -> None:
    picture = uploaded(api, photo())
    inputs = {"front_image_url": picture, "back_image_url": picture}
    run_id = started(api, PREMIUM, inputs=inputs, outputs=["FRONT view", "Detail View"])
    lamina.finish()
    run = run_of(api, run_id)
    assert [output["label"] for output in run["outputs"]] == ["Front View", "Detail View"]
    assert lamina.ledger()["credits"]["example-shop"]["spent"] == 14


def test_label_shared_by_outputs_chooses_them_all(api: httpx.Client) -> None:
    inputs = {
        "plain_text": "a",
        "null_default_text": "b",
        "no_default_options_text": "Matte",
        "one_image_url": "https://shop.example/1.jpg",
    }
    run = run_of(api, started(api, EVERY_KIND, inputs=inputs, outputs=["picture"]))
    assert [output["label"] for output in run["outputs"]] == ["Picture", "Picture"]
    assert len({output["id"] for output in run["outputs"]}) == 2


def test_list_is_newest_first_in_pages_without_outputs(api: httpx.Client) -> None:
    ids = [started(api) for _ in range(3)]
    answer = api.get("/v1/runs", params={"limit": 2, "offset": 1}).json()
    assert [item["runId"] for item in answer["data"]] == [ids[1], ids[0]]
    assert answer["pagination"] == {"total": 3, "limit": 2, "offset": 1}
    assert set(answer["data"][0]) == {
        "runId", "workflowId", "status", "source", "errorMessage", "startedAt", "completedAt", "createdAt",
    }  # fmt: skip


def test_list_is_narrowed_by_status_app_and_time(lamina: Sandbox, api: httpx.Client) -> None:
    done = started(api)
    lamina.finish()
    waiting = started(api, ALWAYS_FAILS, inputs={})

    def listed(**query: Any) -> list[str]:
        return [item["runId"] for item in api.get("/v1/runs", params=query).json()["data"]]

    assert listed(status="completed") == [done]
    assert listed(appId=ALWAYS_FAILS) == [waiting]
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert listed(since=soon.isoformat()) == []
    assert listed(since=run_of(api, done)["createdAt"]) == [waiting]
    assert api.get("/v1/runs", params={"status": "lost"}).status_code == 400
    assert api.get("/v1/runs", params={"since": "yesterday"}).status_code == 400


def test_other_workspaces_runs_are_not_there(api: httpx.Client, stranger: httpx.Client) -> None:
    run_id = started(api)
    assert stranger.get(f"/v1/runs/{run_id}").json()["error"] == "Execution not found"
    assert stranger.post(f"/v1/runs/{run_id}/cancel").status_code == 404
    assert stranger.get("/v1/runs").json()["pagination"]["total"] == 0


def test_wait_answers_when_the_run_has_ended(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api)
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(api.get, f"/v1/runs/{run_id}/wait", params={"timeout": 60})
        lamina.finish()
        answer = waiting.result(timeout=20).json()
    assert (answer["timeout"], answer["data"]["status"]) == (False, "completed")


def test_wait_whose_time_is_up_answers_with_the_run_as_it_stands(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(manual=False, speed=1000.0)
    run_id = started(api)
    answer = api.get(f"/v1/runs/{run_id}/wait", params={"timeout": 1}).json()
    assert answer["timeout"] is (answer["data"]["status"] not in ("completed", "failed"))
    assert answer["data"]["runId"] == run_id


def told(lines: Any) -> list[tuple[str, Any]]:
    """Return the messages of a stream."""
    messages, name = [], ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            messages.append((name, json.loads(line.removeprefix("data: "))))
    return messages


def test_stream_tells_of_each_change_and_ends_with_the_run(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api)
    with api.stream("GET", f"/v1/runs/{run_id}/stream") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lamina.finish()
        messages = told(stream.iter_lines())
    assert messages[0][0] == "progress"
    assert messages[-1][0] == "complete"
    assert messages[-1][1]["runId"] == run_id
    assert messages[-1][1]["outputs"][0]["value"]


def test_stream_of_a_run_that_has_ended_is_one_message(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api)
    lamina.cancel(run_id)
    with api.stream("GET", f"/v1/runs/{run_id}/stream") as stream:
        messages = told(stream.iter_lines())
    assert [(name, run["status"]) for name, run in messages] == [("error", "cancelled")]


def test_stream_pings_and_ends_after_ten_minutes(tmp_path: Path) -> None:
    slow = {"appId": "slow", "name": "Slow", "parameters": [], "outputs": [{"type": "text"}]}
    (tmp_path / "slow.json").write_text(json.dumps(slow | {"x-sandbox": {"seconds": 10_000}}))
    with Sandbox(manual=True, apps=[tmp_path]) as lamina:
        api = httpx.Client(base_url=lamina.url, headers={"x-api-key": lamina.api_key}, timeout=20)
        run_id = started(api, "slow", inputs={})
        with api.stream("GET", f"/v1/runs/{run_id}/stream") as stream:
            lines = (line for line in stream.iter_lines() if line)
            assert [next(lines), next(lines)[:6]] == ["event: progress", "data: "]
            lamina.advance(15)
            assert [next(lines), next(lines).removeprefix("data: ").isdigit()] == ["event: ping", True]
            lamina.advance(600)
            assert next(lines) == "event: timeout"
            assert json.loads(next(lines).removeprefix("data: ")) == {"message": "Stream timeout after 10 minutes"}
        api.close()


def test_cancel_ends_a_run_and_says_so_again(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api)
    for _ in range(2):
        assert api.post(f"/v1/runs/{run_id}/cancel").json() == {"data": {"runId": run_id, "status": "cancelled"}}
    lamina.finish()
    run = run_of(api, run_id)
    assert (run["status"], run["errorMessage"]) == ("cancelled", None)
    assert [output["status"] for output in run["outputs"]] == ["cancelled"]
    assert lamina.ledger()["credits"]["example-shop"]["spent"] == 0


def test_cancel_of_an_ended_run_answers_its_state(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api)
    lamina.finish()
    assert api.post(f"/v1/runs/{run_id}/cancel").json()["data"]["status"] == "completed"


def test_cancel_may_not_take_effect(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(cancel_answer="not_cancellable")
    run_id = started(api)
    assert api.post(f"/v1/runs/{run_id}/cancel").json()["data"]["status"] == "not_cancellable"
    lamina.finish()
    assert run_of(api, run_id)["status"] == "completed"


def test_feedback_makes_the_outputs_again_and_costs_again(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(plain_media=False)
    run_id = started(api)
    assert api.post(f"/v1/runs/{run_id}/feedback", json={"feedback": "Warmer"}).status_code == 400
    lamina.finish()
    before = run_of(api, run_id)["outputs"][0]["value"]
    answer = api.post(f"/v1/runs/{run_id}/feedback", json={"feedback": "Warmer"}).json()["data"]
    assert answer["refinedNodes"] == [{"nodeId": answer["outputs"][0]["id"], "reason": "Warmer"}]
    after = run_of(api, run_id)["outputs"][0]["value"]
    assert after == answer["outputs"][0]["value"] != before
    assert lamina.ledger()["credits"]["example-shop"]["spent"] == 14
    assert api.post(f"/v1/runs/{run_id}/feedback", json={"feedback": " "}).status_code == 400


def test_app_that_fails_keeps_what_was_done(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api, ALWAYS_FAILS, inputs={})
    lamina.finish()
    run = run_of(api, run_id)
    assert (run["status"], run["errorMessage"]) == ("failed", "The provider rejected the source image")
    assert [(output["status"], output["type"]) for output in run["outputs"]] == [
        ("completed", "image"),
        ("pending", "pending"),
    ]


def test_output_error_keeps_its_type_pending(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(output_errors=1.0)
    run_id = started(api)
    lamina.finish()
    run = run_of(api, run_id)
    (output,) = run["outputs"]
    assert (output["status"], output["type"], output["value"]) == ("error", "pending", None)
    assert run["status"] == "failed"
    assert run["errorMessage"] == output["error"]


@pytest.mark.parametrize("ending", ["failed", "completed"])
def test_lost_photo_spoils_the_outputs_that_need_it(lamina: Sandbox, api: httpx.Client, ending: str) -> None:
    lamina.set(partial_runs=ending)
    gone = f"{lamina.url}/assets/nothing/back.jpg"
    inputs = {"front_image_url": uploaded(api, photo()), "back_image_url": gone}
    run_id = started(api, PREMIUM, inputs=inputs, outputs=["Front View", "Back View"])
    lamina.finish()
    run = run_of(api, run_id)
    assert [output["status"] for output in run["outputs"]] == ["completed", "error"]
    assert gone in run["outputs"][1]["error"]
    assert run["status"] == ending


def test_spent_credits_fail_the_run_or_refuse_the_start(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(out_of_credits=True)
    run_id = started(api)
    lamina.finish()
    run = run_of(api, run_id)
    assert (run["status"], run["errorMessage"], run["outputs"], run["startedAt"]) == (
        "failed", "Insufficient credits", [], None,
    )  # fmt: skip
    lamina.set(out_of_credits_answer="402")
    answer = api.post(f"/v1/apps/{CARTOONIFY}/runs", json={"inputs": {"Style": "Ghibli"}})
    assert (answer.status_code, answer.json()) == (402, {"error": "Insufficient credits"})
    answer = api.post("/v1/generate/image", json={"model": "ideogram-v3", "prompt": "A mug"})
    assert (answer.status_code, answer.json()) == (402, {"error": "Insufficient credits"})


def test_credits_fall_with_each_run(lamina: Sandbox, api: httpx.Client) -> None:
    started(api)
    lamina.finish()
    usage = api.get("/v1/account/usage").json()["data"]
    assert usage["credits"] == {"balance": 4993.0, "totalEarned": 5000.0, "totalSpent": 7.0}
    assert usage["rateLimit"] == {"limit": 0, "windowMs": 60000}


def test_person_can_play_lamina(lamina: Sandbox, api: httpx.Client) -> None:
    first, second = started(api), started(api)
    httpx.post(f"{lamina.url}/_sandbox/runs/{first}/complete")
    httpx.post(f"{lamina.url}/_sandbox/runs/{second}/fail", json={"message": "No"})
    assert run_of(api, first)["status"] == "completed"
    assert run_of(api, second)["errorMessage"] == "No"
    assert httpx.post(f"{lamina.url}/_sandbox/runs/{first}/juggle").status_code == 404
    assert httpx.post(f"{lamina.url}/_sandbox/runs/none/fail").status_code == 404


def test_page_of_many_runs_looks_at_no_others(
    lamina: Sandbox, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [started(api) for _ in range(30)]
    shown: list[str] = []
    as_summary = Run.as_summary
    monkeypatch.setattr(Run, "as_summary", lambda run: shown.append(run.run_id) or as_summary(run))
    listed = api.get("/v1/runs", params={"limit": 3, "offset": 2}).json()
    assert shown == [run["runId"] for run in listed["data"]] == runs[-3:-6:-1]
    assert listed["pagination"] == {"total": 30, "limit": 3, "offset": 2}


def test_feedback_whose_answer_is_lost_has_been_done_all_the_same(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api)
    lamina.finish()
    lamina.set(lost_answers=1.0)
    with pytest.raises(httpx.RemoteProtocolError):
        api.post(f"/v1/runs/{run_id}/feedback", json={"feedback": "Warmer"})
    assert [(each["runId"], each["feedback"]) for each in lamina.ledger()["refinements"]] == [(run_id, "Warmer")]
    assert lamina.ledger()["credits"]["example-shop"]["spent"] == 14
