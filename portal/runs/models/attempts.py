"""The rows of attempts: each is one try at telling Lamina to start a run."""

import secrets

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


def new_token() -> str:
    """Return an unguessable word for a callback address."""
    return secrets.token_urlsafe(24)


class Callback(models.TextChoices):
    """What Lamina was told about where its news of an attempt goes, and thought of it."""

    ASKED = "asked", _("Asked to tell us")
    REFUSED = "refused", _("Lamina refused our address")


class Attempt(models.Model):
    """One try at telling Lamina to start a run, with a callback address of its own."""

    run = models.ForeignKey("runs.Run", models.CASCADE, related_name="attempts")
    token = models.CharField(max_length=64, unique=True, default=new_token, editable=False)
    opened_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(help_text=_("Until then its worker is believed to be alive."))
    sent_at = models.DateTimeField(
        null=True, help_text=_("Set just before the request leaves. Empty: Lamina cannot know of it.")
    )
    key_mark = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text=_("Tells with which key it was sent. Empty: not known."),
    )
    callback = models.CharField(max_length=10, choices=Callback, blank=True, help_text=_("Empty: not asked."))
    closed_at = models.DateTimeField(null=True, help_text=_("When its outcome was known."))
    outcome = models.CharField(max_length=200, blank=True)
    unanswered = models.BooleanField(
        default=False, help_text=_("It was sent, and nobody knows what became of it: some run at Lamina may be its.")
    )

    class Meta:
        ordering = ["opened_at"]
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        constraints = [
            models.UniqueConstraint(
                fields=["run"], condition=Q(closed_at__isnull=True), name="one_open_attempt_per_run"
            )
        ]
        indexes = [models.Index(fields=["sent_at"], condition=Q(unanswered=True), name="attempt_unanswered")]

    without_callback = False  # set by `claim` where Lamina has refused our address for the run before

    def __str__(self) -> str:
        return f"{self.run} {self.opened_at:%H:%M:%S}"

    def close(self, outcome: str, *, unanswered: bool = False) -> None:
        """Write down how it ended, and whether that leaves open what became of it at Lamina."""
        self._close(Attempt.objects.filter(pk=self.pk), outcome, unanswered)

    def end(self, outcome: str, *, unanswered: bool = False) -> bool:
        """Do the same for its worker; False when it was given up: then its run is not the worker's any more."""
        return self._close(Attempt.objects.filter(pk=self.pk, closed_at=None), outcome, unanswered)

    def _close(self, rows: models.QuerySet["Attempt"], outcome: str, unanswered: bool) -> bool:
        ended = {"closed_at": timezone.now(), "outcome": outcome[:200], "unanswered": unanswered}
        if not rows.update(**ended):
            return False
        for name, value in ended.items():
            setattr(self, name, value)
        return True
