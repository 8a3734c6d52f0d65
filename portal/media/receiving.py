"""Bodies with files in them, stopped before they fill a disk.

`BoundedUploadHandler` stands first among the upload handlers of every form. A request that is
larger than any form of ours is refused before it is read; a file that grows beyond the largest
that is ever taken is read on, kept no further, and arrives as an `OversizedUpload`, so that a
form can say which file was too big and keep everything else.
"""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from portal.media.words import max_bytes

# A form may carry several files; beyond a few of the largest it is no form of ours.
LARGEST_FILES_IN_A_FORM = 3
ROOM_FOR_FIELDS = 1024**2


def largest_file_bytes() -> int:
    """Return the size of the largest file that is taken anywhere."""
    return max(max_bytes("image"), max_bytes("video"))


class OversizedUpload(UploadedFile):
    """A file of which nothing was kept but its name and size."""

    def __init__(self, *, name: str, field_name: str, size: int) -> None:
        super().__init__(file=None, name=name, content_type="", size=size)
        self.field_name = field_name


class BoundedUploadHandler(FileUploadHandler):
    """Refuses bodies that are too large, and keeps no more of a file than may be taken."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        """Raise RequestDataTooBig before anything is read."""
        if content_length > LARGEST_FILES_IN_A_FORM * largest_file_bytes() + ROOM_FOR_FIELDS:
            raise RequestDataTooBig(f"a body of {content_length} bytes")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Pass a piece on to the handlers that keep it, until there are too many."""
        return raw_data if start + len(raw_data) <= largest_file_bytes() else None

    def file_complete(self, file_size: int) -> UploadedFile | None:
        """Return the stump of a file that was too large; leave the others to the next handler."""
        if file_size <= largest_file_bytes():
            return None
        return OversizedUpload(name=self.file_name or "", field_name=self.field_name or "", size=file_size)
