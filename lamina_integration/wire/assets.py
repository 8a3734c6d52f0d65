"""Assets: files on their way to Lamina, and what runs have made."""

from __future__ import annotations

from dataclasses import dataclass

from lamina_integration.wire.base import Id, MaybeText, Moment, Text, Wire


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file we want to upload: its name, and whether it is an image, a video or audio."""

    filename: str
    media_type: str


class UploadTarget(Wire):
    """Where to put one file, and the address it will then have."""

    filename: Text = ""
    media_type: Text = ""
    content_type_hint: MaybeText = None
    upload_url: Id
    asset_url: Id
    asset_id: MaybeText = None
    expires_at: Moment = None


class Asset(Wire):
    """One thing a run has made, as the list of assets shows it; `url` prefers the lasting address."""

    id: Id
    run_id: Text = ""
    node_label: Text = ""
    output_type: Text = ""
    source_url: MaybeText = None
    cdn_url: MaybeText = None
    text_content: MaybeText = None
    status: Text = ""
    created_at: Moment = None

    @property
    def url(self) -> str | None:
        """Return where to fetch it; an address that is not the lasting one may expire."""
        return self.cdn_url or self.source_url
