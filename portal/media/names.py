"""File names from people: shown as they are, made safe where they become names again."""

import re
import unicodedata

from django.utils.text import slugify

LONGEST = 255
LONGEST_DOWNLOAD_BYTES = 180
KNOWN_ENDING = re.compile(
    r"\.(jpe?g|png|webp|gif|hei[cf]|avif|tiff?|bmp|mp4|mov|m4v|webm|mkv|3gp|mp3|m4a|wav|og[ga]|flac|aac|weba)$", re.I
)
# Invisible, and part of the spelling in Persian, Hindi and emoji.
JOINERS = {"\u200c", "\u200d"}
# Not allowed in file names somewhere: control characters, path separators, Windows' own.
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')


def shown_name(name: str) -> str:
    """Return a name to keep and show: no control characters, and none that turn the reading direction around.

    With U+202E before its last letters, "photogpj.exe" is read as "photoexe.jpg".
    """
    plain = "".join(map(_shown_character, unicodedata.normalize("NFC", name)))
    plain = " ".join(plain.split())
    if len(plain) <= LONGEST:
        return plain or "file"
    ending = KNOWN_ENDING.search(plain)
    tail = ending.group() if ending else ""
    return plain[: LONGEST - len(tail)] + tail


def uploaded_name(name: str) -> str:
    """Return the name of an uploaded file to keep and show.

    Browsers write a quote and line ends in it as %22, %0D and %0A (HTML, "multipart form data"), and nothing else so.
    """
    return shown_name(name.replace("%22", '"').replace("%0D", " ").replace("%0A", " "))


def _shown_character(char: str) -> str:
    match unicodedata.category(char):
        case "Cc" | "Zl" | "Zp":
            return " "
        case "Cf" | "Cs" | "Co" | "Cn":
            return char if char in JOINERS else ""
    return char


def download_name(name: str, *, extension: str) -> str:
    """Return the name a browser saves a file under; the ending says what the file is, whatever the name said."""
    stem = UNSAFE.sub("_", KNOWN_ENDING.sub("", shown_name(name))).strip(" ._")
    stem = stem.encode()[:LONGEST_DOWNLOAD_BYTES].decode(errors="ignore")
    return f"{stem or 'file'}.{extension}"


def wire_name(name: str, *, extension: str) -> str:
    """Return a plain ASCII name for machines."""
    return f"{slugify(KNOWN_ENDING.sub('', name))[:60] or 'file'}.{extension}"
