"""What a file really is, from its first bytes. Names and declared types play no part."""

from dataclasses import dataclass

import filetype

HEAD_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A kind of file that the portal takes: what it is to people, who decodes it, how it is served."""

    kind: str
    decoder: str
    extension: str
    content_type: str


JPEG = Sniffed("image", "JPEG", "jpg", "image/jpeg")
PNG = Sniffed("image", "PNG", "png", "image/png")
HEIC = Sniffed("image", "HEIF", "heic", "image/heic")
MP4 = Sniffed("video", "mov", "mp4", "video/mp4")
KNOWN = {
    "image/jpeg": JPEG,
    "image/png": PNG,
    "image/apng": PNG,
    "image/webp": Sniffed("image", "WEBP", "webp", "image/webp"),
    "image/gif": Sniffed("image", "GIF", "gif", "image/gif"),
    "image/heic": HEIC,
    "image/avif": Sniffed("image", "AVIF", "avif", "image/avif"),
    "image/tiff": Sniffed("image", "TIFF", "tiff", "image/tiff"),
    "image/bmp": Sniffed("image", "BMP", "bmp", "image/bmp"),
    "video/mp4": MP4,
    "video/x-m4v": MP4,
    "video/3gpp": MP4,
    "video/quicktime": Sniffed("video", "mov", "mov", "video/quicktime"),
    "video/webm": Sniffed("video", "matroska", "webm", "video/webm"),
    "video/x-matroska": Sniffed("video", "matroska", "mkv", "video/x-matroska"),
    "audio/mpeg": Sniffed("audio", "mp3", "mp3", "audio/mpeg"),
    "audio/mp4": Sniffed("audio", "mov", "m4a", "audio/mp4"),
    "audio/x-wav": Sniffed("audio", "wav", "wav", "audio/wav"),
    "audio/ogg": Sniffed("audio", "ogg", "ogg", "audio/ogg"),
    "audio/x-flac": Sniffed("audio", "flac", "flac", "audio/flac"),
    "audio/aac": Sniffed("audio", "aac", "aac", "audio/aac"),
}
# Brands of the ISO family that filetype does not know: other encoders' HEIC, cameras' and phones' MP4.
BRANDS = {
    **dict.fromkeys((b"heix", b"heim", b"heis", b"mif1", b"msf1"), HEIC),
    **dict.fromkeys((b"iso2", b"iso4", b"iso5", b"iso6", b"iso8", b"avc1", b"dash", b"MSNV", b"M4V ", b"mp71"), MP4),
    **dict.fromkeys((b"3gp4", b"3gp5", b"3gp6", b"3g2a"), MP4),
}


def sniff(head: bytes) -> Sniffed | None:
    """Return what the first bytes of a file say it is; None for everything the portal does not take."""
    found = filetype.guess(head)
    if found is not None:
        return KNOWN.get(found.mime)
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12])
    return None
