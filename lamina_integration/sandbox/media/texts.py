"""Texts written from a run's inputs: a storyboard, a styling note, a caption or a plain summary."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from lamina_integration.sandbox.media.briefs import Brief

SHOTS = (
    "Open close on {subject}, light moving across it from the left.",
    "Pull back until the whole of {subject} stands in the frame.",
    "A slow turn; hold where the detail is finest.",
    "{subject_upper} in use, hands entering from the right.",
    "End on a still frame with room for the name and the price.",
)


def write(brief: Brief) -> str:
    """Return the text an output is."""
    if re.search(r"storyboard|script|shot list", brief.label, re.I):
        return _storyboard(brief)
    lines = [f"{brief.label}: {_subject(brief)}."]
    if brief.text:
        lines.append(_sentence(brief.text))
    lines += [f"{name.strip()}: {choice.strip()}." for name, choice in brief.options.items()]
    count = len(brief.sources)
    if count:
        lines.append(f"Made from {count} {'file' if count == 1 else 'files'}: {', '.join(_names(brief))}.")
    if re.search(r"styling|note", brief.label, re.I):
        lines.append("Keep the rest of the look quiet, so that the piece is what people remember.")
    return "\n".join(lines)


def _storyboard(brief: Brief) -> str:
    subject = _subject(brief)
    spoken = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", brief.text) if part.strip()]
    lines = []
    for number, shot in enumerate(SHOTS, start=1):
        lines.append(f"{number}. {shot.format(subject=subject, subject_upper=subject[:1].upper() + subject[1:])}")
        if number <= len(spoken):
            lines.append(f"   Voice: {_sentence(spoken[number - 1])}")
    if brief.options:
        lines.append("Format: " + ", ".join(choice.strip() for choice in brief.options.values()) + ".")
    return "\n".join(lines)


def _subject(brief: Brief) -> str:
    """Return what the run is about: the beginning of the brief, or else the first file's name."""
    if brief.text:
        words = re.split(r"[.!?\n]", brief.text, maxsplit=1)[0].split()
        return " ".join(words[:8]) + ("…" if len(words) > 8 else "")
    return next(iter(_names(brief)), "the product")


def _names(brief: Brief) -> list[str]:
    return [unquote(urlsplit(source.url).path.rsplit("/", 1)[-1])[:60] or source.parameter for source in brief.sources]


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text[-1:] in ".!?…" else text + "."
