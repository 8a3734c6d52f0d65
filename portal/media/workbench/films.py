"""Videos and sound: one picture stream and one sound stream, copied without a word about them.

Nothing is encoded again: the packets are put into a fresh container, which leaves behind places,
devices, titles, cover pictures, data tracks and whatever was glued on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from .jobs import Job, Refused
from .posters import poster_of
from .small import POSTER_SIDE, THUMBNAIL_SIDE, placeholder, reduced, write_webp


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file we make, and what may be in it so that browsers play it."""

    muxer: str
    extension: str
    content_type: str
    pictures: frozenset[str]
    sounds: frozenset[str]


MP4 = Container(
    "mp4", "mp4", "video/mp4", frozenset({"h264", "hevc", "av1", "vp9"}), frozenset({"aac", "mp3", "opus", "flac"})
)
WEBM = Container("webm", "webm", "video/webm", frozenset({"vp8", "vp9", "av1"}), frozenset({"opus", "vorbis"}))
# What no browser plays is kept as it is filmed: Lamina takes it, and the poster shows it.
MOV = Container(
    "mov",
    "mov",
    "video/quicktime",
    frozenset({"h264", "hevc", "prores", "mjpeg", "mpeg4", "dnxhd"}),
    frozenset({"aac", "mp3", "alac", "ac3", "eac3", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_f32le"}),
)
SAMPLES = frozenset({"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"})
NO_PICTURES: frozenset[str] = frozenset()
SOUND = {
    "mov": Container("ipod", "m4a", "audio/mp4", NO_PICTURES, frozenset({"aac", "alac"})),
    "mp3": Container("mp3", "mp3", "audio/mpeg", NO_PICTURES, frozenset({"mp3"})),
    "wav": Container(
        "wav",
        "wav",
        "audio/wav",
        NO_PICTURES,
        frozenset({"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8"}),
    ),
    "ogg": Container("ogg", "ogg", "audio/ogg", NO_PICTURES, frozenset({"opus", "vorbis", "flac"})),
    "flac": Container("flac", "flac", "audio/flac", NO_PICTURES, frozenset({"flac"})),
    "aac": Container("adts", "aac", "audio/aac", NO_PICTURES, frozenset({"aac"})),
    "matroska": Container("webm", "weba", "audio/webm", NO_PICTURES, frozenset({"opus", "vorbis"})),
}
# One name for each decoder that is a library's.
CODECS = {"libdav1d": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9", "libopus": "opus", "mp3float": "mp3"}
LOCATION = ("location", "iso6709", "gps", "©xyz")
LARGEST_MISSING_SECONDS = 1.0


def work(job: Job) -> dict[str, Any]:
    """Return a report about a video or a sound; with `job.remake` it is put into a fresh container."""
    try:
        with _opened(job) as source:
            return _report(source, job)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise Refused("unreadable", f"{type(error).__name__}: {error}") from error


def _opened(job: Job) -> InputContainer:
    # The demuxer is named, never guessed: a playlist would have it read other files and addresses.
    return av.open(
        job.source, format=job.format, options={"protocol_whitelist": "file"}, metadata_errors="ignore", timeout=None
    )


def _report(source: InputContainer, job: Job) -> dict[str, Any]:
    picture = next((stream for stream in source.streams.video if not _is_cover(stream)), None)
    sound = next((stream for stream in source.streams.audio if stream.codec_context is not None), None)
    if picture is not None:
        report = _picture_report(source, picture, job)
    elif sound is not None:
        report = _sound_report(source, sound)
    else:
        raise Refused("unreadable", "no stream to play")
    declared = source.duration / av.time_base if source.duration else None
    _check_seconds(declared, job)
    streams: list[Stream] = [stream for stream in (picture, sound) if stream is not None]
    if job.remake:
        target = _target(job, picture, sound)
        name = f"made.{target.extension}"
        seconds = _copied(source, streams, job=job, target=target, name=name)
        _check_plays(job.place(name))
        report |= {"file": name, "extension": target.extension, "content_type": target.content_type}
        report["changes"] = _changes(source, job, target)
    else:
        seconds = _copied(source, streams, job=job, target=None, name="")
    if declared and seconds < declared - max(LARGEST_MISSING_SECONDS, declared / 20):
        raise Refused("unreadable", f"ends after {seconds:.1f} of {declared:.1f} seconds")
    _check_seconds(seconds, job)
    return report | {"duration_seconds": round(seconds, 3)}


def _is_cover(stream: Stream) -> bool:
    return stream.codec_context is None or bool(stream.disposition & av.stream.Disposition.attached_pic)


def _check_seconds(seconds: float | None, job: Job) -> None:
    if job.remake and seconds and seconds > job.max_seconds:
        raise Refused("too_long", f"{seconds:.0f} seconds")


def _picture_report(source: InputContainer, picture: VideoStream, job: Job) -> dict[str, Any]:
    context = picture.codec_context
    if context.width * context.height > job.max_pixels:
        raise Refused("too_many_pixels", f"{context.width} x {context.height}")
    context.thread_count = 1  # each thread of a decoder holds pictures of its own
    poster = poster_of(source, picture)
    still = reduced(poster, side=POSTER_SIDE)
    small = reduced(still, side=THUMBNAIL_SIDE)
    return {
        "kind": "video",
        "width": poster.width,
        "height": poster.height,
        "poster": write_webp(still, job, "poster.webp"),
        "thumbnail": write_webp(small, job, "thumb.webp"),
        "placeholder": placeholder(small),
    }


def _sound_report(source: InputContainer, sound: AudioStream) -> dict[str, Any]:
    if next(source.decode(sound), None) is None:
        raise Refused("unreadable", "no sound in it")
    source.seek(0)
    return {"kind": "audio"}


def _target(job: Job, picture: Stream | None, sound: Stream | None) -> Container:
    """Return the container to make; raises Refused when what is in the file fits none that we keep."""
    if picture is None:
        choices = [SOUND[job.format]]
    elif job.format == "matroska":
        choices = [WEBM, MP4]
    else:
        choices = [MP4, MOV]
    for choice in choices:
        if (picture is None or _codec(picture) in choice.pictures) and (
            sound is None or _codec(sound) in choice.sounds
        ):
            return choice
    raise Refused("unplayable", " and ".join(_codec(stream) for stream in (picture, sound) if stream is not None))


def _codec(stream: Stream) -> str:
    name = stream.codec_context.codec.canonical_name
    return CODECS.get(name, name)


def _copied(source: InputContainer, streams: list[Stream], *, job: Job, target: Container | None, name: str) -> float:
    """Read every packet, and put it into the new file if there is to be one; return how long it plays."""
    source.seek(0)
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    made = _Copy(streams, job=job, target=target, name=name) if target is not None else None
    try:
        for packet in _timed(source.demux(streams)):
            ticks = packet.pts if packet.pts is not None else packet.dts
            if packet.is_corrupt or ticks is None:
                raise Refused("unreadable", "a piece is missing")
            at = float(ticks * packet.time_base)
            index = packet.stream.index
            first[index] = min(first.get(index, at), at)
            last[index] = max(last.get(index, at), at + float((packet.duration or 0) * packet.time_base))
            if made is not None:
                made.add(packet)
    finally:
        if made is not None:
            made.close()
    if not last:
        raise Refused("unreadable", "nothing to play")
    return max(last[index] - first[index] for index in last)


def _timed(packets: "Iterable[Packet[Stream]]") -> "Iterator[Packet[Stream]]":
    """Yield the packets, each with a time to decode it at.

    Matroska keeps no such times, and the first few before a picture that looks ahead cannot be
    worked out when they are read: they are when the first known one is.
    """
    waiting: dict[int, list[Packet[Stream]]] = {}
    begun: set[int] = set()
    for packet in packets:
        if not packet.size:
            continue  # the end of a stream
        index = packet.stream.index
        if packet.dts is None:
            if index not in begun:
                waiting.setdefault(index, []).append(packet)
            continue
        earlier = waiting.pop(index, [])
        for steps, late in enumerate(reversed(earlier), start=1):
            late.dts = packet.dts - steps * (late.duration or 1)
        begun.add(index)
        yield from earlier
        yield packet
    for packet in (packet for packets in waiting.values() for packet in packets if packet.pts is not None):
        packet.dts = packet.pts
        yield packet


def _check_plays(made: Path) -> None:
    """Raise Refused unless something can be decoded of each stream of the new file."""
    with av.open(str(made)) as file:
        for stream in file.streams:
            if next(file.decode(stream), None) is None:
                raise Refused("unplayable", "the copy does not play")
            file.seek(0)


class _Copy:
    """A fresh container that is filled with the packets of chosen streams."""

    def __init__(self, streams: list[Stream], *, job: Job, target: Container, name: str) -> None:
        options = {"fflags": "+bitexact"}
        if target.muxer in {"mp4", "mov", "ipod"}:
            options["movflags"] = "+faststart"  # the index comes first: playing begins before all is there
        self._file = av.open(str(job.place(name)), "w", format=target.muxer, options=options)
        self._streams = {}
        for stream in streams:
            copy = self._file.add_stream_from_template(stream, opaque=True)
            if _codec(stream) == "hevc" and target.muxer in {"mp4", "mov"}:
                copy.codec_context.codec_tag = "hvc1"  # the spelling that Safari plays
            self._streams[stream.index] = copy

    def add(self, packet: "Packet[Stream]") -> None:
        """Put one packet at its place."""
        packet.stream = self._streams[packet.stream.index]
        self._file.mux_one(packet)

    def close(self) -> None:
        """Write what is still missing."""
        self._file.close()


def _changes(source: InputContainer, job: Job, target: Container) -> list[str]:
    changes = []
    words = [source.metadata, *(stream.metadata for stream in source.streams)]
    if any(mark in key.lower() for metadata in words for key in metadata for mark in LOCATION):
        changes.append("location")
    if job.format == "mov":
        came_as = "mov" if source.metadata.get("major_brand", "").strip() == "qt" else "mp4"
    else:
        came_as = "mkv" if target is MP4 else target.extension  # WebM is Matroska by another name
    if target in (MP4, MOV) and came_as != target.extension:
        changes.append(f"{came_as}_{target.extension}")
    return changes
