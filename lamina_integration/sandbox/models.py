"""The models that can be called directly: their parameters, and each as an app that the player can play."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lamina_integration.sandbox.catalogue import OfferedApp
from lamina_integration.wire import App

PREFIX = "model:"
FREESTYLE = "freestyle:"
LONGEST_PROMPT = 2000
SHAPES = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")
MOST_VARIANTS = 8
# What a picture to work from is called differs from model to model, and callers mix the names up.
PICTURES = ("imageUrl", "imageUrls", "startImageUrl")

Schema = dict[str, dict[str, Any]]


def _prompt(*, required: bool = True) -> dict[str, Any]:
    return {"type": "string", "required": required, "maxLength": LONGEST_PROMPT, "description": "What to make."}


def _choice(default: str, *values: str) -> dict[str, Any]:
    return {"type": "enum", "required": False, "default": default, "values": list(values)}


def _address(description: str, *, accept: str = "image", required: bool = True) -> dict[str, Any]:
    return {"type": "url", "required": required, "accept": [accept], "description": description}


def _addresses(most: int, *, required: bool = False) -> dict[str, Any]:
    return {
        "type": "array<url>", "required": required, "minItems": 1, "maxItems": most, "accept": ["image"],
        "description": "Pictures to work from.",
    }  # fmt: skip


def _number(default: float, low: float, high: float, *, kind: str = "number") -> dict[str, Any]:
    return {"type": kind, "required": False, "default": default, "min": low, "max": high}


DRAWS: Schema = {"prompt": _prompt(), "aspectRatio": _choice("1:1", *SHAPES)}
EDITS: Schema = DRAWS | {"imageUrls": _addresses(14), "resolution": _choice("1K", "1K", "2K", "4K")}
FILMS: Schema = {"prompt": _prompt(), "aspectRatio": _choice("16:9", "16:9", "9:16", "1:1")}
# How long a film is to be: a choice of texts for some models, a whole number of seconds for others.
KLING: Schema = FILMS | {"duration": _choice("5", "5", "10"), "cfgScale": _number(0.5, 0, 1)}
VEO: Schema = FILMS | {"duration": _number(8, 4, 8, kind="integer")}


@dataclass(frozen=True)
class Model:
    """One model: what it is called and what it takes."""

    model_id: str
    name: str
    modality: str
    schema: Schema

    def summary(self) -> dict[str, Any]:
        """Return the model as a list shows it."""
        return {"id": self.model_id, "displayName": self.name, "modality": self.modality}

    def detail(self) -> dict[str, Any]:
        """Return the model with its parameters."""
        return self.summary() | {"paramSchema": self.schema}


MODELS = {
    model.model_id: model
    for model in (
        Model("ideogram-v3", "Ideogram v3", "image", DRAWS | {"seed": _number(0, 0, 2**31 - 1, kind="integer")}),
        Model("nano-banana-pro", "Nano Banana Pro", "image", EDITS),
        Model("nano-banana-2", "Nano Banana 2", "image", EDITS),
        Model("gpt-image-2", "GPT Image 2", "image", EDITS),
        Model("seedream-4.5", "Seedream 4.5", "image", EDITS),
        Model("flux-2-flex", "Flux 2 Flex", "image", EDITS),
        Model("flux-pro-kontext", "Flux Pro Kontext", "image", DRAWS | {"imageUrl": _address("What to change.")}),
        Model("bria-bg-remove", "Bria Background Remove", "image", {"imageUrl": _address("The picture to cut out.")}),
        Model("gemini-2.5-flash-image", "Gemini 2.5 Flash Image", "image", EDITS),
        Model("imagen-4.0-fast-generate-001", "Imagen 4 Fast", "image", DRAWS),
        Model("kling-v25-text-to-video", "Kling v2.5 Text to Video", "video", KLING),
        Model(
            "kling-v26-motion-control", "Kling v2.6 Motion Control", "video",
            {"prompt": _prompt(required=False), "imageUrl": _address("Who moves."),
             "videoUrl": _address("How they move.", accept="video")},
        ),
        Model(
            "minimax-image-to-video", "MiniMax Image to Video", "video",
            {"prompt": _prompt(), "imageUrl": _address("The first frame."),
             "duration": _number(6, 5, 10, kind="integer")},
        ),
        Model(
            "seedance-2.0-fast-image-to-video", "Seedance 2.0 Fast Image to Video", "video",
            FILMS | {"imageUrl": _address("The first frame."), "duration": _number(5, 4, 12, kind="integer")},
        ),
        Model("veo3-text-to-video", "Veo 3 Text to Video", "video", VEO),
        Model(
            "veo3-first-frame-to-video", "Veo 3 First Frame to Video", "video",
            VEO | {"firstFrameUrl": _address("The first frame.")},
        ),
        Model(
            "veo3-keyframe-to-video", "Veo 3 Keyframe", "video",
            VEO | {"firstFrameUrl": _address("The first frame."), "lastFrameUrl": _address("The last frame.")},
        ),
        Model(
            "wan-video-to-video", "Wan Video to Video", "video",
            {"prompt": _prompt(), "videoUrl": _address("The clip to change.", accept="video")},
        ),
    )
}  # fmt: skip


@lru_cache(maxsize=64)
def as_app(app_id: str) -> OfferedApp | None:
    """Return what a direct run is played as: an app with the model's parameters and an output for each variant."""
    if app_id.startswith(FREESTYLE):
        modality, _, variants = app_id.removeprefix(FREESTYLE).partition(":")
        labels = [f"Variant {number + 1}" for number in range(int(variants or 1))]
        return _app(app_id, "Freestyle", modality, EDITS, labels) if modality in ("image", "video") else None
    model = MODELS.get(app_id.removeprefix(PREFIX)) if app_id.startswith(PREFIX) else None
    return _app(app_id, model.name, model.modality, model.schema, [model.name]) if model else None


def freestyle(modality: str, variants: int) -> str:
    """Return the id of what plays a recipe of so many variants."""
    return f"{FREESTYLE}{modality}:{max(1, min(MOST_VARIANTS, variants))}"


def _app(app_id: str, name: str, modality: str, schema: Schema, labels: list[str]) -> OfferedApp:
    parameters = [parameter for field, facts in schema.items() if (parameter := _parameter(field, facts))]
    detail = {
        "appId": app_id,
        "name": name,
        "description": None,
        "parameters": parameters,
        "outputs": [{"index": index, "label": label, "type": modality} for index, label in enumerate(labels)],
    }
    played = {"seconds": 5 if modality == "image" else 18, "credits": 8 if modality == "image" else 40}
    return OfferedApp(detail=detail, app=App.from_detail(detail), played=played)


def _parameter(field: str, facts: dict[str, Any]) -> dict[str, Any] | None:
    """Return a model's field as an app's parameter; figures steer nothing here and are left out."""
    kinds = {"string": "text", "enum": "options", "url": "url", "array<url>": "url"}
    if facts["type"] not in kinds:
        return None
    parameter: dict[str, Any] = {"key": field, "name": field, "type": kinds[facts["type"]], "required": True}
    if facts["type"] == "enum":
        parameter["options"] = facts["values"]
    if "accept" in facts:
        parameter["accept"] = facts["accept"]
    return parameter | {"default": facts.get("default", ""), "multiple": facts["type"] == "array<url>"}


def understood(model: Model, given: dict[str, Any]) -> dict[str, Any]:
    """Return a call's parameters with its picture under the model's own name for it, as a list if it wants one."""
    own = next((name for name in PICTURES if name in model.schema), None)
    other = next((name for name in PICTURES if name in given and name not in model.schema), None)
    if own is None or other is None or own in given:
        return given
    value = given[other]
    if model.schema[own]["type"] == "array<url>":
        value = value if isinstance(value, list) else [value]
    elif isinstance(value, list) and len(value) == 1:
        (value,) = value
    return {name: sent for name, sent in given.items() if name != other} | {own: value}


def errors(model: Model, given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return everything that is wrong with a call's parameters."""
    found: list[dict[str, Any]] = []
    for field, value in given.items():
        facts = model.schema.get(field)
        if facts is None:
            found.append({"field": field, "error": "unknown_field", "allowed": list(model.schema)})
        elif problem := _problem(facts, value):
            found.append({"field": field} | problem | {"got": value})
    for field, facts in model.schema.items():
        if facts.get("required") and given.get(field) in (None, "", []):
            found.append({"field": field, "error": "required", "message": f"{field} is required."})
    return found


def _problem(facts: dict[str, Any], value: Any) -> dict[str, Any] | None:
    kind = facts["type"]
    if kind == "enum" and str(value) not in facts["values"]:  # a command line sends 10 where "10" is meant
        return {"error": "not_allowed", "message": "Unsupported value.", "allowed": facts["values"]}
    if kind in ("number", "integer"):
        wanted = int if kind == "integer" else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            return {"error": "invalid_type", "message": f"Expected {kind}."}
        if not facts["min"] <= value <= facts["max"]:
            return {"error": "out_of_range", "range": [facts["min"], facts["max"]]}
    if kind == "string" and (not isinstance(value, str) or len(value) > facts["maxLength"]):
        return {"error": "invalid_type", "message": f"Expected at most {facts['maxLength']} characters of text."}
    if kind == "url" and not _is_address(value):
        return {"error": "invalid_url", "message": "Expected an http or https address."}
    if kind == "array<url>":
        if not isinstance(value, list) or not all(_is_address(item) for item in value):
            return {"error": "invalid_url", "message": "Expected a list of http or https addresses."}
        if len(value) > facts["maxItems"]:
            return {"error": "too_many", "range": [facts["minItems"], facts["maxItems"]]}
    return None


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))
