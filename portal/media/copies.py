"""Our own copies of what runs made: fetched once, checked, kept byte for byte.

Addresses at the far end may die, so what a run made counts as done when its copy is here.
"""

import tempfile
import uuid
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError
from django.utils.translation import gettext as _

from lamina_integration.fetch import Fetched, FetchFailed, FetchRefused, fetch
from portal.media.bench import BenchRefused, look_at
from portal.media.models import Media, Origin
from portal.media.names import shown_name
from portal.media.sniffing import HEAD_BYTES, sniff
from portal.media.store import keep
from portal.workspaces.models import User, Workspace

MAX_COPY_BYTES = 1024**3
DEADLINE_SECONDS = 150.0


class CopyFailed(Exception):
    """There is no copy; `permanent` when trying again cannot help."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


def keep_copy(
    *,
    workspace: Workspace,
    user: User | None,
    url: str,
    kind: str,
    name: str,
    media_id: uuid.UUID | None = None,
) -> Media:
    """Fetch what a run made and keep it; raises CopyFailed.

    `kind` is what Lamina calls it, and decides only what is said when it is nothing we know: the
    content itself says what it is kept as. With a `media_id`, what is kept under it already is returned
    as it is: two workers at one output, or one that was killed before it said so, leave one copy.
    """
    if media_id and (kept := Media.objects.filter(pk=media_id).first()):
        return kept
    with tempfile.TemporaryDirectory(prefix="media-", dir=settings.FILE_UPLOAD_TEMP_DIR) as place:
        folder = Path(place)
        path = folder / "source"
        fetched = _fetch(url, path)
        with path.open("rb") as file:
            sniffed = sniff(file.read(HEAD_BYTES))
        if sniffed is None:
            # An error page in the place of a picture may be gone at the next try.
            raise CopyFailed(_("What was fetched is not a picture, a video or sound."), permanent=False)
        try:
            made = look_at(path, sniffed, folder=folder)
        except BenchRefused as refusal:
            raise CopyFailed(_("What was fetched is damaged or incomplete."), permanent=False) from refusal
        media = Media(
            id=media_id or uuid.uuid4(),
            workspace=workspace,
            created_by=user,
            origin=Origin.OUTPUT,
            name=shown_name(name or kind),
            source_sha256=fetched.sha256,
        )
        try:
            return keep(media, made)
        except IntegrityError:
            # Another worker was first.
            kept = Media.objects.filter(pk=media.pk).first()
            if kept is None:
                raise
            return kept


def _fetch(url: str, path: Path) -> Fetched:
    try:
        with path.open("wb") as into:
            fetched = fetch(
                url,
                into=into,
                max_bytes=MAX_COPY_BYTES,
                deadline_seconds=DEADLINE_SECONDS,
                allow_hosts=settings.LAMINA_MEDIA_HOSTS,
            )
    except FetchRefused as error:
        raise CopyFailed(_("It was not fetched: %(reason)s.") % {"reason": error}, permanent=True) from error
    except FetchFailed as error:
        raise CopyFailed(_("It could not be fetched: %(reason)s.") % {"reason": error}, permanent=False) from error
    if not fetched.size:
        raise CopyFailed(_("What was fetched is empty."), permanent=False)
    return fetched
