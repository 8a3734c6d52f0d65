"""Videos and sound: put into a fresh container, with nothing but what plays."""

import io
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image

from portal.media.intake import UploadRefused
from portal.media.models import Media
from tests.portal.media.making import film, sound

Take = Callable[..., Media]
Open = Callable[..., Image.Image]
ANY = ("image", "video", "audio")


def opened(media: Media) -> av.container.InputContainer:
    with media.file.open("rb") as file:
        return av.open(io.BytesIO(file.read()))


def frames_of(media: Media) -> list[av.VideoFrame]:
    with opened(media) as file:
        return list(file.decode(video=0))


@pytest.mark.parametrize(
    ("format", "codec", "sound_codec", "content_type", "changes"),
    [
        ("mp4", "libx264", "aac", "video/mp4", ["location"]),
        ("mp4", "libx265", "", "video/mp4", ["location"]),
        ("mov", "libx264", "aac", "video/mp4", ["location", "mov_mp4"]),
        ("mov", "libx264", "pcm_s16le", "video/quicktime", ["location"]),
        ("matroska", "libx264", "aac", "video/mp4", ["location", "mkv_mp4"]),
        ("webm", "libvpx-vp9", "libopus", "video/webm", ["location"]),
    ],
)
def test_video_is_kept_playing_and_says_nothing(
    taken: Take,
    tmp_path: Path,
    format: str,
    codec: str,
    sound_codec: str,
    content_type: str,
    changes: list[str],
) -> None:
    media = taken(film(tmp_path / "clip", format=format, codec=codec, sound=sound_codec), "clip.xyz", ANY)
    assert (media.kind, media.content_type, media.changes) == ("video", content_type, changes)
    assert (media.width, media.height) == (96, 64)
    assert media.duration_seconds == pytest.approx(1.0, abs=0.1)
    assert len(frames_of(media)) == 10
    with media.file.open("rb") as file:
        kept = file.read()
    assert b"Secret" not in kept
    assert b"51.5" not in kept
    with opened(media) as file:
        assert len(file.streams) == (2 if sound_codec else 1)


def test_hevc_is_spelt_as_safari_plays_it(taken: Take, tmp_path: Path) -> None:
    media = taken(film(tmp_path / "clip", codec="libx265"), accept=("video",))
    with opened(media) as file:
        assert file.streams.video[0].codec_context.codec_tag == "hvc1"


def test_mp4_begins_with_its_index(taken: Take, tmp_path: Path) -> None:
    media = taken(film(tmp_path / "clip"), accept=("video",))
    with media.file.open("rb") as file:
        kept = file.read()
    assert kept.index(b"moov") < kept.index(b"mdat")


def test_sideways_video_stays_turned_and_counts_upright(taken: Take, picture_of: Open, tmp_path: Path) -> None:
    media = taken(film(tmp_path / "clip", rotation=-90), accept=("video",))
    assert (media.width, media.height) == (64, 96)
    assert frames_of(media)[0].rotation == -90
    poster = picture_of(media, "poster")
    assert poster.size == (64, 96)
    red, green, _blue = poster.getpixel((56, 8))[:3]
    assert red > 150 > green


def test_poster_is_not_the_black_before_the_first_scene(taken: Take, picture_of: Open, tmp_path: Path) -> None:
    media = taken(film(tmp_path / "clip", frames=40, black_frames=20), accept=("video",))
    assert max(high for _low, high in picture_of(media, "poster").convert("RGB").getextrema()) > 150
    assert picture_of(media, "thumbnail").size == (96, 64)
    assert media.placeholder


def test_black_video_has_a_black_poster(taken: Take, tmp_path: Path) -> None:
    assert taken(film(tmp_path / "clip", black_frames=10), accept=("video",)).poster


@pytest.mark.parametrize(
    ("format", "codec", "content_type"),
    [
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("ipod", "aac", "audio/mp4"),
        ("wav", "pcm_s16le", "audio/wav"),
        ("ogg", "libopus", "audio/ogg"),
        ("flac", "flac", "audio/flac"),
        ("adts", "aac", "audio/aac"),
        ("mp4", "aac", "audio/mp4"),
        ("webm", "libopus", "audio/webm"),
    ],
)
def test_sound_is_kept_without_its_title(
    taken: Take, tmp_path: Path, format: str, codec: str, content_type: str
) -> None:
    media = taken(sound(tmp_path / "sound", format=format, codec=codec), "sound", ("audio",))
    assert (media.kind, media.content_type, media.width) == ("audio", content_type, None)
    assert media.duration_seconds == pytest.approx(1.0, abs=0.1)
    assert not media.thumbnail
    with media.file.open("rb") as file:
        assert b"Secret" not in file.read()


def refusal(taken: Take, content: bytes, accept: tuple[str, ...] = ("video",)) -> UploadRefused:
    with pytest.raises(UploadRefused) as refused:
        taken(content, "clip.mp4", accept)
    return refused.value


def test_sound_in_a_video_file_is_no_video(taken: Take, tmp_path: Path) -> None:
    assert refusal(taken, sound(tmp_path / "sound", format="mp4", codec="aac")).code == "wrong_kind"


def test_codec_that_nobody_plays_is_refused_with_advice(taken: Take, tmp_path: Path) -> None:
    refused = refusal(taken, film(tmp_path / "clip", format="matroska", codec="ffv1"))
    assert refused.code == "wrong_kind"
    assert "Save it as MP4" in refused.message


@pytest.mark.parametrize(("format", "share"), [("mp4", 0.5), ("mov", 0.8), ("webm", 0.5)])
def test_video_cut_short_is_unreadable(taken: Take, tmp_path: Path, format: str, share: float) -> None:
    codec = "libvpx-vp9" if format == "webm" else "libx264"
    content = film(tmp_path / "clip", format=format, codec=codec, frames=50)
    assert refusal(taken, content[: int(len(content) * share)]).code == "unreadable"


def test_header_of_a_video_is_no_video(taken: Take) -> None:
    assert refusal(taken, b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(488)).code == "unreadable"


def test_long_video_is_refused_with_the_limit(taken: Take, tmp_path: Path) -> None:
    refused = refusal(taken, film(tmp_path / "clip", frames=620, rate=1, size=(32, 32)))
    assert refused.code == "too_big"
    assert "10 minutes" in refused.message


def test_frames_beyond_4k_are_refused(taken: Take, tmp_path: Path) -> None:
    refused = refusal(taken, film(tmp_path / "clip", frames=1, size=(5000, 2200), codec="mpeg4"))
    assert refused.code == "too_many_pixels"
    assert "4K" in refused.message
