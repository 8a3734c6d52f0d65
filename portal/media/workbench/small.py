"""The small pictures that stand for a file: thumbnail, poster, and the blur before either is there."""

import base64
import io

from PIL import Image

from .jobs import Job

THUMBNAIL_SIDE = 640
POSTER_SIDE = 1280
PLACEHOLDER_SIDE = 16


def reduced(image: Image.Image, *, side: int) -> Image.Image:
    """Return the picture with its longer side at most `side`, never enlarged."""
    scale = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def write_webp(image: Image.Image, job: Job, name: str) -> str:
    """Write a small picture and return its name."""
    image.save(job.place(name), "WEBP", quality=80, method=4, exif=b"", xmp=b"", icc_profile=None)
    return name


def placeholder(image: Image.Image) -> str:
    """Return a blur of the picture as a data URI."""
    memory = io.BytesIO()
    reduced(image, side=PLACEHOLDER_SIDE).save(memory, "WEBP", quality=40, method=6, exif=b"", xmp=b"")
    return "data:image/webp;base64," + base64.b64encode(memory.getvalue()).decode()
