"""The client says what Lamina answered, and when it did not, whether Lamina may have heard."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import redis

from lamina_integration import (
    AsyncLaminaClient,
    LaminaAuthError,
    LaminaBudgetSpent,
    LaminaClient,
    LaminaForbidden,
    LaminaInsufficientCredits,
    LaminaInvalidInputs,
    LaminaNotFound,
    LaminaRateLimited,
    LaminaResponseError,
    LaminaUnreachable,
    Lane,
    RequestBudget,
    UploadFile,
    UploadTarget,
)

Behaviour = Callable[[socket.socket, bytes], None]
Serve = Callable[[Behaviour], Any]
KEY = "lma_0123456789abcdef"
RUN = {"runId": "r1", "workflowId": "a1", "status": "queued", "outputs": [], "createdAt": "2026-06-02T09:00:00.000Z"}
SHORT = httpx.Timeout(connect=1.0, read=0.2, write=1.0, pool=1.0)


class Lamina:
    """Answers every request the same way, and remembers what it was asked."""

    def __init__(self, status: int = 200, **answer: Any) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = (status, answer)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        status, answer = self._answer
        return httpx.Response(status, **answer)

    def client(self, **arguments: Any) -> LaminaClient:
        return LaminaClient(
            base_url="https://lamina.test/", api_key=KEY, transport=httpx.MockTransport(self), **arguments
        )


def refusal(status: int, **answer: Any) -> Exception:
    """Return the error a start is answered with."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one it is, is what the tests ask
        Lamina(status, **answer).client().runs.start("a1", {})
    return raised.value


def test_request_carries_the_key_in_one_header_and_escapes_what_it_names() -> None:
    lamina = Lamina(json={"data": []})
    lamina.client().apps.list(search="try on & more")
    request = lamina.requests[0]
    assert request.headers["x-api-key"] == KEY
    assert "authorization" not in request.headers
    assert str(request.url) == "https://lamina.test/v1/apps?search=try%20on%20%26%20more".replace("%20", "+") or (
        request.url.params["search"] == "try on & more"
    )


def test_ids_cannot_leave_their_place_in_the_path() -> None:
    lamina = Lamina(json={"data": RUN})
    lamina.client().runs.get("../apps?x=1#y")
    assert lamina.requests[0].url.raw_path == b"/v1/runs/..%2Fapps%3Fx%3D1%23y"


def test_start_sends_inputs_outputs_and_callback_c1_c6() -> None:
    lamina = Lamina(202, json={"data": {**RUN, "workflowName": "Premium Catalog 1.0", "webhookUrl": "https://x"}})
    inputs = {"Model  Ethnicity": "Standard ", "front": ["https://x/1.jpg"]}
    run = lamina.client().runs.start("a1", inputs, outputs=["Front View"], webhook="https://x.test/hooks/t?a=1&b=2")
    request = lamina.requests[0]
    assert (request.method, request.url.path) == ("POST", "/v1/apps/a1/runs")
    assert request.url.params["webhook"] == "https://x.test/hooks/t?a=1&b=2"
    assert json.loads(request.content) == {"inputs": inputs, "outputs": ["Front View"]}
    assert (run.run_id, run.app_id, run.app_name, run.status) == ("r1", "a1", "Premium Catalog 1.0", "queued")


def test_start_leaves_out_what_was_not_asked_for() -> None:
    lamina = Lamina(202, json={"data": RUN})
    lamina.client().runs.start("a1", {})
    assert json.loads(lamina.requests[0].content) == {"inputs": {}}
    assert lamina.requests[0].url.query == b""


def test_list_of_runs_is_a_page() -> None:
    answer = {"data": [RUN, {"status": "no id"}, None], "pagination": {"total": 47, "limit": 25, "offset": 0}}
    lamina = Lamina(json=answer)
    page = lamina.client().runs.list(app_id="a1", since=datetime(2026, 6, 2, 9, tzinfo=UTC), limit=25)
    assert dict(lamina.requests[0].url.params) == {
        "appId": "a1",
        "limit": "25",
        "offset": "0",
        "since": "2026-06-02T09:00:00.000Z",
    }
    assert ([run.run_id for run in page.items], page.total, page.limit, page.offset) == (["r1"], 47, 25, 0)


def test_list_of_runs_without_pagination_counts_itself() -> None:
    page = Lamina(json={"data": [RUN]}).client().runs.list()
    assert (page.total, page.offset) == (1, 0)


def test_app_detail_comes_back_untouched() -> None:
    detail = {
        "appId": "a1",
        "name": "Ä  ",
        "parameters": [{"name": "x", "type": "text", "new": [1]}],
        "extra": {"y": 1},
    }
    lamina = Lamina(json={"data": detail})
    assert lamina.client().apps.get_detail("a1") == detail
    assert lamina.client().apps.get("a1").parameters[0].name == "x"


def test_app_detail_nobody_could_read_is_not_handed_on() -> None:
    with pytest.raises(LaminaUnreachable):
        Lamina(json={"data": {"name": "no id"}}).client().apps.get_detail("a1")


def test_estimate_and_cancel_are_posts_without_a_body() -> None:
    estimates = Lamina(json={"data": {"estimatedCredits": {"expected": 35}, "affordable": True}})
    assert estimates.client().apps.estimate("a1").affordable is True
    cancels = Lamina(json={"data": {"runId": "r1", "status": "cancel_requested"}})
    assert cancels.client().runs.cancel("r1") == "cancel_requested"
    for request in (estimates.requests[0], cancels.requests[0]):
        assert (request.method, request.content) == ("POST", b"")


def test_signing_keys_have_no_envelope() -> None:
    lamina = Lamina(json={"keys": [{"kty": "OKP", "x": "abc", "kid": "k1"}, {"kid": "no x"}, {"x": "def"}]})
    assert [key.kid for key in lamina.client().webhooks.signing_keys()] == ["k1", ""]


def test_usage_is_read() -> None:
    usage = Lamina(json={"data": {"credits": {"balance": 12.5}, "rateLimit": {"limit": 100}}}).client().account.usage()
    assert (usage.balance, usage.limit) == (12.5, 100)


def test_upload_urls_come_in_the_order_of_the_files() -> None:
    uploads = [{"filename": n, "uploadUrl": f"https://s/{n}", "assetUrl": f"https://m/{n}"} for n in ("a", "b")]
    lamina = Lamina(json={"data": {"uploads": uploads}})
    targets = lamina.client().assets.upload_urls([UploadFile("a", "image"), UploadFile("b", "video")])
    assert [target.asset_url for target in targets] == ["https://m/a", "https://m/b"]
    assert json.loads(lamina.requests[0].content)["files"][1] == {"filename": "b", "mediaType": "video"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, LaminaAuthError),
        (403, LaminaForbidden),
        (404, LaminaNotFound),
        (400, LaminaInvalidInputs),
        (422, LaminaInvalidInputs),
        (402, LaminaInsufficientCredits),
        (429, LaminaRateLimited),
        (409, LaminaResponseError),
    ],
)
def test_answers_that_say_no_are_classed_by_what_to_do_c35(status: int, kind: type[LaminaResponseError]) -> None:
    body = {"error": "No", "code": "SOME_CODE", "retryable": status == 429, "requestId": "q1"}
    error = refusal(status, json=body)
    assert type(error) is kind
    assert isinstance(error, LaminaResponseError)
    assert (error.status_code, error.code, error.request_id, str(error)) == (status, "SOME_CODE", "q1", "No")
    assert error.retryable is (status == 429)


def test_request_id_header_goes_before_the_one_in_the_body() -> None:
    error = refusal(404, json={"error": "App not found", "requestId": "body"}, headers={"X-Request-Id": "header"})
    assert isinstance(error, LaminaNotFound)
    assert error.request_id == "header"


def test_oldest_error_body_is_enough_c17() -> None:
    error = refusal(404, json={"error": "App not found"})
    assert isinstance(error, LaminaNotFound)
    assert (str(error), error.code, error.retryable) == ("App not found", None, False)


def test_problems_come_from_objects_c17() -> None:
    details = [
        {"param": "front", "code": "missing_no_default", "message": "front has no default."},
        {"field": "front", "error": "too_small"},
        {"param": "Colour", "code": "unknown_parameter", "message": "No such thing."},
        5,
    ]
    error = refusal(400, json={"error": "Invalid inputs", "code": "VALIDATION_ERROR", "details": details})
    assert isinstance(error, LaminaInvalidInputs)
    assert [(p.param, p.code) for p in error.problems] == [
        ("front", "missing_no_default"),
        ("front", "too_small"),
        ("Colour", "unknown_parameter"),
    ]
    assert error.by_parameter == {"front": ["front has no default.", "Too small."], "Colour": ["No such thing."]}


def test_problems_come_from_sentences_c17() -> None:
    sentences = ['"Location": invalid option "Mars". Must be one of: Studio', "Something else"]
    error = refusal(400, json={"error": "Invalid inputs", "details": sentences})
    assert isinstance(error, LaminaInvalidInputs)
    assert error.by_parameter == {
        "Location": ['invalid option "Mars". Must be one of: Studio'],
        "": ["Something else"],
    }


def test_problems_come_from_an_object_around_objects_c17() -> None:
    errors = [
        {"field": "aspectRatio", "error": "not_allowed", "message": "Unsupported.", "allowed": ["1:1"]},
        {"field": "cfgScale", "error": "out_of_range", "range": [0, 1], "got": 3},
        {"field": "size", "error": "not_allowed", "allowed": ["s", "m"]},
    ]
    details = {"code": "invalid_params", "message": "One field.", "details": {"errors": errors}}
    error = refusal(422, json={"error": "Invalid parameters for model", "details": details})
    assert isinstance(error, LaminaInvalidInputs)
    assert error.by_parameter == {
        "aspectRatio": ["Unsupported."],
        "cfgScale": ["Out of range: between 0 and 1."],
        "size": ["Not allowed: one of s, m."],
    }


@pytest.mark.parametrize("details", [None, "text", 5, {}, {"message": "odd"}, [None], [[]]])
def test_details_of_no_known_shape_are_no_crash(details: Any) -> None:
    assert isinstance(refusal(400, json={"error": "Invalid inputs", "details": details}), LaminaInvalidInputs)


@pytest.mark.parametrize("status", [400, 402, 403, 500])
def test_insufficient_credits_are_known_by_their_text(status: int) -> None:
    error = refusal(status, json={"error": "Workspace has INSUFFICIENT Credits for this"})
    assert isinstance(error, LaminaInsufficientCredits)
    assert error.status_code == status


def test_rate_limit_comes_as_json_or_as_plain_text_c18() -> None:
    as_json = refusal(
        429, json={"error": "Too many", "code": "RATE_LIMITED", "retryAfter": 9}, headers={"RateLimit-Reset": "3"}
    )
    as_text = refusal(429, text="Too many requests from this IP, please try again in a minute")
    assert isinstance(as_json, LaminaRateLimited)
    assert isinstance(as_text, LaminaRateLimited)
    assert (as_json.retry_after, as_text.retry_after) == (9, 5)
    assert str(as_text).startswith("Too many requests")
    assert as_text.retryable


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {"json": {"error": "boom", "retryable": True, "requestId": "q9"}}),
        (503, {"text": "<html>down</html>"}),
        (302, {"headers": {"Location": "https://elsewhere.test/"}}),
        (200, {"text": "<html>not json</html>"}),
        (200, {"text": ""}),
        (200, {"json": {"nothing": 1}}),
        (200, {"json": {"data": {"status": "queued"}}}),
        (200, {"json": []}),
        (200, {"content": b"[" * 100_000}),
    ],
)
def test_start_with_no_usable_answer_may_have_been_taken(status: int, answer: dict[str, Any]) -> None:
    error = refusal(status, **answer)
    assert isinstance(error, LaminaUnreachable)
    assert (error.maybe_sent, error.status_code) == (True, status)


def test_refused_connection_was_certainly_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with (
        LaminaClient(base_url=f"http://127.0.0.1:{address[1]}", api_key=KEY) as client,
        pytest.raises(LaminaUnreachable) as raised,
    ):
        client.runs.start("a1", {})
    assert raised.value.maybe_sent is False


def test_name_that_does_not_resolve_was_certainly_not_sent() -> None:
    with (
        LaminaClient(base_url="http://nowhere.invalid", api_key=KEY) as client,
        pytest.raises(LaminaUnreachable) as raised,
    ):
        client.runs.start("a1", {})
    assert raised.value.maybe_sent is False


def hang(connection: socket.socket, head: bytes) -> None:
    while connection.recv(65536):
        pass


def cut_at_once(connection: socket.socket, head: bytes) -> None:
    return


def cut_in_the_middle(connection: socket.socket, head: bytes) -> None:
    connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{")


def speak_nonsense(connection: socket.socket, head: bytes) -> None:
    connection.sendall(b"SSH-2.0-nonsense\r\n\r\n")


@pytest.mark.parametrize("behave", [hang, cut_at_once, cut_in_the_middle, speak_nonsense])
def test_start_whose_answer_is_lost_may_have_been_taken_and_is_not_repeated(serve: Serve, behave: Behaviour) -> None:
    server = serve(behave)
    with (
        LaminaClient(base_url=server.url, api_key=KEY, timeout=SHORT) as client,
        pytest.raises(LaminaUnreachable) as raised,
    ):
        client.runs.start("a1", {})
    assert raised.value.maybe_sent is True
    assert server.connections == 1


@pytest.mark.parametrize("behave", [cut_at_once, cut_in_the_middle])
def test_read_whose_answer_is_lost_is_repeated_and_then_given_up(serve: Serve, behave: Behaviour) -> None:
    server = serve(behave)
    with LaminaClient(base_url=server.url, api_key=KEY, timeout=SHORT) as client, pytest.raises(LaminaUnreachable):
        client.runs.get("r1")
    assert server.connections == 3


@pytest.mark.parametrize(("status", "requests"), [(500, 3), (503, 3), (404, 1), (401, 1), (429, 1)])
def test_reads_are_repeated_after_a_server_error_only(status: int, requests: int) -> None:
    lamina = Lamina(status, json={"error": "no"})
    with pytest.raises(Exception, match="no"):
        lamina.client().runs.get("r1")
    assert len(lamina.requests) == requests


@pytest.mark.parametrize("status", [500, 503, 429, 400])
def test_what_changes_something_is_never_repeated(status: int) -> None:
    lamina = Lamina(status, json={"error": "no"})
    client = lamina.client()
    for attempt in (
        lambda: client.runs.start("a1", {}),
        lambda: client.runs.cancel("r1"),
        lambda: client.apps.estimate("a1"),
    ):
        with pytest.raises(Exception, match="no"):
            attempt()
    assert len(lamina.requests) == 3


def test_read_that_recovers_gives_its_answer() -> None:
    answers = iter([httpx.Response(503), httpx.Response(200, json={"data": RUN})])
    transport = httpx.MockTransport(lambda _: next(answers))
    with LaminaClient(base_url="https://lamina.test", api_key=KEY, transport=transport) as client:
        assert client.runs.get("r1").run_id == "r1"


def test_answer_without_end_is_not_read_to_it(serve: Serve) -> None:
    def never_stop(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            connection.sendall(b" " * 1_000_000)

    with (
        LaminaClient(base_url=serve(never_stop).url, api_key=KEY) as client,
        pytest.raises(LaminaUnreachable, match="too long"),
    ):
        client.runs.cancel("r1")


def drip(connection: socket.socket, head: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{")
    for _ in range(400):
        time.sleep(0.02)
        connection.sendall(b" ")


@pytest.mark.parametrize("awaited", [False, True])
def test_answer_that_drips_is_given_up(serve: Serve, awaited: bool) -> None:
    server = serve(drip)
    began = time.monotonic()

    def cancel() -> None:
        with LaminaClient(base_url=server.url, api_key=KEY, timeout=SHORT) as client:
            client.runs.cancel("r1")

    async def cancel_awaited() -> None:
        async with AsyncLaminaClient(base_url=server.url, api_key=KEY, timeout=SHORT) as client:
            await client.runs.cancel("r1")

    with pytest.raises(LaminaUnreachable, match="does not come to its end") as raised:
        asyncio.run(cancel_awaited()) if awaited else cancel()
    assert raised.value.maybe_sent is True
    assert 2 * SHORT.read <= time.monotonic() - began < 3


def test_answer_that_takes_its_time_by_design_is_given_it(serve: Serve) -> None:
    def trickle(connection: socket.socket, head: bytes) -> None:
        text = json.dumps({"data": RUN, "timeout": False}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        for place in range(0, len(text), 8):
            time.sleep(0.05)
            connection.sendall(text[place : place + 8])

    with LaminaClient(base_url=serve(trickle).url, api_key=KEY, timeout=SHORT) as client:
        assert client.runs.wait("r1", timeout_seconds=1).run.run_id == "r1"


def test_redirect_is_not_followed_with_the_key() -> None:
    lamina = Lamina(302, headers={"Location": "https://elsewhere.test/"})
    with pytest.raises(LaminaUnreachable):
        lamina.client().runs.cancel("r1")
    assert [request.url.host for request in lamina.requests] == ["lamina.test"]


def target(url: str) -> UploadTarget:
    return UploadTarget(
        filename="f.jpg", media_type="image", content_type_hint="image/jpeg", upload_url=url, asset_url="x"
    )


def test_put_streams_exactly_the_file_and_never_the_key(serve: Serve) -> None:
    received = bytearray()

    def store(connection: socket.socket, head: bytes) -> None:
        received.extend(head)
        while len(received) - received.index(b"\r\n\r\n") - 4 < 300_000:
            received.extend(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    server = serve(store)
    content = bytes(range(256)) * 1200
    with LaminaClient(base_url="https://lamina.test", api_key=KEY) as client:
        client.assets.put(target(f"{server.url}/put/f.jpg?signature=abc"), io.BytesIO(content), size=300_000)
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    lowered = head.decode().lower()
    assert lowered.startswith("put /put/f.jpg?signature=abc http/1.1")
    assert "content-length: 300000" in lowered
    assert "content-type: image/jpeg" in lowered
    assert "transfer-encoding" not in lowered
    assert KEY not in head.decode()
    assert "authorization" not in lowered
    assert body == content[:300_000]


def test_put_reads_the_file_piece_by_piece() -> None:
    class Watched(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size > 0
            self.largest = max(self.largest, size)
            return super().read(size)

    stream = Watched(b"x" * 1_000_000)
    Lamina(200).client().assets.put(target("https://s.test/f"), stream, size=1_000_000, content_type="image/png")
    assert stream.largest <= 64 * 1024


def test_put_that_is_refused_says_how() -> None:
    with pytest.raises(LaminaResponseError) as raised:
        Lamina(403, text="<Error>Request has expired</Error>").client().assets.put(
            target("https://s.test/f"), io.BytesIO(), size=0
        )
    assert raised.value.status_code == 403
    assert "Request has expired" in str(raised.value)
    with pytest.raises(LaminaUnreachable):
        Lamina(500).client().assets.put(target("https://s.test/f"), io.BytesIO(), size=0)


def test_put_of_a_file_shorter_than_announced_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="ended 5 bytes before"):
        Lamina(200).client().assets.put(target("https://s.test/f"), io.BytesIO(b"12345"), size=10)


@pytest.fixture
def budget(redis_url: str, budget_key: str) -> Any:
    with redis.Redis.from_url(redis_url) as store:
        yield RequestBudget(store, key=budget_key)


def test_refusal_for_the_rate_holds_every_client_of_the_budget(budget: RequestBudget) -> None:
    refused = Lamina(429, json={"retryAfter": 40, "error": "slow down"})
    with pytest.raises(LaminaRateLimited):
        refused.client(budget=budget).runs.get("r1")
    other = Lamina(json={"data": RUN})
    with pytest.raises(LaminaBudgetSpent) as raised:
        other.client(budget=budget, lane=Lane.BATCH).runs.get("r1")
    assert 38 < raised.value.retry_after <= 40
    assert other.requests == []


@pytest.mark.parametrize("awaited", [False, True])
def test_caller_with_patience_waits_where_its_lane_would_not(redis_url: str, budget_key: str, awaited: bool) -> None:
    lamina = Lamina(json={"data": RUN})
    patient: dict[str, Any] = {"lane": Lane.BATCH, "patience_seconds": 20.0}

    async def four() -> None:
        transport = httpx.MockTransport(lamina)
        async with AsyncLaminaClient(
            base_url="https://lamina.test", api_key=KEY, transport=transport, budget=budget, **patient
        ) as client:
            await asyncio.gather(*(client.runs.get("r1") for _ in range(4)))

    with redis.Redis.from_url(redis_url) as store:
        budget = RequestBudget(store, key=budget_key, window_seconds=5)
        if awaited:
            asyncio.run(four())
        else:
            client = lamina.client(budget=budget, **patient)
            for _ in range(4):
                client.runs.get("r1")
    assert len(lamina.requests) == 4


def test_nothing_remaining_holds_the_next_request(budget: RequestBudget) -> None:
    last = Lamina(json={"data": RUN}, headers={"RateLimit-Remaining": "0", "RateLimit-Reset": "30"})
    last.client(budget=budget).runs.get("r1")
    with pytest.raises(LaminaBudgetSpent):
        last.client(budget=budget).runs.get("r1")


def test_upload_takes_nothing_from_the_budget(budget: RequestBudget) -> None:
    budget.hold(30)
    Lamina(200).client(budget=budget).assets.put(target("https://s.test/f"), io.BytesIO(b"x"), size=1)


def test_log_line_has_ids_and_timing_but_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lamina = Lamina(202, json={"data": RUN}, headers={"X-Request-Id": "q7"})
    lamina.client().runs.start("a1", {"text": "private words"}, webhook="https://x.test/hooks/secret-token")
    lines = [record.getMessage() for record in caplog.records if record.name == "lamina_integration.client"]
    assert len(lines) == 1
    assert lines[0].startswith("lamina POST /v1/apps/a1/runs 202 ")
    assert "lamina_request=q7 lamina_run=r1" in lines[0]
    for secret in (KEY, "secret-token", "private words"):
        assert secret not in caplog.text


def test_retries_are_told_by_our_own_logger_with_the_request_and_the_wait(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers = iter([httpx.Response(503), httpx.Response(503), httpx.Response(200, json={"data": RUN})])
    transport = httpx.MockTransport(lambda _: next(answers))
    with LaminaClient(base_url="https://lamina.test", api_key=KEY, transport=transport) as client:
        client.runs.get("r1")
    assert {record.name for record in caplog.records} == {"lamina_integration.client"}
    told = [record.getMessage() for record in caplog.records if " again in " in record.getMessage()]
    assert told == [f"lamina GET /v1/runs/r1 again in 0.0 s, after try {number}" for number in (1, 2)]


def test_nothing_unformatted_comes_to_stderr_where_nobody_set_logging_up() -> None:
    script = """
import httpx
from lamina_integration import LaminaClient
transport = httpx.MockTransport(lambda _: httpx.Response(503))
lamina = LaminaClient(base_url="https://lamina.test", api_key="k", transport=transport)
try:
    lamina.runs.get("r1")
except Exception as error:
    print(type(error).__name__)
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (finished.stdout.strip(), finished.stderr) == ("LaminaUnreachable", "")


def test_log_line_of_an_upload_hides_its_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Lamina(200).client().assets.put(target("https://s.test/f?signature=abc"), io.BytesIO(b"x"), size=1)
    assert "lamina PUT (upload) 200" in caplog.text
    assert "signature" not in caplog.text
