"""How many credits a workspace has left, as Lamina last told us."""

from django.core.cache import cache
from django.utils import timezone

from lamina_integration import Lane
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Workspace

AT_MOST_EVERY_SECONDS = 10
LARGEST_BALANCE = 10**12  # what the column holds; anything beyond is no balance


def refresh_balance(workspace_id: int) -> None:
    """Ask Lamina for a workspace's credits, at most once in ten seconds; raises LaminaError."""
    if not cache.add(f"balance-asked:{workspace_id}", True, AT_MOST_EVERY_SECONDS):
        return
    workspace = Workspace.objects.get(pk=workspace_id)
    with client_for(workspace, lane=Lane.BACKGROUND) as client:
        usage = client.account.usage()
    if usage.balance is not None and abs(usage.balance) < LARGEST_BALANCE:
        Workspace.objects.filter(pk=workspace_id).update(
            credits_balance=usage.balance, credits_checked_at=timezone.now()
        )
