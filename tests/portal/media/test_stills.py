"""Pictures made anew: upright, plain, in colours that screens know, and with nothing else in them."""

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from portal.media.models import Media
from tests.portal.media.making import encoded, jpeg, phone_exif, photo

Take = Callable[..., Media]
Open = Callable[..., Image.Image]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def is_red(pixel: tuple[int, ...]) -> bool:
    return pixel[0] > 180 and pixel[1] < 90


def kept_bytes(media: Media) -> bytes:
    with media.file.open("rb") as file:
        return file.read()


@pytest.mark.parametrize("orientation", range(2, 9))
def test_sideways_photo_comes_out_upright(taken: Take, picture_of: Open, orientation: int) -> None:
    media = taken(jpeg(exif=phone_exif(orientation)))
    picture = picture_of(media)
    corner = {2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[orientation]
    place = tuple(8 if not far else length - 8 for far, length in zip(corner, picture.size, strict=True))
    assert is_red(picture.getpixel(place))
    assert picture.size == (media.width, media.height) == ((40, 60) if orientation >= 5 else (60, 40))
    assert media.changes == ["upright", "location"]
    assert media.changes_text == "Turned upright, location removed"
    assert picture_of(media, "thumbnail").size == picture.size


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_phone_details_are_gone_from_every_format(taken: Take, picture_of: Open, format: str) -> None:
    exif = phone_exif()
    options = {"exif": exif.tobytes() if format == "HEIF" else exif}
    media = taken(encoded(photo(), format, **options))
    assert "upright" in media.changes
    assert (media.width, media.height) == (40, 60)
    kept = kept_bytes(media)
    assert b"Secret Phone" not in kept
    assert b"Exif" not in kept
    picture = picture_of(media)
    assert not picture.getexif()
    assert is_red(picture.getpixel((32, 8)))


def test_words_beside_the_pixels_are_gone(taken: Take) -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "<script>alert(1)</script>")
    xmp = b'<x:xmpmeta><rdf:Description exif:GPSLatitude="51,30N"/></x:xmpmeta>'
    for content in (
        jpeg(comment=b"<script>alert(1)</script>"),
        jpeg(xmp=xmp),
        encoded(photo(), "PNG", pnginfo=notes),
        encoded(photo(), "WEBP", xmp=xmp),
        jpeg(icc_profile=b"<script>alert(1)</script>" * 10),
    ):
        kept = kept_bytes(taken(content))
        assert b"script" not in kept
        assert b"xmpmeta" not in kept
    assert taken(jpeg(xmp=xmp)).changes == ["location"]


def test_page_glued_to_a_picture_is_gone(taken: Take) -> None:
    media = taken(jpeg() + b"<html><script>alert(1)</script></html>")
    assert b"script" not in kept_bytes(media)


@pytest.mark.parametrize(
    ("content", "content_type", "changes"),
    [
        (encoded(photo(), "HEIF"), "image/jpeg", "HEIC to JPEG"),
        (encoded(photo(), "AVIF"), "image/jpeg", "AVIF to JPEG"),
        (encoded(photo(), "TIFF"), "image/jpeg", "TIFF to JPEG"),
        (encoded(photo(), "BMP"), "image/jpeg", "BMP to JPEG"),
        (encoded(photo(), "GIF"), "image/png", "GIF to PNG"),
        (encoded(photo(), "PNG"), "image/png", ""),
        (encoded(photo(), "WEBP"), "image/webp", ""),
    ],
    ids=["heic", "avif", "tiff", "bmp", "gif", "png", "webp"],
)
def test_formats_that_few_read_become_ones_that_all_read(
    taken: Take, picture_of: Open, content: bytes, content_type: str, changes: str
) -> None:
    media = taken(content)
    assert (media.content_type, media.changes_text) == (content_type, changes)
    assert is_red(picture_of(media).convert("RGB").getpixel((8, 8)))


@pytest.mark.parametrize("format", ["PNG", "WEBP", "HEIF", "AVIF", "TIFF"])
def test_transparency_survives(taken: Take, picture_of: Open, format: str) -> None:
    image = photo(mode="RGBA")
    image.putalpha(100)
    media = taken(encoded(image, format))
    assert media.content_type == ("image/webp" if format == "WEBP" else "image/png")
    assert abs(picture_of(media).getpixel((30, 20))[3] - 100) < 4
    assert abs(picture_of(media, "thumbnail").getpixel((30, 20))[3] - 100) < 4


def test_transparent_colour_of_a_palette_survives(taken: Take, picture_of: Open) -> None:
    image = photo().quantize(8)
    media = taken(encoded(image, "PNG", transparency=image.getpixel((8, 8))))
    assert picture_of(media).convert("RGBA").getpixel((8, 8))[3] == 0


def test_print_colours_are_translated(taken: Take, picture_of: Open) -> None:
    media = taken(encoded(photo(mode="CMYK"), "JPEG"))
    assert media.changes_text == "Colours adapted to screens"
    picture = picture_of(media)
    assert picture.mode == "RGB"
    assert is_red(picture.getpixel((8, 8)))


def test_colour_profile_is_kept_where_it_fits(taken: Take, picture_of: Open) -> None:
    assert "icc_profile" in picture_of(taken(jpeg(icc_profile=SRGB))).info
    grey = encoded(photo(mode="L"), "JPEG", icc_profile=SRGB)
    assert "icc_profile" not in picture_of(taken(grey)).info


def test_animation_becomes_its_first_frame(taken: Take, picture_of: Open) -> None:
    frames = {"save_all": True, "append_images": [photo().rotate(180)]}
    for format in ("GIF", "WEBP", "PNG"):
        media = taken(encoded(photo(), format, **frames))
        assert "first_frame" in media.changes
        picture = picture_of(media)
        assert getattr(picture, "n_frames", 1) == 1
        assert is_red(picture.convert("RGB").getpixel((8, 8)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16"])
def test_unusual_pixels_are_made_usual(taken: Take, picture_of: Open, mode: str) -> None:
    if mode == "I;16":
        image = Image.frombytes("I;16", (60, 40), b"".join((n * 27).to_bytes(2, "little") for n in range(2400)))
    else:
        image = photo(mode=mode)
    picture = picture_of(taken(encoded(image, "PNG")))
    assert picture.mode in {"L", "RGB", "RGBA"}
    if mode == "I;16":
        assert picture.getextrema() == (0, 253)


def test_jpeg_is_saved_without_losing_what_people_see(taken: Take) -> None:
    kept = Image.open(io.BytesIO(kept_bytes(taken(jpeg((640, 480), quality=95, subsampling=0)))))
    from PIL import JpegImagePlugin

    assert JpegImagePlugin.get_sampling(kept) == 0
    assert max(kept.quantization[0]) <= 15


def test_lossless_webp_stays_lossless(taken: Take, picture_of: Open) -> None:
    media = taken(encoded(photo(), "WEBP", lossless=True))
    assert picture_of(media).convert("RGB").tobytes() == photo().tobytes()


def test_thumbnail_is_small_and_never_larger_than_the_picture(taken: Take, picture_of: Open) -> None:
    assert picture_of(taken(jpeg((1600, 400))), "thumbnail").size == (640, 160)
    assert picture_of(taken(jpeg((30, 20))), "thumbnail").size == (30, 20)
    assert picture_of(taken(jpeg((5000, 3))), "thumbnail").size == (640, 1)
