"""Publishing: channels, and what became of what was sent to them."""

from __future__ import annotations

from typing import Annotated, Any

from lamina_integration.wire.base import OBJECTS, Flag, Id, MaybeText, Moment, Text, Wire, before, first_of


class Channel(Wire):
    """A connected account that can be published to."""

    id: Id
    platform: Text = ""
    account_name: MaybeText = None
    account_type: MaybeText = None
    username: MaybeText = None
    has_instagram: Flag = False
    created_at: Moment = None


class Publication(Wire):
    """What became of publishing to one channel."""

    account_id: Text = ""
    platform: MaybeText = None
    account_name: MaybeText = None
    status: Text = ""
    post_url: MaybeText = None
    error: MaybeText = None

    @property
    def is_published(self) -> bool:
        """Whether it is out; Lamina has two words for that."""
        return self.status in ("success", "published")


class Published(Wire):
    """What became of publishing, channel by channel; one that failed does not fail the others."""

    results: Annotated[tuple[Publication, ...], OBJECTS] = ()

    @property
    def succeeded(self) -> int:
        """Return how many channels it is out on, counted here: not every answer has a summary."""
        return sum(1 for publication in self.results if publication.is_published)

    @property
    def failed(self) -> int:
        """Return how many channels it is not out on."""
        return len(self.results) - self.succeeded


class Transferred(Wire):
    """A file copied to an address that lasts."""

    url: Id
    asset_id: MaybeText = None
    filename: MaybeText = None

    @before
    def _rename(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "url": first_of(data, "cdnUrl", "url")}


class PastPublication(Wire):
    """One publication in the history."""

    id: Id
    platform: Text = ""
    content_type: Text = ""
    content_url: MaybeText = None
    caption: MaybeText = None
    post_url: MaybeText = None
    status: Text = ""
    error: MaybeText = None
    published_at: Moment = None
    created_at: Moment = None
