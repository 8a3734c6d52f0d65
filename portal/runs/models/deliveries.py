"""The rows of deliveries, and of the keys they were signed with."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.runs.models.attempts import Attempt


class Verdict(models.TextChoices):
    """What we think of a delivery."""

    ACCEPTED = "accepted", _("Accepted")
    STALE = "stale", _("Stale: a hint only")


class Delivery(models.Model):
    """One webhook request as it arrived, kept because its signature was right."""

    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="deliveries")
    digest = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of what was signed."))
    verdict = models.CharField(max_length=20, choices=Verdict)
    lamina_run_id = models.CharField(max_length=100)
    signed_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    repeats = models.PositiveIntegerField(default=0)
    body = models.TextField()
    applied_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-received_at"]
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [
            models.Index(fields=["next_at"], condition=Q(applied_at__isnull=True), name="delivery_to_apply"),
            models.Index(fields=["received_at"], name="delivery_by_age"),
        ]

    def __str__(self) -> str:
        return self.digest[:12]


class SigningKey(models.Model):
    """A public key with which Lamina signs, as we last fetched it."""

    x = models.CharField(max_length=64, unique=True)
    kid = models.CharField(max_length=100, blank=True)
    fetched_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")

    def __str__(self) -> str:
        return self.kid or self.x[:8]
