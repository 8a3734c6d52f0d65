"""Apps: what they ask for, what they make, what a run of one costs."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import field_validator

from lamina_integration.wire.base import (
    OBJECT,
    OBJECTS,
    Flag,
    Id,
    Labels,
    MaybeFlag,
    MaybeText,
    Number,
    Text,
    Wire,
    before,
    mapping,
    maybe_text,
    objects,
    whole,
)


class Parameter(Wire):
    """One thing an app asks for. `required` is kept as Lamina says it and decides nothing."""

    id: MaybeText = None
    key: MaybeText = None
    name: Text = ""
    type: Text = "text"
    required: Flag = False
    default: Any = None
    options: Labels = ()
    accept: Labels = ()
    multiple: Flag = False
    description: MaybeText = None

    @property
    def has_default(self) -> bool:
        """Whether it may be left out; a blank, an empty list, 0 and false are defaults, null is none."""
        return self.default is not None


class OutputSpec(Wire):
    """One output an app makes, as its schema announces it."""

    index: int = 0
    label: Text = ""
    type: Text = ""


class App(Wire):
    """What Lamina offers: the parameters it asks for and the outputs it makes."""

    app_id: Id
    name: Text = ""
    description: MaybeText = None
    parameters: Annotated[tuple[Parameter, ...], OBJECTS] = ()
    outputs: Annotated[tuple[OutputSpec, ...], OBJECTS] = ()

    @field_validator("outputs", mode="before")
    @classmethod
    def _number_outputs(cls, value: Any) -> Any:
        numbered = []
        for position, item in enumerate(objects(value)):
            if isinstance(item, dict):
                index = whole(item.get("index"))
                index = position if index is None else index
                label = maybe_text(item.get("label")) or f"Output {index + 1}"
                item = {**item, "index": index, "label": label}
            numbered.append(item)
        return tuple(numbered)

    @classmethod
    def from_detail(cls, detail: dict[str, Any]) -> Self:
        """Read an app detail document: the `data` member of Lamina's answer."""
        return cls.model_validate(detail)

    def to_detail(self) -> dict[str, Any]:
        """Return an app detail document that reads back as this very app."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class AppSummary(Wire):
    """One app as the list and the search show it."""

    app_id: Id
    name: Text = ""
    description: MaybeText = None
    is_public: Flag = False
    modality: MaybeText = None
    icon: MaybeText = None
    output_formats: Labels = ()
    thumbnail_url: MaybeText = None
    capabilities: Annotated[dict[str, Any] | None, OBJECT] = None

    @before
    def _flatten(data: dict[str, Any]) -> dict[str, Any]:
        return {"thumbnailUrl": mapping(data.get("thumbnail")).get("url"), **data}


class Estimate(Wire):
    """What one run of an app costs in credits, and whether the workspace can pay; None is unknown."""

    expected: Number = None
    min: Number = None
    max: Number = None
    balance: Number = None
    affordable: MaybeFlag = None
    manage_url: MaybeText = None

    @before
    def _flatten(data: dict[str, Any]) -> dict[str, Any]:
        flat = {**mapping(data.get("estimatedCredits")), **data}
        flat.setdefault("balance", data.get("currentBalance"))
        flat.setdefault("manageUrl", mapping(data.get("credits")).get("manageUrl"))
        return flat


class DiscoveredApp(AppSummary):
    """One app the search by intent suggests, and why; credits None is unknown."""

    relevance_score: Number = None
    estimated_credits: Number = None
    why_match: Text = ""


class Node(Wire):
    """One step inside an app."""

    id: Text = ""
    type: Text = ""
    label: Text = ""


class Edge(Wire):
    """One connection between two steps inside an app."""

    source: Text = ""
    target: Text = ""


class Graph(Wire):
    """The graph of steps behind an app."""

    app_id: Text = ""
    name: Text = ""
    nodes: Annotated[tuple[Node, ...], OBJECTS] = ()
    edges: Annotated[tuple[Edge, ...], OBJECTS] = ()
