"""What the workbench is asked to do, and how it says no."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Job:
    """One file to look at, or to make anew without anything that does not belong into it."""

    task: str  # "still" or "film"; a film may turn out to be sound alone
    source: str
    folder: str
    format: str  # the one decoder that may be tried: Pillow's or FFmpeg's name of it
    remake: bool
    max_pixels: int
    max_seconds: float
    memory_bytes: int
    processor_seconds: int
    largest_file_bytes: int

    def place(self, name: str) -> Path:
        """Return where a file that is made goes."""
        return Path(self.folder) / name


class Refused(Exception):
    """The file is not taken. Codes: unreadable, too_many_pixels, too_long, unplayable."""

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(why)
        self.code = code
