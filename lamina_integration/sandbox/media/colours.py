"""Colours taken from a photo, and grounds painted with them."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageChops, ImageStat

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
INK: Colour = (34, 32, 30)

PLACES: dict[str, tuple[Colour, Colour]] = {
    "studio": ((240, 238, 235), (206, 202, 198)),
    "urban": ((205, 210, 216), (132, 140, 150)),
    "park": ((222, 232, 208), (136, 160, 118)),
    "beach": ((222, 238, 244), (232, 208, 172)),
    "desert": ((250, 226, 196), (214, 150, 104)),
    "tropical": ((206, 240, 228), (56, 140, 122)),
}


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the first colour with so much of the second in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def brightness(colour: Colour) -> float:
    """Return how light a colour looks, 0 to 1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def palette(picture: Image.Image, count: int = 5) -> list[Colour]:
    """Return the colours a picture is mostly made of, the commonest first."""
    small = picture.convert("RGB")
    small.thumbnail((64, 64))
    reduced = small.quantize(count, method=Image.Quantize.MEDIANCUT)
    values = reduced.getpalette() or []
    places = [3 * place for _, place in sorted((count, int(str(index))) for count, index in reduced.getcolors() or [])]
    return [(values[at], values[at + 1], values[at + 2]) for at in reversed(places)] or [(200, 196, 190)]


def liveliest(colours: list[Colour]) -> Colour:
    """Return the most saturated of some colours that is neither very dark nor very light."""
    return max(colours, key=lambda c: (max(c) - min(c)) * (1 - abs(brightness(c) - 0.5)))


def is_on_white(photo: Image.Image) -> bool:
    """Whether the photo was taken before a white wall: its rim is light all around."""
    small = photo.convert("L").resize((32, 32))
    rim = Image.new("L", (32, 32), 255)
    rim.paste(0, (2, 2, 30, 30))
    return ImageStat.Stat(small, rim).mean[0] > 238 and ImageStat.Stat(small, rim).stddev[0] < 14


def ground(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    """Return a softly lit wall: a gradient, a light from above, and grain against banding."""
    fade = Image.linear_gradient("L").resize(size, Image.Resampling.BICUBIC)
    wall = Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), fade)
    light = Image.radial_gradient("L").resize((size[0] * 2, size[1] * 2), Image.Resampling.BICUBIC)
    light = light.crop((size[0] // 2, size[1] * 2 // 3, size[0] // 2 + size[0], size[1] * 2 // 3 + size[1]))
    wall = Image.composite(wall, Image.blend(wall, Image.new("RGB", size, WHITE), 0.42), light.point(_lift))
    return grain(wall)


def _lift(value: float) -> float:
    return min(255, value * 1.5)


def grain(picture: Image.Image) -> Image.Image:
    """Return the picture with a grain too fine to see, which keeps gradients from banding."""
    return ImageChops.add(picture, _noise(picture.size), scale=1, offset=-128)


@lru_cache(maxsize=1)
def _noise(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise(size, 3).convert("RGB")


def vignette(picture: Image.Image, strength: float = 0.38) -> Image.Image:
    """Return the picture with its corners a little darker."""
    width, height = picture.size
    falloff = Image.radial_gradient("L").resize((round(width * 1.4), round(height * 1.4)))
    left, top = round(width * 0.2), round(height * 0.2)
    falloff = falloff.crop((left, top, left + width, top + height)).point(lambda v: max(0, v - 90) * 1.5 * strength)
    return Image.composite(Image.new("RGB", picture.size, (12, 10, 10)), picture, falloff)


def graded(picture: Image.Image, tone: str) -> Image.Image:
    """Return the picture in another light: warm, cool, soft or rich."""
    curves = {
        "warm": ((1.05, 6), (1.0, 3), (0.92, 0)),
        "cool": ((0.95, 0), (1.0, 2), (1.06, 6)),
        "soft": ((0.88, 26), (0.88, 25), (0.87, 27)),
        "rich": ((1.12, -14), (1.1, -13), (1.1, -14)),
    }
    if tone not in curves:
        return picture
    table = [max(0, min(255, round(value * gain + lift))) for gain, lift in curves[tone] for value in range(256)]
    return picture.point(table)
