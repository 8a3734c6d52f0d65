"""The row of a run, and the one way in which it moves from state to state."""

import secrets
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.catalogue.models import App, PinnedApp, SchemaVersion
from portal.runs import costs
from portal.runs.models.history import Move
from portal.runs.models.outputs import Output, OutputStatus
from portal.runs.models.refinements import Refinement
from portal.runs.states import ACTIVE, FINAL, MOVES, REMOTE, Status, Teller
from portal.workspaces.models import Membership, Workspace

REFERENCE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def new_reference() -> str:
    """Return a short code that can be read out on the telephone, such as R-7F3K-22QX."""
    letters = "".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(8))
    return f"R-{letters[:4]}-{letters[4:]}"


class RunLane(models.TextChoices):
    """Who waits for a run: a person, or a batch that nobody watches."""

    INTERACTIVE = "interactive", _("A person waits")
    BATCH = "batch", _("Batch")


class RunQuerySet(models.QuerySet["Run"]):
    """Runs as the screens and the sweep look for them."""

    def active(self) -> "RunQuerySet":
        """Keep the runs that somebody still waits for."""
        return self.filter(status__in=ACTIVE)

    def remote(self) -> "RunQuerySet":
        """Keep the runs that go on at Lamina."""
        return self.filter(status__in=REMOTE)

    def of(self, member: Membership) -> "RunQuerySet":
        """Keep the runs that this member started."""
        return self.filter(created_by_id=member.user_id)


class Run(models.Model):
    """One submission of an app's form: ours from the click on, Lamina's once it has an id there."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(_("reference"), max_length=12, unique=True, default=new_reference, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="runs")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="runs")
    token = models.UUIDField(help_text=_("The form's; one run for each."))
    pin = models.ForeignKey(PinnedApp, models.SET_NULL, null=True, related_name="runs")
    app = models.ForeignKey(App, models.PROTECT, related_name="runs")
    schema = models.ForeignKey(SchemaVersion, models.PROTECT, related_name="+")
    inputs = models.JSONField(default=dict, help_text=_("By the name Lamina knows; media as media:<id>."))
    lane = models.CharField(_("lane"), max_length=20, choices=RunLane, default=RunLane.INTERACTIVE)
    outputs_wanted = models.JSONField(default=list, help_text=_("Labels; empty for all."))
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="followers")

    status = models.CharField(_("state"), max_length=20, choices=Status, default=Status.WAITING)
    version = models.PositiveIntegerField(default=0, help_text=_("Grows with everything a person can see change."))
    lamina_run_id = models.CharField(_("Lamina's run id"), max_length=100, null=True, unique=True)  # noqa: DJ001
    problems = models.JSONField(default=list, help_text=_("What Lamina refuses, by parameter."))
    error = models.TextField(_("error"), blank=True)
    error_code = models.CharField(max_length=50, blank=True)

    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_asked_at = models.DateTimeField(null=True)
    cancel_next_at = models.DateTimeField(
        null=True, help_text=_("When Lamina is asked again to stop it; empty: no more.")
    )
    cancel_answer = models.CharField(max_length=50, blank=True, help_text=_("What Lamina said to it."))
    next_at = models.DateTimeField(
        default=timezone.now, help_text=_("When the sweep looks at it again: to send, to ask after, or to settle.")
    )
    not_before = models.DateTimeField(
        null=True, help_text=_("Until then no worker sends it, whatever message it gets: its last try said so.")
    )
    details_next_at = models.DateTimeField(
        null=True, help_text=_("When Lamina is asked for what a list could not tell; empty: nothing is missing.")
    )
    resends = models.PositiveSmallIntegerField(
        default=0, help_text=_("How often it went back to waiting after an attempt that Lamina certainly never got.")
    )
    request_id = models.CharField(
        max_length=64, blank=True, help_text=_("Of the request that made it: log lines about it carry this.")
    )
    held_up = models.TextField(blank=True, help_text=_("What keeps it from being sent, in words; empty: its turn."))
    checked_at = models.DateTimeField(null=True, help_text=_("When Lamina last told us its details."))
    refinement = models.ForeignKey(
        Refinement, models.SET_NULL, null=True, related_name="+", help_text=_("The latest one.")
    )
    outputs_left_out = models.PositiveIntegerField(
        default=0, help_text=_("How many outputs Lamina lists beyond those that are kept.")
    )

    objects = RunQuerySet.as_manager()

    is_new = False  # set by `submit` on what it has just made
    places: list[Output] | None = None  # its outputs, where whoever has locked its row has read them

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        constraints = [
            models.UniqueConstraint(fields=["workspace", "token"], name="one_run_per_form_token"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="run_status_known"),
            models.CheckConstraint(
                condition=~Q(status__in=[Status.QUEUED, Status.RUNNING, Status.COMPLETED])
                | Q(lamina_run_id__isnull=False),
                name="remote_run_has_an_id",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at"]),
            models.Index(fields=["status", "next_at"]),
            models.Index(
                fields=["details_next_at"], condition=Q(details_next_at__isnull=False), name="run_to_ask_about"
            ),
            models.Index(fields=["cancel_next_at"], condition=Q(cancel_next_at__isnull=False), name="run_to_cancel"),
        ]

    def __str__(self) -> str:
        return self.reference

    def get_absolute_url(self) -> str:
        """Return the run's permanent address."""
        return reverse("runs:detail", args=[self.workspace.slug, self.pk])

    @property
    def title(self) -> str:
        """Return what the run is called in lists: its app, as this workspace calls it."""
        return self.pin.title if self.pin else self.app.name

    @property
    def is_active(self) -> bool:
        """Return whether somebody still waits for this run."""
        return self.status in ACTIVE

    @property
    def is_final(self) -> bool:
        """Return whether nothing more can happen to it."""
        return self.status in FINAL

    def move(self, to: str, *, told_by: str, why: str = "", **changes: Any) -> bool:
        """Move to another state and write it into the history; the one way to do so.

        `changes` are further columns set with the move. Returns False, and changes nothing, when
        the table has no such move or somebody else moved the run first: late and repeated news is
        normal. On success this instance carries the new values.
        """
        leaving = self.status
        if to not in MOVES[leaving]:
            return False
        now = timezone.now()
        if to in FINAL:
            changes.setdefault("finished_at", now)
            changes.setdefault("cancel_next_at", None)
        # Inside a transaction all of it is undone by that one: no savepoint, which is two more ways to the database.
        with transaction.atomic(savepoint=False):
            moved = Run.objects.filter(pk=self.pk, status=leaving).update(
                status=to, version=models.F("version") + 1, **changes
            )
            if moved:
                Move.objects.create(run=self, at=now, leaving=leaving, to=to, told_by=told_by, why=why)
            if moved and to in FINAL:
                self._close_places()
            if moved:
                self.status = to
                self.version += 1
                for name, value in changes.items():
                    setattr(self, name, value)
                costs.follow(self, leaving=leaving)
        return bool(moved)

    def all_places(self) -> list[Output]:
        """Return its outputs, as they were read with its lock or are read now."""
        return list(self.outputs.all()) if self.places is None else self.places

    def _close_places(self) -> None:
        """Expect nothing any more in the places that are still empty."""
        empty = None if self.places is None else [row for row in self.places if row.status == OutputStatus.PENDING]
        if empty is None or empty:
            self.outputs.filter(status=OutputStatus.PENDING).update(status=OutputStatus.CANCELLED)
        for row in empty or []:
            row.status = OutputStatus.CANCELLED

    def count_made(self) -> int:
        """Return how many outputs it has made itself; those of its refinements are theirs to pay."""
        if self.places is None:
            return self.outputs.filter(status=OutputStatus.COMPLETED, version=1).count()
        return sum(row.status == OutputStatus.COMPLETED and row.version == 1 for row in self.places)

    def wait_again(self, *, told_by: str, why: str, **changes: Any) -> bool:
        """Move back to waiting, or end it if a person has asked for that meanwhile: Lamina has no such run.

        That is known of the request this instance was read with. A run that has gone on since, or was sent
        again, is left alone.
        """
        known = self.status, self.sent_at
        self.refresh_from_db(fields=["status", "sent_at", "cancel_asked_at"])
        if (self.status, self.sent_at) != known:
            return False
        if self.cancel_asked_at:
            ended = _("Cancelled. Lamina does not have it.") if self.sent_at else _("Cancelled before it was sent.")
            with transaction.atomic():
                moved = self.move(Status.CANCELLED, told_by=Teller.PERSON, why=str(ended))
                if moved:
                    costs.book(self)
            return moved
        return self.move(Status.WAITING, told_by=told_by, why=why, **changes)

    def hold_up(self, why: str) -> None:
        """Say why it stays waiting."""
        waiting = Run.objects.filter(pk=self.pk, status=Status.WAITING).exclude(held_up=why)
        waiting.update(held_up=why, version=models.F("version") + 1)

    def touch(self) -> None:
        """Make open pages show something new without a change of state."""
        Run.objects.filter(pk=self.pk).update(version=models.F("version") + 1)

    def look_again_in(self, seconds: float) -> None:
        """Put off the sweep's next look."""
        self.next_at = timezone.now() + timedelta(seconds=seconds)
        Run.objects.filter(pk=self.pk).update(next_at=self.next_at)
