"""The apps the stand-in offers, read from JSON files in the API's own app-detail shape.

A file holds `{"data": {...}}` or the bare object. Beside its members it may say, under
`x-sandbox`, how the stand-in plays it: `seconds` (how long a run takes), `credits`, `fail` (a
message every run ends with), `workspace` (private to it), `modality`, `aspect` (such as "4:5"),
`look` and `future_types` (by a parameter's key, a type no client knows yet: what it is once the knob
of that name is on). None of that is served. `{base}` in a default stands for the stand-in's own address.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina_integration.wire import App

BUILTIN = Path(__file__).parent / "apps"
PLAYED_BY = "x-sandbox"
KNOWN: dict[str, Any] = {
    "seconds": (int, float),
    "credits": (int, float),
    "fail": str,
    "workspace": str,
    "modality": str,
}
KNOWN |= {"aspect": str, "look": str, "capabilities": dict, "icon": str, "future_types": dict}
CREDITS = {"image": 7.0, "video": 24.0, "audio": 4.0, "text": 1.0}


class AppFileError(Exception):
    """A file that cannot be offered as an app; says which file and why, in one line."""


@dataclass(frozen=True, kw_only=True)
class OfferedApp:
    """One app: the document it is served as, the same read into types, and how it is played."""

    detail: dict[str, Any]
    app: App
    played: dict[str, Any]

    @property
    def app_id(self) -> str:
        return self.app.app_id

    @property
    def modality(self) -> str:
        """Return the kind of media it is for: video as soon as one output is a video."""
        kinds = [output.type for output in self.app.outputs]
        return self.played.get("modality") or next(
            (kind for kind in ("video", "image", "audio") if kind in kinds), "text"
        )

    @property
    def seconds(self) -> float:
        """Return how long a run takes at speed 1."""
        return float(self.played.get("seconds", 20.0 if self.modality == "video" else 6.0))

    def credits_for(self, kind: str) -> float:
        """Return what one output of a kind costs."""
        if "credits" in self.played:
            return round(float(self.played["credits"]) / max(1, len(self.app.outputs)), 2)
        return CREDITS.get(kind, 1.0)

    def node_ids(self) -> list[str]:
        """Return the ids of the nodes that make the outputs, the same for every run."""
        seed = zlib.crc32(self.app_id.encode())
        return [
            f"{NODES.get(output.type, 'node')}-1700{seed % 10**7:07d}{position:02d}-{seed * 97 % 16**9 + position:09x}"
            for position, output in enumerate(self.app.outputs)
        ]


NODES = {"image": "aiDesignerNode", "video": "klingVideoNode", "audio": "voiceNode", "text": "textNode"}


class Catalogue:
    """All apps, in the order of their files' names."""

    def __init__(self, offered: Iterable[OfferedApp]) -> None:
        self._offered = {app.app_id: app for app in offered}

    def __iter__(self) -> Iterator[OfferedApp]:
        return iter(self._offered.values())

    def visible(self, workspace_slug: str) -> list[OfferedApp]:
        """Return the apps a workspace may run: all public ones and its own."""
        return [app for app in self._offered.values() if app.played.get("workspace", workspace_slug) == workspace_slug]

    def find(self, app_id: str, workspace_slug: str) -> OfferedApp | None:
        """Return an app if the workspace may run it."""
        app = self._offered.get(app_id)
        return app if app and app.played.get("workspace", workspace_slug) == workspace_slug else None


def load(folders: Iterable[Path], *, base_url: str, builtin: bool = True) -> Catalogue:
    """Read every app file of the built-in folder and of further ones; a later file replaces an app of the same id."""
    offered = []
    for folder in [*([BUILTIN] if builtin else []), *folders]:
        if not folder.is_dir():
            raise AppFileError(f"{folder}: there is no such folder")
        offered += [read(path, base_url=base_url) for path in sorted(folder.glob("*.json"))]
    return Catalogue(offered)


def read(path: Path, *, base_url: str) -> OfferedApp:
    """Read one app file, or raise the AppFileError that names its first problem."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise AppFileError(f"{path}: not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise AppFileError(f"{path}: not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except OSError as error:
        raise AppFileError(f"{path}: {error.strerror}") from error
    outer = document if isinstance(document, dict) else {}
    detail = outer.get("data", outer)
    problem = next(_problems(document, detail), None)
    if problem:
        raise AppFileError(f"{path}: {problem}")
    played = {**outer.get(PLAYED_BY, {}), **detail.get(PLAYED_BY, {})}
    served = _with_base({name: value for name, value in detail.items() if name != PLAYED_BY}, base_url)
    served.setdefault("description", None)
    for position, output in enumerate(served.setdefault("outputs", [{"label": "Output 1", "type": "image"}])):
        output.setdefault("index", position)
        output.setdefault("label", f"Output {position + 1}")
    return OfferedApp(detail=served, app=App.from_detail(served), played=played)


def _problems(document: Any, detail: Any) -> Iterator[str]:
    if not isinstance(document, dict) or not isinstance(detail, dict):
        yield "not an app: expected an object, or one inside 'data'"
        return
    for name in ("appId", "name"):
        if not isinstance(detail.get(name), str) or not detail[name]:
            yield f"{name!r} must be a text that is not empty"
    if not isinstance(detail.get("parameters"), list):
        yield "'parameters' must be a list"
        return
    for position, parameter in enumerate(detail["parameters"]):
        yield from _parameter_problems(f"parameters[{position}]", parameter)
    outputs = detail.get("outputs", [])
    if not isinstance(outputs, list) or not all(isinstance(item, dict) and item.get("type") for item in outputs):
        yield "'outputs' must be a list of objects with a 'type'"
    for holder in (document, detail):
        yield from _played_problems(holder.get(PLAYED_BY, {}))


def _parameter_problems(where: str, parameter: Any) -> Iterator[str]:
    if not isinstance(parameter, dict):
        yield f"{where} must be an object"
        return
    if not any(isinstance(parameter.get(name), str) and parameter[name] for name in ("key", "name", "id")):
        yield f"{where} has neither 'key' nor 'name' nor 'id'"
    if not isinstance(parameter.get("type"), str):
        yield f"{where} has no 'type'"
    options = parameter.get("options", [])
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        yield f"{where}: 'options' must be a list of texts"
    if parameter.get("type") == "options" and not options:
        yield f"{where} is of type 'options' and has none"


def _played_problems(played: Any) -> Iterator[str]:
    if not isinstance(played, dict):
        yield f"'{PLAYED_BY}' must be an object"
        return
    for name, value in played.items():
        if name not in KNOWN:
            yield f"'{PLAYED_BY}' has an unknown member {name!r}; known are {', '.join(KNOWN)}"
        elif not isinstance(value, KNOWN[name]) or isinstance(value, bool):
            yield f"'{PLAYED_BY}': {name!r} cannot be {value!r}"


def _with_base(value: Any, base_url: str) -> Any:
    if isinstance(value, str):
        return value.replace("{base}", base_url)
    if isinstance(value, list):
        return [_with_base(item, base_url) for item in value]
    if isinstance(value, dict):
        return {name: _with_base(item, base_url) for name, item in value.items()}
    return value
