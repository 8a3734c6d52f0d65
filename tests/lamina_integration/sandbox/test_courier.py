"""Deliveries as a receiver gets them, and everything that can be wrong with one."""

import json

import httpx
import pytest

from lamina_integration.errors import DeliveryMalformed, DeliveryStale, DeliveryUnsigned
from lamina_integration.sandbox import Sandbox
from lamina_integration.webhooks import VerifiedDelivery, verify
from lamina_integration.wire import SigningKey
from tests.lamina_integration.sandbox.conftest import Callback, run_of, started


def keys_of(api: httpx.Client) -> list[SigningKey]:
    return [SigningKey.model_validate(key) for key in api.get("/v1/webhooks/signing-key").json()["keys"]]


def verified(api: httpx.Client, delivery: tuple[dict[str, str], bytes]) -> VerifiedDelivery:
    return verify(headers=delivery[0], body=delivery[1], keys=keys_of(api))


def test_signing_key_is_a_bare_key_set(api: httpx.Client) -> None:
    (key,) = api.get("/v1/webhooks/signing-key").json()["keys"]
    assert key | {"x": ""} == {
        "kty": "OKP", "crv": "Ed25519", "x": "", "kid": "lamina-webhook-v1", "use": "sig", "alg": "EdDSA",
    }  # fmt: skip
    assert len(key["x"]) == 43


def test_ended_run_is_delivered_signed_once(lamina: Sandbox, api: httpx.Client, callback: Callback) -> None:
    run_id = started(api, webhook=callback.url)
    lamina.finish()
    (delivery,) = callback.received
    assert verified(api, delivery).run.status == "completed"
    assert delivery[0]["X-Lamina-Webhook-Request-Id"] == run_id
    assert delivery[0]["X-Lamina-Webhook-User-Id"]
    assert json.loads(delivery[1]) == {"data": run_of(api, run_id)}
    (noted,) = lamina.ledger()["deliveries"]
    assert (noted["attempt"], noted["answer"], noted["kind"], noted["status"]) == (1, 200, "genuine", "completed")


def test_refused_delivery_is_tried_again_on_schedule(lamina: Sandbox, api: httpx.Client, callback: Callback) -> None:
    callback.answers += [500, 404, 503, 500]
    run_id = started(api, webhook=callback.url)
    lamina.complete(run_id)
    lamina.settle()
    tries = [len(callback.received)]
    for seconds in (4, 1, 30, 120, 1000):
        lamina.advance(seconds)
        tries.append(len(callback.received))
    assert tries == [1, 1, 2, 3, 4, 4]
    assert [entry["answer"] for entry in lamina.ledger()["deliveries"]] == [500, 404, 503, 500]
    assert len({delivery[1] for delivery in callback.received}) == 1


def test_pace_scales_the_pauses(lamina: Sandbox, api: httpx.Client, callback: Callback) -> None:
    lamina.set(webhook_pace=0.1)
    callback.answers += [500]
    lamina.complete(started(api, webhook=callback.url))
    lamina.settle()
    lamina.advance(0.5)
    assert len(callback.received) == 2


def test_callback_nobody_listens_at_is_noted(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.cancel(started(api, webhook="http://127.0.0.1:9/"))
    lamina.finish()
    assert [entry["answer"] for entry in lamina.ledger()["deliveries"]] == ["ConnectError"] * 4


@pytest.mark.parametrize(("status", "count"), [("completed", 1), ("failed", 1), ("cancelled", 1)])
def test_every_ending_is_delivered(
    lamina: Sandbox, api: httpx.Client, callback: Callback, status: str, count: int
) -> None:
    run_id = started(api, webhook=callback.url)
    {"completed": lamina.complete, "failed": lamina.fail, "cancelled": lamina.cancel}[status](run_id)
    lamina.finish()
    assert [verified(api, delivery).run.status for delivery in callback.received] == [status] * count


def test_states_that_are_told_can_be_chosen(lamina: Sandbox, api: httpx.Client, callback: Callback) -> None:
    lamina.set(webhook_states=["running", "completed"])
    started(api, webhook=callback.url)
    cancelled = started(api, webhook=callback.url)
    lamina.cancel(cancelled)
    lamina.finish()
    assert [json.loads(body)["data"]["status"] for _, body in callback.received] == ["running", "completed"]


@pytest.mark.parametrize("knobs", [{"webhooks": False}, {"webhook_dropped": 1.0}])
def test_no_delivery_at_all(
    lamina: Sandbox, api: httpx.Client, callback: Callback, knobs: dict[str, bool | float]
) -> None:
    lamina.set(**knobs)
    started(api, webhook=callback.url)
    lamina.finish()
    assert callback.received == []


def test_duplicates_are_all_genuine(lamina: Sandbox, api: httpx.Client, callback: Callback) -> None:
    lamina.set(webhook_duplicates=2)
    started(api, webhook=callback.url)
    lamina.finish()
    assert [verified(api, delivery).run.status for delivery in callback.received] == ["completed"] * 3


def test_reordered_delivery_arrives_after_a_later_one(lamina: Sandbox, api: httpx.Client, callback: Callback) -> None:
    lamina.set(webhook_states=["running", "completed"], webhook_reordered=1.0, webhook_reorder_seconds=30.0)
    run_id = started(api, webhook=callback.url)
    lamina.advance(2)
    lamina.set(webhook_reordered=0.0)
    lamina.complete(run_id)
    lamina.finish()
    assert [json.loads(body)["data"]["status"] for _, body in callback.received] == ["completed", "running"]


@pytest.mark.parametrize(
    ("knob", "error"),
    [
        ("webhook_bad_signatures", DeliveryUnsigned),
        ("webhook_corrupt", DeliveryUnsigned),
        ("webhook_stale", DeliveryStale),
    ],
)
def test_spoilt_delivery_is_not_to_be_believed(
    lamina: Sandbox, api: httpx.Client, callback: Callback, knob: str, error: type[Exception]
) -> None:
    lamina.set(**{knob: 1.0})
    callback.answers += [400]
    lamina.complete(started(api, webhook=callback.url))
    lamina.settle()
    with pytest.raises(error):
        verified(api, callback.received[0])
    lamina.set(**{knob: 0.0})
    lamina.finish()
    assert verified(api, callback.received[1]).run.status == "completed"


def test_stranger_s_delivery_is_signed_and_unknown(lamina: Sandbox, api: httpx.Client, callback: Callback) -> None:
    lamina.set(webhook_unknown=1.0)
    run_id = started(api, webhook=callback.url)
    lamina.finish()
    ids = {verified(api, delivery).run.run_id for delivery in callback.received}
    assert len(ids) == 2
    assert run_id in ids


def test_delivery_can_be_had_by_hand_and_sent_again(lamina: Sandbox, api: httpx.Client, callback: Callback) -> None:
    run_id = started(api, webhook=callback.url)
    assert verified(api, lamina.delivery(run_id)).run.status == "queued"
    with pytest.raises(DeliveryUnsigned):
        verified(api, lamina.delivery(run_id, kind="bad signature"))
    with pytest.raises(DeliveryMalformed):
        verify(headers={}, body=lamina.delivery(run_id)[1], keys=keys_of(api))
    lamina.finish()
    lamina.redeliver(run_id)
    lamina.settle()
    assert len(callback.received) == 2


def test_signing_key_rotates_with_and_without_overlap(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api)
    old_keys, old = keys_of(api), lamina.delivery(run_id)
    lamina.rotate_signing_key(keep_old=True)
    assert len(keys_of(api)) == 2
    assert verified(api, old)
    assert verified(api, lamina.delivery(run_id))
    lamina.rotate_signing_key(keep_old=False)
    assert len(keys_of(api)) == 1
    with pytest.raises(DeliveryUnsigned):
        verified(api, old)
    headers, body = lamina.delivery(run_id)
    with pytest.raises(DeliveryUnsigned):
        verify(headers=headers, body=body, keys=old_keys)
