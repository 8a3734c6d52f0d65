"""How many credits a workspace has left and has spent, as Lamina last told us."""

import logging
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from lamina_integration import Lane
from portal.workspaces import brakes, budgets
from portal.workspaces.lamina import client_for
from portal.workspaces.models import BudgetMonth, LedgerLine, LineKind, LineState, Workspace

logger = logging.getLogger(__name__)

AT_MOST_EVERY_SECONDS = 10
AWAITED_SECONDS = 60
# In the cache, by workspace: that Lamina was asked lately, and that somebody has been told to ask once more.
ASKED, ASKED_AGAIN = "balance-asked:%d", "balance-asked-again:%d"
LARGEST_BALANCE = 10**12  # what the column holds; anything beyond is no balance


def refresh_balance(workspace_id: int) -> bool:
    """Ask Lamina for a workspace's credits, at most once in ten seconds; raises LaminaError.

    Return whether that is settled. It is not for the first of those that come too early: what they are
    about was perhaps not counted yet, so whoever sent it asks again later, once for all of them.
    """
    if not cache.add(ASKED % workspace_id, True, AT_MOST_EVERY_SECONDS):
        return not cache.add(ASKED_AGAIN % workspace_id, True, AT_MOST_EVERY_SECONDS)
    # Before the answer is made: what ends from now on may not be in it.
    cache.delete(ASKED_AGAIN % workspace_id)
    workspace = Workspace.objects.get(pk=workspace_id)
    asked_at = timezone.now()
    with client_for(workspace, lane=Lane.BACKGROUND) as client:
        usage = client.account.usage()
    balance, spent = _amount(usage.balance), _amount(usage.total_spent)
    if balance is not None:
        Workspace.objects.filter(pk=workspace_id).update(credits_balance=balance, credits_checked_at=timezone.now())
        brakes.note_balance(workspace, balance, asked_at=asked_at)
    if spent is not None and has_key_of_its_own(workspace):
        compare(workspace, spent, asked_at=asked_at)
    return True


def will_be_asked(workspace_id: int) -> bool:
    """Return whether Lamina is going to be asked for a workspace's credits anyway, and cannot be sooner."""
    keys = [ASKED % workspace_id, ASKED_AGAIN % workspace_id]
    return len(cache.get_many(keys)) == len(keys)


def ask_sooner(workspace_id: int) -> None:
    """Take back that Lamina will be asked: nobody could be told to."""
    cache.delete(ASKED_AGAIN % workspace_id)


def awaited_balance(workspace: Workspace, *, since: datetime | None) -> int | None:
    """Return since when a page awaits news of what is left, in milliseconds of the epoch; None when it awaits none.

    A run that ended changes the balance, and Lamina is asked for it a moment later; after a minute the
    page goes by what it has, and says of when that is.
    """
    if since is None or (timezone.now() - since).total_seconds() > AWAITED_SECONDS:
        return None
    is_known = workspace.credits_checked_at and workspace.credits_checked_at >= since
    return None if is_known else int(since.timestamp() * 1000)


def _amount(number: float | None) -> Decimal | None:
    if number is None or abs(number) >= LARGEST_BALANCE:
        return None
    return Decimal(str(number)).quantize(budgets.CENT)


def has_key_of_its_own(workspace: Workspace) -> bool:
    """Return whether what Lamina counts for the workspace's key is the workspace's alone."""
    key = workspace.lamina_api_key
    if not key or key == settings.LAMINA_API_KEY:
        return False
    others = Workspace.objects.exclude(pk=workspace.pk).exclude(lamina_api_key="").only("lamina_api_key")
    return all(other.lamina_api_key != key for other in others)


def compare(workspace: Workspace, total_spent: Decimal, *, asked_at: datetime) -> None:
    """Correct the ledger by Lamina's own count of what the workspace's key has spent.

    Only while nothing is going on, so that the difference belongs to what has ended. When that was
    one run, its line becomes exact; else a line of its own carries the correction.
    """
    with transaction.atomic():
        now = Workspace.objects.select_for_update().get(pk=workspace.pk)
        lines = LedgerLine.objects.filter(month__workspace=workspace)
        # Locked in everybody's order, a line before its month; and held while we look: they change together.
        ended = list(_ended_since(now.compared_at, lines)) if now.compared_at else []
        months = list(BudgetMonth.objects.select_for_update().filter(workspace=workspace).order_by("pk"))
        if lines.filter(held__gt=0).exists() or lines.filter(changed_at__gte=asked_at).exists():
            return
        counted = sum((month.spent for month in months), Decimal(0))
        if now.spent_elsewhere is None or now.compared_at is None:
            now.spent_elsewhere = total_spent - counted
        else:
            _correct(workspace, ended, total_spent - now.spent_elsewhere - counted)
        now.compared_at = asked_at
        now.save(update_fields=["spent_elsewhere", "compared_at"])


def _ended_since(moment: datetime, lines: QuerySet[LedgerLine]) -> QuerySet[LedgerLine]:
    """Return the last two that were settled since, locked: of one alone it is known what it came to."""
    ended = lines.filter(state=LineState.SETTLED, changed_at__gt=moment).exclude(kind=LineKind.CORRECTION)
    return ended.select_for_update(of=("self",)).order_by("-changed_at")[:2]


def _correct(workspace: Workspace, ended: list[LedgerLine], difference: Decimal) -> None:
    if len(ended) == 1 and not ended[0].is_exact and 0 <= ended[0].settled + difference <= ended[0].amount:
        budgets.make_exact(ended[0].pk, ended[0].settled + difference)
    elif difference:
        logger.info("budget corrected by Lamina's count workspace=%s credits=%s", workspace, difference)
        budgets.correct(workspace, difference, month=ended[0].month if ended else None)
