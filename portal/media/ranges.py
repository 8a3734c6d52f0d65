"""The part of a file that a Range header asks for, and the part itself, read bit by bit.

Contract: RFC 9110, section 14, for a single range of bytes. Whatever else is asked for is answered
with the whole, as the contract allows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

CHUNK_BYTES = 64 * 1024
SINGLE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z", re.ASCII | re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range begins beyond the end of the file."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a file, from the first to the last."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes there are."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """Return what the Content-Range header says."""
        return f"bytes {self.first}-{self.last}/{self.size}"


def find_part(header: str, *, size: int, open_end: int | None = None) -> Part | None:
    """Return the part a header asks for; None when the whole is to be sent. Raises Unsatisfiable.

    A range without an end is answered with `open_end` bytes at most, if that is given.
    """
    match = SINGLE.match(header.replace(" ", ""))
    if match is None or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        if not int(last) or not size:
            raise Unsatisfiable
        return Part(max(0, size - int(last)), size - 1, size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    furthest = size - 1 if last or open_end is None else int(first) + open_end - 1
    return Part(int(first), min(int(last or size), furthest, size - 1), size)


class Slice:
    """So many bytes of an open file from where it stands; closes the file, also when nobody reads it."""

    def __init__(self, file: IO[bytes], *, length: int) -> None:
        self._file = file
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        while self._left:
            chunk = self._file.read(min(CHUNK_BYTES, self._left))
            if not chunk:
                break
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the file."""
        self._file.close()
