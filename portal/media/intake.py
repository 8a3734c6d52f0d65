"""Uploads: checked by what they are, made anew, kept once for each workspace.

What a browser calls a file, or says it is, decides nothing. A picture that gets in consists of
pixels we encoded ourselves; a video of packets in a container we wrote.
"""

import tempfile
from collections.abc import Collection
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.db import IntegrityError

from portal.media import words
from portal.media.bench import BenchRefused, remake
from portal.media.models import Media, Origin
from portal.media.names import uploaded_name
from portal.media.sniffing import HEAD_BYTES, Sniffed, sniff
from portal.media.store import digest, keep
from portal.media.words import rules_text
from portal.workspaces.models import User, Workspace

__all__ = ["UploadRefused", "rules_text", "take_in"]


class UploadRefused(Exception):
    """A file is not taken, with the sentence that tells a person why.

    Codes: wrong_kind, too_big, empty, unreadable, too_many_pixels, failed.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def take_in(
    *, workspace: Workspace, user: User | None, upload: "UploadedFile[bytes]", accept: Collection[str]
) -> Media:
    """Return the file as it is kept; the same content again is the same row. Raises UploadRefused."""
    name = uploaded_name(upload.name or "")
    _check_size(upload, name, limit=max(words.max_bytes(kind) for kind in accept))
    with tempfile.TemporaryDirectory(prefix="media-", dir=settings.FILE_UPLOAD_TEMP_DIR) as place:
        folder = Path(place)
        source = _on_disk(upload, folder)
        sniffed = _sniffed(source, name, accept)
        _check_size(upload, name, limit=words.max_bytes(sniffed.kind))
        source_sha256 = digest(source)
        if (known := _find_upload(workspace, source_sha256)) is not None:
            return _of_kind(known, name, accept)
        try:
            made = remake(source, sniffed, folder=folder)
        except BenchRefused as refusal:
            raise _refusal(refusal.code, name, sniffed.kind) from refusal
        if made.kind not in accept:
            raise UploadRefused("wrong_kind", words.wrong_kind(name, accept))
        media = Media(
            workspace=workspace, created_by=user, origin=Origin.UPLOAD, name=name, source_sha256=source_sha256
        )
        try:
            return keep(media, made)
        except IntegrityError:
            # Somebody uploaded the same at the same time and was first.
            known = _find_upload(workspace, source_sha256)
            if known is None:
                raise
            return _of_kind(known, name, accept)


def _check_size(upload: "UploadedFile[bytes]", name: str, *, limit: int) -> None:
    if not upload.size:
        raise UploadRefused("empty", words.empty(name))
    if upload.size > limit:
        raise UploadRefused("too_big", words.too_big(name, upload.size, limit))


def _on_disk(upload: "UploadedFile[bytes]", folder: Path) -> Path:
    """Return a path with the upload's content; a large one is on disk already and is not copied."""
    if isinstance(upload, TemporaryUploadedFile):
        upload.flush()
        return Path(upload.temporary_file_path())
    path = folder / "source"
    with path.open("wb") as file:
        for chunk in upload.chunks():
            file.write(chunk)
    return path


def _sniffed(source: Path, name: str, accept: Collection[str]) -> Sniffed:
    with source.open("rb") as file:
        sniffed = sniff(file.read(HEAD_BYTES))
    # A container of videos may hold sound alone; the workbench will tell.
    could_be = {"video": {"video", "audio"}}.get(sniffed.kind, {sniffed.kind}) if sniffed else set()
    if sniffed is None or could_be.isdisjoint(accept):
        raise UploadRefused("wrong_kind", words.wrong_kind(name, accept))
    return sniffed


def _find_upload(workspace: Workspace, source_sha256: str) -> Media | None:
    uploads = Media.objects.filter(workspace=workspace, origin=Origin.UPLOAD, source_sha256=source_sha256)
    return uploads.select_related("workspace").first()


def _of_kind(media: Media, name: str, accept: Collection[str]) -> Media:
    if media.kind not in accept:
        raise UploadRefused("wrong_kind", words.wrong_kind(name, accept))
    return media


def _refusal(code: str, name: str, kind: str) -> UploadRefused:
    """Return the workbench's no in words for people."""
    match code:
        case "too_many_pixels":
            return UploadRefused("too_many_pixels", words.too_many_pixels(name, kind))
        case "too_long":
            return UploadRefused("too_big", words.too_long(name))
        case "unplayable":
            return UploadRefused("wrong_kind", words.unplayable(name))
        case "busy":
            return UploadRefused("failed", words.failed(name))
    return UploadRefused("unreadable", words.unreadable(name))
