"""Apps: the list, one in full, and what a run of it costs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox import legacy
from lamina_integration.sandbox.api.answers import data, whole_number
from lamina_integration.sandbox.catalogue import NODES, OfferedApp
from lamina_integration.sandbox.gate import caller_of, legacy_of, world_of
from lamina_integration.sandbox.refusals import not_found

FORMATS = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/wav", "text": "text/plain"}
MOST = 100


def offered_app(request: Request) -> OfferedApp:
    """Return the app a path names, or refuse; another workspace's private app is as if it were not there."""
    app = world_of(request).catalogue.find(request.path_params["app_id"], caller_of(request).workspace.slug)
    if app is None:
        raise not_found("App")
    return app


async def list_apps(request: Request) -> Response:
    """Return the apps this workspace may run, those that match the search's every word."""
    words = request.query_params.get("search", "").lower().split()
    limit = whole_number(request, "limit", default=MOST, low=1, high=MOST)
    visible = world_of(request).catalogue.visible(caller_of(request).workspace.slug)
    found = [app for app in visible if all(word in f"{app.app.name} {app.app.description}".lower() for word in words)]
    return data([summary(app, world_of(request).base_url) for app in found[:limit]])


async def get_app(request: Request) -> Response:
    """Return one app with its parameters and outputs."""
    offered = offered_app(request)
    detail = dict(offered.detail)
    future = offered.played.get("future_types", {}) if world_of(request).knobs.future_types else {}
    if future:
        detail["parameters"] = [
            each | {"type": future.get(each.get("key"), each["type"])} for each in detail["parameters"]
        ]
    words = legacy_of(request)
    detail["parameters"] = [legacy.parameter(each, words) for each in detail["parameters"]]
    if "app-capabilities" in words:
        detail.pop("outputs")
        detail["capabilities"] = capabilities(offered)
    return data(detail)


async def estimate(request: Request) -> Response:
    """Return what a run of an app costs, whatever its inputs."""
    offered, workspace = offered_app(request), caller_of(request).workspace
    breakdown: list[dict[str, Any]] = [
        {"nodeId": node_id, "nodeType": NODES.get(output.type, "node"), "credits": offered.credits_for(output.type)}
        for node_id, output in zip(offered.node_ids(), offered.app.outputs, strict=True)
    ]
    expected = round(sum(node["credits"] for node in breakdown), 2)
    is_spent = world_of(request).knobs.out_of_credits
    balance = 0.0 if is_spent else workspace.balance
    answer: dict[str, Any] = {
        "appId": offered.app_id,
        "name": offered.app.name,
        "estimatedCredits": {"expected": expected, "min": round(expected * 0.85, 2), "max": round(expected * 1.4, 2)},
        "breakdown": breakdown,
        "currentBalance": balance,
        "affordable": balance >= expected,
    }
    if not answer["affordable"]:
        answer["credits"] = {"manageUrl": f"{world_of(request).base_url}/pricing"}
    return data(answer)


async def workflow(request: Request) -> Response:
    """Return the nodes behind an app and how they hang together."""
    offered = offered_app(request)
    kinds = [NODES.get(output.type, "node") for output in offered.app.outputs]
    ids = offered.node_ids()
    nodes = [{"id": node_id, "type": kind, "label": kind} for node_id, kind in zip(ids, kinds, strict=True)]
    edges = [{"source": first, "target": second} for first, second in pairwise(ids)]
    return data({"appId": offered.app_id, "name": offered.app.name, "nodes": nodes, "edges": edges})


def summary(offered: OfferedApp, base_url: str) -> dict[str, Any]:
    """Return an app as the list shows it."""
    parameters = offered.app.parameters
    named = [({"name": parameter.name, "type": parameter.type}, parameter.has_default) for parameter in parameters]
    return {
        "appId": offered.app_id,
        "name": offered.app.name,
        "description": offered.app.description,
        "isPublic": "workspace" not in offered.played,
        "capabilities": capabilities(offered) if offered.played.get("capabilities") else None,
        "icon": offered.played.get("icon"),
        "modality": offered.modality,
        "outputFormats": formats(offered),
        "inputSummary": {
            "required": [item for item, has_default in named if not has_default],
            "optional": [item for item, has_default in named if has_default],
            "total": len(parameters),
        },
        "thumbnail": {"url": f"{base_url}/samples/{_sample(offered)}.jpg", "type": "image"},
    }


def formats(offered: OfferedApp) -> list[str]:
    """Return the media types an app makes."""
    return sorted({FORMATS.get(output.type, "application/octet-stream") for output in offered.app.outputs})


def capabilities(offered: OfferedApp) -> dict[str, Any]:
    """Return what an app says of itself, completed with what its outputs say."""
    kinds = [output.type for output in offered.app.outputs]
    own: dict[str, Any] = {
        "produces": sorted(set(kinds)),
        "strengths": [],
        "bestFor": [],
        "limitations": [],
        "outputFormats": formats(offered),
        "hasQualityControl": False,
        "hasHumanApproval": False,
        "generationStepCount": len(kinds),
        "nodeTypes": sorted({NODES.get(kind, "node") for kind in kinds}),
    }
    said: dict[str, Any] = offered.played.get("capabilities", {})
    return own | said


def _sample(offered: OfferedApp) -> str:
    name = f"{offered.app.name} {offered.app.description}".lower()
    for word, sample in (
        ("garment", "garment-front"),
        ("person", "portrait"),
        ("portrait", "portrait"),
        ("mood", "mood-1"),
    ):
        if word in name:
            return sample
    return "product"


routes = [
    Route("/v1/apps", list_apps, methods=["GET"]),
    Route("/v1/apps/{app_id}", get_app, methods=["GET"]),
    Route("/v1/apps/{app_id}/workflow", workflow, methods=["GET"]),
    Route("/v1/apps/{app_id}/estimate", estimate, methods=["POST"]),
]
