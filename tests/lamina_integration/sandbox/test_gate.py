"""What concerns every request: keys, limits, faults, the ledger."""

import httpx
import pytest

from lamina_integration.sandbox import Sandbox
from tests.lamina_integration.sandbox.conftest import CARTOONIFY, KEYS, run_of, started


@pytest.mark.parametrize("headers", [{"x-api-key": KEYS[0]}, {"Authorization": f"Bearer {KEYS[0]}"}])
def test_key_is_taken_in_either_header(lamina: Sandbox, headers: dict[str, str]) -> None:
    assert httpx.get(f"{lamina.url}/v1/apps", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "AUTH_MISSING_KEY"),
        ({"Authorization": "Basic abc"}, 401, "AUTH_MISSING_KEY"),
        ({"x-api-key": "lma_wrong"}, 401, "AUTH_INVALID_KEY"),
        ({"x-api-key": KEYS[0], "x-workspace-id": "somebody-else"}, 403, "FORBIDDEN"),
    ],
)
def test_wrong_key_is_refused_in_the_api_s_words(
    lamina: Sandbox, headers: dict[str, str], status: int, code: str
) -> None:
    answer = httpx.get(f"{lamina.url}/v1/apps", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["retryable"] is False
    assert answer.json()["requestId"] == answer.headers["X-Request-Id"]


def test_unknown_path_and_method_are_errors_in_json(api: httpx.Client) -> None:
    assert api.get("/v1/nothing").json()["code"] == "NOT_FOUND"
    answer = api.put("/v1/apps")
    assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)
    assert answer.json()["error"] == "Method Not Allowed"


def test_limit_is_counted_down_on_every_answer_and_then_refuses(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(limit=3)
    left = [api.get(path).headers["RateLimit-Remaining"] for path in ("/v1/apps", "/v1/nothing", "/v1/account/usage")]
    assert left == ["2", "1", "0"]
    refused = api.get("/v1/apps")
    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (429, "RATE_LIMITED", True)
    assert refused.headers["Retry-After"] == str(refused.json()["retryAfter"]) == refused.headers["RateLimit-Reset"]
    assert refused.headers["RateLimit-Limit"] == "3"


def test_limit_is_shared_by_all_keys_of_an_address(lamina: Sandbox, api: httpx.Client, stranger: httpx.Client) -> None:
    lamina.set(limit=1)
    assert api.get("/v1/apps").status_code == 200
    assert stranger.get("/v1/apps").status_code == 429


def test_limit_of_a_key_leaves_other_keys_alone(lamina: Sandbox, api: httpx.Client, stranger: httpx.Client) -> None:
    lamina.set(limit_per_key=1)
    assert [api.get("/v1/apps").status_code for _ in range(2)] == [200, 429]
    assert stranger.get("/v1/apps").status_code == 200


def test_window_that_is_over_lets_in_again(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(limit=1, window=0.0)
    assert [api.get("/v1/apps").status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    ("knobs", "status", "code"),
    [
        ({"rate_limited": 1.0, "rate_limited_seconds": 7}, 429, "RATE_LIMITED"),
        ({"server_errors": 1.0}, 500, "INTERNAL_ERROR"),
        ({"server_errors": 1.0, "server_error_status": 503}, 503, "RESOURCE_UNAVAILABLE"),
    ],
)
def test_fault_before_acting_starts_nothing(
    lamina: Sandbox, api: httpx.Client, knobs: dict[str, float], status: int, code: str
) -> None:
    lamina.set(**knobs)
    answer = api.post(f"/v1/apps/{CARTOONIFY}/runs", json={"inputs": {"Style": "Ghibli"}})
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (status, code, True)
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert lamina.ledger()["starts"] == []


def test_garbled_answer_is_no_json(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(garbled=1.0)
    assert api.get("/v1/apps").text.startswith("<html>")


def test_lost_answer_is_a_run_that_nobody_heard_of(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(lost_answers=1.0)
    with pytest.raises(httpx.RemoteProtocolError):
        started(api)
    (start,) = lamina.ledger()["starts"]
    assert start["answered"] is False
    assert run_of(api, start["runId"])["status"] == "queued"


@pytest.mark.parametrize(
    ("path", "body", "count"),
    [
        ("/v1/content/batch", {"items": [{"brief": "Ghibli", "appId": CARTOONIFY}] * 2 + [{"brief": "zebra"}]}, 2),
        ("/v1/content/auto-generate", {"brief": "A cartoon, Ghibli", "document": {}, "appId": CARTOONIFY}, 1),
    ],
)
def test_whatever_starts_runs_loses_answers_and_requests(
    lamina: Sandbox, api: httpx.Client, path: str, body: dict[str, object], count: int
) -> None:
    lamina.set(lost_answers=1.0)
    with pytest.raises(httpx.TransportError):
        api.post(path, json=body)
    assert [start["answered"] for start in lamina.ledger()["starts"]] == [False] * count
    lamina.set(lost_answers=0.0, lost_requests=1.0)
    with pytest.raises(httpx.TransportError):
        api.post(path, json=body)
    assert len(lamina.ledger()["starts"]) == count


def test_lost_request_is_cut_before_anything_is_done(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(lost_requests=1.0)
    with pytest.raises(httpx.RemoteProtocolError):
        started(api)
    assert lamina.ledger()["starts"] == []


def test_down_refuses_connections_until_it_is_up(lamina: Sandbox, api: httpx.Client) -> None:
    assert api.get("/v1/apps").status_code == 200  # an open connection is broken off as well
    lamina.set(down=60)
    with pytest.raises(httpx.ConnectError):
        api.get("/v1/apps")
    lamina.set(down=0)
    assert api.get("/v1/apps").status_code == 200


def test_chances_fall_the_same_for_the_same_seed(lamina: Sandbox, api: httpx.Client) -> None:
    def statuses(seed: int) -> list[int]:
        lamina.set(seed=seed, server_errors=0.5)
        return [api.get("/v1/apps").status_code for _ in range(12)]

    first = statuses(7)
    assert statuses(7) == first
    assert set(first) == {200, 500}
    assert statuses(8) != first


def test_ledger_tells_every_request_and_start(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api, outputs=["ai designer"], webhook="https://shop.example/hooks/1?x=%20y")
    api.get(f"/v1/runs/{run_id}")
    ledger = lamina.ledger()
    (start,) = ledger["starts"]
    assert start | {"time": ""} == {
        "runId": run_id,
        "appId": CARTOONIFY,
        "inputs": {"Style": "Ghibli"},
        "outputs": ["ai designer"],
        "webhook": "https://shop.example/hooks/1?x=%20y",
        "key": KEYS[0],
        "workspace": "example-shop",
        "time": "",
        "answered": True,
    }
    assert {"method": "GET", "path": "/v1/runs/{id}", "status": 200, "count": 1} in ledger["requests"]["counts"]
    assert ledger["requests"]["total"] == 2


def test_ledger_of_many_runs_can_be_had_in_part(lamina: Sandbox, api: httpx.Client) -> None:
    runs = [started(api) for _ in range(5)]
    part = httpx.get(f"{lamina.url}/_sandbox/ledger", params={"last": 2}).json()
    assert [run["runId"] for run in part["runs"]] == [start["runId"] for start in part["starts"]] == runs[-2:]
    assert len(part["requests"]["recent"]) == 2
    assert (part["totals"]["runs"], part["requests"]["total"]) == (5, 5)
    assert len(lamina.ledger()["runs"]) == 5
