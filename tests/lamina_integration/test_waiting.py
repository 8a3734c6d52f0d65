"""A run is followed to its end, whatever interrupts, and its news never goes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from lamina_integration import (
    AsyncLaminaClient,
    By,
    LaminaAuthError,
    LaminaClient,
    LaminaNotFound,
    LaminaRunUnfinished,
    RemoteRun,
)

AT_ONCE = (0.0, 0.0)


def run(status: str, *, percent: float | None = None, completed: int | None = None) -> dict[str, Any]:
    progress = None if percent is None else {"percentComplete": percent, "completedOutputs": completed}
    return {"runId": "r", "workflowId": "a", "status": status, "outputs": [], "progress": progress}


def snapshot(*args: Any, **members: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": run(*args, **members)})


def waited(status: str, *, timeout: bool | None = None) -> httpx.Response:
    flag = {} if timeout is None else {"timeout": timeout}
    return httpx.Response(200, json={"data": run(status), **flag})


def stream(*events: tuple[str, Any], cut: bool = False) -> httpx.Response:
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)

    def body() -> Iterable[bytes]:
        yield text.encode()
        if cut:
            raise httpx.ReadError("connection reset")

    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=body())


class Lamina:
    """Plays a list of answers for each path, the last one for ever."""

    def __init__(self, **answers: list[httpx.Response]) -> None:
        self.asked: list[str] = []
        self.requests: list[httpx.Request] = []
        self._answers = answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        name = "get" if name == "r" else name
        self.asked.append(name)
        self.requests.append(request)
        answers = self._answers.get(name, [httpx.Response(404, json={"error": "no such path"})])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def follow(self, by: By, **arguments: Any) -> list[RemoteRun]:
        with LaminaClient(base_url="https://lamina.test", api_key="k", transport=httpx.MockTransport(self)) as client:
            return list(client.runs.follow("r", by=by, **{"seconds_between": AT_ONCE, **arguments}))

    def follow_awaited(self, by: By) -> list[RemoteRun]:
        async def collect() -> list[RemoteRun]:
            lamina = httpx.MockTransport(self)
            async with AsyncLaminaClient(base_url="https://lamina.test", api_key="k", transport=lamina) as client:
                return [news async for news in client.runs.follow("r", by=by, seconds_between=AT_ONCE)]

        return asyncio.run(collect())


def statuses(news: list[RemoteRun]) -> list[str]:
    return [told.status for told in news]


def test_polling_gives_each_new_snapshot_once_until_the_end() -> None:
    lamina = Lamina(get=[snapshot("queued"), snapshot("queued"), snapshot("running"), snapshot("completed")])
    assert statuses(lamina.follow(By.POLL)) == ["queued", "running", "completed"]
    assert lamina.asked == ["get"] * 4


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_every_end_ends_the_following_c19(end: str) -> None:
    assert statuses(Lamina(get=[snapshot("running"), snapshot(end)]).follow(By.POLL)) == ["running", end]


def test_unknown_status_is_followed_on() -> None:
    news = Lamina(get=[snapshot("cancel_requested"), snapshot("cancelled")]).follow(By.POLL)
    assert statuses(news) == ["cancel_requested", "cancelled"]


def test_progress_never_goes_back() -> None:
    lamina = Lamina(
        get=[
            snapshot("running", percent=40, completed=2),
            snapshot("running", percent=25, completed=1),
            snapshot("running"),
            snapshot("completed", percent=100, completed=5),
        ]
    )
    told = [
        (news.progress.percent_complete, news.progress.completed_outputs)
        for news in lamina.follow(By.POLL)
        if news.progress
    ]
    assert told == [(40, 2), (100, 5)]


@pytest.mark.parametrize("by", list(By))
def test_run_that_has_begun_is_never_queued_again(by: By) -> None:
    told = ["running", "queued", "cancel_requested", "queued", "completed"]
    lamina = Lamina(
        get=[snapshot(status) for status in told],
        wait=[waited(status, timeout=True) for status in told],
        stream=[stream(*(("progress", run(status)) for status in told))],
    )
    assert statuses(lamina.follow(by)) == ["running", "cancel_requested", "completed"]


def test_interruptions_are_waited_out() -> None:
    interruptions = [httpx.Response(503)] * 3 + [httpx.Response(429, json={"error": "slow", "retryAfter": 0})]
    lamina = Lamina(get=[snapshot("running"), *interruptions, snapshot("completed")])
    assert statuses(lamina.follow(By.POLL)) == ["running", "completed"]


def test_run_that_does_not_end_in_time_is_told_with_how_it_stands() -> None:
    with pytest.raises(LaminaRunUnfinished) as raised:
        Lamina(get=[snapshot("running")]).follow(By.POLL, give_up_after_seconds=0.05)
    assert raised.value.run is not None
    assert (raised.value.run_id, raised.value.run.status) == ("r", "running")


@pytest.mark.parametrize("by", list(By))
def test_run_that_does_not_exist_is_not_waited_for_c24(by: By) -> None:
    with pytest.raises(LaminaNotFound):
        Lamina().follow(by)


@pytest.mark.parametrize("by", list(By))
def test_key_that_is_refused_is_not_tried_again(by: By) -> None:
    refused = [httpx.Response(401, json={"error": "Invalid API key"})]
    with pytest.raises(LaminaAuthError):
        Lamina(get=refused, wait=refused, stream=refused).follow(by)


def test_long_poll_asks_again_while_the_time_runs_out_c22() -> None:
    lamina = Lamina(wait=[waited("queued", timeout=True), waited("running", timeout=True), waited("completed")])
    assert statuses(lamina.follow(By.WAIT)) == ["queued", "running", "completed"]
    assert [request.url.params["timeout"] for request in lamina.requests] == ["60"] * 3


def test_wait_flag_that_is_missing_is_false_c22() -> None:
    lamina = Lamina(wait=[waited("completed"), waited("running", timeout=True), waited("completed", timeout=False)])
    with LaminaClient(base_url="https://lamina.test", api_key="k", transport=httpx.MockTransport(lamina)) as client:
        assert [client.runs.wait("r", timeout_seconds=120).timed_out for _ in range(3)] == [False, True, False]


def test_wait_is_given_longer_than_it_says() -> None:
    lamina = Lamina(wait=[waited("completed")])
    with LaminaClient(base_url="https://lamina.test", api_key="k", transport=httpx.MockTransport(lamina)) as client:
        client.runs.wait("r", timeout_seconds=120)
    assert lamina.requests[0].extensions["timeout"]["read"] == 135


def test_long_poll_that_is_not_served_falls_back_to_polling_c24() -> None:
    lamina = Lamina(get=[snapshot("completed")])
    assert statuses(lamina.follow(By.WAIT)) == ["completed"]
    assert lamina.asked == ["wait", "get"]


def test_stream_is_followed_to_its_end() -> None:
    lamina = Lamina(
        stream=[
            stream(
                ("progress", run("queued")),
                ("ping", 1780390816000),
                ("progress", {"data": run("running")}),
                ("complete", run("completed")),
                ("progress", run("running")),
            )
        ]
    )
    assert statuses(lamina.follow(By.STREAM)) == ["queued", "running", "completed"]
    assert lamina.requests[0].headers["accept"] == "text/event-stream"
    assert lamina.requests[0].headers["x-api-key"] == "k"


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_error_event_is_a_failure_or_a_cancellation(end: str) -> None:
    assert statuses(Lamina(stream=[stream(("error", run(end)))]).follow(By.STREAM)) == [end]


def test_stream_that_times_out_is_opened_again() -> None:
    ended = stream(("progress", run("running")), ("timeout", {"message": "Stream timeout after 10 minutes"}))
    lamina = Lamina(stream=[ended, stream(("complete", run("completed")))])
    assert statuses(lamina.follow(By.STREAM)) == ["running", "completed"]
    assert lamina.asked == ["stream", "stream"]


@pytest.mark.parametrize("cut", [True, False])
def test_stream_that_breaks_is_opened_again(cut: bool) -> None:
    lamina = Lamina(stream=[stream(("progress", run("running")), cut=cut), stream(("complete", run("completed")))])
    assert statuses(lamina.follow(By.STREAM)) == ["running", "completed"]


def test_stream_that_keeps_breaking_is_given_up_for_polling() -> None:
    lamina = Lamina(stream=[stream(cut=True) for _ in range(9)], get=[snapshot("running"), snapshot("completed")])
    assert statuses(lamina.follow(By.STREAM)) == ["running", "completed"]
    assert lamina.asked == ["stream"] * 3 + ["get"] * 2


def test_stream_that_is_not_served_falls_back_to_polling_c24() -> None:
    lamina = Lamina(get=[snapshot("completed")])
    assert statuses(lamina.follow(By.STREAM)) == ["completed"]
    assert lamina.asked == ["stream", "get"]


def test_stream_is_closed_when_nobody_listens_any_more() -> None:
    closed = []

    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            yield f"event: progress\ndata: {json.dumps(run('running'))}\n\n".encode()
            raise AssertionError("read on although nobody listens")

        def close(self) -> None:
            closed.append(True)

    lamina = Lamina(stream=[httpx.Response(200, stream=Body())])
    with LaminaClient(base_url="https://lamina.test", api_key="k", transport=httpx.MockTransport(lamina)) as client:
        news = client.runs.follow("r", by=By.STREAM)
        assert next(news).status == "running"
        news.close()  # type: ignore[attr-defined]
    assert closed == [True]


@pytest.mark.parametrize("by", list(By))
def test_following_is_the_same_when_awaited(by: By) -> None:
    def lamina() -> Lamina:
        class Events(httpx.AsyncByteStream, httpx.SyncByteStream):
            text = b"".join(
                f"event: {name}\ndata: {json.dumps(run(status))}\n\n".encode()
                for name, status in (("progress", "running"), ("complete", "completed"))
            )

            def __iter__(self) -> Any:
                yield self.text

            async def __aiter__(self) -> Any:
                yield self.text

        return Lamina(
            get=[snapshot("running"), httpx.Response(503), snapshot("completed")],
            wait=[waited("running", timeout=True), waited("completed")],
            stream=[httpx.Response(200, stream=Events())],
        )

    assert statuses(lamina().follow_awaited(by)) == statuses(lamina().follow(by)) == ["running", "completed"]
