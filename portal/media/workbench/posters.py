"""The still that stands for a video: a real frame, upright, and not the black before the first scene."""

from collections.abc import Iterator

import av
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image, ImageStat

from .jobs import Refused

PLACES = (0.1, 0.35, 0.7)  # shares of the length
LATEST_FIRST_SECONDS = 2.0
# How much may be decoded to get from the key frame before a place to the place: 48 frames of full HD, 12 of 4K.
PIXELS_TO_REACH_A_PLACE = 100_000_000
PLAIN = 6.0  # the spread of brightness below which a frame shows nothing


def poster_of(source: InputContainer, stream: VideoStream) -> Image.Image:
    """Return the first frame, of a few tried, that shows something; raises Refused when none can be decoded."""
    first = None
    for frame in _frames(source, stream):
        image = _upright(frame, stream)
        if max(ImageStat.Stat(image.convert("L").resize((64, 64))).stddev) > PLAIN:
            return image
        first = first or image
    if first is None:
        raise Refused("unreadable", "no frame can be decoded")
    return first


def _frames(source: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    length = source.duration / av.time_base if source.duration else 0.0
    for number, share in enumerate(PLACES if length else ()):
        at = length * share if number else min(length * share, LATEST_FIRST_SECONDS)
        frame = _frame_at(source, stream, at)
        if frame is not None:
            yield frame
    frame = _frame_at(source, stream, 0.0)
    if frame is not None:
        yield frame


def _frame_at(source: InputContainer, stream: VideoStream, seconds: float) -> av.VideoFrame | None:
    """Return the frame at a place, or the nearest one that few steps lead to."""
    frame = None
    most_steps = PIXELS_TO_REACH_A_PLACE // max(1, stream.codec_context.width * stream.codec_context.height)
    try:
        source.seek(int(seconds * av.time_base))
        for steps, frame in enumerate(source.decode(stream)):
            if frame.time is None or frame.time >= seconds or steps >= most_steps:
                break
    except av.error.FFmpegError:
        return frame
    return frame


def _upright(frame: av.VideoFrame, stream: VideoStream) -> Image.Image:
    image: Image.Image = frame.to_image()
    shape = stream.sample_aspect_ratio
    if shape and shape > 0 and shape != 1:
        image = image.resize((max(1, round(image.width * shape)), image.height))
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image
