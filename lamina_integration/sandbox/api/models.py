"""Models: what there is, what each takes, and calling one directly."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox import models
from lamina_integration.sandbox.api.answers import data
from lamina_integration.sandbox.api.runs import late_or_lost, run_of
from lamina_integration.sandbox.api.starting import check_webhook, price, refuse_without_credits
from lamina_integration.sandbox.gate import caller_of, read_object, world_of
from lamina_integration.sandbox.models import MODELS, PREFIX, Model
from lamina_integration.sandbox.refusals import Refusal, not_found


async def list_models(request: Request) -> Response:
    """Return the models of one kind."""
    modality = request.url.path.rsplit("/", 1)[-1]
    return data([model.summary() for model in MODELS.values() if model.modality == modality])


async def describe_model(request: Request) -> Response:
    """Return one model with its parameters."""
    return data(_model(request.path_params["model_id"], None).detail())


async def describe_image_model(request: Request) -> Response:
    """Return one model that makes pictures."""
    return data(_model(request.path_params["model_id"], "image").detail())


async def describe_video_model(request: Request) -> Response:
    """Return one model that makes films."""
    return data(_model(request.path_params["model_id"], "video").detail())


async def generate(request: Request) -> Response:
    """Start a run of one model."""
    world, caller = world_of(request), caller_of(request)
    modality = request.url.path.rsplit("/", 1)[-1]
    body = await read_object(request)
    model = _model_of(body, modality)
    given = body.get("params")
    if given is not None and not isinstance(given, dict):
        raise _unfit([{"field": "params", "error": "invalid_type", "message": "params must be an object."}])
    given = models.understood(model, dict(given or {}))
    given |= {"prompt": body["prompt"]} if body.get("prompt") is not None else {}
    check_webhook(body.get("webhookUrl"))
    if errors := models.errors(model, given):
        raise _unfit(errors)
    offered = models.as_app(PREFIX + model.model_id)
    if offered is None:
        raise not_found("Model")
    refuse_without_credits(world, caller, price(offered, []))
    run = world.player.start(caller=caller, offered=offered, inputs=given, webhook=body.get("webhookUrl"), kind="model")
    defaults = {field: facts["default"] for field, facts in model.schema.items() if "default" in facts}
    run.facts = {"model": model.model_id, "resolvedParams": defaults | given}
    await late_or_lost(request, run)
    return data({"runId": run.run_id, "status": "queued", **run.facts}, status=202)


async def get_model_run(request: Request) -> Response:
    """Return one run of a model."""
    return data(run_of(request, kind="model").as_wire())


def _model_of(body: dict[str, Any], modality: str) -> Model:
    """Return the model a body names; one that was left out or invented is a bad parameter like any other."""
    model = MODELS.get(name) if isinstance(name := body.get("model"), str) else None
    if model is None or model.modality != modality:
        known = [model_id for model_id, each in MODELS.items() if each.modality == modality]
        error = "missing" if body.get("model") is None else "not_allowed"
        raise _unfit([{"field": "model", "error": error, "message": "model names no such model.", "allowed": known}])
    return model


def _unfit(errors: list[dict[str, Any]]) -> Refusal:
    message = f"{len(errors)} {'field is' if len(errors) == 1 else 'fields are'} not as the model needs them."
    details = {"code": "invalid_params", "message": message, "details": {"errors": errors}}
    return Refusal(status=400, code="VALIDATION_ERROR", message="Invalid parameters for model", details=details)


def _model(model_id: str, modality: str | None) -> Model:
    model = MODELS.get(model_id)
    if model is None or (modality and model.modality != modality):
        raise not_found("Model")
    return model


routes = [
    Route("/v1/models/image", list_models, methods=["GET"]),
    Route("/v1/models/video", list_models, methods=["GET"]),
    Route("/v1/models/image/{model_id}", describe_image_model, methods=["GET"]),
    Route("/v1/models/video/{model_id}", describe_video_model, methods=["GET"]),
    Route("/v1/models/{model_id}", describe_model, methods=["GET"]),
    Route("/v1/generate/image", generate, methods=["POST"]),
    Route("/v1/generate/video", generate, methods=["POST"]),
    Route("/v1/generate/runs/{run_id}", get_model_run, methods=["GET"]),
]
