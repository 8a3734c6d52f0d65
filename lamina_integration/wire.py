"""Read Lamina's JSON into frozen values with our names.

The API is not ours and its sources contradict each other, so reading is lenient: unknown members
are ignored, words of an enumeration stay the words they are, and a member of the wrong kind counts
as absent. Only what nothing can be done without (a run's id, an app's id) is insisted on. Names
and labels are kept byte for byte. Whoever adds a model here keeps to that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

TERMINAL = frozenset({"completed", "failed", "cancelled"})

T = TypeVar("T")


class Wire(BaseModel):
    """A frozen value read from a JSON object whose members are in camelCase."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        # Most processes read a handful of these models; the others cost nothing until they are read.
        defer_build=True,
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return ""


def _maybe_text(value: Any) -> str | None:
    return _text(value) or None


def _flag(value: Any) -> bool:
    return value is True


def _maybe_flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    else:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _label(value: Any) -> str | None:
    """Read one label: a string as it is, of an object its label."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("label", "description", "value") if value.get(name) is not None), None)
    return None if value is None or isinstance(value, (list, dict)) else _scalar_label(value)


def _scalar_label(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _labels(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(label for label in map(_label, value) if label is not None)


def _objects(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(item for item in value if isinstance(item, (dict, BaseModel)))


def _object(value: Any) -> Any:
    return value if isinstance(value, (dict, BaseModel)) else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


Text = Annotated[str, BeforeValidator(_text)]
MaybeText = Annotated[str | None, BeforeValidator(_maybe_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]
MaybeFlag = Annotated[bool | None, BeforeValidator(_maybe_flag)]
Number = Annotated[float | None, BeforeValidator(_number)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Labels = Annotated[tuple[str, ...], BeforeValidator(_labels)]
Mapping = Annotated[dict[str, Any], BeforeValidator(_mapping)]
OBJECTS = BeforeValidator(_objects)
OBJECT = BeforeValidator(_object)
Id = Annotated[str, BeforeValidator(_text), Field(min_length=1)]


def before(function: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Rearrange an object's members before they are read; anything but an object is left to fail."""

    def rearrange(cls: type, data: Any) -> Any:
        return function(data) if isinstance(data, dict) else data

    return model_validator(mode="before")(classmethod(rearrange))


def _first(data: dict[str, Any], *names: str) -> Any:
    return next((data[name] for name in names if data.get(name) not in (None, "")), None)


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
        for position, item in enumerate(_objects(value)):
            if isinstance(item, dict):
                index = _whole(item.get("index"))
                index = position if index is None else index
                label = _maybe_text(item.get("label")) or f"Output {index + 1}"
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
        return {"thumbnailUrl": _mapping(data.get("thumbnail")).get("url"), **data}


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
        flat = {**_mapping(data.get("estimatedCredits")), **data}
        flat.setdefault("balance", data.get("currentBalance"))
        flat.setdefault("manageUrl", _mapping(data.get("credits")).get("manageUrl"))
        return flat


class Usage(Wire):
    """Credits of the workspace and the request limit of this address; None is unknown."""

    balance: Number = None
    total_earned: Number = None
    total_spent: Number = None
    limit: Whole = None
    window_ms: Whole = None

    @before
    def _flatten(data: dict[str, Any]) -> dict[str, Any]:
        return {**_mapping(data.get("credits")), **_mapping(data.get("rateLimit")), **data}


class Progress(Wire):
    """How far a run is, as Lamina counts; it may dip between two answers."""

    total_outputs: Whole = None
    completed_outputs: Whole = None
    failed_outputs: Whole = None
    percent_complete: Number = None


class RemoteOutput(Wire):
    """One thing a run makes. Decide by status: a failed output keeps the type it was waiting with."""

    id: Text = ""
    label: Text = ""
    type: Text = "pending"
    value: Any = None
    status: Text = "pending"
    error: MaybeText = None
    mime_type: MaybeText = None
    width: Whole = None
    height: Whole = None
    duration_seconds: Number = None
    content_description: MaybeText = None

    @before
    def _normalise(data: dict[str, Any]) -> dict[str, Any]:
        flat = {**_mapping(data.get("dimensions")), **data}
        if flat.get("value") is None and flat.get("url") is not None:
            flat["value"] = flat["url"]
        if flat.get("status") == "failed":
            flat["status"] = "error"
        return flat

    @property
    def is_usable(self) -> bool:
        """Whether there is something to show or to fetch."""
        return self.status == "completed" and isinstance(self.value, str) and bool(self.value)


class RunSummary(Wire):
    """A run as the list shows it: how it stands, without its outputs."""

    run_id: Id
    app_id: Text = ""
    status: Text = ""
    error_message: MaybeText = None
    created_at: Moment = None
    started_at: Moment = None
    completed_at: Moment = None

    @before
    def _rename(data: dict[str, Any]) -> dict[str, Any]:
        return {
            **data,
            "runId": _first(data, "runId", "executionId", "run_id"),
            "appId": _first(data, "workflowId", "appId", "app_id"),
        }

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will come; a status word we do not know is not the end."""
        return self.status in TERMINAL


class RemoteRun(RunSummary):
    """A run as Lamina tells it, with its outputs."""

    app_name: MaybeText = Field(default=None, alias="workflowName")
    outputs: Annotated[tuple[RemoteOutput, ...], OBJECTS] = ()
    progress: Annotated[Progress | None, OBJECT] = None

    @field_validator("outputs", mode="before")
    @classmethod
    def _identify_outputs(cls, value: Any) -> Any:
        # An output without an id still needs one that is the same in the next answer.
        return tuple(
            {**item, "id": f"output-{position}"} if isinstance(item, dict) and not _text(item.get("id")) else item
            for position, item in enumerate(_objects(value))
        )

    @property
    def failure(self) -> str | None:
        """Return why the run failed, in Lamina's words, or else why its first failed output did."""
        if self.error_message:
            return self.error_message
        return next((output.error for output in self.outputs if output.error), None)


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file we want to upload: its name, and whether it is an image, a video or audio."""

    filename: str
    media_type: str


class UploadTarget(Wire):
    """Where to put one file, and the address it will then have."""

    filename: Text = ""
    media_type: Text = ""
    content_type_hint: MaybeText = None
    upload_url: Id
    asset_url: Id
    asset_id: MaybeText = None
    expires_at: Moment = None


class SigningKey(Wire):
    """One public key that deliveries are signed with; `x` is the raw key in unpadded base64url."""

    x: Id
    kid: Text = ""
    kty: Text = "OKP"
    crv: Text = "Ed25519"
    use: Text = "sig"
    alg: Text = "EdDSA"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, and where it stands in the whole."""

    items: tuple[T, ...]
    total: int
    limit: int
    offset: int
