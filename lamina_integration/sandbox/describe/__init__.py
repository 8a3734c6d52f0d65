"""The stand-in's own OpenAPI document: paths read off its routes, shapes from the modules beside this one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from starlette.routing import Route

from lamina_integration.sandbox.describe import answers, asks
from lamina_integration.sandbox.describe.shapes import SHARED, TEXT, Schema

ABOUT = (
    "A local stand-in for people who have no key, and for tests. It describes the present shapes; "
    "the older ones behind switches are not described. Enumerations are those of the stand-in: "
    "a client should take further words."
)
EVERY_REFUSAL = (401, 403, 429, 500, 503)
LIMITS: Schema = {
    name: {"description": text, "schema": {"type": kind}}
    for name, text, kind in (
        ("X-Request-Id", "The same as an error's requestId", "string"),
        ("RateLimit-Limit", "Requests in a window", "integer"),
        ("RateLimit-Remaining", "Requests left in this one", "integer"),
        ("RateLimit-Reset", "Seconds until the next one", "integer"),
    )
}


def document(groups: Iterable[tuple[str, Iterable[Route]]], *, base_url: str) -> dict[str, Any]:
    """Return the OpenAPI document of these groups of routes."""
    paths: dict[str, dict[str, Any]] = {}
    for group, routes in groups:
        for route in routes:
            path = re.sub(r"{(\w+?)(?::\w+)?}", lambda match: "{" + _camel(match[1]) + "}", route.path)
            for method in (route.methods or set()) - {"HEAD"}:
                paths.setdefault(path, {})[method.lower()] = _operation(group, route, path)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stand-in for the Lamina API", "version": "1", "description": ABOUT},
        "servers": [{"url": base_url}],
        "security": [{"apiKeyHeader": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "headers": LIMITS,
            "responses": {f"Refused{status}": _refused(status) for status in asks.REASONS},
            "schemas": SHARED,
        },
    }


def _operation(group: str, route: Route, path: str) -> dict[str, Any]:
    name = route.endpoint.__name__
    in_path = re.findall(r"{(\w+)}", path)
    refusals = {*EVERY_REFUSAL, *asks.REFUSALS.get(name, ())} | ({404} if in_path else set())
    operation: dict[str, Any] = {
        "tags": [group],
        "operationId": _camel(_unique(name, path)),
        "summary": (inspect.getdoc(route.endpoint) or "").split("\n", 1)[0],
        "parameters": [
            *(_in_path(word, path) for word in in_path),
            *({"name": word, "in": "query", "schema": schema} for word, schema in asks.QUERIES.get(name, {}).items()),
        ],
    }
    if name in asks.BODIES:
        refusals.add(400)
        content: dict[str, Any] = {"schema": asks.BODIES[name]}
        if example := asks.EXAMPLES.get(_unique(name, path)):
            content["examples"] = {"one": {"value": example}}
        operation["requestBody"] = {
            "required": name not in asks.BODILESS,
            "content": {"application/json": content},
        }
    answered = {str(status): _answered(name) for status in answers.STATUSES.get(name, (200,))}
    refused = {str(status): {"$ref": f"#/components/responses/Refused{status}"} for status in sorted(refusals)}
    return operation | {"responses": answered | refused}


def _unique(name: str, path: str) -> str:
    """Return a function's name, made unique where it serves two paths."""
    kind = path.rsplit("/", 1)[-1]
    return f"{name}_{kind}" if name in ("generate", "list_models") else name


def _in_path(word: str, path: str) -> dict[str, Any]:
    example = asks.PATH_EXAMPLES.get(path) or asks.PATH_EXAMPLES.get(word)
    parameter = {"name": word, "in": "path", "required": True, "schema": TEXT}
    return parameter | ({"examples": {"one": {"value": example}}} if example else {})


def _answered(name: str) -> dict[str, Any]:
    headers = {header: {"$ref": f"#/components/headers/{header}"} for header in LIMITS}
    if name == "stream_run":
        content: dict[str, Any] = {"text/event-stream": {"schema": answers.EVENT}}
        return {"description": "The run as it moves", "headers": headers, "content": content}
    content = {"application/json": {"schema": answers.envelope(name)}}
    links = {
        f"{_camel(target)}With{word[:1].upper()}{word[1:]}": {
            "operationId": _camel(target),
            "parameters": {word: f"$response.body#{place}"},
        }
        for target, word, place in asks.NEXT.get(name, ())
    }
    answered = {"description": "Done", "headers": headers, "content": content}
    return answered | ({"links": links} if links else {})


def _refused(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": asks.REASONS[status], "content": {"application/json": {"schema": schema}}}


def _camel(words: str) -> str:
    first, *others = words.split("_")
    return first + "".join(word.capitalize() for word in others)
