"""Pictures: decoded once, turned upright, and made anew from nothing but their pixels and colour profile."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, UnidentifiedImageError

from .colours import for_screens, to_srgb
from .jobs import Job, Refused
from .small import THUMBNAIL_SIDE, placeholder, reduced, write_webp

ORIENTATION, GPS = 0x0112, 0x8825
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Formats that shops, browsers and Lamina all read stay what they are.
KEPT = {"JPEG", "PNG", "WEBP"}
SAVE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 4},
    "WEBP": {"quality": 95, "method": 3, "exif": b"", "xmp": b""},
}
TYPES = {"JPEG": ("jpg", "image/jpeg"), "PNG": ("png", "image/png"), "WEBP": ("webp", "image/webp")}
BROKEN = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error, ZeroDivisionError)
BROKEN_DETAILS = (*BROKEN, AttributeError, NotImplementedError)


def work(job: Job) -> dict[str, Any]:
    """Return a report about a picture; with `job.remake` the picture itself is made anew."""
    try:
        with _opened(job) as image:
            return _remade(image, job) if job.remake else _looked_at(image, job)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused("too_many_pixels", str(error)) from error
    except (UnidentifiedImageError, *BROKEN) as error:
        raise Refused("unreadable", f"{type(error).__name__}: {error}") from error


@contextmanager
def _opened(job: Job) -> Iterator[Image.Image]:
    """Open with the one decoder that fits what the file is; the header alone decides about the number of pixels."""
    if job.format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
        pillow_heif.options.DECODE_THREADS = 1
    if job.format == "AVIF":
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(job.source, formats=[job.format]) as image:
        if job.remake and image.width * image.height > job.max_pixels:
            raise Refused("too_many_pixels", f"{image.width} x {image.height}")
        yield image


def _remade(image: Image.Image, job: Job) -> dict[str, Any]:
    turn, changes = _details(image)
    is_animated = getattr(image, "is_animated", False) and job.format in {"GIF", "PNG", "WEBP"}
    lossless = job.format == "WEBP" and _is_lossless_webp(job.source)
    image.load()
    picture, icc, translated = for_screens(image)
    if turn in TURNS:
        picture = picture.transpose(TURNS[turn])
    made = job.format if job.format in KEPT else "PNG" if job.format == "GIF" or _shows_through(picture) else "JPEG"
    if picture.mode == "RGBA" and made == "JPEG":
        picture = picture.convert("RGB")
    if made != job.format:
        changes.append(f"{_name(job.format)}_{made.lower()}")
    changes += ["srgb"] * translated + ["first_frame"] * is_animated
    picture.info = {}  # comments and the like would be written again
    extension, content_type = TYPES[made]
    options = SAVE[made] | ({"lossless": True, "quality": 60} if lossless else {})
    picture.save(job.place(f"made.{extension}"), made, icc_profile=icc, **options)
    return {
        "kind": "image",
        "file": f"made.{extension}",
        "extension": extension,
        "content_type": content_type,
        "width": picture.width,
        "height": picture.height,
        "changes": changes,
        **_small(picture, icc, job),
    }


def _looked_at(image: Image.Image, job: Job) -> dict[str, Any]:
    turn, _changes = _details(image)
    width, height = image.size if turn not in TURNS or turn < 5 else image.size[::-1]
    report: dict[str, Any] = {"kind": "image", "width": width, "height": height}
    # A JPEG is decoded at a fraction of its size when only a thumbnail is wanted.
    image.draft("RGB", (THUMBNAIL_SIDE * 2, THUMBNAIL_SIDE * 2))
    if image.width * image.height > job.max_pixels:
        return report
    image.load()
    picture, icc, _translated = for_screens(image)
    small = reduced(picture, side=THUMBNAIL_SIDE)
    if turn in TURNS:
        small = small.transpose(TURNS[turn])
    return report | _small(small, icc, job)


def _small(picture: Image.Image, icc: bytes | None, job: Job) -> dict[str, str]:
    small = to_srgb(reduced(picture, side=THUMBNAIL_SIDE), icc)
    small.info = {}
    return {"thumbnail": write_webp(small, job, "thumb.webp"), "placeholder": placeholder(small)}


def _details(image: Image.Image) -> tuple[int, list[str]]:
    """Return how the picture lies, and the change codes for what will be done about its details."""
    changes = []
    try:
        exif = image.getexif()
        turn = exif.get(ORIENTATION, 1)
        has_location = bool(exif.get_ifd(GPS))
    except BROKEN_DETAILS:
        turn, has_location = 1, False
    is_turned = turn in TURNS
    if image.format == "TIFF":
        turn = 1  # the decoder will turn it while it loads
    if is_turned or (image.info.get("original_orientation") or 1) != 1:
        changes.append("upright")  # the HEIC decoder has turned it already and left a note
    if has_location or b"GPSLatitude" in _xmp(image):
        changes.append("location")
    return (turn if turn in TURNS else 1), changes


def _xmp(image: Image.Image) -> bytes:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return xmp.encode() if isinstance(xmp, str) else xmp


def _shows_through(picture: Image.Image) -> bool:
    return picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255)


def _is_lossless_webp(source: str) -> bool:
    with open(source, "rb") as file:
        head = file.read(64)
    return b"VP8L" in head


def _name(pillow_format: str) -> str:
    return {"HEIF": "heic"}.get(pillow_format, pillow_format.lower())
