"""The public halves of the keys deliveries are signed with."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lamina_integration.sandbox.gate import world_of


async def signing_key(request: Request) -> Response:
    """Return the JWK set, without an envelope."""
    return JSONResponse(world_of(request).keys.as_wire())


routes = [Route("/v1/webhooks/signing-key", signing_key, methods=["GET"])]
