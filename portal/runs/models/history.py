"""The lines of a run's history."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.runs.states import FINAL, Status, Teller


class Move(models.Model):
    """A line in a run's history."""

    run = models.ForeignKey("runs.Run", models.CASCADE, related_name="history")
    at = models.DateTimeField()
    leaving = models.CharField(max_length=20, choices=Status)
    to = models.CharField(max_length=20, choices=Status)
    told_by = models.CharField(max_length=20, choices=Teller)
    why = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "pk"]
        verbose_name = _("move")
        verbose_name_plural = _("history")
        indexes = [models.Index(fields=["at"], condition=Q(to__in=sorted(FINAL)), name="move_that_settled")]

    def __str__(self) -> str:
        return f"{self.leaving} → {self.to}"
