"""The sentences about files: what is taken, why one is not, and what was changed on the way in."""

from collections.abc import Collection, Iterable

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.media.bench import MAX_UPLOAD_SECONDS

FORMATS = {
    "image": gettext_lazy("JPEG, PNG, WebP, HEIC or AVIF"),
    "video": gettext_lazy("MP4, MOV or WebM"),
    "audio": gettext_lazy("MP3, M4A, WAV, OGG or FLAC"),
}
KIND_RULES = {
    "image": gettext_lazy("Pictures: %(rules)s"),
    "video": gettext_lazy("Videos: %(rules)s"),
    "audio": gettext_lazy("Sound: %(rules)s"),
}
NOT_OF_KIND = {
    "image": gettext_lazy("“%(name)s” is not a picture that can be used here. Choose %(formats)s."),
    "video": gettext_lazy("“%(name)s” is not a video that can be used here. Choose %(formats)s."),
    "audio": gettext_lazy("“%(name)s” is not a sound file that can be used here. Choose %(formats)s."),
}
CHANGES = {
    "upright": gettext_lazy("turned upright"),
    "location": gettext_lazy("location removed"),
    "srgb": gettext_lazy("colours adapted to screens"),
    "first_frame": gettext_lazy("only the first frame of the animation kept"),
}
FORMAT_NAMES = {"jpeg": "JPEG", "webp": "WebP", "mkv": "MKV"}


def max_bytes(kind: str) -> int:
    """Return how large an upload of a kind may be."""
    return settings.MEDIA_MAX_IMAGE_BYTES if kind == "image" else settings.MEDIA_MAX_VIDEO_BYTES


def rules_text(accept: Collection[str]) -> str:
    """Return what a file control takes, as people read it before they choose."""
    rules = {kind: _rules(kind) for kind in FORMATS if kind in accept}
    if len(rules) == 1:
        return next(iter(rules.values()))
    return " ".join(f"{KIND_RULES[kind] % {'rules': text}}." for kind, text in rules.items())


def _rules(kind: str) -> str:
    facts = {"formats": FORMATS[kind], "limit": _limit(max_bytes(kind)), "minutes": MAX_UPLOAD_SECONDS // 60}
    if kind == "image":
        return _("%(formats)s, up to %(limit)s") % facts
    return _("%(formats)s, up to %(limit)s and %(minutes)d minutes") % facts


def _limit(size: int) -> str:
    return _("%(n)d MB") % {"n": size // 1024**2}


def changes_text(changes: Iterable[str]) -> str:
    """Return one phrase for what was changed: “Turned upright, location removed, HEIC to JPEG”."""
    return capfirst(", ".join(_change(code) for code in changes))


def _change(code: str) -> str:
    if code in CHANGES:
        return str(CHANGES[code])
    before, _sep, after = code.partition("_")
    return _("%(before)s to %(after)s") % {"before": _format_name(before), "after": _format_name(after)}


def _format_name(name: str) -> str:
    return FORMAT_NAMES.get(name, name.upper())


def wrong_kind(name: str, accept: Collection[str]) -> str:
    """Say which kinds are taken instead."""
    kinds = [kind for kind in FORMATS if kind in accept]
    if len(kinds) == 1:
        return NOT_OF_KIND[kinds[0]] % {"name": name, "formats": FORMATS[kinds[0]]}
    return _("“%(name)s” cannot be used here. %(rules)s") % {"name": name, "rules": rules_text(accept)}


def too_big(name: str, size: int, limit: int) -> str:
    """Name the size and the limit."""
    facts = {"name": name, "size": filesizeformat(size), "limit": _limit(limit)}
    if size < limit * 1.05:  # "25.0 MB are more than 25 MB" explains nothing
        return _("“%(name)s” is larger than %(limit)s. Choose a smaller file.") % facts
    return _("“%(name)s” has %(size)s; up to %(limit)s can be used. Choose a smaller file.") % facts


def empty(name: str) -> str:
    """Say that nothing is in the file."""
    return _("“%(name)s” is empty. Choose another file.") % {"name": name}


def unreadable(name: str) -> str:
    """Say that the file is damaged, or not what it claims to be."""
    return _("“%(name)s” cannot be read. It may be damaged or incomplete; save it again, or choose another file.") % {
        "name": name
    }


def unplayable(name: str) -> str:
    """Say how to save a video or sound whose insides browsers do not know."""
    return _("“%(name)s” is in a format that cannot be played here. Save it as MP4 (H.264) or, for sound, as MP3.") % {
        "name": name
    }


def too_many_pixels(name: str, kind: str) -> str:
    """Name the largest picture or frame."""
    if kind == "image":
        facts = {"name": name, "megapixels": settings.MEDIA_MAX_PIXELS // 1_000_000}
        return _("“%(name)s” has more than %(megapixels)d megapixels. Save it smaller and add it again.") % facts
    return _("“%(name)s” has larger frames than 4K. Save it smaller and add it again.") % {"name": name}


def too_long(name: str) -> str:
    """Name the longest duration."""
    facts = {"name": name, "minutes": MAX_UPLOAD_SECONDS // 60}
    return _("“%(name)s” is longer than %(minutes)d minutes. Cut it and add it again.") % facts


def failed(name: str) -> str:
    """Say that it was not the file's fault."""
    return _("“%(name)s” could not be uploaded. Try again.") % {"name": name}
