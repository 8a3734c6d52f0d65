"""A delivery is believed only with a signature over its raw bytes, in time, and about one run."""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lamina_integration.errors import (
    DeliveryMalformed,
    DeliveryRejected,
    DeliveryStale,
    DeliveryUnsigned,
    LaminaUnreachable,
)
from lamina_integration.webhooks import MAX_BODY_BYTES, KeyRing, VerifiedDelivery, sign, verify
from lamina_integration.wire import SigningKey

VECTORS = json.loads((Path(__file__).parent / "data" / "signed_deliveries.json").read_text())
DELIVERIES = {vector["name"]: vector for vector in VECTORS["deliveries"]}
LAMINAS = SigningKey.model_validate(VECTORS["jwk"])
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["seed_hex"]))
NOW = VECTORS["now"]


def key_of(private: Ed25519PrivateKey, kid: str) -> SigningKey:
    return SigningKey(x=urlsafe_b64encode(private.public_key().public_bytes_raw()).decode().rstrip("="), kid=kid)


def believe(name: str, **overrides: Any) -> VerifiedDelivery:
    vector = DELIVERIES[name]
    arguments = {"headers": vector["headers"], "body": vector["body"].encode(), "keys": [LAMINAS], "now": NOW}
    return verify(**{**arguments, **overrides})


def signed(body: bytes, *, timestamp: int = NOW, **headers: str) -> VerifiedDelivery:
    signature = {"X-Lamina-Webhook-Signature": sign(PRIVATE, body, timestamp)}
    return verify(
        headers={**signature, "X-Lamina-Webhook-Timestamp": str(timestamp), **headers},
        body=body,
        keys=[LAMINAS],
        now=NOW,
    )


def test_valid_delivery_is_believed() -> None:
    delivery = believe("valid")
    vector = DELIVERIES["valid"]
    message = vector["headers"]["X-Lamina-Webhook-Timestamp"].encode() + b"." + vector["body"].encode()
    assert delivery.run.status == "completed"
    assert delivery.run.run_id == vector["headers"]["X-Lamina-Webhook-Request-Id"]
    assert delivery.digest == hashlib.sha256(message).hexdigest()
    assert delivery.signed_by == "lamina-webhook-v1"
    assert len(delivery.run.outputs) == 5


def test_tampered_body_is_not_believed() -> None:
    with pytest.raises(DeliveryUnsigned):
        believe("tampered body")


def test_delivery_about_another_run_than_its_header_says_is_not_believed() -> None:
    with pytest.raises(DeliveryMalformed):
        believe("request id differs from data.runId")


def test_stale_delivery_is_refused_with_what_it_says() -> None:
    with pytest.raises(DeliveryStale) as refused:
        believe("six minutes old")
    assert refused.value.verified.run.run_id == "3b0c6f2e-8d54-4f1a-9c77-5a2f1e6d9b10"


@pytest.mark.parametrize(("seconds", "fresh"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_freshness_counts_in_both_directions(seconds: int, fresh: bool) -> None:
    if fresh:
        assert signed(b'{"data":{"runId":"r"}}', timestamp=NOW + seconds)
    else:
        with pytest.raises(DeliveryStale):
            signed(b'{"data":{"runId":"r"}}', timestamp=NOW + seconds)


def test_stale_delivery_that_is_not_signed_is_unsigned() -> None:
    with pytest.raises(DeliveryUnsigned):
        believe("valid", now=NOW + 9999, keys=[key_of(Ed25519PrivateKey.generate(), "other")])


def test_any_published_key_may_sign_and_says_so() -> None:
    others = [
        key_of(Ed25519PrivateKey.generate(), "new"),
        SigningKey(x="!!", kid="broken"),
        SigningKey(x="é", kid="odd"),
    ]
    assert believe("valid", keys=[*others, LAMINAS]).signed_by == "lamina-webhook-v1"
    for keys in ([], others):
        with pytest.raises(DeliveryUnsigned):
            believe("valid", keys=keys)


def test_header_names_have_no_case_and_the_user_id_is_optional_c12() -> None:
    headers = {name.upper(): value for name, value in DELIVERIES["valid"]["headers"].items() if "User" not in name}
    assert believe("valid", headers=headers)


def test_request_id_may_be_missing() -> None:
    assert signed(b'{"data":{"runId":"r","status":"failed"}}').run.status == "failed"


def test_bare_body_is_read_as_a_fallback_c11() -> None:
    body = b'{"runId":"r","status":"completed","output":{"type":"image","url":"https://x/poster.png"}}'
    delivered = signed(body).run
    assert [(o.value, o.is_usable) for o in delivered.outputs] == [("https://x/poster.png", True)]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Lamina-Webhook-Signature", ""),
        ("X-Lamina-Webhook-Signature", "zz"),
        ("X-Lamina-Webhook-Signature", "ab" * 63),
        ("X-Lamina-Webhook-Signature", "ab" * 65),
        ("X-Lamina-Webhook-Timestamp", ""),
        ("X-Lamina-Webhook-Timestamp", "-1"),
        ("X-Lamina-Webhook-Timestamp", "1e9"),
        ("X-Lamina-Webhook-Timestamp", "9" * 40),
        ("X-Lamina-Webhook-Timestamp", "１７８０３９０８９４"),
    ],
)
def test_junk_in_headers_is_malformed(header: str, value: str) -> None:
    with pytest.raises(DeliveryMalformed):
        believe("valid", headers={**DELIVERIES["valid"]["headers"], header: value})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\xff",
        b'{"data":{}}',
        b'{"data":{"runId":5}}',
        b'{"data":{"runId":""}}',
        b"[" * 9999,
    ],
)
def test_signed_body_that_tells_of_no_run_is_malformed(body: bytes) -> None:
    with pytest.raises(DeliveryMalformed):
        signed(body)


def test_body_too_long_is_refused_before_it_is_verified() -> None:
    with pytest.raises(DeliveryMalformed):
        believe("valid", body=b" " * (MAX_BODY_BYTES + 1), keys=[])


def test_every_rejection_is_a_delivery_rejected() -> None:
    for name in ("tampered body", "request id differs from data.runId", "six minutes old"):
        with pytest.raises(DeliveryRejected) as refused:
            believe(name)
        assert refused.value.reason


class Clock:
    """A clock that stands still until told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Published:
    """Lamina's published keys, and how often they were asked for."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys, self.fetches, self.is_away = keys, 0, False

    def __call__(self) -> tuple[SigningKey, ...]:
        self.fetches += 1
        if self.is_away:
            raise LaminaUnreachable("away", maybe_sent=True)
        return self.keys


def ring_believes(ring: KeyRing, name: str = "valid", **overrides: Any) -> VerifiedDelivery:
    vector = DELIVERIES[name]
    return ring.verify(**{"headers": vector["headers"], "body": vector["body"].encode(), "now": NOW, **overrides})


def test_key_ring_fetches_once_and_again_when_its_keys_are_old() -> None:
    published, clock = Published(LAMINAS), Clock()
    ring = KeyRing(published, clock=clock)
    for moment, fetches in ((0, 1), (10, 1), (3600, 1), (3601, 2)):
        clock.now = moment
        assert ring_believes(ring).signed_by == "lamina-webhook-v1"
        assert published.fetches == fetches


def test_key_ring_finds_a_new_key_after_the_cool_down() -> None:
    published, clock = Published(key_of(Ed25519PrivateKey.generate(), "old")), Clock()
    ring = KeyRing(published, clock=clock)
    with pytest.raises(DeliveryUnsigned):
        ring_believes(ring)
    published.keys = (LAMINAS,)
    clock.now = 59
    with pytest.raises(DeliveryUnsigned):
        ring_believes(ring)
    clock.now = 61
    assert ring_believes(ring)
    assert published.fetches == 2


def test_flood_of_forgeries_is_no_flood_of_fetches() -> None:
    published = Published(LAMINAS)
    ring = KeyRing(published, clock=Clock())
    for _ in range(50):
        with pytest.raises(DeliveryUnsigned):
            ring_believes(ring, "tampered body")
    assert published.fetches == 1


def test_junk_fetches_nothing() -> None:
    published = Published(LAMINAS)
    with pytest.raises(DeliveryMalformed):
        ring_believes(KeyRing(published), headers={"X-Lamina-Webhook-Signature": "junk"})
    assert published.fetches == 0


def test_key_ring_without_keys_says_that_lamina_is_away_and_cools_down() -> None:
    published, clock = Published(LAMINAS), Clock()
    published.is_away = True
    ring = KeyRing(published, clock=clock)
    for _ in range(3):  # genuine each time: not one of them may be taken for a forgery
        with pytest.raises(LaminaUnreachable):
            ring_believes(ring)
    assert published.fetches == 1
    published.is_away, clock.now = False, 61
    assert ring_believes(ring)
    assert published.fetches == 2


def test_new_key_that_could_not_be_fetched_makes_no_forgery_of_what_it_signs() -> None:
    published, clock = Published(key_of(Ed25519PrivateKey.generate(), "old")), Clock()
    ring = KeyRing(published, clock=clock)
    with pytest.raises(DeliveryUnsigned):
        ring_believes(ring)
    published.keys, published.is_away, clock.now = (LAMINAS,), True, 61
    for _ in range(2):
        with pytest.raises(LaminaUnreachable):
            ring_believes(ring)
    published.is_away, clock.now = False, 122
    assert ring_believes(ring)


def test_delivery_that_waited_for_another_s_fetch_is_tried_with_the_new_keys() -> None:
    class Slow(Published):
        def __call__(self) -> tuple[SigningKey, ...]:
            asked.set()
            fetched.wait(10)
            return super().__call__()

    asked, fetched = threading.Event(), threading.Event()
    published = Slow(key_of(Ed25519PrivateKey.generate(), "old"))
    fetched.set()
    ring = KeyRing(published, clock=(clock := Clock()))
    with pytest.raises(DeliveryUnsigned):
        ring_believes(ring)
    published.keys, clock.now = (LAMINAS,), 61
    asked.clear()
    fetched.clear()
    believed: list[VerifiedDelivery] = []
    both = [threading.Thread(target=lambda: believed.append(ring_believes(ring))) for _ in range(2)]
    both[0].start()
    assert asked.wait(10)
    both[1].start()
    fetched.set()
    for each in both:
        each.join(10)
    assert (len(believed), published.fetches) == (2, 2)
