"""Which app a brief asks for, what can be filled in from it, and what has to be asked.

Lamina has a language model for this. Here words are compared, which is enough to come to every
kind of answer: a plan, a question back, or nothing that fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lamina_integration.inputs import address, find
from lamina_integration.sandbox.catalogue import OfferedApp
from lamina_integration.sandbox.words import counted
from lamina_integration.wire import Parameter

VIDEO = re.compile(r"\b(video|clip|reel|film|movie|ad|spot|animation|tiktok)\b", re.I)
OFF_TOPIC = re.compile(r"\b(source code|spreadsheet|invoice|translate|tax)\b", re.I)
COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "into",
        "is",
        "it",
        "my",
        "of",
        "on",
        "or",
        "the",
        "to",
        "with",
    ]
)
PLATFORMS = {"instagram": "4:5", "tiktok": "9:16", "youtube": "16:9", "pinterest": "3:4"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An app for a brief, with what is known and what is missing."""

    offered: OfferedApp
    rationale: str
    drafted: dict[str, Any]
    asked: list[dict[str, str]]
    warnings: list[dict[str, str]] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)  # those the brief names; none is all of them

    def as_wire(self, status: str) -> dict[str, Any]:
        """Return the plan as an answer of this status."""
        told = {
            "status": status,
            "mode": "app",
            "selectedApp": self.selected(),
            "draftedInputs": self.drafted,
            "askUser": self.asked,
            "warnings": self.warnings,
        }
        return told | ({"selectedOutputs": self.outputs} if self.outputs else {})

    def selected(self) -> dict[str, str]:
        """Return the chosen app and why."""
        return {"appId": self.offered.app_id, "name": self.offered.app.name, "rationale": self.rationale}


def modality_of(brief: str) -> str:
    """Return the kind of media a brief speaks of."""
    return "video" if VIDEO.search(brief) else "image"


def ranked(apps: Iterable[OfferedApp], brief: str, *, modality: str | None) -> list[tuple[float, OfferedApp]]:
    """Return the apps that have something in common with a brief, the closest first."""
    wanted = _words(brief)
    scored = []
    for offered in apps:
        if modality and not _makes(offered, modality):
            continue
        named, described = _words(offered.app.name), _words(offered.app.description or "")
        common = 2 * len(wanted & named) + len(wanted & described)
        score = common / (common + 2) if common else 0.0
        score += 0.05 if offered.modality == (modality or modality_of(brief)) and score else 0.0
        if score:
            scored.append((round(min(score, 0.99), 2), offered))
    return sorted(scored, key=lambda pair: -pair[0])


def plan(offered: OfferedApp, *, brief: str, given: dict[str, Any], asks: dict[str, Any]) -> Plan:
    """Return an app's inputs drafted from what was given and what the brief says."""
    parameters = offered.app.parameters
    known = {id(parameter) for name in given if (parameter := find(parameters, name))}
    drafted = {name: value for name, value in given.items() if find(parameters, name)}
    warnings = [
        {"field": name, "message": f"{offered.app.name} has no parameter called {name}."}
        for name in given
        if not find(parameters, name)
    ]
    asked = []
    for parameter in parameters:
        if id(parameter) in known:
            continue
        draft = _draft(parameter, brief, asks)
        if draft is not None:
            drafted[address(parameters, parameter)] = draft
        elif not parameter.has_default:
            asked.append({"name": address(parameters, parameter), "question": _question(parameter)})
    return Plan(
        offered=offered,
        rationale=f"Its words are closest to the brief; it makes {counted(len(offered.app.outputs), 'output')}.",
        drafted=drafted,
        asked=asked,
        warnings=warnings,
        outputs=_named_outputs(offered, brief),
    )


def _named_outputs(offered: OfferedApp, brief: str) -> list[str]:
    labels = dict.fromkeys(output.label for output in offered.app.outputs)
    named = [label for label in labels if label.strip() and label.strip().lower() in brief.lower()]
    return named if len(named) < len(labels) else []


def _draft(parameter: Parameter, brief: str, asks: dict[str, Any]) -> str | None:
    if parameter.type == "text":
        return brief if not parameter.default else None
    if parameter.type == "options":
        shape = asks.get("aspectRatio") or PLATFORMS.get(str(asks.get("platform", "")).lower())
        if shape in parameter.options:
            return str(shape)
        lowered = brief.lower()
        return next(
            (option for option in parameter.options if option.strip() and option.strip().lower() in lowered), None
        )
    return None


def _question(parameter: Parameter) -> str:
    if parameter.type == "options":
        return f"{parameter.name.strip()}: which of {', '.join(parameter.options)}?"
    if parameter.type == "url":
        kind = " or ".join(parameter.accept) or "file"
        return f"Which {kind} is it for {parameter.name.strip()}?"
    return f"What should stand for {parameter.name.strip()}?"


def _makes(offered: OfferedApp, modality: str) -> bool:
    return any(output.type == modality for output in offered.app.outputs)


def _words(text: str) -> set[str]:
    words = re.findall(r"[^\W_]+", text.lower())
    return {word.removesuffix("s").removesuffix("ue") for word in words if word not in COMMON}
