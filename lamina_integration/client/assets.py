"""Assets: hand files to Lamina, and list what runs have made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from lamina_integration.client.answers import many, one, page
from lamina_integration.client.calls import Call, Group, Mode, Upload, endpoint, given, path
from lamina_integration.wire import Asset, Page, UploadFile, UploadTarget


class Assets(Group[Mode]):
    """Files on their way to Lamina's storage, and what has come out."""

    @endpoint
    def list(
        self, *, run_id: str | None = None, output_type: str | None = None, limit: int = 100, offset: int = 0
    ) -> Call[Page[Asset]]:
        """Return one page of what runs have made."""
        query = given(runId=run_id, outputType=output_type, limit=limit, offset=offset)
        return Call("GET", "/v1/assets", page(Asset), query=query)

    @endpoint
    def get(self, asset_id: str) -> Call[Asset]:
        """Return one of them; whether Lamina serves this is not established."""
        return Call("GET", path("/v1/assets/{asset_id}", asset_id=asset_id), one(Asset))

    @endpoint
    def upload_urls(self, files: Sequence[UploadFile]) -> Call[tuple[UploadTarget, ...]]:
        """Return where to put each file, in the same order."""
        body = {"files": [{"filename": file.filename, "mediaType": file.media_type} for file in files]}
        return Call("POST", "/v1/assets/upload-urls", many(UploadTarget, inside="uploads"), body=body)

    @endpoint
    def put(self, target: UploadTarget, stream: IO[bytes], *, size: int, content_type: str | None = None) -> Call[None]:
        """Send a file to its place, streamed; afterwards `target.asset_url` can be an input.

        The address is pre-signed: the key stays at home.
        """
        kind = content_type or target.content_type_hint or "application/octet-stream"
        upload = Upload(url=target.upload_url, stream=stream, size=size, content_type=kind)
        return Call("PUT", "(upload)", lambda _: None, upload=upload)
