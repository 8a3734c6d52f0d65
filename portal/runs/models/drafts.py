"""The row of a draft: a form that a member has begun and not sent.

What is done with it is in drafting.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.catalogue.models import PinnedApp, SchemaVersion
from portal.workspaces.models import Membership


class Draft(models.Model):
    """What a member has filled in of an app's form: one for each pinned app, and nobody else's to see."""

    member = models.ForeignKey(Membership, models.CASCADE, related_name="drafts")
    pin = models.ForeignKey(PinnedApp, models.CASCADE, related_name="drafts")
    token = models.UUIDField(help_text=_("The form's; once a run has it, this is no draft any more."))
    schema = models.ForeignKey(
        SchemaVersion, models.CASCADE, related_name="+", help_text=_("The one the form was drawn from.")
    )
    inputs = models.JSONField(default=dict, help_text=_("As a run's, but unfinished and unchecked."))
    outputs_wanted = models.JSONField(default=list, help_text=_("Labels; empty for all."))
    source = models.ForeignKey(
        "runs.Run", models.SET_NULL, null=True, related_name="+", help_text=_("The run it was begun from.")
    )
    updated_at = models.DateTimeField(_("saved"))

    class Meta:
        ordering = ["-updated_at"]
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        constraints = [models.UniqueConstraint(fields=["member", "pin"], name="one_draft_per_member_and_app")]
        indexes = [models.Index(fields=["updated_at"])]

    def __str__(self) -> str:
        return f"{self.member}, {self.pin_id}"
