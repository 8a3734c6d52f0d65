"""Publishing: channels that accept posts without showing them to anybody, what was posted, and permanent copies."""

from __future__ import annotations

import uuid
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox.accounts import NAMESPACE
from lamina_integration.sandbox.api.answers import data, whole_number
from lamina_integration.sandbox.api.asked import asked
from lamina_integration.sandbox.gate import caller_of, legacy_of, world_of
from lamina_integration.sandbox.times import iso

CHANNELS = (
    ("facebook", "Example Shop", "page", "exampleshop", True),
    ("instagram", "Example Shop", "business", "example.shop", True),
    ("tiktok", None, None, "example.shop", False),
)


def channels_of(workspace: str) -> list[dict[str, Any]]:
    """Return the channels connected to a workspace."""
    return [
        {
            "id": str(uuid.uuid5(NAMESPACE, f"channel:{workspace}:{platform}")),
            "platform": platform,
            "accountName": name,
            "accountType": kind,
            "username": username,
            "hasInstagram": has_instagram,
            "createdAt": "2026-01-10T00:00:00.000Z",
        }
        for platform, name, kind, username, has_instagram in CHANNELS
    ]


async def channels(request: Request) -> Response:
    """Return where this workspace can post."""
    return data(channels_of(caller_of(request).workspace.slug))


async def publish(request: Request) -> Response:
    """Post to several channels; each succeeds or fails by itself."""
    body, world, slug = await asked(request), world_of(request), caller_of(request).workspace.slug
    known = {channel["id"]: channel for channel in channels_of(slug)}
    posts = [_post(body, account, known.get(account)) for account in body["accountIds"]]
    for post in posts:
        world.post(slug, post)
    docs_shape = "publish-docs" in legacy_of(request)
    results = [_told(post, known.get(post["accountId"]), docs_shape=docs_shape) for post in posts]
    if docs_shape:
        return data({"results": results})
    failed = sum(post["status"] == "failed" for post in posts)
    summary = {"total": len(posts), "success": len(posts) - failed, "failed": failed}
    return data({"results": results, "summary": summary})


def _post(body: dict[str, Any], account: str, channel: dict[str, Any] | None) -> dict[str, Any]:
    content = body.get("videoUrl") or body.get("imageUrl")
    error = None
    if channel is None:
        error = "There is no such channel"
    elif channel["platform"] == "tiktok" and not body.get("videoUrl"):
        error = "This channel takes video only"
    identity = str(uuid.uuid4())
    return {
        "id": identity,
        "accountId": account,
        "platform": channel["platform"] if channel else "unknown",
        "contentType": "video" if body.get("videoUrl") else "image" if body.get("imageUrl") else "text",
        "contentUrl": content,
        "caption": body.get("caption"),
        "postUrl": None if error else f"https://social.example.com/p/{identity[:8]}",
        "status": "failed" if error else "published",
        "error": error,
        "publishedAt": None if error else iso(),
        "createdAt": iso(),
    }


def _told(post: dict[str, Any], channel: dict[str, Any] | None, *, docs_shape: bool) -> dict[str, Any]:
    words = ("failed", "published") if docs_shape else ("error", "success")
    told: dict[str, Any] = {"accountId": post["accountId"], "status": words[post["error"] is None]}
    if not docs_shape:
        told |= {"platform": post["platform"], "accountName": channel["accountName"] if channel else None}
    return told | ({"error": post["error"]} if post["error"] else {"postUrl": post["postUrl"]})


async def transfer(request: Request) -> Response:
    """Give a temporary file a permanent address."""
    body, world = await asked(request), world_of(request)
    source = body["sourceUrl"].strip()
    filename = body.get("filename") or PurePosixPath(urlsplit(source).path).name or "file"
    path = await world.studio.copy_of(source)
    target = world.assets.offer(
        workspace=caller_of(request).workspace.slug, filename=filename, media_type=body["mediaType"]
    )
    asset = world.assets.find(target["assetId"])
    if asset:
        content = path.read_bytes()
        world.assets.file(asset.asset_id).write_bytes(content)
        world.assets.arrived(asset, size=len(content), content_type=None)
    url = target["assetUrl"]
    if "transfer-docs" in legacy_of(request):
        return data({"url": url})
    return data({"cdnUrl": url, "assetId": target["assetId"], "filename": filename, "url": url})


async def history(request: Request) -> Response:
    """Return what was posted, the latest first."""
    query, slug = request.query_params, caller_of(request).workspace.slug
    limit = whole_number(request, "limit", default=25, low=1, high=100)
    found = [
        {name: value for name, value in post.items() if name != "accountId"}
        for post in world_of(request).posts.get(slug, [])
        if query.get("status") in (None, "", post["status"]) and query.get("platform") in (None, "", post["platform"])
    ]
    return data(found[:limit])


routes = [
    Route("/v1/publishing/channels", channels, methods=["GET"]),
    Route("/v1/publishing/publish", publish, methods=["POST"]),
    Route("/v1/publishing/transfer-asset", transfer, methods=["POST"]),
    Route("/v1/publishing/history", history, methods=["GET"]),
]
