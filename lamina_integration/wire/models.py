"""Models: what can be called without an app, and such calls."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from lamina_integration.wire.base import Id, Mapping, MaybeText, Moment, Text, Wire, before, mapping
from lamina_integration.wire.runs import TERMINAL


class Model(Wire):
    """A model that can be called without an app."""

    id: Id
    display_name: Text = ""
    modality: Text = ""


class ModelDetail(Model):
    """A model and the fields it takes: by name, each described as Lamina describes it."""

    param_schema: Mapping = Field(default_factory=dict)


class Generation(Wire):
    """A model's run that was started; some are completed at once."""

    run_id: Id
    status: Text = ""
    model: MaybeText = None
    resolved_params: Mapping = Field(default_factory=dict)


class GenerationRun(Generation):
    """How a model's run stands; it makes one thing, at `output_url` once there is one."""

    output_type: MaybeText = None
    output_url: MaybeText = None
    error_message: MaybeText = None
    created_at: Moment = None
    started_at: Moment = None
    completed_at: Moment = None

    @before
    def _flatten(data: dict[str, Any]) -> dict[str, Any]:
        output = mapping(data.get("output"))
        return {"outputType": output.get("type"), "outputUrl": output.get("url"), **data}

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will come."""
        return self.status in TERMINAL
