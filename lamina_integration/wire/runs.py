"""Runs: how one stands, and what it has made so far."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from lamina_integration.wire.base import (
    OBJECT,
    OBJECTS,
    Flag,
    Id,
    MaybeText,
    Moment,
    Number,
    Text,
    Whole,
    Wire,
    before,
    first_of,
    mapping,
    objects,
    text,
)

TERMINAL = frozenset({"completed", "failed", "cancelled"})


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
        flat = {**mapping(data.get("dimensions")), **data}
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
            "runId": first_of(data, "runId", "executionId", "run_id"),
            "appId": first_of(data, "workflowId", "appId", "app_id"),
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
            {**item, "id": f"output-{position}"} if isinstance(item, dict) and not text(item.get("id")) else item
            for position, item in enumerate(objects(value))
        )

    @property
    def failure(self) -> str | None:
        """Return why the run failed, in Lamina's words, or else why its first failed output did."""
        if self.error_message:
            return self.error_message
        return next((output.error for output in self.outputs if output.error), None)


class WaitAnswer(Wire):
    """How a run stood when a long poll ended, and whether the wait ended before the run did."""

    run: RemoteRun
    timed_out: Flag = False


class RefinedNode(Wire):
    """One step that was made anew, and why."""

    node_id: Text = ""
    reason: Text = ""


class Refinement(RemoteRun):
    """What feedback led to: the run with its new outputs, and what was changed."""

    summary: Text = ""
    refined_nodes: Annotated[tuple[RefinedNode, ...], OBJECTS] = ()
