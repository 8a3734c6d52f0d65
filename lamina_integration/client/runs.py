"""Runs: start one, ask after it, list them, cancel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lamina_integration.client.answers import UnreadableAnswer, one, page, raw_object
from lamina_integration.client.calls import Call, Group, Mode, endpoint, given, path
from lamina_integration.wire import Page, RemoteRun, RunSummary


class Runs(Group[Mode]):
    """The runs of the key's workspace."""

    @endpoint
    def start(
        self, app_id: str, inputs: Mapping[str, Any], *, outputs: Sequence[str] = (), webhook: str | None = None
    ) -> Call[RemoteRun]:
        """Start a run; `outputs` chooses by label, `webhook` is called when it ends.

        Never sent a second time by itself: after an unknown outcome the run may exist.
        """
        return Call(
            "POST",
            path("/v1/apps/{app_id}/runs", app_id=app_id),
            one(RemoteRun),
            query=given(webhook=webhook),
            body={"inputs": dict(inputs), **({"outputs": list(outputs)} if outputs else {})},
        )

    @endpoint
    def get(self, run_id: str) -> Call[RemoteRun]:
        """Return how a run stands, with its outputs."""
        return Call("GET", path("/v1/runs/{run_id}", run_id=run_id), one(RemoteRun), run_id=run_id)

    @endpoint
    def list(
        self,
        *,
        status: str | None = None,
        app_id: str | None = None,
        since: datetime | str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Call[Page[RunSummary]]:
        """Return one page of runs, newest first, without their outputs."""
        query = given(status=status, appId=app_id, limit=limit, offset=offset, since=_moment(since))
        return Call("GET", "/v1/runs", page(RunSummary), query=query)

    @endpoint
    def cancel(self, run_id: str) -> Call[str]:
        """Ask for a run to be stopped and return the status it then has.

        Only `cancelled` means that it took effect; a run that had ended answers how it ended.
        """
        return Call("POST", path("/v1/runs/{run_id}/cancel", run_id=run_id), _status, run_id=run_id)


def _status(payload: Any) -> str:
    status = raw_object(payload).get("status")
    if not isinstance(status, str):
        raise UnreadableAnswer("no status")
    return status


def _moment(since: datetime | str | None) -> str | None:
    if not isinstance(since, datetime):
        return since
    return since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
