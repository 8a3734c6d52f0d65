"""Make one output from its brief. Runs in a thread; everything heavy is imported here, on first use."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

from lamina_integration.sandbox.media.briefs import Brief, Made, Unmakeable


def make(brief: Brief, *, folder: Path, name: str) -> Made:
    """Return the finished output; its file, if it has one, is in the folder under the name."""
    try:
        return MAKERS.get(brief.kind, _picture)(brief, folder, name)
    finally:
        _give_back_memory()


def sample(name: str, folder: Path) -> Path | None:
    """Return a sample picture's file, drawn on first use; None when there is no such sample."""
    from lamina_integration.sandbox.media import samples

    try:
        return samples.ensure(name, folder)
    finally:
        _give_back_memory()


def _text(brief: Brief, folder: Path, name: str) -> Made:
    from lamina_integration.sandbox.media import texts

    return Made(text=texts.write(brief))


def _sound(brief: Brief, folder: Path, name: str) -> Made:
    from lamina_integration.sandbox.media import sounds

    path = folder / f"{name}.wav"
    seconds = sounds.compose(path, seed=f"{brief.text}{brief.options}{brief.number}")
    return Made(path=path, mime_type="audio/wav", seconds=seconds, description="Four soft chords")


def _picture(brief: Brief, folder: Path, name: str) -> Made:
    from lamina_integration.sandbox.media import pictures

    picture = pictures.draw(_with_photos(brief, folder, name))
    path = folder / f"{name}.jpg"
    pictures.save(picture, path)
    width, height = picture.size
    return Made(path=path, mime_type="image/jpeg", width=width, height=height, description=f"{brief.label}, composed")


def _film(brief: Brief, folder: Path, name: str) -> Made:
    from lamina_integration.sandbox.media import films

    path = folder / f"{name}.mp4"
    whole = bool(re.search(r"final|full|reel|video|film", brief.label, re.I))
    width, height, seconds = films.shoot(_with_photos(brief, folder, name), path, whole=whole)
    return Made(
        path=path,
        mime_type="video/mp4",
        width=width,
        height=height,
        seconds=seconds,
        description=f"{brief.label}, filmed",
    )


MAKERS = {"text": _text, "audio": _sound, "image": _picture, "video": _film}


def _with_photos(brief: Brief, folder: Path, name: str) -> Brief:
    """Return the brief fit for Pillow: HEIC known, clips replaced by their first frame, sounds left out."""
    from dataclasses import replace

    _know_heic()
    sources = []
    files = dict(brief.files)
    for position, source in enumerate(brief.sources):
        if _starts_like_a_clip(files[source.url]):
            from lamina_integration.sandbox.media import films

            files[source.url] = films.first_frame(files[source.url], folder / f"{name}-source-{position}.jpg")
            sources.append(replace(source, kind="image", role="mood" if source.kind == "video" else source.role))
        elif source.kind == "video":
            raise Unmakeable("The source video could not be read")
        elif source.kind != "audio":
            sources.append(source)
    return replace(brief, sources=tuple(sources), files=files)


def _starts_like_a_clip(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    is_mp4 = head[4:8] == b"ftyp" and head[8:12] not in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"hevc")
    return is_mp4 or head[:4] == b"\x1a\x45\xdf\xa3" or head[4:8] == b"moov"


def _know_heic() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:  # the portal's own dependency, not the stand-in's
        return
    register_heif_opener()


def _give_back_memory() -> None:
    """Return freed memory to the system: pictures come in bursts, and the C library would keep the peak."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim:
            trim(0)
