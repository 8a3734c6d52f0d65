"""Runs at Lamina that are ours although no row of a run names them, so that nobody takes them for somebody else's."""

from collections.abc import Collection

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class KnownRemote(models.Model):
    """A run at Lamina that was one of ours: the second of a run, or that of a run which was pruned."""

    lamina_run_id = models.CharField(_("Lamina's run id"), max_length=100, primary_key=True)
    reference = models.CharField(_("reference"), max_length=12, help_text=_("Of the run of ours it came of."))
    noted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("known run at Lamina")
        verbose_name_plural = _("known runs at Lamina")

    def __str__(self) -> str:
        return self.lamina_run_id


def note_known(found: Collection[tuple[str, str]]) -> None:
    """Keep that these runs at Lamina (id, and our run's reference) are ours, though no run's row will say so."""
    rows = [KnownRemote(lamina_run_id=lamina_run_id, reference=reference) for lamina_run_id, reference in found]
    KnownRemote.objects.bulk_create(rows, ignore_conflicts=True)
