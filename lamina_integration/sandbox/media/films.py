"""Short H.264 films: slow moves over pictures composed from the run's photos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from lamina_integration.sandbox.media import pictures
from lamina_integration.sandbox.media.briefs import Brief, Unmakeable
from lamina_integration.sandbox.media.stage import window

RATE = 24
AREA = 470_000
Move = tuple[tuple[float, float, float], tuple[float, float, float]]  # zoom, x, y at the start and at the end
MOVES: tuple[Move, ...] = (
    ((1.0, 0.5, 0.5), (1.22, 0.5, 0.45)),
    ((1.2, 0.1, 0.5), (1.2, 0.9, 0.5)),
    ((1.3, 0.5, 0.6), (1.04, 0.5, 0.5)),
    ((1.18, 0.5, 0.9), (1.18, 0.5, 0.1)),
)
LOOKS = ("scene", "detail", "studio", "poster")


def shoot(brief: Brief, path: Path, *, whole: bool) -> tuple[int, int, float]:
    """Write one film; return its width, height and seconds. A whole film has three shots, others one."""
    width, height = pictures.size_for(brief.aspect, AREA)
    shots = 3 if whole else 1
    seconds = 1.8 if whole else 3.4
    frames = (
        frame
        for shot in range(shots)
        for frame in _shot(brief, brief.number + shot, size=(width, height), count=round(seconds * RATE))
    )
    _encode(frames, path, size=(width, height))
    return width, height, round(shots * round(seconds * RATE) / RATE, 2)


def first_frame(path: Path, target: Path) -> Path:
    """Save a clip's first frame as a picture, for use where a photo is needed."""
    import av  # takes memory, and most runs make no film

    try:
        with av.open(str(path)) as clip:
            frame = next(clip.decode(video=0))
            picture: Any = frame
            picture.to_image().save(target, "JPEG", quality=90)
    except (av.error.FFmpegError, StopIteration, IndexError, OSError, ValueError) as error:
        raise Unmakeable("The source video could not be read") from error
    return target


def _shot(brief: Brief, number: int, *, size: tuple[int, int], count: int) -> Iterator[Image.Image]:
    look = LOOKS[number % len(LOOKS)] if not brief.look else brief.look
    still = pictures.draw(replace(brief, look=look, number=number), area=round(AREA * 1.3))
    (zoom, x, y), (last_zoom, last_x, last_y) = MOVES[number % len(MOVES)]
    for position in range(count):
        share = _eased(position / max(1, count - 1))
        near = zoom + (last_zoom - zoom) * share
        place = (x + (last_x - x) * share, y + (last_y - y) * share)
        box = window(still.size, (still.width / near, still.height / near), place)
        yield still.resize(size, Image.Resampling.BILINEAR, box=box)


def _eased(share: float) -> float:
    return share * share * (3 - 2 * share)


def _encode(frames: Iterator[Image.Image], path: Path, *, size: tuple[int, int]) -> None:
    import av  # takes memory, and most runs make no film

    as_frame: Any = av.VideoFrame.from_image
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as film:
        stream: Any = film.add_stream("libx264", rate=RATE)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        # One thread and a short look-ahead: encoding takes tens of megabytes otherwise.
        stream.options = {"preset": "veryfast", "crf": "24", "threads": "1", "rc-lookahead": "8", "bf": "1"}
        for picture in frames:
            for packet in stream.encode(as_frame(picture)):
                film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)
