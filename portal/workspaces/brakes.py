"""What keeps a workspace's runs from being sent: a stop of spending, no credits left at Lamina, or a key it refuses.

Runs behind a brake stay waiting and go on by themselves when it is released. Credits count by key:
once Lamina has refused a start for want of them, the other runs of the same key are not worth a
request each. They go on when the balance grows; and now and then one is let through to try, because
a balance may tell less than the whole story. With a key that was refused nothing is sent or asked for
some minutes; then whoever comes first finds out. One that staff have put in its place is used at once.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Exists, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from portal.workspaces.budgets import find_stop
from portal.workspaces.lamina import key_of
from portal.workspaces.models import SpendingStop, Wallet, Workspace

logger = logging.getLogger(__name__)

TRY_EVERY = timedelta(minutes=5)
ASK_EVERY = timedelta(seconds=30)
IS_REFUSED = Q(refused_at__isnull=False) | Q(key_refused_at__isnull=False)


@dataclass(frozen=True, slots=True)
class Brake:
    """Why nothing of a workspace is sent, in words for its members, and whether one run may try."""

    why: str
    may_try: bool = False


def stopped_words(stop: SpendingStop) -> str:
    """Return what a waiting run says while staff have stopped spending."""
    return _("Staff have stopped spending for now (%s). It is saved and goes on by itself when they lift that.") % (
        stop.why
    )


def credits_words() -> str:
    """Return what a waiting run says while Lamina has no credits for it."""
    return _("The workspace has not enough credits at Lamina. It is saved and goes on when topped up.")


def key_words() -> str:
    """Return what a waiting run says while Lamina refuses its key."""
    return _("Lamina does not accept the key in use here. Staff have to mend it; this waits and goes on by itself.")


def brakes() -> dict[int, Brake]:
    """Return the brakes of every workspace that has one, by its id; a key's, when it has lasted long enough, ends."""
    found: dict[int, Brake] = {}
    Wallet.objects.filter(key_refused_at__lte=timezone.now() - TRY_EVERY).update(key_refused_at=None)
    for wallet, ids in _refused_wallets():
        may_try = wallet.try_at is None or wallet.try_at <= timezone.now()
        brake = Brake(key_words()) if wallet.key_refused_at else Brake(credits_words(), may_try)
        found |= dict.fromkeys(ids, brake)
    stops = list(SpendingStop.objects.filter(lifted_at=None).order_by("-at"))
    for stop in stops:
        if stop.workspace_id:
            found[stop.workspace_id] = Brake(stopped_words(stop))
    for stop in stops:
        if not stop.workspace_id:
            found |= dict.fromkeys(Workspace.objects.values_list("pk", flat=True), Brake(stopped_words(stop)))
    return found


def may_be_braked() -> Q:
    """Return an expression for whether it is worth looking with `find_brake`: any stop, or any key that was refused."""
    return Q(Exists(SpendingStop.objects.filter(lifted_at=None))) | Q(Exists(Wallet.objects.filter(IS_REFUSED)))


def find_brake(workspace: Workspace, *, amount_of: Callable[[], Decimal]) -> str:
    """Return why a run must wait, empty when it may be sent; the one that tries is counted.

    What the run holds is asked for only when its key has no credits.
    """
    stop = find_stop(workspace)
    if stop is not None:
        return stopped_words(stop)
    wallet = Wallet.objects.filter(IS_REFUSED, fingerprint=fingerprint_of(workspace)).first()
    if wallet is not None and wallet.key_refused_at:
        return key_words()
    if wallet is None or (wallet.balance is not None and amount_of() <= wallet.balance):
        return ""
    now = timezone.now()
    if wallet.try_at is not None and wallet.try_at > now:
        return credits_words()
    tries = Wallet.objects.filter(pk=wallet.pk, try_at=wallet.try_at).update(try_at=now + TRY_EVERY)
    return "" if tries else credits_words()


def fingerprint_of(workspace: Workspace) -> str:
    """Return what tells the keys of workspaces apart without being one."""
    return salted_hmac("portal.wallet", key_of(workspace), algorithm="sha256").hexdigest()


def note_refusal(workspace: Workspace) -> None:
    """Remember that Lamina refused a run for want of credits."""
    now = timezone.now()
    fingerprint = fingerprint_of(workspace)
    wallet, _created = Wallet.objects.get_or_create(fingerprint=fingerprint)
    Wallet.objects.filter(pk=wallet.pk).update(try_at=now + TRY_EVERY)
    fresh = Wallet.objects.filter(pk=wallet.pk, refused_at=None)
    if fresh.update(refused_at=now, balance_then=None, balance=None, asked_at=None):
        logger.warning("no credits left at Lamina workspace=%s", workspace)


def note_key_refused(workspace: Workspace) -> None:
    """Remember that Lamina does not accept a workspace's key: for some minutes it is not used."""
    wallet, _created = Wallet.objects.get_or_create(fingerprint=fingerprint_of(workspace))
    if Wallet.objects.filter(pk=wallet.pk, key_refused_at=None).update(key_refused_at=timezone.now()):
        logger.error("Lamina does not accept a key workspace=%s", workspace)


def refused_keys() -> list[Workspace]:
    """Return the workspaces whose key Lamina does not accept: their own, or the portal's where they have none."""
    ids = ids_of_refused_keys()
    return list(Workspace.objects.filter(pk__in=ids).only("name", "lamina_api_key").order_by("name")) if ids else []


def ids_of_refused_keys() -> list[int]:
    """Return the ids of these workspaces: nothing is worth asking with their key."""
    return [pk for wallet, ids in _refused_wallets() if wallet.key_refused_at for pk in ids]


def note_balance(workspace: Workspace, balance: Decimal, *, asked_at: datetime) -> None:
    """Let the runs of a key go on when its balance has grown since Lamina refused one."""
    refused = Wallet.objects.filter(fingerprint=fingerprint_of(workspace), refused_at__lte=asked_at)
    if refused.filter(balance_then__lt=balance).update(refused_at=None, balance_then=None, balance=None):
        logger.info("credits were topped up workspace=%s", workspace)
        return
    # What is spent meanwhile lowers the mark, so that a small top-up is noticed too.
    refused.filter(Q(balance_then=None) | Q(balance_then__gt=balance)).update(balance_then=balance)
    refused.update(balance=balance)


def balances_to_ask() -> list[int]:
    """Return a workspace for each key without credits whose balance is due to be asked for; forget keys nobody has."""
    now = timezone.now()
    is_due = Q(asked_at=None) | Q(asked_at__lte=now - ASK_EVERY)
    ids = []
    for wallet, workspace_ids in _refused_wallets():
        if not workspace_ids:
            Wallet.objects.filter(pk=wallet.pk).update(refused_at=None, key_refused_at=None)
        elif wallet.key_refused_at is None and Wallet.objects.filter(is_due, pk=wallet.pk).update(asked_at=now):
            ids.append(workspace_ids[0])
    return ids


def _refused_wallets() -> list[tuple[Wallet, list[int]]]:
    """Return the wallets that Lamina found empty and those of keys it does not accept, with their workspaces."""
    refused: dict[str, tuple[Wallet, list[int]]] = {
        wallet.fingerprint: (wallet, []) for wallet in Wallet.objects.filter(IS_REFUSED)
    }
    if not refused:
        return []
    for workspace in Workspace.objects.only("lamina_api_key").order_by("pk"):
        if found := refused.get(fingerprint_of(workspace)):
            found[1].append(workspace.pk)
    return list(refused.values())
