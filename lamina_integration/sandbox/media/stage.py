"""Photographs opened, cropped and set: what every picture and film is composed with."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from lamina_integration.sandbox.media.briefs import Unmakeable
from lamina_integration.sandbox.media.colours import INK, WHITE, Colour

MAX_PIXELS = 120_000_000
LONGEST = 1600


def opened(path: Path) -> Image.Image:
    """Return a photo upright, in RGB or RGBA, and no larger than is of use."""
    try:
        with Image.open(path) as photo:
            if photo.width * photo.height > MAX_PIXELS:
                raise Unmakeable("The source image is too large")
            photo.draft("RGB", (LONGEST, LONGEST))  # lets a JPEG be decoded at a fraction of its size
            photo.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS, reducing_gap=2.0)
            upright = ImageOps.exif_transpose(photo)
            has_alpha = "A" in upright.getbands() or "transparency" in upright.info
            return upright.convert("RGBA" if has_alpha else "RGB")
    except Unmakeable:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unmakeable("The source image could not be read") from error


def flat(photo: Image.Image, ground: Colour = WHITE) -> Image.Image:
    """Return the photo without transparency."""
    if photo.mode == "RGB":
        return photo
    canvas = Image.new("RGB", photo.size, ground)
    canvas.paste(photo, mask=photo.getchannel("A"))
    return canvas


def covering(
    photo: Image.Image, size: tuple[int, int], *, zoom: float = 1.0, at: tuple[float, float] = (0.5, 0.5)
) -> Image.Image:
    """Return the photo filling a size, cropped around a point, closer by a zoom."""
    width, height = photo.size
    scale = max(size[0] / width, size[1] / height) * zoom
    crop_width, crop_height = size[0] / scale, size[1] / scale
    box = window(photo.size, (crop_width, crop_height), at)
    return photo.resize(size, Image.Resampling.LANCZOS, box=box)


def window(
    full: tuple[int, int], part: tuple[float, float], at: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Return the box of a part's size at a place within the whole, never a hair outside of it."""
    width, height = min(part[0], full[0]), min(part[1], full[1])
    left, top = max(0.0, (full[0] - width) * at[0]), max(0.0, (full[1] - height) * at[1])
    return left, top, min(left + width, full[0]), min(top + height, full[1])


def fitting(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the photo as large as it can be within a size."""
    scale = min(size[0] / photo.width, size[1] / photo.height)
    return photo.resize(
        (max(1, round(photo.width * scale)), max(1, round(photo.height * scale))), Image.Resampling.LANCZOS
    )


def rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """Return a mask with smooth rounded corners."""
    large = Image.new("L", (size[0] * 2, size[1] * 2), 0)
    ImageDraw.Draw(large).rounded_rectangle((0, 0, size[0] * 2 - 1, size[1] * 2 - 1), radius * 2, fill=255)
    return large.resize(size, Image.Resampling.LANCZOS)


def place(
    canvas: Image.Image, photo: Image.Image, at: tuple[int, int], *, radius: int = 18, shadow: float = 0.34
) -> None:
    """Set a photo on the canvas with rounded corners and the shadow it throws."""
    mask = rounded(photo.size, radius) if radius else Image.new("L", photo.size, 255)
    cast_shadow(canvas, mask, at, strength=shadow)
    canvas.paste(photo, at, mask)


def cast_shadow(canvas: Image.Image, mask: Image.Image, at: tuple[int, int], *, strength: float) -> None:
    """Darken the canvas below something of this outline, softly; worked out small, for it is blurred anyway."""
    scale = 6
    small = (max(1, canvas.width // scale), max(1, canvas.height // scale))
    outline = mask.resize((max(1, mask.width // scale), max(1, mask.height // scale)))
    for blur, drop, share in ((9, 0.030, 0.75), (3, 0.008, 0.45)):
        layer = Image.new("L", small, 0)
        layer.paste(outline, (at[0] // scale, (at[1] + round(canvas.height * drop)) // scale))
        layer = layer.filter(ImageFilter.GaussianBlur(blur)).resize(canvas.size, Image.Resampling.BICUBIC)
        canvas.paste(Image.new("RGB", canvas.size, (18, 14, 12)), mask=layer.point(_times(strength * share)))


def _times(share: float) -> list[int]:
    return [round(value * share) for value in range(256)]


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the face that comes with Pillow."""
    return ImageFont.load_default(size)


def caption(text: str, *, longest: int = 64) -> str:
    """Return as much of a text as makes a caption, or nothing when the face cannot write it."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = line[:longest].rsplit(" ", 1)[0].rstrip(" ,.;:") + "…"
    return line if all(character < "ɐ" or character in "–—‘’“”…€" for character in line) else ""


def write_caption(
    canvas: Image.Image, title: str, line: str, *, at: tuple[int, int], colour: Colour = INK, scale: float = 1.0
) -> None:
    """Write a small spaced title and a line below it, from a point at the left."""
    unit = min(canvas.size) / 1000 * scale
    pen = ImageDraw.Draw(canvas, "RGBA")
    x, y = at
    small = font(max(10, round(21 * unit)))
    for letter in caption(title.upper(), longest=34):
        pen.text((x, y), letter, font=small, fill=(*colour, 165))
        x += round(small.getlength(letter) + 3.4 * unit)
    if line := caption(line):
        face = font(max(12, round(31 * unit)))
        while face.getlength(line) > canvas.width - 2 * at[0] and len(line) > 8:
            line = caption(line, longest=len(line) - 6)
        pen.text((at[0], y + round(36 * unit)), line, font=face, fill=(*colour, 235))


def scrim(canvas: Image.Image, *, height: float = 0.34, strength: float = 0.62) -> Image.Image:
    """Return the canvas darkened towards its foot, so that light writing can be read on it."""
    width, full = canvas.size
    band = Image.linear_gradient("L").resize((width, round(full * height))).point(_times(strength))
    mask = Image.new("L", canvas.size, 0)
    mask.paste(band, (0, full - band.height))
    return Image.composite(Image.new("RGB", canvas.size, (10, 9, 9)), canvas, mask)
