"""What survives a restart, and who may use a data folder."""

from pathlib import Path

import httpx
import pytest

from lamina_integration.sandbox import Sandbox
from tests.lamina_integration.sandbox.conftest import PLAIN, Callback, photo, run_of, started, uploaded


def client_of(lamina: Sandbox) -> httpx.Client:
    return httpx.Client(base_url=lamina.url, headers={"x-api-key": lamina.api_key}, timeout=20, verify=PLAIN)


def test_runs_uploads_keys_and_credits_survive_a_restart(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path, manual=True, plain_media=True) as lamina, client_of(lamina) as api:
        upload = uploaded(api, photo())
        done = started(api, inputs={"Style": "Ghibli", "Upload": upload})
        lamina.finish()
        waiting = started(api, inputs={"Style": "Ghibli", "Upload": upload})
        before = (run_of(api, done), api.get("/v1/webhooks/signing-key").json(), lamina.ledger())
    with Sandbox(data=tmp_path, manual=True, plain_media=True) as lamina, client_of(lamina) as api:
        old, new = before[0], run_of(api, done)
        assert new | {"outputs": []} == old | {"outputs": []}
        assert httpx.get(new["outputs"][0]["value"]).status_code == 200
        assert api.get("/v1/webhooks/signing-key").json() == before[1]
        ledger = lamina.ledger()
        assert [start["runId"] for start in ledger["starts"]] == [done, waiting]
        assert ledger["credits"] == before[2]["credits"]
        assert run_of(api, waiting)["status"] == "queued"
        lamina.finish()
        assert run_of(api, waiting)["status"] == "completed"
        assert [item["runId"] for item in api.get("/v1/runs").json()["data"]] == [waiting, done]


def test_delivery_that_waits_for_its_next_try_survives_a_restart(tmp_path: Path, callback: Callback) -> None:
    callback.answers += [500]
    with Sandbox(data=tmp_path, manual=True, plain_media=True) as lamina, client_of(lamina) as api:
        run_id = started(api, webhook=callback.url)
        lamina.complete(run_id)
        lamina.settle()
        assert len(callback.received) == 1
    for _ in range(2):  # once it has arrived, another restart sends nothing
        with Sandbox(data=tmp_path, manual=True, plain_media=True) as lamina:
            lamina.settle()
            assert [entry["attempt"] for entry in lamina.ledger()["deliveries"]] == [1, 2]
    assert len(callback.received) == 2


def test_what_was_published_survives_a_restart(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path, manual=True) as lamina, client_of(lamina) as api:
        (channel, *_others) = api.get("/v1/publishing/channels").json()["data"]
        for caption in ("first", "second"):
            api.post("/v1/publishing/publish", json={"accountIds": [channel["id"]], "caption": caption})
    with Sandbox(data=tmp_path, manual=True) as lamina, client_of(lamina) as api:
        posts = api.get("/v1/publishing/history").json()["data"]
    assert [post["caption"] for post in posts] == ["second", "first"]


def test_keys_that_came_and_went_while_it_ran_survive_a_restart(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path, manual=True, keys=["lma_first", "lma_lost"]) as lamina:
        httpx.post(f"{lamina.url}/_sandbox/keys", json={"add": ["lma_new=late-shop"], "revoke": ["lma_lost"]})
        with httpx.Client(base_url=lamina.url, headers={"x-api-key": "lma_new"}) as late:
            run_id = started(late)
    with Sandbox(data=tmp_path, manual=True, keys=["lma_first", "lma_lost"]) as lamina:
        with httpx.Client(base_url=lamina.url, headers={"x-api-key": "lma_new"}) as late:
            assert run_of(late, run_id)["status"] == "queued"
        lost = httpx.get(f"{lamina.url}/v1/apps", headers={"x-api-key": "lma_lost"})
        assert lost.json()["code"] == "AUTH_INVALID_KEY"
        reset = httpx.post(f"{lamina.url}/_sandbox/reset").json()
        assert reset == {"status": "ok", "keys": ["lma_first", "lma_lost"]}
        assert httpx.get(f"{lamina.url}/_sandbox/keys").json() == {"keys": ["lma_first", "lma_lost"]}


def test_knobs_turned_while_it_ran_survive_a_restart_unless_it_is_started_otherwise(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path, speed=2) as lamina:
        lamina.set(speed=50, legacy=["plain-429"], partial_runs="completed", limit=7)
        lamina.set(limit=100)
    with Sandbox(data=tmp_path, speed=2) as lamina:
        knobs = httpx.get(f"{lamina.url}/_sandbox/knobs").json()
        assert (knobs["speed"], knobs["legacy"], knobs["limit"]) == (50, ["plain-429"], 100)
        assert httpx.get(f"{lamina.url}/_sandbox/clock").json()["speed"] == 50
    with Sandbox(data=tmp_path, speed=3) as lamina:
        knobs = httpx.get(f"{lamina.url}/_sandbox/knobs").json()
        assert (knobs["speed"], knobs["partial_runs"]) == (3, "completed")
        lamina.reset()
    with Sandbox(data=tmp_path) as lamina:
        assert httpx.get(f"{lamina.url}/_sandbox/knobs").json()["partial_runs"] == "failed"


def test_credits_that_were_added_survive_a_restart(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path, credits=5, manual=True, plain_media=True) as lamina, client_of(lamina) as api:
        assert (
            httpx.post(f"{lamina.url}/_sandbox/credits", json={"add": 10.5}).json()["example-shop"]["balance"] == 15.5
        )
        run_id = started(api)
        lamina.finish()
        assert run_of(api, run_id)["status"] == "completed"
    with Sandbox(data=tmp_path, credits=5, manual=True) as lamina, client_of(lamina) as api:
        assert api.get("/v1/account/usage").json()["data"]["credits"] == {
            "balance": 8.5, "totalEarned": 15.5, "totalSpent": 7.0,
        }  # fmt: skip
        for body in ({}, {"add": -1}, {"add": "many"}, {"add": True}):
            assert httpx.post(f"{lamina.url}/_sandbox/credits", json=body).status_code == 400
        assert httpx.post(f"{lamina.url}/_sandbox/credits", json={"add": 1, "workspace": "none"}).status_code == 404


def test_reset_forgets_what_was_kept(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path, manual=True, plain_media=True) as lamina, client_of(lamina) as api:
        started(api)
        lamina.reset()
    with Sandbox(data=tmp_path) as lamina:
        assert lamina.ledger()["runs"] == []


def test_folder_is_one_stand_in_s_at_a_time(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path), pytest.raises(BlockingIOError), Sandbox(data=tmp_path):
        pytest.fail("two stand-ins wrote into one folder")


def test_nothing_is_left_behind_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Sandbox(manual=True):
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
