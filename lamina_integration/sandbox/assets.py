"""Uploads: addresses to put a file at, signed and short-lived, and the stable address it then has."""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import re
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lamina_integration.sandbox.times import iso

if TYPE_CHECKING:
    from lamina_integration.sandbox.world import World

FALLBACK = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/mpeg"}
TYPES = {".heic": "image/heic", ".heif": "image/heif", ".avif": "image/avif", ".webp": "image/webp"}
TYPES |= {".m4v": "video/x-m4v", ".mkv": "video/x-matroska", ".m4a": "audio/mp4", ".flac": "audio/flac"}


@dataclass(kw_only=True)
class Asset:
    """One file somebody uploads, or is about to."""

    asset_id: str
    workspace: str
    filename: str
    media_type: str
    content_type: str
    created_at: str
    size: int | None = None  # None until it is there


class Assets:
    """All uploads and the secret their addresses are signed with."""

    def __init__(self, world: World, *, secret: bytes) -> None:
        self._world = world
        self._secret = secret
        self._assets: dict[str, Asset] = {}

    def offer(self, *, workspace: str, filename: str, media_type: str) -> dict[str, Any]:
        """Return where one file may be put, and the address it will have."""
        suffix = Path(filename).suffix.lower()
        hint = TYPES.get(suffix) or mimetypes.guess_type(filename)[0] or ""
        asset = Asset(
            asset_id=str(uuid.uuid4()),
            workspace=workspace,
            filename=filename,
            media_type=media_type,
            content_type=hint if hint.startswith(media_type) else FALLBACK[media_type],
            created_at=iso(),
        )
        self._assets[asset.asset_id] = asset
        self._keep(asset)
        expires = int(time.time() + self._world.knobs.upload_seconds)
        signed = self.signature(asset.asset_id, expires)
        return {
            "filename": filename,
            "mediaType": media_type,
            "contentTypeHint": asset.content_type,
            "uploadUrl": f"{self._world.base_url}/uploads/{asset.asset_id}?expires={expires}&signature={signed}",
            "assetUrl": self.url(asset),
            "assetId": asset.asset_id,
            "expiresAt": iso(datetime.fromtimestamp(expires, UTC)),
        }

    def signature(self, asset_id: str, expires: int) -> str:
        """Return what proves that an upload address is ours."""
        return hmac.new(self._secret, f"{asset_id}:{expires}".encode(), hashlib.sha256).hexdigest()

    def is_signed(self, asset_id: str, expires: str, signature: str) -> bool:
        """Whether an upload address is one we gave out; it may have expired all the same."""
        return expires.isdigit() and hmac.compare_digest(
            self.signature(asset_id, int(expires)).encode(), signature.encode()
        )

    def url(self, asset: Asset) -> str:
        """Return the stable address of an upload."""
        safe = re.sub(r"[/\\\x00-\x1f]", "_", asset.filename)[-120:]
        return f"{self._world.base_url}/assets/{asset.asset_id}/{quote(safe, safe='')}"

    def find(self, asset_id: str) -> Asset | None:
        """Return an upload by its id."""
        return self._assets.get(asset_id)

    def file(self, asset_id: str) -> Path:
        """Return where an upload's bytes belong."""
        return self._world.folder("assets") / asset_id

    def path(self, asset_id: str) -> Path | None:
        """Return an upload's file if it has arrived."""
        asset = self._assets.get(asset_id)
        return self.file(asset_id) if asset and asset.size is not None else None

    def arrived(self, asset: Asset, *, size: int, content_type: str | None) -> None:
        """Note that an upload's bytes are there."""
        asset.size = size
        asset.content_type = content_type or asset.content_type
        self._keep(asset)
        self._world.ledger.note(
            "upload", {"assetId": asset.asset_id, "filename": asset.filename, "bytes": size, "time": iso()}
        )

    def restore(self, kept: dict[str, Any]) -> None:
        """Take in an upload from before a restart."""
        asset = Asset(**kept)
        self._assets[asset.asset_id] = asset

    def _keep(self, asset: Asset) -> None:
        self._world.keep("asset", asset.asset_id, asdict(asset))
