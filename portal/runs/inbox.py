"""Deliveries: verified, stored once, applied later.

The web process only verifies and stores; nothing is applied and no call goes out while Lamina
waits for our answer. Contract: Lamina's webhook headers and signature, which are not ours.
"""

import logging
import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from enum import Enum

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from lamina_integration import (
    DeliveryMalformed,
    DeliveryStale,
    DeliveryUnsigned,
    LaminaError,
    Lane,
    SigningKey,
)
from lamina_integration.webhooks import VerifiedDelivery, check_headers, read_run, verify
from portal.runs import models as rows
from portal.runs import rejections, rounds, track
from portal.runs.models import Attempt, Delivery, Verdict
from portal.runs.rejections import Reason
from portal.runs.states import Teller
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Workspace

logger = logging.getLogger(__name__)

FAR_FUTURE = 4_102_444_800  # a signed moment beyond 2100 is kept as that; it is stale anyway
MAX_BODY_BYTES = 256 * 1024
KEY_COOL_DOWN_SECONDS = 60
KEY_RETRY_SECONDS = 15
MOST_KEYS = 20
KEYS_ASKED = "signing-keys-asked"
KEYS_WANTED = "signing-keys-wanted"
KEYS_WANTED_SECONDS = 600
KEYS_CACHE_SECONDS = 30
GIVE_UP_AFTER_TRIES = 8


class Answer(Enum):
    """What the sender is told, and what happens next."""

    STORED = 200
    REPEATED = 202
    MALFORMED = 400
    UNKNOWN = 404
    KEYS_NEEDED = 503


def receive(*, token: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, Delivery | None]:
    """Verify a delivery and store it once; junk never reaches a table.

    The delivery is stored under the digest of what was signed, so a repeated one is known. One that
    is signed but old is stored as a hint: it is not applied, but the run is asked about.
    """
    # From cheap to dear: what has not even the form of a delivery costs no query.
    try:
        check_headers(headers)
    except DeliveryMalformed:
        return _refused(Answer.MALFORMED, Reason.HEADERS)
    try:
        # Its run is not read: hundreds of these may come in a second, and hardly one needs more than the id.
        attempt = Attempt.objects.only("run").get(token=token)
    except Attempt.DoesNotExist:
        return _refused(Answer.UNKNOWN, Reason.UNKNOWN_ADDRESS)
    verdict = Verdict.ACCEPTED
    try:
        verified = verify(headers=headers, body=body, keys=known_keys())
    except DeliveryStale as error:
        verified, verdict = error.verified, Verdict.STALE
    except DeliveryUnsigned:
        if keys_are_fresh():
            # Or signed with a key that is newer still: the sweep has it before Lamina's last try, which is
            # minutes after the one before.
            cache.set(KEYS_WANTED, True, KEYS_WANTED_SECONDS)
            return _refused(Answer.MALFORMED, Reason.FORGED)
        return _refused(Answer.KEYS_NEEDED, Reason.UNKNOWN_KEY)
    except DeliveryMalformed as error:
        logger.info("delivery refused run=%s reason=%s", attempt.run.reference, error)
        return _refused(Answer.MALFORMED, Reason.MALFORMED)
    return _store(attempt, verified, verdict, body)


def _refused(answer: Answer, reason: Reason) -> tuple[Answer, None]:
    rejections.count(reason)
    return answer, None


def _store(
    attempt: Attempt, verified: VerifiedDelivery, verdict: Verdict, body: bytes
) -> tuple[Answer, Delivery | None]:
    # Alone, the statement is a transaction of its own: one way to the database instead of three.
    guarded = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with guarded:
            delivery = Delivery.objects.create(
                attempt=attempt,
                digest=verified.digest,
                verdict=verdict,
                lamina_run_id=verified.run.run_id[:100],
                signed_at=datetime.fromtimestamp(min(verified.timestamp, FAR_FUTURE), tz=UTC),
                body=body.decode("utf-8", "replace").replace("\x00", ""),
            )
    except IntegrityError:
        Delivery.objects.filter(digest=verified.digest).update(repeats=models.F("repeats") + 1)
        return Answer.REPEATED, None
    return Answer.STORED, delivery


def known_keys() -> list[SigningKey]:
    """Return the keys Lamina signs with, as last fetched, without asking Lamina."""
    keys = cache.get("signing-keys")
    if keys is None:
        keys = list(rows.SigningKey.objects.values("x", "kid"))
        cache.set("signing-keys", keys, KEYS_CACHE_SECONDS)
    return [SigningKey(**key) for key in keys]


def needs_keys() -> bool:
    """Return whether the keys are worth asking for now: none is known, or one was met that is not among them."""
    if not settings.PORTAL_PUBLIC_URL or not may_ask_for_keys():
        return False
    return bool(cache.get(KEYS_WANTED)) or not known_keys()


def keys_are_fresh() -> bool:
    """Return whether the keys were fetched so recently that a stranger's signature is simply wrong."""
    newest = rows.SigningKey.objects.aggregate(newest=models.Max("fetched_at"))["newest"]
    return newest is not None and timezone.now() - newest < timedelta(seconds=KEY_COOL_DOWN_SECONDS)


def may_ask_for_keys() -> bool:
    """Return whether nobody has asked for the keys in this cool-down: a flood of forgeries is no flood of tasks."""
    return not cache.has_key(KEYS_ASKED)


def refresh_keys() -> bool:
    """Fetch the keys again, at most once in a cool-down; returns whether they were fetched.

    Keys that Lamina no longer shows stay for a day: a delivery signed just before a rotation may
    still be on its way.
    """
    if not cache.add(KEYS_ASKED, True, KEY_COOL_DOWN_SECONDS):
        return False
    workspace = Workspace.objects.order_by("pk").first()
    if workspace is None:
        return False
    # Before they are fetched: what is met meanwhile may be newer again.
    cache.delete(KEYS_WANTED)
    with client_for(workspace, lane=Lane.INTERACTIVE) as client:
        try:
            keys = client.webhooks.signing_keys()
        except LaminaError as error:
            logger.warning("signing keys not fetched error=%s", error)
            cache.set(KEYS_ASKED, True, KEY_RETRY_SECONDS)
            cache.set(KEYS_WANTED, True, KEYS_WANTED_SECONDS)
            return False
    now = timezone.now()
    for key in keys[:MOST_KEYS]:
        rows.SigningKey.objects.update_or_create(x=key.x, defaults={"kid": key.kid[:100], "fetched_at": now})
    rows.SigningKey.objects.filter(fetched_at__lt=now - timedelta(days=1)).delete()
    cache.delete("signing-keys")
    return True


def apply_delivery(delivery_id: int) -> None:
    """Apply a stored delivery to its run; an applied one is left alone.

    A stale one only leads to a question: what Lamina says now is applied instead, at the next round.
    """
    delivery = Delivery.objects.select_related("attempt__run").get(pk=delivery_id)
    if delivery.applied_at:
        return
    Delivery.objects.filter(pk=delivery_id).update(
        tries=models.F("tries") + 1, next_at=timezone.now() + timedelta(seconds=2 ** min(delivery.tries + 2, 8))
    )
    if delivery.verdict == Verdict.STALE:
        rounds.want_details(delivery.attempt.run_id)
    else:
        track.adopt(delivery.attempt.run_id, read_run(delivery.body), told_by=Teller.DELIVERY)
    Delivery.objects.filter(pk=delivery_id).update(applied_at=timezone.now(), error="")


def put_off(delivery_id: int, *, error: str) -> None:
    """Write down why a delivery could not be applied; the sweep comes back to it."""
    Delivery.objects.filter(pk=delivery_id).update(error=error[:2000])


def deliveries_to_apply() -> list[tuple[int, uuid.UUID]]:
    """Return (delivery, run) pairs whose message was lost or whose application failed."""
    due = Delivery.objects.filter(applied_at=None, next_at__lte=timezone.now(), tries__lt=GIVE_UP_AFTER_TRIES)
    return list(due.order_by("next_at").values_list("pk", "attempt__run_id")[:200])
