"""Content: briefs and where they lead, concepts, scores, previews, templates."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from lamina_integration.wire.base import (
    OBJECT,
    OBJECTS,
    Flag,
    Id,
    Labels,
    Mapping,
    MaybeText,
    Number,
    Text,
    Whole,
    Wire,
    before,
    first_of,
    mapping,
    objects,
)


class SelectedApp(Wire):
    """The app a brief was led to, and why."""

    app_id: Text = ""
    name: Text = ""
    rationale: Text = ""

    @before
    def _rename(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "rationale": first_of(data, "rationale", "whyMatched")}


class Question(Wire):
    """Something Lamina asks before it goes on; a name of `__outputs` asks which outputs to make."""

    name: Text = ""
    question: Text = ""


class InputWarning(Wire):
    """Something about one input worth knowing before it is used."""

    field: Text = ""
    message: Text = ""


class Routing(Wire):
    """Where a brief leads: a run that was started, questions, or nowhere.

    `next_step` is what to do, worked out from every shape the answer has had: "follow" the run,
    "ask" and start the selected app with the answers, "clarify" the brief and come again, "start"
    a plan that needs nothing more, or "give_up".
    """

    status: Text = ""
    mode: MaybeText = None
    run_id: MaybeText = None
    selected_app: Annotated[SelectedApp | None, OBJECT] = None
    drafted_inputs: Mapping = Field(default_factory=dict)
    ask_user: Annotated[tuple[Question, ...], OBJECTS] = ()
    selected_outputs: Labels = ()
    warnings: Annotated[tuple[InputWarning, ...], OBJECTS] = ()
    clarifications: Annotated[tuple[Question, ...], OBJECTS] = ()
    reason: MaybeText = None
    errors: Labels = ()

    @before
    def _normalise(data: dict[str, Any]) -> dict[str, Any]:
        older = mapping(data.get("needsInput"))
        flat = {**data, "runId": first_of(data, "runId", "executionId")}
        if older and not data.get("askUser"):
            flat["askUser"] = [
                {"name": missing.get("name"), "question": first_of(missing, "description", "name")}
                for missing in objects(older.get("missing"))
                if isinstance(missing, dict)
            ]
            flat["reason"] = first_of(data, "reason") or older.get("message")
            flat["status"] = "needs_input"
        if older or data.get("workflowId"):
            flat.setdefault("selectedApp", {"appId": data.get("workflowId"), "name": data.get("workflowName")})
        return flat

    @property
    def next_step(self) -> str:
        """Return what to do with this answer."""
        if self.run_id:
            return "follow"
        if self.mode == "recipe":  # a path Lamina has given up
            return "give_up"
        if self.ask_user or self.status == "needs_input":
            return "ask"
        return {"plan": "start", "needs_clarification": "clarify"}.get(self.status, "give_up")


class BatchItem(Wire):
    """One brief of a batch: the run it became, or why it did not."""

    index: Whole = None
    status: Text = ""
    run_id: MaybeText = None
    app_id: MaybeText = Field(default=None, alias="workflowId")
    app_name: MaybeText = Field(default=None, alias="workflowName")
    error: MaybeText = None


class Batch(Wire):
    """Briefs sent together; each run is followed on its own."""

    batch_id: Text = ""
    total: Whole = None
    queued: Whole = None
    failed: Whole = None
    items: Annotated[tuple[BatchItem, ...], OBJECTS] = ()


class Concept(Wire):
    """One idea for a piece of content."""

    title: Text = ""
    concept: Text = ""
    prompt: Text = ""
    platform: Text = ""
    modality: Text = ""
    format: Text = ""
    predicted_performance: Text = ""
    rationale: Text = ""


class Score(Wire):
    """How well one piece of content is judged to do, as the raw figure Lamina gives."""

    content_item_id: Text = ""
    overall: Number = None
    label: MaybeText = None
    dimensions: Mapping = Field(default_factory=dict)
    feedback: MaybeText = None

    @before
    def _rename(data: dict[str, Any]) -> dict[str, Any]:
        item = first_of(data, "contentItemId", "id")
        return {**data, "contentItemId": item, "overall": first_of(data, "overallScore", "score")}


class FormField(Wire):
    """One thing to ask a person before a run is confirmed."""

    kind: Text = ""
    name: Text = ""
    question: Text = ""
    placeholder: MaybeText = None
    options: Labels = ()
    max: Whole = None
    suggested_default: Annotated[dict[str, Any] | None, OBJECT] = None


class Preview(Wire):
    """What a run would be, to be confirmed by a person; `mode` says which members matter."""

    mode: Text = ""
    selected_app: Annotated[SelectedApp | None, OBJECT] = None
    drafted_inputs: Mapping = Field(default_factory=dict)
    form: Annotated[tuple[FormField, ...], OBJECTS] = ()
    selected_outputs: Labels = ()
    warnings: Annotated[tuple[InputWarning, ...], OBJECTS] = ()
    freestyle_plan: Annotated[dict[str, Any] | None, OBJECT] = None
    estimate: Annotated[dict[str, Any] | None, OBJECT] = None
    reason: MaybeText = None
    errors: Labels = ()


class ConfirmedRun(Wire):
    """A previewed run that was started."""

    run_id: Id
    mode: Text = ""
    selected_app: Annotated[SelectedApp | None, OBJECT] = None


class AutoGenerated(Wire):
    """What the older one-step call did: started something, or asks to choose."""

    status: Text = ""
    run_id: MaybeText = None
    detail: Mapping = Field(default_factory=dict)

    @before
    def _keep(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "detail": data}


class Guidance(Wire):
    """What a template or a brand tells the makers to do and to avoid."""

    prompt_directives: Labels = ()
    negative_prompts: Labels = ()
    recommended_moves: Labels = ()
    test_ideas: Labels = ()
    winning_patterns: Labels = ()
    weak_patterns: Labels = ()
    supporting_metrics: Labels = ()
    creative_structure: Annotated[dict[str, Any] | None, OBJECT] = None


class Template(Wire):
    """A named recipe for briefs; it has guidance and recommends neither app nor inputs."""

    id: Id
    name: Text = ""
    description: MaybeText = None
    category: Text = ""
    suggested_modalities: Labels = ()
    suggested_platforms: Labels = ()
    guidance: Annotated[Guidance | None, OBJECT] = Field(default=None, alias="guidanceData")
    multi_asset_composition: Annotated[tuple[dict[str, Any], ...], OBJECTS] = ()
    is_built_in: Flag = False
