"""The states of a run and the moves between them.

`MOVES` is the only table of what may follow what. `portal.runs.models.Run.move` is the only way to
make a move, as an UPDATE filtered on the state it leaves: the database decides who was first.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """Where a run is in its life."""

    WAITING = "waiting", _("Waiting its turn")
    SUBMITTING = "submitting", _("Sending")
    UNCONFIRMED = "unconfirmed", _("Checking: do not send again")
    NEEDS_ATTENTION = "needs_attention", _("Needs your attention")
    QUEUED = "queued", _("Accepted")
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


MOVES: dict[str, frozenset[str]] = {
    Status.WAITING: frozenset(
        {
            Status.SUBMITTING,
            Status.CANCELLED,
            # An earlier attempt was believed lost, and then its delivery came.
            Status.QUEUED,
            Status.RUNNING,
            Status.COMPLETED,
            Status.FAILED,
        }
    ),
    Status.SUBMITTING: frozenset(
        {
            Status.WAITING,  # Lamina certainly did not take it
            Status.QUEUED,
            Status.RUNNING,
            Status.COMPLETED,
            Status.CANCELLED,
            Status.UNCONFIRMED,
            Status.NEEDS_ATTENTION,
            Status.FAILED,
        }
    ),
    Status.UNCONFIRMED: frozenset(
        {
            Status.QUEUED,
            Status.RUNNING,
            Status.COMPLETED,
            Status.FAILED,
            Status.CANCELLED,
            Status.WAITING,  # looked for and certainly not there
        }
    ),
    # An earlier attempt may turn out to have arrived: then there is nothing to mend any more.
    Status.NEEDS_ATTENTION: frozenset({Status.CANCELLED, Status.QUEUED, Status.RUNNING}),
    Status.QUEUED: frozenset({Status.RUNNING, Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}

FINAL = frozenset(status for status, following in MOVES.items() if not following)
# Lamina knows these runs, so its news can move them.
REMOTE = frozenset({Status.QUEUED, Status.RUNNING})
# A person is still waiting for something to happen on its own.
ACTIVE = frozenset({Status.WAITING, Status.SUBMITTING, Status.UNCONFIRMED}) | REMOTE


class Teller(models.TextChoices):
    """Who brought the news that moved a run."""

    PERSON = "person", _("a person")
    WORKER = "worker", _("the answer to our call")
    DELIVERY = "delivery", _("Lamina's message")
    SWEEP = "sweep", _("our own check")
    STAFF = "staff", _("staff")


def can_move(*, leaving: str, to: str) -> bool:
    """Return whether the table allows the move."""
    return to in MOVES[leaving]
