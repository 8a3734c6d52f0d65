"""The sample pictures that the built-in apps' defaults and thumbnails show, drawn on first use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from lamina_integration.sandbox.media.colours import Colour, ground, mix
from lamina_integration.sandbox.media.stage import cast_shadow

SIZE = (900, 1125)
NAMES = ("mood-1", "mood-2", "mood-3", "garment-front", "garment-back", "portrait", "product")


def ensure(name: str, folder: Path) -> Path | None:
    """Return the file of a sample, drawing it if need be; None when there is none of that name."""
    if name not in NAMES:
        return None
    path = folder / f"{name}.jpg"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draw(name).save(path, "JPEG", quality=88)
    return path


def draw(name: str) -> Image.Image:
    """Return a sample picture."""
    moods: dict[str, tuple[Colour, Colour, Colour]] = {
        "mood-1": ((246, 226, 208), (222, 160, 124), (176, 92, 62)),
        "mood-2": ((222, 232, 224), (138, 168, 150), (62, 98, 84)),
        "mood-3": ((226, 228, 244), (148, 152, 200), (70, 74, 130)),
    }
    if name in moods:
        return _still_life(*moods[name])
    drawers: dict[str, Callable[[], Image.Image]] = {
        "garment-front": lambda: _shirt(back=False),
        "garment-back": lambda: _shirt(back=True),
        "portrait": _portrait,
        "product": _bottle,
    }
    return drawers[name]()


def _shape(canvas: Image.Image, paint: Callable[[ImageDraw.ImageDraw], None], colour: Colour, shadow: float) -> None:
    """Paint a shape in a colour that is lit from the left, with its shadow."""
    large = Image.new("L", (canvas.width * 2, canvas.height * 2), 0)
    paint(ImageDraw.Draw(large))
    mask = large.resize(canvas.size, Image.Resampling.LANCZOS)
    box = mask.getbbox()
    if not box:
        return
    cast_shadow(canvas, mask.crop(box), (box[0], box[1]), strength=shadow)
    fade = Image.linear_gradient("L").rotate(90).resize((box[2] - box[0], box[3] - box[1]))
    light, dark = mix(colour, (255, 255, 255), 0.2), mix(colour, (30, 20, 20), 0.24)
    lit = Image.composite(Image.new("RGB", fade.size, dark), Image.new("RGB", fade.size, light), fade)
    canvas.paste(lit, box[:2], mask.crop(box))


def _still_life(light: Colour, middle: Colour, deep: Colour) -> Image.Image:
    canvas = ground(SIZE, light, middle)
    _shape(canvas, lambda d: d.pieslice((260, 420, 1300, 1460), 180, 360, fill=255), mix(middle, light, 0.5), 0.2)
    _shape(canvas, lambda d: d.rectangle((260, 938, 1300, 2010), fill=255), mix(middle, light, 0.5), 0.1)
    _shape(canvas, lambda d: d.rounded_rectangle((150, 1640, 1180, 1900), 16, fill=255), deep, 0.4)
    _shape(canvas, lambda d: d.ellipse((1090, 1330, 1560, 1800), fill=255), mix(deep, middle, 0.45), 0.45)
    _shape(canvas, lambda d: d.rounded_rectangle((360, 1080, 560, 1640), 90, fill=255), mix(deep, light, 0.3), 0.35)
    return canvas


def _shirt(*, back: bool) -> Image.Image:
    canvas = Image.new("RGB", SIZE, (252, 252, 252))
    cloth: Colour = (108, 132, 150)

    def body(pen: ImageDraw.ImageDraw) -> None:
        pen.polygon(
            [(640, 420), (900, 520), (1160, 420), (1520, 600), (1390, 1000), (1240, 930), (1260, 1860), (540, 1860),
             (560, 930), (410, 1000), (280, 600)], fill=255,
        )  # fmt: skip

    _shape(canvas, body, cloth, 0.25)
    neck = (0, 30) if back else (0, 130)
    collar: Colour = mix(cloth, (30, 40, 50), 0.35)
    _shape(canvas, lambda d: d.ellipse((720, 400 - neck[1] // 2, 1080, 480 + neck[1]), fill=255), collar, 0.0)
    if not back:
        _shape(
            canvas, lambda d: d.rounded_rectangle((1010, 800, 1160, 980), 20, fill=255), mix(cloth, collar, 0.3), 0.1
        )
    return canvas.filter(ImageFilter.GaussianBlur(0.6))


def _portrait() -> Image.Image:
    canvas = ground(SIZE, (226, 222, 236), (176, 168, 200))
    skin, hair, coat = (222, 172, 142), (64, 44, 40), (74, 96, 128)
    _shape(canvas, lambda d: d.ellipse((480, 460, 1320, 1520), fill=255), hair, 0.25)
    _shape(canvas, lambda d: d.rounded_rectangle((330, 1540, 1470, 2600), 380, fill=255), coat, 0.3)
    _shape(
        canvas,
        lambda d: d.rounded_rectangle((770, 1280, 1030, 1680), 120, fill=255),
        mix(skin, (120, 70, 50), 0.2),
        0.1,
    )
    _shape(canvas, lambda d: d.ellipse((610, 640, 1190, 1420), fill=255), skin, 0.18)
    _shape(canvas, lambda d: d.chord((580, 560, 1220, 1240), 180, 360, fill=255), hair, 0.0)
    for x in (760, 980):
        eye = (x, 1010, x + 56, 1070)
        _shape(canvas, partial(ImageDraw.ImageDraw.ellipse, xy=eye, fill=255), (50, 36, 34), 0.0)
    _shape(canvas, lambda d: d.chord((800, 1170, 1000, 1290), 0, 180, fill=255), (176, 88, 84), 0.0)
    return canvas


def _bottle() -> Image.Image:
    canvas = ground(SIZE, (240, 234, 226), (214, 202, 188))
    _shape(canvas, lambda d: d.rounded_rectangle((620, 820, 1180, 1960), 120, fill=255), (196, 120, 84), 0.45)
    _shape(canvas, lambda d: d.rounded_rectangle((800, 560, 1000, 860), 40, fill=255), (70, 56, 50), 0.2)
    _shape(canvas, lambda d: d.rectangle((620, 1200, 1180, 1620), fill=255), (246, 238, 226), 0.0)
    return canvas
