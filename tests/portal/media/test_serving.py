"""Files on their way to a visitor: private, in parts, and unable to run."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from portal.media import serving
from portal.media.models import Media, Origin
from portal.workspaces.models import User, Workspace
from tests.portal.media.making import jpeg

SignIn = Callable[[User], Client]


@pytest.fixture
def media(taken: Callable[..., Media]) -> Media:
    """A picture of some hundred kilobytes."""
    return taken(jpeg((900, 600)), 'Front "صورة".jpg')


@pytest.fixture
def content(media: Media) -> bytes:
    """Its bytes."""
    with media.file.open("rb") as file:
        return file.read()


@pytest.fixture
def visitor(as_user: SignIn, creator: User) -> Client:
    """The creator's browser."""
    return as_user(creator)


def test_file_is_served_private_and_unable_to_run(visitor: Client, media: Media, content: bytes) -> None:
    answer = visitor.get(media.get_absolute_url())
    assert answer.status_code == 200
    assert answer.getvalue() == content
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Length"] == str(len(content))
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["Cache-Control"].startswith("private")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "Cookie" in answer["Vary"]
    assert not answer.get("Content-Disposition", "").startswith("attachment")


def test_thumbnail_is_webp_and_a_missing_poster_is_404(visitor: Client, media: Media) -> None:
    answer = visitor.get(media.thumb_url)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
    assert visitor.get(media.get_absolute_url().replace("original", "poster")).status_code == 404
    assert visitor.get(media.get_absolute_url().replace("original", "other")).status_code == 404


def test_download_has_a_name_that_survives_every_header(visitor: Client, media: Media) -> None:
    header = visitor.get(media.get_absolute_url() + "?download=1")["Content-Disposition"]
    assert header.startswith("attachment; filename*=utf-8''")
    assert header.isascii()
    assert header.endswith(".jpg")
    assert "%22" not in header


def test_what_is_no_picture_video_or_sound_is_an_attachment(visitor: Client, media: Media) -> None:
    Media.objects.filter(pk=media.pk).update(content_type="text/html")
    answer = visitor.get(media.get_absolute_url())
    assert answer["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("header", "first", "last"), [("bytes=0-99", 0, 99), ("bytes=500-", 500, None), ("bytes=-7", -7, None)]
)
def test_part_of_a_file_is_served(
    visitor: Client, media: Media, content: bytes, header: str, first: int, last: int | None
) -> None:
    answer = visitor.get(media.get_absolute_url(), headers={"Range": header})
    wanted = content[first : None if last is None else last + 1]
    assert answer.status_code == 206
    assert answer.getvalue() == wanted
    assert answer["Content-Length"] == str(len(wanted))
    start = first % len(content)
    assert answer["Content-Range"] == f"bytes {start}-{start + len(wanted) - 1}/{len(content)}"


def test_range_beyond_the_end_is_416(visitor: Client, media: Media, content: bytes) -> None:
    answer = visitor.get(media.get_absolute_url(), headers={"Range": "bytes=99999999-"})
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{len(content)}")


def test_several_ranges_get_the_whole(visitor: Client, media: Media, content: bytes) -> None:
    answer = visitor.get(media.get_absolute_url(), headers={"Range": "bytes=0-1,5-6"})
    assert (answer.status_code, answer.getvalue()) == (200, content)


def test_if_range_gives_the_part_only_of_the_same_file(visitor: Client, media: Media) -> None:
    etag = visitor.get(media.get_absolute_url())["ETag"]
    for said, status in ((etag, 206), ('"other"', 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)):
        answer = visitor.get(media.get_absolute_url(), headers={"Range": "bytes=0-1", "If-Range": said})
        assert answer.status_code == status


def test_head_tells_the_same_without_a_body(visitor: Client, media: Media, content: bytes) -> None:
    answer = visitor.head(media.get_absolute_url())
    assert (answer.status_code, answer["Content-Length"], answer.content) == (200, str(len(content)), b"")
    part = visitor.head(media.get_absolute_url(), headers={"Range": "bytes=0-9"})
    assert (part.status_code, part["Content-Length"]) == (206, "10")


def test_unchanged_file_is_a_304_without_touching_storage(visitor: Client, media: Media) -> None:
    etag = visitor.get(media.get_absolute_url())["ETag"]
    media.file.storage.delete(media.file.name)
    answer = visitor.get(media.get_absolute_url(), headers={"If-None-Match": f'"other", W/{etag}'})
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
    assert answer["Cache-Control"].startswith("private")


def test_file_that_storage_has_lost_is_404(visitor: Client, media: Media) -> None:
    media.file.storage.delete(media.file.name)
    assert visitor.get(media.get_absolute_url()).status_code == 404


def test_etag_opens_no_door_to_a_stranger(
    visitor: Client, media: Media, as_user: SignIn, outsider: User, other_workspace: Workspace
) -> None:
    etag = visitor.get(media.get_absolute_url())["ETag"]
    stranger = as_user(outsider)
    for url in (media.get_absolute_url(), media.get_absolute_url().replace("/demo/", "/other/")):
        answer = stranger.get(url, headers={"If-None-Match": etag, "Range": "bytes=0-1"})
        assert answer.status_code == 404
        assert "ETag" not in answer


def test_nobody_without_a_session_sees_a_file(client: Client, media: Media) -> None:
    assert client.get(media.get_absolute_url()).status_code == 302
    assert client.get(media.get_absolute_url(), headers={"HX-Request": "true"}).status_code == 403


def test_removed_member_is_out_at_the_next_request(visitor: Client, media: Media, creator: User) -> None:
    assert visitor.get(media.thumb_url).status_code == 200
    creator.memberships.all().delete()
    assert visitor.get(media.thumb_url).status_code == 404


def test_file_costs_few_queries(visitor: Client, media: Media, django_assert_max_num_queries: Any) -> None:
    visitor.get(media.thumb_url)
    with django_assert_max_num_queries(3):
        visitor.get(media.thumb_url)


def test_distant_storage_is_led_to_by_a_short_signed_address(visitor: Client, media: Media, settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": "media",
                "access_key": "key",
                "secret_key": "secret",
                "endpoint_url": "https://storage.example.test",
                "region_name": "eu-1",
                "signature_version": "s3v4",
            },
        },
    }
    Media.objects.filter(pk=media.pk).update(origin=Origin.OUTPUT)
    answer = visitor.get(media.get_absolute_url() + "?download=1")
    assert answer.status_code == 302
    assert answer["Cache-Control"].startswith("private")
    address = urlsplit(answer["Location"])
    told = parse_qs(address.query)
    assert address.path.endswith(media.file.name)
    assert int(told["X-Amz-Expires"][0]) <= 600
    assert told["response-content-type"] == ["image/jpeg"]
    assert told["response-content-disposition"][0].startswith("attachment")


def test_player_gets_so_much_at_a_time_and_a_download_gets_all(
    visitor: Client, media: Media, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "PLAYED_BYTES", 100)
    Media.objects.filter(pk=media.pk).update(content_type="video/mp4")
    played = visitor.get(media.get_absolute_url(), headers={"Range": "bytes=10-"})
    assert (played.status_code, played.getvalue()) == (206, content[10:110])
    resumed = visitor.get(media.get_absolute_url() + "?download=1", headers={"Range": "bytes=10-"})
    assert resumed.getvalue() == content[10:]
    assert visitor.get(media.get_absolute_url()).getvalue() == content
