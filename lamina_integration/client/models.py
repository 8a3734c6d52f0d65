"""Models: call one directly, without an app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamina_integration.client.answers import many, one
from lamina_integration.client.calls import Call, Group, Mode, Script, endpoint, followed, given, path
from lamina_integration.client.waiting import IMAGE, news_of_polls
from lamina_integration.wire import Generation, GenerationRun, Model, ModelDetail


class Models(Group[Mode]):
    """Models of images and of video, and the runs they are called with."""

    @endpoint
    def list(self, modality: str) -> Call[tuple[Model, ...]]:
        """Return the models that make an "image" or a "video"."""
        return Call("GET", path("/v1/models/{modality}", modality=modality), many(Model))

    @endpoint
    def describe(self, model_id: str, *, modality: str | None = None) -> Call[ModelDetail]:
        """Return a model and the fields it takes, looked for among those of one modality or of all."""
        if modality is None:
            return Call("GET", path("/v1/models/{model_id}", model_id=model_id), one(ModelDetail))
        address = path("/v1/models/{modality}/{model_id}", modality=modality, model_id=model_id)
        return Call("GET", address, one(ModelDetail))

    @endpoint
    def generate_image(
        self,
        model: str,
        *,
        prompt: str | None = None,
        params: Mapping[str, Any] | None = None,
        webhook_url: str | None = None,
    ) -> Call[Generation]:
        """Start an image; `params` are the fields of the model's own description."""
        body = given(model=model, prompt=prompt, params=params, webhookUrl=webhook_url)
        return Call("POST", "/v1/generate/image", one(Generation), body=body, patience_seconds=60.0)

    @endpoint
    def generate_video(
        self,
        model: str,
        *,
        prompt: str | None = None,
        params: Mapping[str, Any] | None = None,
        webhook_url: str | None = None,
    ) -> Call[Generation]:
        """Start a video; `params` are the fields of the model's own description."""
        body = given(model=model, prompt=prompt, params=params, webhookUrl=webhook_url)
        return Call("POST", "/v1/generate/video", one(Generation), body=body, patience_seconds=60.0)

    @endpoint
    def run(self, run_id: str) -> Call[GenerationRun]:
        """Return how a model's run stands; other kinds of run are not found here."""
        return _run_call(run_id)

    @followed
    def follow(
        self, run_id: str, *, seconds_between: tuple[float, float] = IMAGE, give_up_after_seconds: float = 1800.0
    ) -> Script[GenerationRun]:
        """Give every new snapshot of a model's run, the last one terminal, by polling: nothing else is offered.

        Interruptions are waited out; LaminaRunUnfinished is raised when the run has not ended in time.
        """
        return news_of_polls(
            _run_call(run_id),
            run_id=run_id,
            seconds_between=seconds_between,
            give_up_after_seconds=give_up_after_seconds,
        )


def _run_call(run_id: str) -> Call[GenerationRun]:
    return Call("GET", path("/v1/generate/runs/{run_id}", run_id=run_id), one(GenerationRun), run_id=run_id)
