"""Assets: addresses to upload to, and what runs have made."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox.accounts import NAMESPACE
from lamina_integration.sandbox.api.answers import data, page
from lamina_integration.sandbox.api.asked import asked
from lamina_integration.sandbox.fixed import Fixed
from lamina_integration.sandbox.gate import caller_of, world_of
from lamina_integration.sandbox.refusals import invalid, not_found, problem
from lamina_integration.sandbox.runs import Output, Run

MEDIA_TYPES = ("image", "video", "audio")


async def upload_urls(request: Request) -> Response:
    """Return where each file may be put, in the order they were named."""
    files = (await asked(request))["files"]
    assets, workspace = world_of(request).assets, caller_of(request).workspace.slug
    return data(
        {
            "uploads": [
                assets.offer(workspace=workspace, filename=file["filename"], media_type=file["mediaType"])
                for file in files
            ]
        }
    )


async def list_assets(request: Request) -> Response:
    """Return what this workspace's runs have made, the latest first."""
    query, slug = request.query_params, caller_of(request).workspace.slug
    kind, run_id = query.get("outputType") or None, query.get("runId") or None
    if kind and kind not in (*MEDIA_TYPES, "text"):
        raise invalid("Invalid query", problem("outputType", "invalid_option", "outputType is not one there is."))
    made = [
        (run, output)
        for run in world_of(request).runs.newest(workspace=slug)
        if run_id in (None, run.run_id)
        for output in run.outputs
        if output.status == "completed" and kind in (None, output.type)
    ]
    return page(made, request, lambda each: _made(*each))


async def get_asset(request: Request) -> Response:
    """Return one thing a run has made."""
    asset_id = request.path_params["asset_id"]
    for run in world_of(request).runs.newest(workspace=caller_of(request).workspace.slug):
        for output in run.outputs:
            if output.status == "completed" and _asset_id(run.run_id, output.node_id) == asset_id:
                return data(_made(run, output))
    raise not_found("Asset")


@lru_cache(maxsize=100_000)  # one asset is looked for among all
def _asset_id(run_id: str, node_id: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{run_id}:{node_id}"))


def _made(run: Run, output: Output) -> dict[str, Any]:
    is_text = output.type == "text"
    return {
        "id": _asset_id(run.run_id, output.node_id),
        "runId": run.run_id,
        "nodeLabel": output.label,
        "outputType": output.type,
        "sourceUrl": None if is_text else output.value,
        "cdnUrl": None if is_text else output.value,
        "textContent": output.value if is_text else None,
        "status": output.status,
        "createdAt": run.completed_at or run.started_at or run.created_at,
    }


routes = [
    Fixed("/v1/assets/upload-urls", upload_urls, methods=["POST"]),
    Route("/v1/assets", list_assets, methods=["GET"]),
    Route("/v1/assets/{asset_id}", get_asset, methods=["GET"]),
]
