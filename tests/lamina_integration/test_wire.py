"""Lamina's JSON is read leniently, and nothing of what people see is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from lamina_integration.wire import (
    App,
    AppSummary,
    Estimate,
    Parameter,
    RemoteOutput,
    RemoteRun,
    RunSummary,
    SigningKey,
    UploadTarget,
    Usage,
)


def run(**members: Any) -> RemoteRun:
    return RemoteRun.model_validate({"runId": "r", "workflowId": "a", "status": "running", **members})


def output(**members: Any) -> RemoteOutput:
    return RemoteOutput.model_validate({"id": "o", "label": "L", **members})


def test_app_survives_the_way_into_a_document_and_back() -> None:
    detail = {
        "appId": "a",
        "name": "Full  Set ",
        "description": None,
        "capabilities": {"old": True},
        "parameters": [
            {
                "id": "1",
                "name": "Model  Ethnicity",
                "type": "options",
                "required": False,
                "options": ["Standard ", "1:1"],
            },
            {"key": "k", "name": "Pictures", "type": "url", "multiple": True, "accept": ["image"], "default": []},
            {"name": "Script", "type": "text", "default": "", "description": "say it"},
        ],
        "outputs": [{"index": 0, "label": "Front", "type": "image"}, {"type": "video"}],
    }
    app = App.from_detail(detail)
    assert App.from_detail(app.to_detail()) == app
    assert [p.name for p in app.parameters] == ["Model  Ethnicity", "Pictures", "Script"]
    assert app.parameters[0].options == ("Standard ", "1:1")
    assert [p.has_default for p in app.parameters] == [False, True, True]
    assert [(o.index, o.label) for o in app.outputs] == [(0, "Front"), (1, "Output 2")]


def test_parameter_keeps_what_the_oldest_pages_lacked_absent() -> None:
    parameter = Parameter.model_validate({"name": "Style", "type": "options"})
    assert (parameter.id, parameter.key, parameter.multiple, parameter.description) == (None, None, False, None)


@pytest.mark.parametrize(
    "members",
    [
        {"parameters": None, "outputs": None},
        {"parameters": "none", "outputs": {"a": 1}},
        {"parameters": [None, 3, "x"], "outputs": [[], None]},
        {"parameters": [{}], "outputs": [{}]},
        {"parameters": [{"name": None, "type": 7, "options": {"a": 1}, "accept": 5, "multiple": "yes", "key": []}]},
    ],
)
def test_app_with_odd_members_is_still_an_app(members: dict[str, Any]) -> None:
    assert App.from_detail({"appId": "a", "name": None, **members}).app_id == "a"


@pytest.mark.parametrize("detail", [{}, {"appId": None}, {"appId": ""}, [], "app", None])
def test_app_without_an_id_is_refused(detail: Any) -> None:
    with pytest.raises(ValidationError):
        App.from_detail(detail)


def test_run_is_frozen() -> None:
    with pytest.raises(ValidationError):
        run().status = "completed"


def test_run_id_is_read_from_its_older_name_c2() -> None:
    assert RemoteRun.model_validate({"executionId": "old", "status": "queued"}).run_id == "old"
    assert RemoteRun.model_validate({"executionId": "old", "runId": "new"}).run_id == "new"


@pytest.mark.parametrize("required", [True, False])
def test_required_decides_nothing_c3(required: bool) -> None:
    asked = {"name": "a", "type": "text", "required": required}
    assert Parameter.model_validate({**asked, "default": ""}).has_default
    assert not Parameter.model_validate(asked).has_default


def test_blank_default_is_a_default_c4() -> None:
    assert Parameter.model_validate({"name": "a", "type": "text", "default": ""}).has_default


def test_output_value_is_read_from_url_c11() -> None:
    assert output(url="https://x/1.png").value == "https://x/1.png"
    assert output(url="https://x/1.png", value="https://x/2.png").value == "https://x/2.png"


def test_cancelled_is_the_end_c19() -> None:
    assert [run(status=s).is_terminal for s in ("completed", "failed", "cancelled")] == [True] * 3


@pytest.mark.parametrize("status", ["queued", "running", "cancel_requested", "not_cancellable", "Completed", "", None])
def test_any_other_status_is_not_the_end_and_stays_as_it_is(status: str | None) -> None:
    assert not run(status=status).is_terminal
    assert run(status=status).status == (status or "")


def test_failed_output_is_an_error_c20() -> None:
    failed = output(status="failed", type="pending", error="no")
    assert (failed.status, failed.is_usable) == ("error", False)


def test_app_detail_goes_without_capabilities_or_outputs_c25() -> None:
    assert App.from_detail({"appId": "a", "capabilities": {}}).outputs == ()
    assert App.from_detail({"appId": "a", "outputs": [{"index": 0, "label": "x", "type": "image"}]}).outputs


def test_accept_is_open_c26() -> None:
    assert Parameter.model_validate({"name": "a", "type": "url", "accept": ["audio", "model"]}).accept == (
        "audio",
        "model",
    )


def test_reuse_hints_are_ignored_wherever_they_are_c28() -> None:
    hinted = run(
        artifacts=[{"x": 1}], outputs=[{"id": "o", "canChainAs": ["x"], "suggestedNextSteps": [{"description": "y"}]}]
    )
    assert hinted.outputs[0].id == "o"


def test_usage_ignores_extras_c31() -> None:
    usage = Usage.model_validate(
        {
            "credits": {"balance": 4250.5, "totalEarned": 10000, "totalSpent": 5749.5},
            "rateLimit": {"limit": 100, "windowMs": 60000},
            "period": {"from": "x"},
        }
    )
    assert (usage.balance, usage.total_earned, usage.total_spent) == (4250.5, 10000, 5749.5)
    assert (usage.limit, usage.window_ms) == (100, 60000)


def test_ids_are_whatever_they_are_c34() -> None:
    assert run(runId="exec_1", workflowId="ch-001").app_id == "ch-001"


def test_option_object_becomes_its_label_c36() -> None:
    options = [{"value": "v", "label": "Label ", "description": "d"}, {"value": "only"}, "plain", 16, None, []]
    assert Parameter.model_validate({"name": "a", "type": "options", "options": options}).options == (
        "Label ",
        "only",
        "plain",
        "16",
    )


@pytest.mark.parametrize(
    ("members", "usable"),
    [
        ({"status": "completed", "value": "https://x"}, True),
        ({"status": "completed", "value": "text", "type": "pending"}, True),
        ({"status": "completed", "value": ""}, False),
        ({"status": "completed", "value": None}, False),
        ({"status": "completed", "value": ["x"]}, False),
        ({"status": "pending", "value": "https://x", "type": "image"}, False),
        ({"status": "error", "value": "https://x"}, False),
    ],
)
def test_output_is_usable_by_status_and_value_alone(members: dict[str, Any], usable: bool) -> None:
    assert output(**members).is_usable is usable


def test_output_carries_its_measures() -> None:
    made = output(mimeType="image/png", dimensions={"width": 1024, "height": 1280}, durationSeconds=2.5)
    assert (made.mime_type, made.width, made.height, made.duration_seconds) == ("image/png", 1024, 1280, 2.5)
    assert output(dimensions=None, durationSeconds="long").width is None


def test_outputs_of_the_same_label_stay_apart_and_nameless_ones_get_a_name() -> None:
    outputs = run(outputs=[{"id": "1", "label": "AI Designer"}, {"id": "2", "label": "AI Designer"}, {}, None]).outputs
    assert [o.id for o in outputs] == ["1", "2", "output-2"]


@pytest.mark.parametrize("moment", ["2026-06-02T09:00:00.000Z", "2026-06-02T11:00:00+02:00", "2026-06-02T09:00:00"])
def test_moments_are_aware(moment: str) -> None:
    assert run(createdAt=moment).created_at == datetime(2026, 6, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("moment", ["", "yesterday", 5, [], "0001-01-01T00:00:00+23:00", None])
def test_what_is_no_moment_is_none(moment: Any) -> None:
    assert run(createdAt=moment).created_at is None


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, [[]], [{"id": None}], {"percentComplete": "many"}])
def test_run_with_odd_members_is_still_a_run(odd: Any) -> None:
    read = run(outputs=odd, progress=odd, errorMessage=odd, status=odd, workflowName=odd, startedAt=odd, new=odd)
    assert read.run_id == "r"


def test_failure_is_the_runs_message_else_its_first_outputs() -> None:
    outputs = [{"id": "1"}, {"id": "2", "status": "error", "error": "too dark"}]
    assert run(errorMessage="Video generation failed", outputs=outputs).failure == "Video generation failed"
    assert run(outputs=outputs).failure == "too dark"
    assert run().failure is None


def test_progress_is_read_when_there_is_any() -> None:
    progress = run(
        progress={"totalOutputs": 4, "completedOutputs": 1, "failedOutputs": 1, "percentComplete": 25}
    ).progress
    assert progress is not None
    assert (progress.total_outputs, progress.completed_outputs, progress.percent_complete) == (4, 1, 25)


def test_estimate_leaves_unknown_what_was_not_said() -> None:
    told = Estimate.model_validate(
        {"estimatedCredits": {"expected": 35, "min": 30, "max": 50}, "currentBalance": 12, "affordable": False}
    )
    assert (told.expected, told.min, told.max, told.balance, told.affordable) == (35, 30, 50, 12, False)
    assert Estimate.model_validate({}).affordable is None


def test_summaries_are_read() -> None:
    app = AppSummary.model_validate(
        {"appId": "a", "name": "A", "isPublic": True, "thumbnail": {"url": "https://x", "type": "image"}}
    )
    assert (app.is_public, app.thumbnail_url) == (True, "https://x")
    listed = RunSummary.model_validate({"runId": "r", "workflowId": "a", "status": "failed", "errorMessage": "no"})
    assert (listed.app_id, listed.is_terminal, listed.error_message) == ("a", True, "no")


def test_upload_target_and_signing_key_are_read() -> None:
    target = UploadTarget.model_validate(
        {"filename": "f.jpg", "mediaType": "image", "contentTypeHint": "image/jpeg", "uploadUrl": "u", "assetUrl": "v"}
    )
    assert (target.content_type_hint, target.upload_url, target.asset_url, target.asset_id) == (
        "image/jpeg",
        "u",
        "v",
        None,
    )
    assert SigningKey.model_validate({"kty": "OKP", "x": "abc", "kid": "k"}).kid == "k"
