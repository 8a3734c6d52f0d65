"""The way to the workbench: one child process for one file, and nothing believed but its report.

A decoder that crashes, hangs or eats memory takes only the child with it; this process never
decodes anything, so its memory stays as it is.
"""

import contextlib
import json
import logging
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from portal.media.sniffing import Sniffed

logger = logging.getLogger(__name__)

PROGRAM = Path(__file__).parent / "workbench" / "__main__.py"
MAX_UPLOAD_SECONDS = 600
MAX_UPLOAD_FRAME_PIXELS = 4096 * 2304
MAX_COPY_PIXELS = 120_000_000
MAX_COPY_FRAME_PIXELS = 8192 * 4608
MEMORY_BYTES = 2 * 1024**3
LARGEST_FILE_BYTES = 400 * 1024**2
LARGEST_REPORT_BYTES = 64 * 1024
STILL_SECONDS = 45
FILM_SECONDS = 90
LONGEST_WAIT_SECONDS = 60
# Nothing of our own environment: the child needs no secret. Arenas and threads would reserve memory for nothing.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
MADE_FILE = re.compile(r"(made|thumb|poster)\.[a-z0-9]{2,5}")
CONTENT_TYPE = re.compile(r"(image|video|audio)/[a-z0-9-]+")

# Decoding is what costs memory: so many at once for each process, and the others wait their turn.
_places = threading.BoundedSemaphore(settings.MEDIA_WORKED_ON_AT_ONCE)


class BenchRefused(Exception):
    """The workbench does not take the file. Codes: unreadable, too_many_pixels, too_long, unplayable, busy."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Made:
    """What the workbench reports: facts, and files in the folder it was given."""

    kind: str
    file: Path
    extension: str
    content_type: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    thumbnail: Path | None = None
    poster: Path | None = None
    placeholder: str = ""
    changes: list[str] = field(default_factory=list)


def remake(source: Path, sniffed: Sniffed, *, folder: Path) -> Made:
    """Return an upload made anew, upright and without its details; raises BenchRefused."""
    report = _report(source, sniffed, folder=folder, remake=True)
    return _made(report, folder=folder, file=_file_in(folder, report.pop("file", "")))


def look_at(source: Path, sniffed: Sniffed, *, folder: Path) -> Made:
    """Return the facts about a file that is kept as it is, with its small pictures; raises BenchRefused."""
    report = _report(source, sniffed, folder=folder, remake=False)
    found = {"extension": sniffed.extension, "content_type": sniffed.content_type}
    return _made(found | report, folder=folder, file=source)


def _made(report: dict[str, Any], *, folder: Path, file: Path) -> Made:
    small: dict[str, Any] = {name: _file_in(folder, report[name]) for name in ("thumbnail", "poster") if name in report}
    facts: dict[str, Any] = {**report, **small, "file": file}
    try:
        made = Made(**facts)
    except TypeError as error:
        raise BenchRefused("unreadable") from error
    if not CONTENT_TYPE.fullmatch(made.content_type) or made.content_type.partition("/")[0] != made.kind:
        raise BenchRefused("unreadable")
    return made


def _file_in(folder: Path, name: object) -> Path:
    """Return a file the child says it made; what has another name was not made by our program."""
    path = folder / str(name)
    if not MADE_FILE.fullmatch(str(name)) or path.is_symlink() or not path.is_file():
        raise BenchRefused("unreadable")
    return path


def _report(source: Path, sniffed: Sniffed, *, folder: Path, remake: bool) -> dict[str, Any]:
    is_still = sniffed.kind == "image"
    seconds = STILL_SECONDS if is_still else FILM_SECONDS
    if is_still:
        max_pixels = settings.MEDIA_MAX_PIXELS if remake else MAX_COPY_PIXELS
    else:
        max_pixels = MAX_UPLOAD_FRAME_PIXELS if remake else MAX_COPY_FRAME_PIXELS
    job = {
        "task": "still" if is_still else "film",
        "source": str(source),
        "folder": str(folder),
        "format": sniffed.decoder,
        "remake": remake,
        "max_pixels": max_pixels,
        "max_seconds": MAX_UPLOAD_SECONDS,
        "memory_bytes": MEMORY_BYTES,
        "processor_seconds": seconds,
        "largest_file_bytes": LARGEST_FILE_BYTES,
    }
    report = _run(job, folder=folder, seconds=seconds)
    if "refused" in report:
        logger.info("file refused code=%s why=%s", report["refused"], report.get("why"))
        raise BenchRefused(report["refused"])
    return report


def _run(job: dict[str, Any], *, folder: Path, seconds: int) -> dict[str, Any]:
    """Run the child and return its report; one that ends without a report could not read the file."""
    if not _places.acquire(timeout=LONGEST_WAIT_SECONDS):
        raise BenchRefused("busy")
    try:
        with (folder / "report").open("w+b") as report, (folder / "complaints").open("w+b") as complaints:
            try:
                ended = subprocess.run(  # noqa: S603  our own program, and a job that holds no word of a person's
                    [sys.executable, "-I", str(PROGRAM), json.dumps(job)],
                    stdin=subprocess.DEVNULL,
                    stdout=report,
                    stderr=complaints,
                    env=ENVIRONMENT,
                    cwd=folder,
                    timeout=seconds,
                    check=False,
                )
                status: int | str = ended.returncode
            except subprocess.TimeoutExpired:
                status = "time-out"
            if status == 0:
                report.seek(0)
                with contextlib.suppress(ValueError):
                    said = json.loads(report.read(LARGEST_REPORT_BYTES))
                    if isinstance(said, dict):
                        return said
            logger.warning("workbench ended status=%s format=%s said=%r", status, job["format"], _tail(complaints))
    finally:
        _places.release()
    raise BenchRefused("unreadable")


def _tail(file: IO[bytes]) -> bytes:
    file.seek(0, 2)
    file.seek(max(0, file.tell() - 300))
    return file.read()
