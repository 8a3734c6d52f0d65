"""Colours as browsers know them: eight bits, red-green-blue or grey, with a profile that is really one."""

import io

from PIL import Image, ImageCms

from .jobs import Refused

LARGEST_PROFILE_BYTES = 4 * 1024**2
SPACES = {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY"}


def for_screens(image: Image.Image) -> tuple[Image.Image, bytes | None, bool]:
    """Return the picture, the colour profile to keep with it, and whether its colours were translated to sRGB."""
    profile = _profile(image)
    if image.mode in {"CMYK", "LAB"}:
        return _translated(image, profile), None, True
    image = _plain(image)
    if profile is None or profile.profile.xcolor_space.strip() != SPACES[image.mode]:
        return image, None, False
    return image, profile.tobytes(), False


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Return a (small) picture in sRGB, so that it needs no profile of its own."""
    if icc is None or image.mode == "L":
        return image
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    try:
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB")) or image
    except ImageCms.PyCMSError:
        return image


def _profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    icc = image.info.get("icc_profile")
    if not icc or len(icc) > LARGEST_PROFILE_BYTES:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None


def _translated(image: Image.Image, profile: ImageCms.ImageCmsProfile | None) -> Image.Image:
    if profile is not None and profile.profile.xcolor_space.strip() == image.mode.upper():
        try:
            translated = ImageCms.profileToProfile(
                image,
                profile,
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except ImageCms.PyCMSError:
            translated = None
        if translated is not None:
            return translated
    return image.convert("RGB")


def _plain(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, RGBA or L."""
    mode = image.mode
    if mode == "F":
        raise Refused("unreadable", "floating point pixels")
    if mode.startswith("I"):
        deep = image if mode == "I" else image.convert("I")
        return deep.point(lambda value: value * (1 / 256)).convert("L")
    if "transparency" in image.info or mode in {"LA", "PA", "La", "RGBa", "RGBA"}:
        return image if mode == "RGBA" else image.convert("RGBA")
    if mode == "1":
        return image.convert("L")
    return image if mode in {"L", "RGB"} else image.convert("RGB")
