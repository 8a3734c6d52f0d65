"""Preview and confirm: a plan as a form to show a person, and the run they then agree to."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox import models, routing
from lamina_integration.sandbox.api.answers import data
from lamina_integration.sandbox.api.asked import asked
from lamina_integration.sandbox.api.content import routed, start_plan
from lamina_integration.sandbox.api.runs import late_or_lost
from lamina_integration.sandbox.api.starting import start
from lamina_integration.sandbox.gate import caller_of, world_of
from lamina_integration.sandbox.refusals import Refusal, not_found
from lamina_integration.wire import Parameter

OUTPUTS = "__outputs"


async def preview(request: Request) -> Response:
    """Return the plan for a field of a document, as a form; starts nothing."""
    body = await asked(request)
    document, constraints = body["document"], body.get("constraints") or {}
    try:
        plan = routed(
            request, body | {"modality": constraints.get("modality"), "aspectRatio": constraints.get("aspectRatio")}
        )
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        errors = [f"appId: there is no app {body['appId']}"]
        return data({"mode": "agent_failed", "reason": refusal.message, "errors": errors})
    if isinstance(plan, dict):
        return data(_freestyle(body["brief"].strip(), constraints, document))
    return data(_form_answer(plan, document))


async def confirm(request: Request) -> Response:
    """Start the run a person has agreed to."""
    body, world, caller = await asked(request), world_of(request), caller_of(request)
    if body["mode"] == "app":
        offered = world.catalogue.find(body["appId"], caller.workspace.slug)
        if offered is None:
            raise not_found("App")
        run = start(
            world,
            caller=caller,
            offered=offered,
            inputs=body["inputs"],
            labels=body.get("outputs") or None,
            webhook=body.get("webhookUrl"),
        )
        await late_or_lost(request, run)
        rationale = body.get("rationale") or "Confirmed by the user."
        chosen = {"appId": offered.app_id, "name": offered.app.name, "rationale": rationale}
        return data(
            {"mode": "app", "runId": run.run_id, "selectedApp": chosen, "draftedInputs": run.inputs}, status=202
        )
    recipe = body["freestyleRecipe"]
    modality, variants = recipe.get("modality") or "image", recipe["variants"]
    offered = models.as_app(models.freestyle(modality, len(variants)))
    if offered is None:
        raise not_found("App")
    inputs = _recipe_inputs(variants[0])
    run = start(world, caller=caller, offered=offered, inputs=inputs, webhook=body.get("webhookUrl"), kind="freestyle")
    await late_or_lost(request, run)
    counts = {"numVariants": len(run.outputs), "submittedCount": len(run.outputs), "failedCount": 0}
    return data({"mode": "freestyle", "runId": run.run_id, "mediaType": modality, **counts}, status=202)


async def auto_generate(request: Request) -> Response:
    """Run what a brief asks for, or offer the apps to choose from."""
    body = await asked(request)
    document = body["document"]
    plan = _routed(request, body)
    if isinstance(plan, dict):
        return data(
            {"status": "needs_choice", "reason": plan.get("reason", "The brief is not clear."), "candidates": []},
            status=202,
        )
    for ask in list(plan.asked):
        if found := _from_document(document, ask["name"]):
            plan.drafted[ask["name"]] = found
            plan.asked.remove(ask)
    if plan.asked:
        candidate = {
            "appId": plan.offered.app_id,
            "name": plan.offered.app.name,
            "description": plan.offered.app.description,
            "missingRequiredInputs": [ask["name"] for ask in plan.asked],
            "draftableInputs": plan.drafted,
        }
        reason = "The app needs what the document does not have."
        return data({"status": "needs_choice", "reason": reason, "candidates": [candidate]}, status=202)
    run = start_plan(request, plan, webhook=body.get("webhookUrl"))
    await late_or_lost(request, run)
    answer = {"status": "started", "runId": run.run_id, "mode": "app", "selectedApp": plan.selected()}
    return data(answer | {"draftedInputs": plan.drafted}, status=202)


def _routed(request: Request, body: dict[str, Any]) -> routing.Plan | dict[str, Any]:
    """Return the plan for a brief; an app that is not there is one that does not fit."""
    try:
        return routed(request, body)
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        return {"status": "unmatched", "reason": refusal.message}


def _form_answer(plan: routing.Plan, document: dict[str, Any]) -> dict[str, Any]:
    offered = plan.offered
    parameters = {ask["name"]: ask["question"] for ask in plan.asked}
    by_name = {(parameter.key or parameter.name): parameter for parameter in offered.app.parameters}
    form = [
        _field(by_name[name], question, document) | {"name": name}
        for name, question in parameters.items()
        if name in by_name
    ]
    labels = list(dict.fromkeys(output.label for output in offered.app.outputs))
    if len(labels) > 1:
        form.append(
            {
                "kind": "multiSelect",
                "name": OUTPUTS,
                "question": "Which outputs?",
                "options": labels,
                "max": len(labels),
            }
        )
    price = sum(offered.credits_for(output.type) for output in offered.app.outputs)
    return {
        "mode": "app",
        "selectedApp": plan.selected()
        | {"description": offered.app.description, "schema": offered.detail["parameters"]},
        "draftedInputs": {name: {"value": value, "source": "agent_creative"} for name, value in plan.drafted.items()},
        "form": form,
        "warnings": plan.warnings,
        "estimate": {
            "credits": {"expected": price, "min": round(price * 0.85, 2), "max": round(price * 1.4, 2)},
            "manageUrl": None,
        },
    }


def _field(parameter: Parameter, question: str, document: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": "text", "name": parameter.name, "question": question}
    if parameter.type == "options":
        shown |= {"kind": "select", "options": list(parameter.options)}
    elif parameter.type == "url":
        kind = parameter.accept[0] if parameter.accept else "image"
        shown["kind"] = kind
        if found := _from_document(document, kind):
            shown["suggestedDefault"] = {"source": "doc", "value": found, "label": "From this document"}
    else:
        shown["placeholder"] = parameter.description or ""
    return shown


def _from_document(document: dict[str, Any], name: str) -> str | None:
    """Return the first web address in a document, if something that takes a file is asked for."""
    if not any(word in name.lower() for word in ("image", "video", "url")):
        return None
    return next((str(value) for value in document.values() if str(value).startswith(("http://", "https://"))), None)


def _freestyle(brief: str, constraints: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    modality = "video" if constraints.get("modality") == "video" else "image"
    picture = _from_document(document, "image")
    variant = {
        f"{modality}Model": "nano-banana-pro" if modality == "image" else "kling-v25-text-to-video",
        f"{modality}Params": {
            "imageUrls": [picture] if picture else [],
            "aspectRatio": constraints.get("aspectRatio") or "1:1",
        },
        "prompt": brief,
        "styleHint": "editorial",
    }
    return {
        "mode": "freestyle",
        "freestylePlan": {"modality": modality, "rationale": "No app fits.", "variants": [variant]},
        "estimate": {"credits": None, "manageUrl": None},
    }


def _recipe_inputs(variant: dict[str, Any]) -> dict[str, Any]:
    params = variant.get("imageParams") or variant.get("videoParams") or {}
    params = params if isinstance(params, dict) else {}
    inputs: dict[str, Any] = {"prompt": str(variant.get("prompt") or "")}
    if isinstance(params.get("imageUrls"), list):
        inputs["imageUrls"] = params["imageUrls"]
    if params.get("aspectRatio") in models.SHAPES:
        inputs["aspectRatio"] = params["aspectRatio"]
    return inputs


routes = [
    Route("/v1/content/preview-run", preview, methods=["POST"]),
    Route("/v1/content/run", confirm, methods=["POST"]),
    Route("/v1/content/auto-generate", auto_generate, methods=["POST"]),
]
