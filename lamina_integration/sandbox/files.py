"""The files beside the API: uploads put and read, media and samples served, with ranges."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from lamina_integration.sandbox.gate import key_of, world_of
from lamina_integration.sandbox.refusals import not_found

MAX_UPLOAD_BYTES = 500 * 1024 * 1024
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=3600"}
HUGE_BYTES = 2 * 1024**3
CHUNK = bytes(256 * 1024)
TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4", ".wav": "audio/wav"}


async def put_upload(request: Request) -> Response:
    """Take an upload's bytes at its signed address, as object storage does: no key, only the signature."""
    world = world_of(request)
    asset_id, query = request.path_params["asset_id"], request.query_params
    if key_of(request) or request.headers.get("authorization"):
        return _storage_error(
            400, "InvalidArgument", "Only one auth mechanism allowed; send no key with a signed address"
        )
    asset = world.assets.find(asset_id)
    if asset is None or not world.assets.is_signed(asset_id, query.get("expires", ""), query.get("signature", "")):
        return _storage_error(403, "SignatureDoesNotMatch", "The signature is not the one this address was given")
    if int(query["expires"]) <= time.time():
        return _storage_error(403, "AccessDenied", "Request has expired")
    path = world.assets.file(asset_id)
    size = await _save(request, path)
    if size is None:
        return _storage_error(400, "EntityTooLarge", "The upload is larger than is allowed")
    content_type = request.headers.get("content-type", "")
    world.assets.arrived(
        asset, size=size, content_type=content_type if re.fullmatch(r"[\w.+-]+/[\w.+-]+", content_type) else None
    )
    return Response(status_code=200)


async def _save(request: Request, path: Path) -> int | None:
    """Write the body to a file; return its size, or None when it is too large. A half upload leaves nothing."""
    part = path.with_suffix(".part")
    size = 0
    try:
        with part.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_UPLOAD_BYTES:
                    return None
                file.write(chunk)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return size


async def get_asset(request: Request) -> Response:
    """Return an upload."""
    asset = world_of(request).assets.find(request.path_params["asset_id"])
    path = world_of(request).assets.path(asset.asset_id) if asset else None
    if asset is None or path is None:
        raise not_found("Asset")
    return FileResponse(path, media_type=asset.content_type, headers=HEADERS)


async def get_media(request: Request) -> Response:
    """Return a made file, or what is left of it when the knobs say so."""
    world = world_of(request)
    path = world.media_path(request.path_params["path"])
    fault = world.knobs.media_fault
    if path is None or fault == "gone":
        raise not_found("File")
    kind = TYPES.get(path.suffix, "application/octet-stream")
    if fault == "wrong":
        return Response("<html><body>Sign in to continue</body></html>", media_type="text/html")
    if fault == "cut":
        whole = path.read_bytes()
        return Response(whole[: len(whole) // 2], media_type=kind, headers=HEADERS)
    if fault in ("huge", "endless"):
        # Announced or not: the end of the second is seen only by who reads so far.
        length = {"Content-Length": str(HUGE_BYTES)} if fault == "huge" else {}
        return StreamingResponse(_huge(), media_type=kind, headers=HEADERS | length)
    return FileResponse(path, media_type=kind, headers=HEADERS)


async def _huge() -> AsyncIterator[bytes]:
    for _ in range(HUGE_BYTES // len(CHUNK)):
        yield CHUNK


async def get_sample(request: Request) -> Response:
    """Return a sample picture."""
    world, name = world_of(request), request.path_params["name"]
    path = await world.sample(name)
    if path is None:
        raise not_found("File")
    return FileResponse(path, media_type="image/jpeg", headers=HEADERS)


def _storage_error(status: int, code: str, message: str) -> Response:
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return Response(body, status_code=status, media_type="application/xml")


routes = [
    Route("/uploads/{asset_id}", put_upload, methods=["PUT"]),
    Route("/assets/{asset_id}/{filename:path}", get_asset, methods=["GET"]),
    Route("/media/{path:path}", get_media, methods=["GET"]),
    Route("/samples/{name}.jpg", get_sample, methods=["GET"]),
]
