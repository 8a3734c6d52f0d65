"""Shapes that Lamina's API has had, or is said to have: each behind a switch of the knob `legacy`.

A word is given to each in SWITCHES; what they change is here, except where it is one line of the
operation itself. Whoever adds one adds the line that says what it does: people choose by it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

SWITCHES = {
    "old-paths": "also serve /api/..., /v1/executions... and /v1/compound/...; they answer with executionId",
    "execution-id": "runs, deliveries, cancel and feedback have executionId in place of runId",
    "required-true": "every parameter of an app says that it is required",
    "required-false": "no parameter of an app says that it is required",
    "option-objects": "options are objects of value, label and description",
    "app-capabilities": "an app in full has capabilities and no outputs",
    "publish-docs": "publishing answers published or failed, without a summary",
    "transfer-docs": "a transferred file has its url alone",
    "output-url": "outputs have url in place of value",
    "failed-outputs": "an output that failed says failed in place of error",
    "artifacts": "reuse hints are in artifacts beside the outputs, not in them",
    "bare-webhooks": "a direct model run is delivered without data around it",
    "no-user-id": "deliveries have no user id header",
    "wrapped-stream": "the runs in a stream have data around them",
    "no-timeout-flag": "a wait that ended with its run has no timeout flag",
    "create-queued": "creating answers the run it queued",
    "create-needs-input": "creating asks back in needsInput, with a null runId",
    "plan-needs-input": "a plan that asks back says needs_input",
    "score-cli": "scores are score (0 to 1) and label",
    "score-plugin": "scores are id and score (0 to 10)",
    "minimal-errors": "errors have error and details alone",
    "string-details": "the details of errors are sentences",
    "plain-429": "a refusal for the rate is plain text",
    "status-422": "what does not fit is refused with 422",
}
HINTS = ("compatibleInputTypes", "canChainAs", "platformsOptimized", "suggestedNextSteps")

Words = Collection[str]


def present_path(path: str) -> str:
    """Return where an address of old is served today; any other is what it was."""
    path = re.sub(r"^/api/(?=(apps|executions|webhooks)(/|$))", "/v1/", path)
    path = re.sub(r"^/v1/executions(?=/|$)", "/v1/runs", path)
    path = re.sub(r"^(/v1/apps/[^/]+)/executions$", r"\1/runs", path)
    return re.sub(r"^/v1/compound/", "/v1/content/", path)


def run(shown: dict[str, Any], words: Words) -> dict[str, Any]:
    """Return a run object, or anything else with a run's id, in the shapes that are asked for."""
    if "outputs" in shown:
        if "artifacts" in words:
            shown = shown | {"artifacts": [_artifact(each) for each in shown["outputs"] if HINTS[0] in each]}
        shown = shown | {"outputs": [output(each, words) for each in shown["outputs"]]}
    if "execution-id" in words:
        shown = {"executionId" if name == "runId" else name: value for name, value in shown.items()}
    return shown


def output(shown: dict[str, Any], words: Words) -> dict[str, Any]:
    """Return an output in the shapes that are asked for."""
    if "failed-outputs" in words and shown["status"] == "error":
        shown = shown | {"status": "failed"}
    if "artifacts" in words:
        shown = {name: value for name, value in shown.items() if name not in HINTS}
    if "output-url" in words:
        shown = {"url" if name == "value" else name: value for name, value in shown.items()}
    return shown


def _artifact(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name in ("id", "label", *HINTS)}


def parameter(shown: dict[str, Any], words: Words) -> dict[str, Any]:
    """Return a parameter of an app in the shapes that are asked for."""
    for word, is_required in (("required-true", True), ("required-false", False)):
        if word in words:
            shown = shown | {"required": is_required}
    if "option-objects" in words and "options" in shown:
        options = [
            {"value": f"option-{number}", "label": label, "description": None}
            for number, label in enumerate(shown["options"])
        ]
        shown = shown | {"options": options}
    return shown


def sentences(details: Any) -> list[str]:
    """Return the details of a refusal as older servers tell them."""
    if isinstance(details, dict):
        details = details["details"]["errors"]
    return [_sentence(detail) for detail in details]


def _sentence(detail: dict[str, Any]) -> str:
    said = detail.get("message") or f"{detail['error']}: {detail.get('allowed') or detail.get('range')}"
    return f'"{detail.get("param") or detail.get("field")}": {said}'
