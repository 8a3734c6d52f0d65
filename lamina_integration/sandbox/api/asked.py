"""What an operation is asked: its body, held to the shape that the stand-in's own document gives."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from lamina_integration.sandbox.api.starting import check_webhook
from lamina_integration.sandbox.describe.asks import BODIES, BODILESS
from lamina_integration.sandbox.describe.misfits import Misfit, misfits
from lamina_integration.sandbox.gate import read_object
from lamina_integration.sandbox.refusals import Refusal, invalid, problem

MESSAGES = {"start_run": "Invalid inputs"}


async def asked(request: Request) -> dict[str, Any]:
    """Return a request's body, or refuse with everything in it that is not as the operation describes it."""
    name = request.scope["endpoint"].__name__
    body = {} if name in BODILESS and not await request.body() else await read_object(request)
    if isinstance(body.get("webhookUrl"), str):
        check_webhook(body["webhookUrl"])
    found = misfits(BODIES[name], body)
    if found and name == "generate":
        raise model_refusal([_model_error(body, misfit) for misfit in found])
    if found:
        raise invalid(MESSAGES.get(name, "Invalid request"), *(problem(*misfit) for misfit in found))
    return body


def model_refusal(errors: list[dict[str, Any]]) -> Refusal:
    """Return the refusal of a direct call, in the shape that only these have."""
    message = f"{len(errors)} {'field is' if len(errors) == 1 else 'fields are'} not as the model needs them."
    details = {"code": "invalid_params", "message": message, "details": {"errors": errors}}
    return Refusal(status=400, code="VALIDATION_ERROR", message="Invalid parameters for model", details=details)


def _model_error(body: dict[str, Any], misfit: Misfit) -> dict[str, Any]:
    where, kind, message = misfit
    error = {"field": where, "error": "required" if kind == "missing" else kind, "message": message}
    return error | ({"got": body[where]} if where in body else {})
