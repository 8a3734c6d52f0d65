"""The stand-in's own pages: what it is doing, with buttons to play Lamina; and its OpenAPI document."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lamina_integration.sandbox import describe
from lamina_integration.sandbox.gate import world_of

FOLDER = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'"
)
TYPES = {"index.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}


async def home(request: Request) -> Response:
    """Return the page."""
    return _file("index.html")


async def part(request: Request) -> Response:
    """Return the page's script or style sheet."""
    return _file(request.path_params["name"])


async def openapi(request: Request) -> Response:
    """Return the OpenAPI document of everything below /v1."""
    from lamina_integration.sandbox.api import GROUPS  # it imports this module

    groups = [(group.__name__.rsplit(".", 1)[-1].capitalize(), group.routes) for group in GROUPS]
    return JSONResponse(describe.document(groups, base_url=world_of(request).base_url))


async def pricing(request: Request) -> Response:
    """Lead to the page: there is nothing to buy here."""
    return RedirectResponse("/")


async def icon(request: Request) -> Response:
    """Return no icon."""
    return Response(status_code=204)


def _file(name: str) -> Response:
    path = FOLDER / name
    if name not in TYPES:
        return Response(status_code=404)
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return Response(path.read_bytes(), media_type=TYPES[name], headers=headers)


routes = [
    Route("/", home, methods=["GET"]),
    Route("/_page/{name}", part, methods=["GET"]),
    Route("/openapi.json", openapi, methods=["GET"]),
    Route("/pricing", pricing, methods=["GET"]),
    Route("/favicon.ico", icon, methods=["GET"]),
]
