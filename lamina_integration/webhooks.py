"""Believe a webhook delivery, or say why not.

`verify` is pure: headers, raw body, keys and the clock in; what the delivery says out. The bytes
that were signed are the timestamp's text, a full stop and the raw body, so nothing may be parsed
or re-serialised before. A delivery has no id of its own: repeats are told by `digest`. Lamina's
contract: Ed25519 over those bytes, 300 seconds of tolerance either way, any published key may sign.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from lamina_integration.errors import DeliveryMalformed, DeliveryStale, DeliveryUnsigned, LaminaUnreachable
from lamina_integration.storable import loads
from lamina_integration.wire import RemoteRun, SigningKey

SIGNATURE_HEADER = "X-Lamina-Webhook-Signature"
TIMESTAMP_HEADER = "X-Lamina-Webhook-Timestamp"
REQUEST_ID_HEADER = "X-Lamina-Webhook-Request-Id"
USER_ID_HEADER = "X-Lamina-Webhook-User-Id"
MAX_AGE_SECONDS = 300
MAX_BODY_BYTES = 256 * 1024

_SIGNATURE = re.compile(r"[0-9a-fA-F]{128}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class VerifiedDelivery:
    """A delivery Lamina has signed: the run it tells of, when it was signed, and what makes it unique."""

    run: RemoteRun
    timestamp: int
    digest: str
    signed_by: str | None


def verify(
    *, headers: Mapping[str, str], body: bytes, keys: Sequence[SigningKey], now: float | None = None
) -> VerifiedDelivery:
    """Return what a delivery says, or raise the DeliveryRejected that names what is wrong with it.

    Junk is refused by its form, before any signature is computed. What is signed but stale is
    raised with its verified content: worth asking about, not worth applying.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    signature, timestamp = _signature_and_timestamp(lowered)
    if len(body) > MAX_BODY_BYTES:
        raise DeliveryMalformed(f"the body is longer than {MAX_BODY_BYTES} bytes")
    message = timestamp.encode() + b"." + body
    signer = _find_signer(signature, message, keys)
    if signer is None:
        raise DeliveryUnsigned("no known key fits the signature")
    delivery = VerifiedDelivery(
        run=read_run(body, request_id=lowered.get(REQUEST_ID_HEADER.lower())),
        timestamp=int(timestamp),
        digest=hashlib.sha256(message).hexdigest(),
        signed_by=signer.kid or None,
    )
    age = (time.time() if now is None else now) - delivery.timestamp
    if abs(age) > MAX_AGE_SECONDS:
        raise DeliveryStale(f"signed {age:.0f} seconds ago", verified=delivery)
    return delivery


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what cannot be a delivery by its headers alone, without a query; raises DeliveryMalformed."""
    _signature_and_timestamp({name.lower(): value for name, value in headers.items()})


class KeyRing:
    """The published keys as one process knows them: fetched when needed, and seldom.

    A delivery that no key fits may be signed with a new one, so the keys are fetched again, but at
    most once in a cool-down: a flood of forgeries must not become a flood of requests. While the
    last fetch has failed, what no key fits is a LaminaError and no forgery. Junk is refused before
    anything is fetched. Safe to share between threads.
    """

    def __init__(
        self,
        fetch: Callable[[], Sequence[SigningKey]],
        *,
        keep_seconds: float = 3600.0,
        cool_down_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._keep_seconds = keep_seconds
        self._cool_down_seconds = cool_down_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[SigningKey, ...] = ()
        self._asked_at = -math.inf
        self._fetched_at = -math.inf
        self._failure: Exception | None = None

    def verify(self, *, headers: Mapping[str, str], body: bytes, now: float | None = None) -> VerifiedDelivery:
        """Return what a delivery says, like `verify`; raises a LaminaError when the keys cannot be fetched."""
        _signature_and_timestamp({name.lower(): value for name, value in headers.items()})
        if self._clock() - self._fetched_at > self._keep_seconds:
            self._refresh()
        keys = self._keys
        try:
            return verify(headers=headers, body=body, keys=keys, now=now)
        except DeliveryUnsigned:
            self._refresh()
            if self._failure is not None:
                # Nobody can tell a forgery from a delivery that is signed with a key we could not fetch.
                raise LaminaUnreachable("the signing keys could not be fetched", maybe_sent=True) from self._failure
            if self._keys is keys:
                raise
        return verify(headers=headers, body=body, keys=self._keys, now=now)

    def _refresh(self) -> None:
        """Fetch the keys, unless the last fetch is too recent."""
        with self._lock:
            if self._clock() - self._asked_at < self._cool_down_seconds:
                return
            self._asked_at = self._clock()  # before the outcome is known: a failure cools down too
            try:
                self._keys = tuple(self._fetch())
            except Exception as error:
                self._failure = error
                raise
            self._failure = None
            self._fetched_at = self._clock()


def sign(private_key: Ed25519PrivateKey, body: bytes, timestamp: int) -> str:
    """Return the signature header's value for a body, as Lamina makes it."""
    return private_key.sign(str(timestamp).encode() + b"." + body).hex()


def _signature_and_timestamp(lowered: Mapping[str, str]) -> tuple[bytes, str]:
    signature = lowered.get(SIGNATURE_HEADER.lower(), "")
    timestamp = lowered.get(TIMESTAMP_HEADER.lower(), "")
    if not _SIGNATURE.fullmatch(signature):
        raise DeliveryMalformed("the signature header is missing or not 64 bytes in hex")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise DeliveryMalformed("the timestamp header is missing or not Unix seconds")
    return bytes.fromhex(signature), timestamp


def _find_signer(signature: bytes, message: bytes, keys: Sequence[SigningKey]) -> SigningKey | None:
    for key in keys:
        public_key = _public_key(key.x)
        if public_key is None:
            continue
        try:
            public_key.verify(signature, message)
        except InvalidSignature:
            continue
        return key
    return None


@lru_cache(maxsize=32)
def _public_key(x: str) -> Ed25519PublicKey | None:
    """Return the key, or None for one of another kind: it must not spoil the keys beside it."""
    try:
        return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(x + "=" * (-len(x) % 4)))
    except ValueError:
        return None


def read_run(body: bytes | str, *, request_id: str | None = None) -> RemoteRun:
    """Return the run that a delivery's body tells of; raises DeliveryMalformed. Checks no signature."""
    try:
        payload = loads(body)
    except (ValueError, RecursionError) as error:
        raise DeliveryMalformed("the body is not JSON") from error
    data = _snapshot(payload)
    if data is None:
        raise DeliveryMalformed("the body tells of no run")
    try:
        run = RemoteRun.model_validate(data)
    except ValidationError as error:
        raise DeliveryMalformed("the body tells of no run") from error
    if request_id is not None and request_id != run.run_id:
        raise DeliveryMalformed("the request id is not the run's")
    return run


def _snapshot(payload: Any) -> dict[str, Any] | None:
    """Return the run object: inside `data`, or bare as direct model runs were once described."""
    if not isinstance(payload, dict):
        return None
    data = payload["data"] if isinstance(payload.get("data"), dict) else payload
    if not isinstance(data.get("runId") or data.get("executionId"), str):
        return None
    if "outputs" not in data and isinstance(data.get("output"), dict):
        made = {"id": "output", "label": "Output 1", "status": data.get("status"), **data["output"]}
        data = {**data, "outputs": [made]}
    return data
