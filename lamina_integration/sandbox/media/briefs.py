"""What a maker is told: one output of one run, with its inputs sorted by what they are good for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina_integration.sandbox.catalogue import OfferedApp
from lamina_integration.wire import OutputSpec, Parameter

ASPECT = re.compile(r"\s*(\d{1,2}):(\d{1,2})\s*")
MOOD = re.compile(r"mood|reference|style|inspiration|background", re.I)
PERSON = re.compile(r"person|model|selfie|portrait|your_photo", re.I)
SIDES = ("front", "back", "side")


class Unmakeable(Exception):
    """An output cannot be made from these inputs; the text is what the API says about it."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A picture or clip somebody named, and the parameter it came in by."""

    url: str
    parameter: str
    kind: str  # "image", "video", "audio" or "" where the schema does not say
    role: str  # "product", "mood", "person"


@dataclass(frozen=True, kw_only=True)
class Brief:
    """Everything one output is made from."""

    app_name: str
    label: str
    kind: str
    number: int  # this output's place among those of its kind
    look: str
    aspect: tuple[int, int]
    text: str
    options: dict[str, str]
    sources: tuple[Source, ...]
    seed: str
    files: dict[str, Path] = field(default_factory=dict)

    def paths(self, *roles: str, kinds: tuple[str, ...] = ("image", "")) -> list[Path]:
        """Return the files of these roles, in the order they were given."""
        return [self.files[source.url] for source in self.sources if source.role in roles and source.kind in kinds]


@dataclass(frozen=True, kw_only=True)
class Made:
    """One finished output: a file, or the text itself."""

    path: Path | None = None
    text: str | None = None
    mime_type: str = "text/plain"
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    description: str = ""


def write(
    *, offered: OfferedApp, output: OutputSpec, values: Sequence[tuple[Parameter, Any]], seed: str, feedback: str = ""
) -> Brief:
    """Return the brief for one output of an app, given each parameter's value."""
    sources = [
        source for parameter, value in values if parameter.type == "url" for source in _sources(parameter, value)
    ]
    options = {parameter.name: str(value) for parameter, value in values if parameter.type == "options"}
    texts = [str(value).strip() for parameter, value in values if parameter.type not in ("url", "options")]
    siblings = [other for other in offered.app.outputs if other.type == output.type]
    return Brief(
        app_name=offered.app.name,
        label=output.label,
        kind=output.type,
        number=siblings.index(output),
        look=offered.played.get("look", ""),
        aspect=_aspect(offered, output, options),
        text=" ".join(text for text in [*texts, feedback] if text),
        options=options,
        sources=tuple(_wanted(sources, output.label)),
        seed=seed,
    )


def _sources(parameter: Parameter, value: Any) -> list[Source]:
    named = f"{parameter.key or ''} {parameter.name}"
    role = "mood" if MOOD.search(named) else "person" if PERSON.search(named) else "product"
    kind = "" if len(parameter.accept) != 1 else parameter.accept[0]
    items = value if isinstance(value, list) else [value]
    return [
        Source(url=item, parameter=parameter.key or parameter.name, kind=kind, role=role)
        for item in items
        if isinstance(item, str) and item
    ]


def _wanted(sources: list[Source], label: str) -> list[Source]:
    """Leave out the other side's photo, so that a lost back photo only spoils the back view."""
    lowered = label.lower()
    for side in SIDES:
        if side in lowered:
            own = [source for source in sources if side in source.parameter.lower()]
            others = [source for source in sources if any(word in source.parameter.lower() for word in SIDES)]
            if own:
                return [source for source in sources if source in own or source not in others]
    return sources


def _aspect(offered: OfferedApp, output: OutputSpec, options: dict[str, str]) -> tuple[int, int]:
    fallback = "9:16" if output.type == "video" else "4:5"
    for text in (*options.values(), output.label, offered.played.get("aspect", ""), fallback):
        if match := ASPECT.fullmatch(text) or (text is output.label and ASPECT.search(text)):
            width, height = int(match[1]), int(match[2])
            if width and height and 0.25 <= width / height <= 4:
                return width, height
    return 1, 1
