"""Deliveries: verified, stored once, applied later.

The web process only verifies and stores; nothing is applied and no call goes out while Lamina
waits for our answer. Contract: Lamina's webhook headers and signature, which are not ours.
"""

import functools
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from django.conf import settings
from django.core.cache import cache
from django.db import connection, models
from django.utils import timezone

from lamina_integration import (
    DeliveryMalformed,
    DeliveryStale,
    DeliveryUnsigned,
    LaminaAuthError,
    LaminaError,
    LaminaForbidden,
    Lane,
    SigningKey,
)
from lamina_integration.webhooks import REQUEST_ID_HEADER, VerifiedDelivery, check_headers, read_run, verify
from portal import trace
from portal.runs import models as rows
from portal.runs import rejections, rounds, track
from portal.runs.hints import GIVE_UP_AFTER_TRIES
from portal.runs.lanes import pause_after_message
from portal.runs.models import Attempt, Delivery, Verdict
from portal.runs.rejections import Reason
from portal.runs.states import Teller
from portal.workspaces.lamina import clients_of_every_key

logger = logging.getLogger(__name__)

FAR_FUTURE = 4_102_444_800  # a signed moment beyond 2100 is kept as that; it is stale anyway
MAX_BODY_BYTES = 256 * 1024
KEY_COOL_DOWN_SECONDS = 60
KEY_RETRY_SECONDS = 15
MOST_KEYS = 20
KEYS_ASKED = "signing-keys-asked"
KEYS_WANTED = "signing-keys-wanted"
KEYS_WANTED_SECONDS = 600
KEYS_NUDGED = "signing-keys-nudged"
KEYS = "signing-keys"
KEYS_CACHE_SECONDS = 30
# Other processes believe a key that Lamina has withdrawn so much longer; a new one they find at once.
KEYS_HELD_SECONDS = 2.0
TO_APPLY = (
    "verdict",
    "lamina_run_id",
    "body",
    "tries",
    "applied_at",
    "attempt__unanswered",
    *(f"attempt__run__{name}" for name in ("reference", "request_id", "lamina_run_id")),
)

STORE = """
insert into runs_delivery
  (attempt_id, digest, verdict, lamina_run_id, signed_at, received_at, body, next_at, repeats, tries, error)
select id, %s, %s, %s, %s, %s, %s, %s, 0, 0, '' from runs_attempt where token = %s
on conflict (digest) do update set repeats = runs_delivery.repeats + 1
returning
  id,
  repeats,
  (select reference from runs_run where id = (select run_id from runs_attempt where token = %s)),
  (select request_id from runs_run where id = (select run_id from runs_attempt where token = %s))
"""


@dataclass(slots=True)
class Held:
    """The keys as a process holds them for a moment, because hundreds of deliveries may come in it."""

    keys: Sequence[SigningKey] = ()
    until: float = 0.0


_held = Held()


@dataclass(slots=True)
class Stored:
    """A delivery's row and how often it had come before, with its run's names for the log."""

    delivery_id: int
    repeats: int
    reference: str
    request_id: str


class Answer(Enum):
    """What the sender is told, and what happens next."""

    STORED = 200
    REPEATED = 202
    MALFORMED = 400
    UNKNOWN = 404
    KEYS_NEEDED = 503


def receive(*, token: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, int | None]:
    """Verify a delivery and store it once; return its number if it is new. Junk never reaches a table.

    The delivery is stored under the digest of what was signed, so a repeated one is known. One that
    is signed but old is stored as a hint: it is not applied, but the run is asked about.
    """
    # From cheap to dear: what has not the form of a delivery, or not Lamina's signature, costs no query.
    try:
        check_headers(headers)
    except DeliveryMalformed:
        return _refused(Answer.MALFORMED, Reason.HEADERS)
    verdict = Verdict.ACCEPTED
    try:
        verified = _verified(headers, body)
    except DeliveryStale as error:
        verified, verdict = error.verified, Verdict.STALE
    except DeliveryUnsigned:
        # Nobody can tell a forgery from a key that is newer than ours; whoever is genuine comes again, and by then
        # the sweep has asked. See docs/decisions/0008.
        cache.set(KEYS_WANTED, True, KEYS_WANTED_SECONDS)
        return _refused(Answer.KEYS_NEEDED, Reason.UNKNOWN_KEY if may_ask_for_keys() else Reason.FORGED)
    except DeliveryMalformed as error:
        logger.info("delivery refused lamina_run=%s reason=%s", headers.get(REQUEST_ID_HEADER, "")[:100], error)
        return _refused(Answer.MALFORMED, Reason.MALFORMED)
    stored = _store(token, verified, verdict, body)
    if stored is None:
        return _refused(Answer.UNKNOWN, Reason.UNKNOWN_ADDRESS)
    if stored.repeats:
        return Answer.REPEATED, None
    with trace.about(stored):
        logger.info("delivery stored run=%s delivery=%d verdict=%s", stored.reference, stored.delivery_id, verdict)
    return Answer.STORED, stored.delivery_id


def _refused(answer: Answer, reason: Reason) -> tuple[Answer, None]:
    rejections.count(reason)
    return answer, None


def _store(token: str, verified: VerifiedDelivery, verdict: Verdict, body: bytes) -> Stored | None:
    """Store what came to an attempt's address; None: we never gave such an address.

    One statement, and alone a transaction of its own: hundreds of these may come in a second, and
    building a look-up and an insert took longer than verifying.
    """
    now, adapt = timezone.now(), connection.ops.adapt_datetimefield_value
    signed_at = datetime.fromtimestamp(min(verified.timestamp, FAR_FUTURE), tz=UTC)
    text = body.decode("utf-8", "replace").replace("\x00", "")
    values = (verified.digest, verdict.value, verified.run.run_id[:100], adapt(signed_at), adapt(now), text, adapt(now))
    with connection.cursor() as cursor:
        cursor.execute(STORE, (*values, token, token, token))
        row = cursor.fetchone()
    return Stored(*row) if row else None


def _verified(headers: Mapping[str, str], body: bytes) -> VerifiedDelivery:
    """Return what a delivery says, like `verify`, by the keys this process has just used, or else by those all know."""
    if time.monotonic() < _held.until:
        try:
            return verify(headers=headers, body=body, keys=_held.keys)
        except DeliveryUnsigned:
            pass  # or signed with a key that has been fetched meanwhile
    _held.keys, _held.until = known_keys(), time.monotonic() + KEYS_HELD_SECONDS
    return verify(headers=headers, body=body, keys=_held.keys)


def forget_keys() -> None:
    """Have the keys read again from the database: they were fetched, or are not to be believed any more."""
    _held.until = 0.0
    cache.delete(KEYS)


def known_keys() -> list[SigningKey]:
    """Return the keys Lamina signs with, as last fetched, without asking Lamina."""
    keys = cache.get(KEYS)
    if keys is None:
        keys = list(rows.SigningKey.objects.values("x", "kid"))
        cache.set(KEYS, keys, KEYS_CACHE_SECONDS)
    return [SigningKey(**key) for key in keys]


def needs_keys() -> bool:
    """Return whether the keys are worth asking for now: none is known, or one was met that is not among them."""
    if not settings.PORTAL_PUBLIC_URL or not may_ask_for_keys():
        return False
    return bool(cache.get(KEYS_WANTED)) or not known_keys()


def may_ask_for_keys() -> bool:
    """Return whether nobody has asked for the keys in this cool-down."""
    return not cache.has_key(KEYS_ASKED)


def may_nudge_for_keys() -> bool:
    """Return whether a worker is to be told to ask: once in a while, for a flood of forgeries is no flood of tasks."""
    return may_ask_for_keys() and bool(cache.add(KEYS_NUDGED, True, KEY_RETRY_SECONDS))


def refresh_keys() -> bool:
    """Fetch the keys again, at most once in a cool-down; returns whether they were fetched.

    Keys that Lamina no longer shows stay for a day: a delivery signed just before a rotation may
    still be on its way.
    """
    if not cache.add(KEYS_ASKED, True, KEY_COOL_DOWN_SECONDS):
        return False
    # Before they are fetched: what is met meanwhile may be newer again.
    cache.delete(KEYS_WANTED)
    keys = _fetched()
    if keys is None:
        cache.set(KEYS_ASKED, True, KEY_RETRY_SECONDS)
        cache.set(KEYS_WANTED, True, KEYS_WANTED_SECONDS)
        return False
    now = timezone.now()
    for key in keys[:MOST_KEYS]:
        rows.SigningKey.objects.update_or_create(x=key.x, defaults={"kid": key.kid[:100], "fetched_at": now})
    rows.SigningKey.objects.filter(fetched_at__lt=now - timedelta(days=1)).delete()
    forget_keys()
    return True


def _fetched() -> Sequence[SigningKey] | None:
    """Return what Lamina signs with, asked by any key it still takes; None when it did not say."""
    for client in clients_of_every_key(lane=Lane.INTERACTIVE):
        with client:
            try:
                return client.webhooks.signing_keys()
            except (LaminaAuthError, LaminaForbidden) as error:
                logger.warning("signing keys refused to a key error=%s", error)
            except LaminaError as error:
                logger.warning("signing keys not fetched error=%s", error)
                return None
    return None


@functools.cache
def deliveries_with_runs() -> models.QuerySet[Delivery]:
    """Return the query for what applying a delivery takes; made once, because making it takes long."""
    return Delivery.objects.select_related("attempt__run").only(*TO_APPLY)


def apply_delivery(delivery_id: int) -> tuple[uuid.UUID, rows.Run | None]:
    """Apply a stored delivery to its run; return the run's id, and the run as that has left it.

    One that is applied is left alone; where nothing is applied, no run is returned.

    A stale one only leads to a question: what Lamina says now is applied instead, at the next round.
    One that names a run we did not know for its own stays as it is until Lamina has answered.
    """
    delivery = deliveries_with_runs().get(pk=delivery_id)
    run_id = delivery.attempt.run_id
    if delivery.applied_at:
        return run_id, None
    if delivery.verdict == Verdict.STALE and delivery.attempt.run.lamina_run_id != delivery.lamina_run_id:
        return run_id, None  # see hints
    Delivery.objects.filter(pk=delivery_id).update(
        tries=models.F("tries") + 1, next_at=timezone.now() + timedelta(seconds=2 ** min(delivery.tries + 2, 8))
    )
    run = None
    with trace.about(delivery.attempt.run):
        if delivery.verdict == Verdict.STALE:
            rounds.want_details(run_id)
        else:
            run = track.adopt(run_id, read_run(delivery.body), told_by=Teller.DELIVERY)
            if delivery.attempt.unanswered:
                Attempt.objects.filter(pk=delivery.attempt_id).update(unanswered=False)
        Delivery.objects.filter(pk=delivery_id).update(applied_at=timezone.now(), error="")
        logger.info("delivery applied run=%s delivery=%d", delivery.attempt.run.reference, delivery_id)
    return run_id, run


def put_off(delivery_id: int, *, error: str) -> None:
    """Write down why a delivery could not be applied; the sweep comes back to it."""
    Delivery.objects.filter(pk=delivery_id).update(error=error[:2000])


def deliveries_to_apply() -> list[int]:
    """Return the deliveries whose message was lost or whose application failed; stale ones wait for a round.

    Each is left to the message that is sent for it now, for a while.
    """
    now = timezone.now()
    due = Delivery.objects.filter(applied_at=None, next_at__lte=now, tries__lt=GIVE_UP_AFTER_TRIES)
    due = due.exclude(verdict=Verdict.STALE)
    found = list(due.order_by("next_at").values_list("pk", "received_at")[:200])
    by_pause: dict[timedelta, list[int]] = defaultdict(list)
    for delivery_id, received_at in found:
        by_pause[pause_after_message(received_at)].append(delivery_id)
    for pause, ids in by_pause.items():
        Delivery.objects.filter(pk__in=ids, applied_at=None).update(next_at=now + pause)
    return [delivery_id for delivery_id, _received_at in found]
