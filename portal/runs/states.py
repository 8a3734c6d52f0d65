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


# What may follow what, and why it does. A run found at Lamina is queued or running first, whatever it is by then.
# docs/states.md is drawn from this table: `manage.py draw_states`.
MOVES: dict[str, dict[str, str]] = {
    Status.WAITING: {
        Status.SUBMITTING: "A worker claims it.",
        Status.CANCELLED: "A person ends it before it is sent.",
        Status.QUEUED: "An earlier attempt was believed lost, and then its delivery came.",
        Status.RUNNING: "An earlier attempt was believed lost, and then its delivery came.",
    },
    Status.SUBMITTING: {
        Status.WAITING: "Lamina certainly did not take it: busy, away, or the worker was lost before the request left.",
        Status.QUEUED: "Lamina took it.",
        Status.RUNNING: "Lamina took it and has begun.",
        Status.CANCELLED: "A person ended it just before the request left, or Lamina did not take it after that.",
        Status.UNCONFIRMED: "The request went out and no answer came.",
        Status.NEEDS_ATTENTION: "The newest schema refuses the inputs; nothing was spent.",
        Status.FAILED: "Lamina said no; nothing was started.",
    },
    Status.UNCONFIRMED: {
        Status.QUEUED: "It was found at Lamina: by a delivery, by our own check, or by staff.",
        Status.RUNNING: "It was found at Lamina: by a delivery, by our own check, or by staff.",
        Status.FAILED: "Staff settle it, saying why: it will not be looked for any more.",
        Status.CANCELLED: "It is not at Lamina, and a person had asked for its end.",
        Status.WAITING: "It was looked for and is certainly not there, or staff say so: it is sent once more.",
    },
    Status.NEEDS_ATTENTION: {
        Status.CANCELLED: "The person mended it, which is a run of its own, or let it be.",
        Status.QUEUED: "An earlier attempt turned out to have arrived: there is nothing to mend any more.",
        Status.RUNNING: "An earlier attempt turned out to have arrived: there is nothing to mend any more.",
    },
    Status.QUEUED: {
        Status.RUNNING: "Lamina has begun.",
        Status.COMPLETED: "Lamina is done.",
        Status.FAILED: "Lamina gave up.",
        Status.CANCELLED: "Lamina stopped it.",
    },
    Status.RUNNING: {
        Status.COMPLETED: "Lamina is done.",
        Status.FAILED: "Lamina gave up.",
        Status.CANCELLED: "Lamina stopped it.",
    },
    Status.COMPLETED: {},
    Status.FAILED: {},
    Status.CANCELLED: {},
}

# What each state means, for the documentation.
MEANINGS: dict[str, str] = {
    Status.WAITING: "Saved, in a lane, not sent.",
    Status.SUBMITTING: "A worker has claimed it and is talking to Lamina.",
    Status.UNCONFIRMED: "The request went out and no answer came: it may exist at Lamina. Never resent blindly.",
    Status.NEEDS_ATTENTION: "The newest schema does not take the inputs. The person mends the form; nothing was spent.",
    Status.QUEUED: "Lamina has taken it.",
    Status.RUNNING: "Lamina works on it.",
    Status.COMPLETED: "Lamina is done. For people it is done once what it made is ours.",
    Status.FAILED: "It ended without success. Why, and whether it was charged, stands on its page.",
    Status.CANCELLED: "A person ended it, or Lamina did.",
}

# What Lamina answers when a run cannot be stopped any more.
NOT_CANCELLABLE = "not_cancellable"
FINAL = frozenset(status for status, following in MOVES.items() if not following)
# Lamina knows these runs, so its news can move them.
REMOTE = frozenset({Status.QUEUED, Status.RUNNING})
# A person is still waiting for something to happen on its own.
ACTIVE = frozenset({Status.WAITING, Status.SUBMITTING, Status.UNCONFIRMED}) | REMOTE


class Teller(models.TextChoices):
    """Who brought the news that moved a run."""

    PERSON = "person", _("a person")
    WORKER = "worker", _("our worker")
    DELIVERY = "delivery", _("Lamina's message")
    STREAM = "stream", _("Lamina, to an open page")
    SWEEP = "sweep", _("our own check")
    STAFF = "staff", _("staff")


def can_move(*, leaving: str, to: str) -> bool:
    """Return whether the table allows the move."""
    return to in MOVES[leaving]
