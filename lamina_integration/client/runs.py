"""Runs: start one, ask after it, wait for it, list them, cancel, refine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lamina_integration.client.answers import UnreadableAnswer, one, page, raw_object
from lamina_integration.client.calls import Call, Group, Mode, Script, endpoint, followed, given, path
from lamina_integration.client.waiting import IMAGE, By, get_call, news_of, news_of_stream, wait_call
from lamina_integration.wire import Page, Refinement, RemoteRun, RunSummary, WaitAnswer


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
        return get_call(run_id)

    @endpoint
    def wait(self, run_id: str, *, timeout_seconds: int = 60) -> Call[WaitAnswer]:
        """Return how a run stands once it has ended, or when the time (1 to 120 seconds) is up."""
        return wait_call(run_id, timeout_seconds=timeout_seconds)

    @followed
    def follow(
        self,
        run_id: str,
        *,
        by: By = By.WAIT,
        seconds_between: tuple[float, float] = IMAGE,
        give_up_after_seconds: float = 1800.0,
    ) -> Script[RemoteRun]:
        """Give every new snapshot of a run, the last one terminal; progress never goes back.

        By long polls, by the event stream (which falls back to polling) or by polling at a pace
        that suits the kind of run. Interruptions are waited out; LaminaRunUnfinished is raised
        when the run has not ended in time.
        """
        return news_of(run_id, by=by, seconds_between=seconds_between, give_up_after_seconds=give_up_after_seconds)

    @followed
    def stream(self, run_id: str) -> Script[RemoteRun]:
        """Give what one event stream tells of a run: at once how it stands, then every change, for ten minutes at most.

        Ends with the run, the ten minutes or the connection, and raises what goes wrong; `follow` goes on.
        """
        return news_of_stream(run_id)

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

    @endpoint
    def feedback(self, run_id: str, feedback: str) -> Call[Refinement]:
        """Have a completed run made anew, in place, after a remark; this is work that costs credits, not a rating."""
        return Call(
            "POST",
            path("/v1/runs/{run_id}/feedback", run_id=run_id),
            one(Refinement),
            body={"feedback": feedback},
            run_id=run_id,
            patience_seconds=600.0,
        )


def _status(payload: Any) -> str:
    status = raw_object(payload).get("status")
    if not isinstance(status, str):
        raise UnreadableAnswer("no status")
    return status


def _moment(since: datetime | str | None) -> str | None:
    if not isinstance(since, datetime):
        return since
    return since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
