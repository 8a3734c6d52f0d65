"""Models: what there is, what each takes, and calling one directly."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox import models
from lamina_integration.sandbox.api.answers import data
from lamina_integration.sandbox.api.asked import asked, model_refusal
from lamina_integration.sandbox.api.runs import late_or_lost, run_of
from lamina_integration.sandbox.api.starting import price, refuse_without_credits
from lamina_integration.sandbox.gate import caller_of, world_of
from lamina_integration.sandbox.models import MODELS, PREFIX, Model
from lamina_integration.sandbox.refusals import not_found


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
    body = await asked(request)
    model = MODELS.get(body["model"])
    if model is None or model.modality != modality:
        known = [each.model_id for each in MODELS.values() if each.modality == modality]
        message = f"No {modality} model has this id."
        raise model_refusal([{"field": "model", "error": "not_allowed", "message": message, "allowed": known}])
    given = models.understood(model, body.get("params") or {})
    given |= {"prompt": body["prompt"]} if body.get("prompt") is not None else {}
    if errors := models.errors(model, given):
        raise model_refusal(errors)
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
