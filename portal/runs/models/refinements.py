"""The row of a refinement: what a person wants changed in a completed run, and what came of it.

What is done with it is in refine. The run itself stays completed: its own states only go forward.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class RefinementState(models.TextChoices):
    """Where a refinement is; done and failed are the end."""

    WAITING = "waiting", _("Waiting its turn")
    SENDING = "sending", _("Being changed")
    UNCONFIRMED = "unconfirmed", _("Checking: do not ask again")
    DONE = "done", _("Changed")
    FAILED = "failed", _("Not changed")


# Outcome codes: of a wish that waits behind a brake; of one that Lamina did not take; of one that was not to be sent.
HELD_UP, REFUSED, WITHDRAWN = "held_up", "refused", "withdrawn"
NOT_TAKEN = frozenset({REFUSED, WITHDRAWN, "insufficient_credits"})  # the last of wishes before they waited for them

OPEN_REFINEMENTS = (RefinementState.WAITING, RefinementState.SENDING, RefinementState.UNCONFIRMED)


class Refinement(models.Model):
    """One wish for a change; told to Lamina once, and never again while it is not known what came of it."""

    run = models.ForeignKey("runs.Run", models.CASCADE, related_name="refinements")
    token = models.UUIDField(default=uuid.uuid4, help_text=_("The form's; one refinement for each."))
    words = models.TextField(_("what should change"))
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=20, choices=RefinementState, default=RefinementState.WAITING)
    next_at = models.DateTimeField(default=timezone.now, help_text=_("When it is looked at again."))
    lease_until = models.DateTimeField(null=True, help_text=_("Until then its worker is believed to be alive."))
    tries = models.PositiveSmallIntegerField(default=0, help_text=_("Of what went wrong before anything was sent."))
    sent_at = models.DateTimeField(null=True, help_text=_("Set just before the request leaves."))
    before = models.JSONField(default=dict, help_text=_("What Lamina showed by output just before it was sent."))
    finished_at = models.DateTimeField(null=True)
    summary = models.TextField(blank=True, help_text=_("What Lamina says it did."))
    outcome = models.TextField(blank=True, help_text=_("Why it waits, or why nothing came of it."))
    outcome_code = models.CharField(max_length=50, blank=True)
    changed = models.PositiveIntegerField(default=0, help_text=_("How many outputs were made anew."))

    class Meta:
        ordering = ["asked_at", "pk"]
        verbose_name = _("refinement")
        verbose_name_plural = _("refinements")
        constraints = [
            models.UniqueConstraint(fields=["run", "token"], name="one_refinement_per_form_token"),
            models.UniqueConstraint(
                fields=["run"], condition=Q(state__in=sorted(OPEN_REFINEMENTS)), name="one_open_refinement_per_run"
            ),
            models.CheckConstraint(condition=Q(state__in=RefinementState.values), name="refinement_state_known"),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state__in=sorted(OPEN_REFINEMENTS)), name="refinement_due")
        ]

    def __str__(self) -> str:
        return self.words[:60]

    @property
    def line_id(self) -> uuid.UUID:
        """Return the key of its line in the budget's ledger."""
        return uuid.uuid5(self.run_id, str(self.token))

    @property
    def is_held_up(self) -> bool:
        """Return whether it waits behind a brake, and not for its turn."""
        return self.state == RefinementState.WAITING and self.outcome_code == HELD_UP

    @property
    def is_withdrawn(self) -> bool:
        """Return whether a person took it back before it was sent."""
        return self.outcome_code == WITHDRAWN

    @property
    def is_not_taken(self) -> bool:
        """Return whether it ended before Lamina took it, so that it certainly cost nothing."""
        return self.outcome_code in NOT_TAKEN

    @property
    def label(self) -> str:
        """Return the state in a word or two."""
        return str(_("Withdrawn")) if self.is_withdrawn else self.get_state_display()

    @property
    def is_open(self) -> bool:
        """Return whether it is not known yet what came of it."""
        return self.state in OPEN_REFINEMENTS
