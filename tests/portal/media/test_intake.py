"""Uploads: what gets in, what does not, and that the same is kept once."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import IntegrityError, connection

from portal.media import intake
from portal.media.bench import Made
from portal.media.intake import UploadRefused, rules_text, take_in
from portal.media.models import Media, Origin
from portal.media.receiving import OversizedUpload
from portal.media.store import keep
from portal.workspaces.models import User, Workspace
from tests.portal.media.making import encoded, jpeg, photo, upload

Take = Callable[..., Media]


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_upload_is_kept_with_its_facts_and_small_pictures(taken: Take, creator: User) -> None:
    media = taken(jpeg((900, 600)), "My mug.jpg")
    media.refresh_from_db()
    assert (media.kind, media.extension, media.content_type) == ("image", "jpg", "image/jpeg")
    assert (media.width, media.height, media.name, media.created_by) == (900, 600, "My mug.jpg", creator)
    assert media.origin == Origin.UPLOAD
    assert media.size == media.file.size
    assert media.thumbnail.size < 30_000
    assert media.placeholder.startswith("data:image/webp;base64,")
    assert len(media.placeholder) < 600
    assert media.changes_text == ""


def test_upload_from_disk_is_read_where_it_is(workspace: Workspace, creator: User) -> None:
    content = jpeg()
    given = TemporaryUploadedFile("mug.jpg", "image/jpeg", len(content), None)
    given.write(content)
    given.seek(0)
    media = take_in(workspace=workspace, user=creator, upload=given, accept=["image"])
    assert media.width == 60


def test_same_content_is_the_same_row_in_a_workspace(taken: Take, kept_files: Path) -> None:
    first = taken(jpeg(), "one.jpg")
    before = files_in(kept_files)
    assert taken(jpeg(), "two.jpg") == first
    assert files_in(kept_files) == before


def test_same_content_is_another_row_in_another_workspace(taken: Take, other_workspace: Workspace) -> None:
    first = taken(jpeg())
    second = take_in(workspace=other_workspace, user=None, upload=upload(jpeg()), accept=["image"])
    assert first != second
    assert first.file.name != second.file.name


def test_upload_that_loses_the_race_leaves_no_files_and_returns_the_first(
    taken: Take, kept_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = taken(jpeg())
    before = files_in(kept_files)
    finder, answers = intake._find_upload, iter([None])
    monkeypatch.setattr(intake, "_find_upload", lambda *args: next(answers, "ask") and finder(*args))
    assert taken(jpeg()) == first
    assert files_in(kept_files) == before


@pytest.mark.django_db(transaction=True)
def test_same_content_from_many_at_once_is_one_row_and_one_set_of_files(
    workspace: Workspace, creator: User, kept_files: Path
) -> None:
    def take(number: int) -> uuid.UUID:
        try:
            given = upload(jpeg(), f"{number}.jpg")
            return take_in(workspace=workspace, user=creator, upload=given, accept=["image"]).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(take, range(6)))) == 1
    assert Media.objects.count() == 1
    assert {path.name for path in files_in(kept_files)} == {"original.jpg", "thumb.webp"}
    assert len(files_in(kept_files)) == 2


def test_files_are_removed_when_the_row_cannot_be_written(workspace: Workspace, kept_files: Path) -> None:
    made = kept_files.parent / "made.jpg"
    made.write_bytes(jpeg())
    row = Media(workspace=workspace, origin=Origin.UPLOAD, name="mug.jpg", source_sha256=None)
    with pytest.raises(IntegrityError):
        keep(row, Made(kind="image", file=made, extension="jpg", content_type="image/jpeg", thumbnail=made))
    assert files_in(kept_files) == []


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "mug.jpg", "empty"),
        (b"<html><script>alert(1)</script></html>", "mug.jpg", "wrong_kind"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "mug.svg", "wrong_kind"),
        (b"MZ" + bytes(500), "mug.jpg", "wrong_kind"),
        (b"%PDF-1.7 nothing", "mug.jpg", "wrong_kind"),
        (b"PK\x03\x04" + bytes(100), "mug.png", "wrong_kind"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "clip.mp4", "wrong_kind"),
        (jpeg((300, 200))[:1500], "mug.jpg", "unreadable"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "mug.jpg", "unreadable"),
    ],
    ids=["empty", "page", "drawing", "program", "document", "archive", "playlist", "cut-short", "not-really"],
)
def test_what_is_no_picture_is_refused_whatever_its_name(taken: Take, content: bytes, name: str, code: str) -> None:
    with pytest.raises(UploadRefused) as refused:
        taken(content, name)
    assert refused.value.code == code
    assert name in refused.value.message
    assert not Media.objects.exists()


def test_picture_is_refused_where_a_video_is_wanted(taken: Take) -> None:
    with pytest.raises(UploadRefused) as refused:
        taken(jpeg(), accept=("video",))
    assert refused.value.code == "wrong_kind"
    assert "not a video" in refused.value.message
    assert "MP4" in refused.value.message


def test_known_upload_is_refused_where_another_kind_is_wanted(taken: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    media = taken(jpeg())
    Media.objects.filter(pk=media.pk).update(kind="video")
    with pytest.raises(UploadRefused) as refused:
        taken(jpeg())
    assert refused.value.code == "wrong_kind"


def test_too_large_a_picture_is_refused_with_the_limit(taken: Take, settings: object) -> None:
    settings.MEDIA_MAX_IMAGE_BYTES = 1024**2
    with pytest.raises(UploadRefused) as refused:
        taken(jpeg() + bytes(2 * 1024**2), accept=("image", "video"))
    assert refused.value.code == "too_big"
    assert "up to 1 MB" in refused.value.message


def test_file_of_which_nothing_was_kept_is_too_big(workspace: Workspace, creator: User) -> None:
    stump = OversizedUpload(name="film.mp4", field_name="p0_file", size=900 * 1024**2)
    with pytest.raises(UploadRefused) as refused:
        take_in(workspace=workspace, user=creator, upload=stump, accept=["video"])
    assert refused.value.code == "too_big"
    assert "900.0" in refused.value.message


def test_too_many_pixels_are_refused_from_the_header_alone(taken: Take, settings: object) -> None:
    settings.MEDIA_MAX_PIXELS = 1_000_000
    with pytest.raises(UploadRefused) as refused:
        taken(encoded(photo((10, 10)).resize((2000, 600)), "PNG"))
    assert refused.value.code == "too_many_pixels"
    assert "1 megapixels" in refused.value.message


@pytest.mark.parametrize(
    "name",
    ["x" * 400 + ".jpg", "صورة فوتوغرافية.jpg", 'a"b;c.jpg', "<b>bold</b>.jpg", "%2e%2e%2fpasswd", "..\\..\\mug.jpg"],
)
def test_any_name_is_shown_and_none_is_a_path(taken: Take, name: str) -> None:
    media = taken(jpeg(), name)
    assert len(media.name) <= 255
    assert media.file.name == f"{media.workspace_id}/{media.pk}/original.jpg"


def test_rules_name_formats_and_limits() -> None:
    assert rules_text(["image"]) == "JPEG, PNG, WebP, HEIC or AVIF, up to 25 MB"
    both = rules_text(["video", "image"])
    assert both.startswith("Pictures: JPEG")
    assert "Videos: MP4, MOV or WebM, up to 200 MB and 10 minutes." in both
