"""Runs and their outputs: what is known of each, and how the API shows it.

Moving them is in player. A run only ever goes forward: queued, running, then completed, failed or
cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from lamina_integration.sandbox.times import iso, read
from lamina_integration.wire import TERMINAL

STATES = ("queued", "running", "completed", "failed", "cancelled")


@dataclass(kw_only=True)
class Output:
    """One thing a run makes; its type stays "pending" until it is there, also when it fails."""

    node_id: str
    label: str
    kind: str
    credits: float
    number: int  # its place among the app's outputs
    type: str = "pending"
    value: str | None = None
    status: str = "pending"
    error: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def as_wire(self) -> dict[str, Any]:
        """Return the output as the API shows it."""
        shown = {"id": self.node_id, "label": self.label, "type": self.type, "value": self.value}
        return shown | {"status": self.status, "error": self.error, **self.extra}


@dataclass(kw_only=True)
class Run:
    """One run: what was asked, by whom, and how it stands."""

    run_id: str
    app_id: str
    app_name: str
    workspace: str
    key: str
    inputs: dict[str, Any]
    outputs: list[Output]
    webhook: str | None = None
    kind: str = "app"  # "app", "freestyle" or "model": each is read at an endpoint of its own
    source: str = "api_app"
    status: str = "queued"
    error_message: str | None = None
    created_at: str = field(default_factory=iso)
    started_at: str | None = None
    completed_at: str | None = None
    spent: float = 0.0
    feedback: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)  # what only direct model runs have
    quality: dict[str, Any] | None = None  # how the app judged what it made, if it does
    script: dict[str, Any] = field(default_factory=dict)  # what a scenario has in store for it
    version: int = 0

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    def progress(self) -> dict[str, Any]:
        """Return how far the outputs are."""
        done = sum(output.status == "completed" for output in self.outputs)
        failed = sum(output.status == "error" for output in self.outputs)
        percent = round(100 * done / len(self.outputs)) if self.outputs else None
        return {
            "totalOutputs": len(self.outputs),
            "completedOutputs": done,
            "failedOutputs": failed,
            "percentComplete": percent,
        }

    def as_wire(self) -> dict[str, Any]:
        """Return the run object: what a read, a stream and a delivery carry."""
        if self.kind == "model":
            return self._as_model_run()
        shown = {
            "runId": self.run_id,
            "workflowId": self.app_id,
            "status": self.status,
            "outputs": [output.as_wire() for output in self.outputs],
            "errorMessage": self.error_message,
            "startedAt": self.started_at,
            "completedAt": self.completed_at,
            "createdAt": self.created_at,
            "progress": self.progress(),
        }
        return shown | ({"quality": self.quality} if self.quality else {})

    def _as_model_run(self) -> dict[str, Any]:
        """Return the other shape direct model runs have: one output, and what was sent to the model."""
        made = next((output for output in self.outputs if output.status == "completed"), None)
        return {
            "runId": self.run_id,
            "status": self.status,
            "model": self.facts.get("model"),
            "resolvedParams": self.facts.get("resolvedParams", {}),
            "output": {"type": made.type, "url": made.value} if made else None,
            "errorMessage": self.error_message,
            "startedAt": self.started_at,
            "completedAt": self.completed_at,
            "createdAt": self.created_at,
        }

    def as_summary(self) -> dict[str, Any]:
        """Return the run as a list shows it: without outputs and without inputs."""
        return {
            "runId": self.run_id,
            "workflowId": self.app_id,
            "status": self.status,
            "source": self.source,
            "errorMessage": self.error_message,
            "startedAt": self.started_at,
            "completedAt": self.completed_at,
            "createdAt": self.created_at,
        }

    def as_started(self) -> dict[str, Any]:
        """Return the answer to a start."""
        started: dict[str, Any] = {
            "runId": self.run_id,
            "workflowId": self.app_id,
            "workflowName": self.app_name,
            "status": "queued",
        }
        if self.webhook:
            started["webhookUrl"] = self.webhook
        pending = {"type": "pending", "value": None, "status": "pending", "error": None}
        started["outputs"] = [{"id": output.node_id, "label": output.label, **pending} for output in self.outputs]
        return started


def restored(record: dict[str, Any]) -> Run:
    """Return a run as it was written down."""
    return Run(**record | {"outputs": [Output(**output) for output in record["outputs"]]})


class Runs:
    """All runs, the latest last, and the way to wait for one to change."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._listed: dict[tuple[str, str], list[Run]] = {}
        self._changes: dict[str, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs.values())

    def add(self, run: Run) -> None:
        """Take in a new run."""
        self._runs[run.run_id] = run
        self._listed.setdefault((run.workspace, run.kind), []).append(run)

    def find(self, run_id: str, *, workspace: str | None = None, kind: str | None = None) -> Run | None:
        """Return a run; of another workspace or kind it is as if it were not there."""
        run = self._runs.get(run_id)
        if run is None or (workspace and run.workspace != workspace) or (kind and run.kind != kind):
            return None
        return run

    def newest(
        self,
        *,
        workspace: str,
        status: str | None = None,
        app_id: str | None = None,
        since: str | None = None,
        kinds: Collection[str] = ("app", "freestyle"),
    ) -> list[Run]:
        """Return a workspace's runs that match, the newest first."""
        found = [run for kind in kinds for run in reversed(self._listed.get((workspace, kind), []))]
        if len(kinds) > 1:
            found.sort(key=lambda run: run.created_at, reverse=True)
        if moment := read(since) if since else None:
            after = iso(moment)  # texts of one form compare as the moments do, and faster
            found = list(takewhile(lambda run: run.created_at > after, found))
        if status or app_id:
            found = [run for run in found if status in (None, run.status) and app_id in (None, run.app_id)]
        return found

    def changed(self, run: Run) -> None:
        """Say that a run is not as it was; wakes everybody who waits for that."""
        run.version += 1
        if event := self._changes.pop(run.run_id, None):
            event.set()

    async def next_change(self, run: Run) -> None:
        """Wait until a run changes."""
        await self._changes.setdefault(run.run_id, asyncio.Event()).wait()
