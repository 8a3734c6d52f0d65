"""Pictures composed from a run's photos: each output of an app framed, lit and set in its own way."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from lamina_integration.sandbox.media import cartoon, samples
from lamina_integration.sandbox.media.briefs import Brief
from lamina_integration.sandbox.media.colours import (
    PLACES,
    WHITE,
    Colour,
    brightness,
    graded,
    ground,
    is_on_white,
    liveliest,
    mix,
    palette,
    vignette,
)
from lamina_integration.sandbox.media.stage import (
    cast_shadow,
    covering,
    fitting,
    flat,
    opened,
    place,
    rounded,
    scrim,
    write_caption,
)

AREA = 1_100_000
Compose = Callable[[Brief, list[Image.Image], list[Image.Image], tuple[int, int]], Image.Image]


def size_for(aspect: tuple[int, int], area: int = AREA) -> tuple[int, int]:
    """Return the even width and height of an aspect ratio that make about so many pixels."""
    ratio = aspect[0] / aspect[1]
    return 2 * round(math.sqrt(area * ratio) / 2), 2 * round(math.sqrt(area / ratio) / 2)


def draw(brief: Brief, *, area: int = AREA) -> Image.Image:
    """Return the picture one output is."""
    people = [opened(path) for path in brief.paths("person")]
    products = [opened(path) for path in brief.paths("product")]
    moods = [flat(opened(path)) for path in brief.paths("mood")[:3]]
    subjects = (people + products) if people else (products or moods)
    if not subjects:
        subjects = [samples.draw("product")]
    compose = _look(brief, has_people=bool(people and products))
    return compose(brief, subjects, moods, size_for(brief.aspect, area))


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as a JPEG a browser shows while it loads."""
    picture.save(path, "JPEG", quality=88, optimize=True, progressive=True)


def _look(brief: Brief, *, has_people: bool) -> Compose:
    if brief.look in LOOKS:
        return LOOKS[brief.look]
    if has_people:
        return worn
    for pattern, look in BY_LABEL:
        if re.search(pattern, brief.label, re.I):
            return look
    return IN_TURN[brief.number % len(IN_TURN)]


def _tones(brief: Brief, photo: Image.Image, moods: list[Image.Image]) -> tuple[Colour, Colour, Colour]:
    """Return the light and the dark end of the ground and an accent: the place's, else the mood's, else the photo's."""
    colours = palette(moods[brief.number % len(moods)] if moods else photo)
    accent = liveliest(colours)
    for choice in brief.options.values():
        if choice.strip().lower() in PLACES:
            top, bottom = PLACES[choice.strip().lower()]
            return top, bottom, accent
    return mix(accent, WHITE, 0.84), mix(accent, (214, 208, 200), 0.55), accent


def studio(brief: Brief, subjects: list[Image.Image], moods: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """The product on a lit ground, as a print with a shadow, or standing free when it was cut out."""
    photo = subjects[0]
    top, bottom, _ = _tones(brief, flat(photo), moods)
    canvas = ground(size, top, bottom)
    width, height = size
    room = (round(width * 0.8), round(height * 0.7))
    if photo.mode == "RGBA":
        return _standing(brief, canvas, photo, room)
    if is_on_white(photo):
        return _multiplied(brief, canvas, photo, room)
    # A print keeps near the photo's own proportions, yet fills the frame it is meant for.
    ratio = max(0.72, min(1.4, photo.width / photo.height)) * 0.4 + (width / height) * 0.6
    print_width = round(min(room[0], room[1] * ratio))
    print_size = (print_width, round(print_width / ratio))
    at = ((width - print_size[0]) // 2, round((height - print_size[1]) * 0.4))
    place(canvas, covering(photo, print_size), at, radius=round(width * 0.016))
    _caption_below(brief, canvas, at, print_size)
    return canvas


def _standing(brief: Brief, canvas: Image.Image, photo: Image.Image, room: tuple[int, int]) -> Image.Image:
    cut = photo.crop(photo.getchannel("A").getbbox() or (0, 0, *photo.size))
    cut = fitting(cut, room)
    at = ((canvas.width - cut.width) // 2, round((canvas.height - cut.height) * 0.45))
    floor = Image.new("L", (cut.width, max(4, cut.height // 9)), 0)
    ImageDraw.Draw(floor).ellipse((0, 0, floor.width - 1, floor.height - 1), fill=255)
    cast_shadow(canvas, floor, (at[0], at[1] + cut.height - floor.height), strength=0.5)
    canvas.paste(cut, at, cut.getchannel("A"))
    _caption_below(brief, canvas, at, cut.size)
    return canvas


def _multiplied(brief: Brief, canvas: Image.Image, photo: Image.Image, room: tuple[int, int]) -> Image.Image:
    """Lay a photo taken before white over the ground: the white vanishes, the shadows stay."""
    product = fitting(photo, room)
    sheet = Image.new("RGB", canvas.size, WHITE)
    at = ((canvas.width - product.width) // 2, round((canvas.height - product.height) * 0.4))
    edge = max(8, min(product.size) // 12)
    mask = Image.new("L", product.size, 0)
    mask.paste(255, (edge, edge, product.width - edge, product.height - edge))
    sheet.paste(product.point(lambda v: min(255, v * 1.045)), at, mask.filter(ImageFilter.GaussianBlur(edge / 2)))
    canvas = ImageChops.multiply(canvas, sheet)
    _caption_below(brief, canvas, at, product.size)
    return canvas


def _caption_below(brief: Brief, canvas: Image.Image, at: tuple[int, int], size: tuple[int, int]) -> None:
    left = max(round(canvas.width * 0.07), min(at[0], round(canvas.width * 0.12)))
    top = min(at[1] + size[1] + round(canvas.height * 0.055), round(canvas.height * 0.9))
    write_caption(canvas, brief.label, brief.text, at=(left, top))


def scene(brief: Brief, subjects: list[Image.Image], moods: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """The photo filling the frame in a warm light, with the brief at its foot."""
    photo = flat(subjects[-1 if brief.number % 2 else 0], (236, 232, 226))
    canvas = vignette(graded(covering(photo, size, zoom=1.06, at=(0.5, 0.45)), "warm"))
    _, _, accent = _tones(brief, photo, moods)
    canvas = Image.blend(canvas, Image.new("RGB", size, accent), 0.06)
    canvas = scrim(canvas)
    _caption_at_foot(brief, canvas)
    return canvas


def _caption_at_foot(brief: Brief, canvas: Image.Image) -> None:
    below = 0.115 if brief.text else 0.075
    write_caption(
        canvas,
        brief.label,
        brief.text,
        at=(round(canvas.width * 0.06), round(canvas.height * (1 - below))),
        colour=WHITE,
    )


def detail(brief: Brief, subjects: list[Image.Image], moods: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """A close look: near, cool, sharp in the middle and soft around it."""
    photo = flat(subjects[0], (240, 238, 234))
    near = covering(photo, size, zoom=1.9, at=(0.5, 0.46))
    near = graded(near.filter(ImageFilter.UnsharpMask(2, 60, 2)), "rich")
    focus = Image.radial_gradient("L").resize(size).point(lambda v: max(0, min(255, (v - 70) * 2)))
    canvas = Image.composite(near.filter(ImageFilter.GaussianBlur(size[0] / 150)), near, focus)
    canvas = scrim(graded(canvas, "cool"), height=0.22, strength=0.5)
    _caption_at_foot(brief, canvas)
    return canvas


def collage(brief: Brief, subjects: list[Image.Image], moods: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """A print before a soft, deep blur of the mood, and two closer crops beside it."""
    photo = flat(subjects[0], (240, 238, 234))
    mood = moods[0] if moods else photo
    canvas = covering(mood, (size[0] // 8, size[1] // 8), zoom=1.2).filter(ImageFilter.GaussianBlur(7))
    canvas = graded(canvas.resize(size, Image.Resampling.BICUBIC), "soft")
    width, height = size
    gap, edge = round(width * 0.03), round(width * 0.08)
    large = (width - 2 * edge, round(height * 0.5))
    place(canvas, covering(photo, large), (edge, round(height * 0.09)), radius=round(width * 0.02))
    small = ((large[0] - gap) // 2, round(height * 0.24))
    top = round(height * 0.09) + large[1] + gap
    second = flat(subjects[1 % len(subjects)], (240, 238, 234))
    place(
        canvas,
        graded(covering(photo, small, zoom=2.2, at=(0.35, 0.4)), "warm"),
        (edge, top),
        radius=round(width * 0.02),
    )
    other = graded(covering(second, small, zoom=1.7, at=(0.72, 0.6)), "cool")
    place(canvas, other, (edge + small[0] + gap, top), radius=round(width * 0.02))
    light = brightness(palette(canvas, 3)[0]) > 0.55
    colour = (34, 32, 30) if light else WHITE
    write_caption(canvas, brief.label, brief.text, at=(edge, top + small[1] + round(height * 0.03)), colour=colour)
    return canvas


def poster(brief: Brief, subjects: list[Image.Image], moods: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """A field of the photo's liveliest colour, an arch with the product in it."""
    photo = flat(subjects[0], (240, 238, 234))
    _, _, accent = _tones(brief, photo, moods)
    base = mix(accent, (232, 226, 218), 0.35)
    canvas = ground(size, mix(base, WHITE, 0.22), mix(base, (40, 36, 34), 0.12))
    width, height = size
    arch = (round(width * 0.68), round(height * 0.66))
    mask = rounded((arch[0], arch[1] + arch[0] // 2), arch[0] // 2).crop((0, 0, *arch))
    at = ((width - arch[0]) // 2, round(height * 0.12))
    cast_shadow(canvas, mask, at, strength=0.3)
    canvas.paste(graded(covering(photo, arch, zoom=1.12, at=(0.62, 0.5)), "soft"), at, mask)
    colour = (34, 32, 30) if brightness(base) > 0.5 else WHITE
    write_caption(canvas, brief.label, brief.text, at=(at[0], at[1] + arch[1] + round(height * 0.05)), colour=colour)
    return canvas


def turned(brief: Brief, subjects: list[Image.Image], moods: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """The studio picture seen from the other side: the back photo, or else the first one mirrored."""
    photo = subjects[-1] if len(subjects) > 1 else ImageOps.mirror(subjects[0])
    return graded(studio(brief, [photo], moods, size), "cool")


def worn(brief: Brief, subjects: list[Image.Image], moods: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """The person filling the frame, what they try on beside them as prints."""
    person = flat(subjects[0], (236, 232, 226))
    canvas = scrim(vignette(graded(covering(person, size, at=(0.5, 0.2)), "warm"), 0.3), height=0.4, strength=0.55)
    width, height = size
    side = round(width * 0.3)
    for position, piece in enumerate(subjects[1:4]):
        card = covering(flat(piece), (side, side), zoom=1.02)
        at = (width - side - round(width * 0.06), height - (position + 1) * (side + round(width * 0.04)))
        place(canvas, card, at, radius=round(width * 0.03), shadow=0.5)
    line = brief.text or " · ".join(brief.options.values())
    write_caption(canvas, brief.label, line, at=(round(width * 0.06), round(height * 0.885)), colour=WHITE, scale=0.95)
    return canvas


def drawn(brief: Brief, subjects: list[Image.Image], moods: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """The photo as a drawing, in the chosen style's colours."""
    style = next(iter(brief.options.values()), "")
    return cartoon.drawn(covering(flat(subjects[0]), size, at=(0.5, 0.35)), style=style)


LOOKS: dict[str, Compose] = {
    "studio": studio, "scene": scene, "detail": detail, "collage": collage, "poster": poster, "cartoon": drawn,
}  # fmt: skip
IN_TURN: tuple[Compose, ...] = (studio, scene, detail, collage, poster)
BY_LABEL: tuple[tuple[str, Compose], ...] = (
    (r"back", turned),
    (r"front|hero", studio),
    (r"lifestyle|scene|selfie", scene),
    (r"detail|close|macro", detail),
    (r"side", poster),
)
