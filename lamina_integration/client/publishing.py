"""Publishing: to connected channels, and to an address that lasts."""

from __future__ import annotations

from collections.abc import Sequence

from lamina_integration.client.answers import many, one
from lamina_integration.client.calls import Call, Group, Mode, endpoint, given
from lamina_integration.wire import Channel, PastPublication, Published, Transferred


class Publishing(Group[Mode]):
    """Channels and what went to them."""

    @endpoint
    def channels(self) -> Call[tuple[Channel, ...]]:
        """Return the connected channels."""
        return Call("GET", "/v1/publishing/channels", many(Channel))

    @endpoint
    def publish(
        self,
        channel_ids: Sequence[str],
        *,
        image_url: str | None = None,
        video_url: str | None = None,
        caption: str | None = None,
    ) -> Call[Published]:
        """Publish to channels; what became of it is told channel by channel. Never sent twice by itself."""
        body = given(accountIds=list(channel_ids), imageUrl=image_url, videoUrl=video_url, caption=caption)
        return Call("POST", "/v1/publishing/publish", one(Published), body=body, patience_seconds=120.0)

    @endpoint
    def transfer_asset(self, source_url: str, *, media_type: str, filename: str | None = None) -> Call[Transferred]:
        """Copy a file that may expire to an address that lasts."""
        body = given(sourceUrl=source_url, mediaType=media_type, filename=filename)
        return Call("POST", "/v1/publishing/transfer-asset", one(Transferred), body=body, patience_seconds=120.0)

    @endpoint
    def history(
        self, *, limit: int | None = None, status: str | None = None, platform: str | None = None
    ) -> Call[tuple[PastPublication, ...]]:
        """Return what was published, newest first."""
        query = given(limit=limit, status=status, platform=platform)
        return Call("GET", "/v1/publishing/history", many(PastPublication), query=query)
