"""A photo made into a drawing: flat colours, dark outlines, and each style's own light."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

TINTS = {
    "ghibli": ((30, 52, 48), (196, 214, 178), (255, 250, 228)),
    "simpsons": ((54, 36, 20), (250, 206, 64), (255, 248, 214)),
    "disney / pixar": ((44, 24, 48), (236, 150, 112), (255, 240, 220)),
    "cyberpunk": ((22, 10, 62), (224, 44, 150), (120, 250, 250)),
}


def drawn(picture: Image.Image, *, style: str) -> Image.Image:
    """Return the picture as a drawing in a style; an unknown style keeps the photo's colours."""
    size = picture.size
    small = picture.resize((size[0] // 2, size[1] // 2), Image.Resampling.LANCZOS)
    smooth = picture.resize((size[0] // 3, size[1] // 3), Image.Resampling.LANCZOS)
    for _ in range(2):
        smooth = smooth.filter(ImageFilter.MedianFilter(5))
    flat = ImageOps.posterize(ImageEnhance.Color(smooth).enhance(1.5), 3).filter(ImageFilter.ModeFilter(3))
    flat = Image.blend(flat, smooth, 0.35).resize(small.size, Image.Resampling.BICUBIC)
    smooth = smooth.resize(small.size, Image.Resampling.BICUBIC)
    tint = TINTS.get(style.strip().lower())
    if tint:
        toned = ImageOps.colorize(ImageOps.autocontrast(smooth.convert("L")), tint[0], tint[2], mid=tint[1])
        flat = Image.blend(flat, toned, 0.42)
    lines = small.convert("L").filter(ImageFilter.GaussianBlur(1.2))
    lines = ImageChops.subtract(lines.filter(ImageFilter.GaussianBlur(3)), lines, scale=0.5)
    lines = lines.point(lambda v: 255 - min(235, max(0, v - 10) * 7)).filter(ImageFilter.GaussianBlur(0.6))
    outlined = ImageChops.multiply(flat, lines.convert("RGB"))
    return outlined.resize(size, Image.Resampling.LANCZOS).filter(ImageFilter.UnsharpMask(2, 80, 2))
