"""Putting files and their row in place together: no row without its files, no files without a row."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.files import File
from django.db import transaction

from portal.media.bench import Made
from portal.media.models import Media

CHUNK_BYTES = 256 * 1024


def keep(media: Media, made: Made) -> Media:
    """Store what was made and insert the row; when either fails, nothing stays."""
    media.kind = made.kind
    media.extension, media.content_type = made.extension, made.content_type
    media.width, media.height, media.duration_seconds = made.width, made.height, made.duration_seconds
    media.placeholder, media.changes = made.placeholder, made.changes
    media.size, media.sha256 = made.file.stat().st_size, digest(made.file)
    with _undone_on_failure(media):
        for field, path in ((media.file, made.file), (media.thumbnail, made.thumbnail), (media.poster, made.poster)):
            if path is not None:
                with path.open("rb") as content:
                    field.save(path.name, File(content), save=False)
        with transaction.atomic():
            media.save(force_insert=True)
    return media


@contextmanager
def _undone_on_failure(media: Media) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for field in (media.file, media.thumbnail, media.poster):
            if field:
                field.delete(save=False)
        raise


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
