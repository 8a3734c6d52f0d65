"""Runs at Lamina that are ours although no row of a run names them, so that nobody takes them for somebody else's."""

from collections.abc import Collection
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.workspaces.models import LedgerLine, LineKind, Workspace


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


class SecondRuns(models.Manager["SecondRun"]):
    """The ledger's lines of second runs."""

    def get_queryset(self) -> Any:
        """Return those lines alone, each with its workspace."""
        return super().get_queryset().filter(kind=LineKind.SECOND).select_related("month__workspace")

    def not_dealt_with(self) -> "models.QuerySet[SecondRun]":
        """Return those about which staff have still to do something."""
        return self.filter(dealt_with_at=None)


class SecondRun(LedgerLine):
    """A run that Lamina began a second time for one of ours, which staff deal with.

    Its line in the ledger is kept when the run is pruned, so it can always be found and dealt with.
    """

    objects: ClassVar[SecondRuns] = SecondRuns()

    class Meta:
        proxy = True
        ordering = ["-created_at"]
        default_permissions = ()  # who may see or decide about runs may do so here
        verbose_name = _("second run at Lamina")
        verbose_name_plural = _("second runs at Lamina")

    def __str__(self) -> str:
        return f"{self.reference} · {self.lamina_run_id}" if self.lamina_run_id else self.reference

    @property
    def title(self) -> str:
        """Return what our run was called when it was submitted."""
        return self.what

    @property
    def workspace(self) -> Workspace:
        """Return whose run it is."""
        return self.month.workspace

    def deal_with(self) -> bool:
        """Keep that it was dealt with; returns False when somebody has said so before."""
        now = timezone.now()
        return bool(SecondRun.objects.not_dealt_with().filter(pk=self.pk).update(dealt_with_at=now))
