"""Assets: hand files to Lamina."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from lamina_integration.client.answers import many
from lamina_integration.client.calls import Call, Group, Mode, Upload, endpoint
from lamina_integration.wire import UploadFile, UploadTarget


class Assets(Group[Mode]):
    """Files on their way to Lamina's storage."""

    @endpoint
    def upload_urls(self, files: Sequence[UploadFile]) -> Call[tuple[UploadTarget, ...]]:
        """Return where to put each file, in the same order."""
        body = {"files": [{"filename": file.filename, "mediaType": file.media_type} for file in files]}
        return Call("POST", "/v1/assets/upload-urls", many(UploadTarget, inside="uploads"), body=body)

    @endpoint
    def put(self, target: UploadTarget, stream: BinaryIO, *, size: int, content_type: str | None = None) -> Call[None]:
        """Send a file to its place, streamed; afterwards `target.asset_url` can be an input.

        The address is pre-signed: the key stays at home.
        """
        kind = content_type or target.content_type_hint or "application/octet-stream"
        upload = Upload(url=target.upload_url, stream=stream, size=size, content_type=kind)
        return Call("PUT", "(upload)", lambda _: None, upload=upload)
