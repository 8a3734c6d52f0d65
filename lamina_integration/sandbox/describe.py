"""The stand-in's own OpenAPI document, read off its routes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from starlette.routing import Route

STARTED = {"start_run", "batch", "confirm", "auto_generate", "generate"}
BARE = {"signing_key"}
PAGED = {"list_runs", "list_assets"}
QUERIES = {
    "list_apps": {"search": "string", "limit": "integer"},
    "start_run": {"webhook": "string"},
    "list_runs": {"status": "string", "appId": "string", "since": "string", "limit": "integer", "offset": "integer"},
    "wait_for_run": {"timeout": "integer"},
    "list_assets": {"runId": "string", "outputType": "string", "limit": "integer", "offset": "integer"},
    "brand_context": {"platform": "string", "topK": "integer"},
    "recommendations": {"platform": "string", "limit": "integer"},
    "trends": {"category": "string", "platform": "string", "windowDays": "integer", "limit": "integer"},
    "history": {"status": "string", "platform": "string", "limit": "integer"},
}
BODIES = {
    "discover": ["intent"],
    "start_run": ["inputs"],
    "refine_run": ["feedback"],
    "create": ["brief"],
    "plan_content": ["brief"],
    "batch": ["items"],
    "brief": ["goal"],
    "score": [],
    "preview": ["brief", "document"],
    "confirm": [],
    "auto_generate": ["brief", "document"],
    "upload_urls": ["files"],
    "predict": ["concept", "platform", "modality"],
    "publish": ["accountIds"],
    "transfer": ["sourceUrl", "mediaType"],
    "generate": ["model"],
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string"},
        "retryable": {"type": "boolean"},
        "retryAfter": {"type": "integer"},
        "requestId": {"type": "string"},
        "details": {},
    },
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
        "info": {"title": "Stand-in for the Lamina API", "version": "1"},
        "servers": [{"url": base_url}],
        "security": [{"apiKeyHeader": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {"Error": ERROR},
        },
    }


def _operation(group: str, route: Route, path: str) -> dict[str, Any]:
    name = route.endpoint.__name__
    parameters: list[dict[str, Any]] = [
        {"name": word, "in": "path", "required": True, "schema": {"type": "string"}}
        for word in re.findall(r"{(\w+)}", path)
    ]
    parameters += [
        {"name": word, "in": "query", "schema": {"type": kind}} for word, kind in QUERIES.get(name, {}).items()
    ]
    refused = {
        "description": "Refused",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    operation: dict[str, Any] = {
        "tags": [group],
        "operationId": _camel(f"{name}_{path.rsplit('/', 1)[-1]}" if name in ("generate", "list_models") else name),
        "summary": (inspect.getdoc(route.endpoint) or "").split("\n", 1)[0],
        "parameters": parameters,
        "responses": {"202" if name in STARTED else "200": _answer(name), "default": refused},
    }
    if name == "create":
        operation["responses"]["202"] = _answer(name)
    if name in BODIES:
        schema = {"type": "object", "required": BODIES[name]}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _answer(name: str) -> dict[str, Any]:
    if name == "stream_run":
        return {"description": "The run as it moves", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    member = "keys" if name in BARE else "data"
    required = [member, "pagination"] if name in PAGED else [member]
    schema = {"type": "object", "required": required}
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}


def _camel(words: str) -> str:
    first, *others = words.split("_")
    return first + "".join(word.capitalize() for word in others)
