"""The rows of outputs: what a run makes."""

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.media.models import Media
from portal.runs.models.refinements import Refinement


class OutputStatus(models.TextChoices):
    """Where one output is, as Lamina says."""

    PENDING = "pending", _("Being made")
    COMPLETED = "completed", _("Made")
    ERROR = "error", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


# What may still come: a place that was closed with its run is filled all the same when something was made.
OPEN = frozenset({OutputStatus.PENDING, OutputStatus.CANCELLED})


class Output(models.Model):
    """One thing a run makes: a reserved place first, then what came of it."""

    run = models.ForeignKey("runs.Run", models.CASCADE, related_name="outputs")
    position = models.PositiveSmallIntegerField()
    version = models.PositiveSmallIntegerField(default=1, help_text=_("Grows with each refinement of this place."))
    is_current = models.BooleanField(default=True, help_text=_("Whether nothing newer was made in its place."))
    refinement = models.ForeignKey(Refinement, models.SET_NULL, null=True, related_name="outputs")
    lamina_id = models.CharField(max_length=200, blank=True)
    label = models.CharField(max_length=500, blank=True)
    kind = models.CharField(max_length=20, blank=True, help_text=_("image, video, audio or text; empty: not known."))
    status = models.CharField(max_length=20, choices=OutputStatus, default=OutputStatus.PENDING)
    text = models.TextField(blank=True)
    remote_url = models.TextField(blank=True)
    error = models.TextField(blank=True)
    media = models.ForeignKey(Media, models.SET_NULL, null=True, related_name="outputs")
    made_at = models.DateTimeField(null=True)

    copy_tries = models.PositiveSmallIntegerField(default=0)
    copy_next_at = models.DateTimeField(null=True, help_text=_("When to copy it next; empty: nothing to copy."))
    copy_nudged_until = models.DateTimeField(
        null=True, help_text=_("Until then a message to copy it is believed to be on its way.")
    )
    copy_error = models.TextField(blank=True)

    class Meta:
        ordering = ["position", "version"]
        verbose_name = _("output")
        verbose_name_plural = _("outputs")
        constraints = [
            models.UniqueConstraint(fields=["run", "position", "version"], name="one_output_per_place_and_version"),
            models.UniqueConstraint(
                fields=["run", "position"], condition=Q(is_current=True), name="one_current_output_per_place"
            ),
        ]
        indexes = [
            models.Index(fields=["copy_next_at"], condition=Q(copy_next_at__isnull=False), name="output_to_copy"),
        ]

    def __str__(self) -> str:
        return self.label or f"#{self.position + 1}"

    def get_absolute_url(self) -> str:
        """Return the address of its own page in the gallery."""
        return reverse("gallery:detail", args=[self.run.workspace.slug, self.pk])

    @property
    def version_text(self) -> str:
        """Return which version of several it is; empty when it is the only one."""
        if self.version == 1 and self.is_current:
            return ""
        text = _("Version %d") if self.is_current else _("Version %d, earlier")
        return text % self.version

    @property
    def is_ready(self) -> bool:
        """Return whether a person can have it: a file of ours, or its text."""
        return self.status == OutputStatus.COMPLETED and bool(self.media_id or self.kind == "text")

    @property
    def is_being_copied(self) -> bool:
        """Return whether it is made but not ours yet."""
        return self.copy_next_at is not None
