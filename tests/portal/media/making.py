"""Small files for the tests of this room, made on the fly."""

import io
import random
from pathlib import Path
from typing import Any

import av
import pillow_heif
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

pillow_heif.register_heif_opener()

ORIENTATION, GPS, CAMERA = 0x0112, 0x8825, 0x0110


def photo(size: tuple[int, int] = (60, 40), mode: str = "RGB") -> Image.Image:
    """Return a picture whose top left corner is red, and whose other corners are not."""
    image = Image.merge(
        "RGB",
        (
            Image.linear_gradient("L").rotate(180).resize(size),
            Image.linear_gradient("L").rotate(90).resize(size),
            Image.radial_gradient("L").resize(size),
        ),
    )
    image.paste((250, 10, 10), (0, 0, size[0] // 3, size[1] // 3))
    return image.convert(mode)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """Return a picture as a file."""
    memory = io.BytesIO()
    image.save(memory, format, **options)
    return memory.getvalue()


def jpeg(size: tuple[int, int] = (60, 40), **options: Any) -> bytes:
    """Return a JPEG."""
    return encoded(photo(size), "JPEG", **options)


def phone_exif(orientation: int = 6) -> Image.Exif:
    """Return what a phone writes beside a picture: how it lay, where it was, which phone it is."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[CAMERA] = "Secret Phone 7"
    gps = exif.get_ifd(GPS)
    gps[1], gps[2] = "N", (51.0, 30.0, 0.0)
    return exif


def upload(content: bytes, name: str = "mug.jpg", content_type: str = "image/jpeg") -> SimpleUploadedFile:
    """Return a file as a form gives it to us."""
    return SimpleUploadedFile(name, content, content_type)


def film(
    path: Path,
    *,
    format: str = "mp4",
    codec: str = "libx264",
    sound: str = "",
    frames: int = 10,
    rate: int = 10,
    size: tuple[int, int] = (96, 64),
    rotation: int = 0,
    black_frames: int = 0,
    pixels: str = "yuv420p",
) -> bytes:
    """Return a short video that says where it was filmed."""
    with av.open(str(path), "w", format=format) as file:
        file.metadata["title"] = "Secret title"
        file.metadata["location"] = "+51.5-000.1/"
        picture = file.add_stream(codec, rate=rate)
        picture.width, picture.height = size
        picture.pix_fmt = pixels
        if rotation:
            picture.set_display_rotation(rotation)
        tone = file.add_stream(sound, rate=48000, layout="stereo") if sound else None
        for number in range(frames):
            image = Image.new("RGB", size) if number < black_frames else photo(size)
            file.mux(picture.encode(av.VideoFrame.from_image(image)))
        file.mux(picture.encode(None))
        if tone is not None:
            add_noise(file, tone, seconds=frames / rate)
    return path.read_bytes()


def sound(path: Path, *, format: str, codec: str) -> bytes:
    """Return a second of noise with a title."""
    with av.open(str(path), "w", format=format) as file:
        file.metadata["title"] = "Secret title"
        add_noise(file, file.add_stream(codec, rate=48000, layout="stereo"), seconds=1.0)
    return path.read_bytes()


def add_noise(file: av.container.OutputContainer, stream: av.AudioStream, *, seconds: float) -> None:
    """Fill a stream of sound."""
    noise = random.Random(1)
    for number in range(int(48000 * seconds / 1024)):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=1024)
        frame.planes[0].update(noise.randbytes(4096))
        frame.rate, frame.pts = 48000, number * 1024
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))
