"""Copies of what runs made: kept byte for byte, checked, and never from inside."""

import hashlib
import resource
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from portal.media import copies
from portal.media.copies import CopyFailed, keep_copy
from portal.media.models import Media, Origin
from portal.workspaces.models import User, Workspace
from tests.portal.media.making import encoded, film, jpeg, phone_exif, photo

Answers = dict[str, tuple[int, bytes, int | None]]
Keep = Callable[..., Media]


@pytest.fixture
def answers(settings: Any) -> Iterator[Answers]:
    """What a far server says: path -> (status, body, announced length)."""
    said: Answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, length = said[self.path]
            self.send_response(status)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.LAMINA_MEDIA_HOSTS = frozenset({f"127.0.0.1:{server.server_port}"})
    said["address"] = (0, f"http://127.0.0.1:{server.server_port}".encode(), None)
    yield said
    server.shutdown()
    server.server_close()


@pytest.fixture
def keep(workspace: Workspace, creator: User, answers: Answers) -> Keep:
    """A function that keeps a copy of some bytes which the far server gives out."""

    def kept(
        body: bytes, *, status: int = 200, length: int | None = None, kind: str = "image", name: str = "Front"
    ) -> Media:
        answers["/output"] = (status, body, length)
        url = answers["address"][1].decode() + "/output"
        return keep_copy(workspace=workspace, user=creator, url=url, kind=kind, name=name)

    return kept


def test_picture_is_kept_byte_for_byte_with_a_thumbnail(keep: Keep, picture_of: Callable[..., Image.Image]) -> None:
    body = jpeg((900, 600), exif=phone_exif())
    media = keep(body)
    with media.file.open("rb") as file:
        assert file.read() == body
    assert (media.origin, media.kind, media.content_type, media.name) == (Origin.OUTPUT, "image", "image/jpeg", "Front")
    assert (media.width, media.height) == (600, 900)
    assert (media.size, media.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert picture_of(media, "thumbnail").size == (427, 640)
    assert media.placeholder


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF"])
def test_other_pictures_are_kept_as_they_are(keep: Keep, format: str) -> None:
    media = keep(encoded(photo(), format))
    assert media.content_type == f"image/{format.lower()}"
    assert media.thumbnail


def test_video_is_kept_with_a_poster(keep: Keep, tmp_path: Path) -> None:
    body = film(tmp_path / "clip", sound="aac", rotation=-90)
    media = keep(body, kind="video")
    assert (media.kind, media.size, media.width, media.height) == ("video", len(body), 64, 96)
    assert media.duration_seconds == pytest.approx(1.0, abs=0.1)
    assert media.poster
    assert media.thumbnail


def test_content_and_not_the_announced_kind_decides(keep: Keep, tmp_path: Path) -> None:
    assert keep(film(tmp_path / "clip"), kind="image").kind == "video"


@pytest.mark.parametrize(
    ("body", "status", "length"),
    [
        (b"<html>Not yet</html>", 200, None),
        (b"", 200, None),
        (jpeg(), 404, None),
        (jpeg(), 503, None),
        (jpeg(), 200, 100_000),
        (jpeg((300, 200))[:2000], 200, None),
    ],
    ids=["page", "empty", "gone", "ill", "connection-cut", "cut-short"],
)
def test_what_may_be_right_next_time_is_not_permanent(
    keep: Keep, kept_files: Path, body: bytes, status: int, length: int | None
) -> None:
    with pytest.raises(CopyFailed) as failed:
        keep(body, status=status, length=length)
    assert not failed.value.permanent
    assert str(failed.value)
    assert not Media.objects.exists()
    assert not [path for path in kept_files.rglob("*") if path.is_file()]


def test_too_large_an_output_is_refused_for_good(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MAX_COPY_BYTES", 500)
    with pytest.raises(CopyFailed) as failed:
        keep(jpeg())
    assert failed.value.permanent


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x.jpg", "http://169.254.169.254/latest", "file:///etc/passwd", "nonsense", ""]
)
def test_nothing_is_fetched_from_inside(workspace: Workspace, creator: User, url: str) -> None:
    with pytest.raises(CopyFailed) as failed:
        keep_copy(workspace=workspace, user=creator, url=url, kind="image", name="Front")
    assert failed.value.permanent


def test_large_output_does_not_pass_through_memory(keep: Keep) -> None:
    # A WAV of 120 MB: bytes that are cheap to make and to look through.
    size = 120 * 1024**2
    head = b"RIFF" + (size + 36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += b"\x01\x00\x02\x00\x80\xbb\x00\x00\x00\xee\x02\x00\x04\x00\x10\x00data" + size.to_bytes(4, "little")
    body = head + bytes(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    media = keep(body, kind="audio")
    assert media.size == len(body)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024
