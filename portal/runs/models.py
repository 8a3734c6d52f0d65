"""Runs, their attempts, outputs and history, and the deliveries that bring news of them."""

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
from portal.media.models import Media
from portal.runs import costs
from portal.runs.drafts import Draft as Draft
from portal.runs.known import KnownRemote as KnownRemote
from portal.runs.refinements import Refinement
from portal.runs.states import ACTIVE, FINAL, MOVES, REMOTE, Status, Teller
from portal.workspaces.models import Membership, Workspace

REFERENCE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def new_reference() -> str:
    """Return a short code that can be read out on the telephone, such as R-7F3K-22QX."""
    letters = "".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(8))
    return f"R-{letters[:4]}-{letters[4:]}"


def new_token() -> str:
    """Return an unguessable word for a callback address."""
    return secrets.token_urlsafe(24)


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
    places: "list[Output] | None" = None  # its outputs, where whoever has locked its row has read them

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

    def all_places(self) -> "list[Output]":
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


class Move(models.Model):
    """A line in a run's history."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="history")
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


class Callback(models.TextChoices):
    """What Lamina was told about where its news of an attempt goes, and thought of it."""

    ASKED = "asked", _("Asked to tell us")
    REFUSED = "refused", _("Lamina refused our address")


class Attempt(models.Model):
    """One try at telling Lamina to start a run, with a callback address of its own."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="attempts")
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

    run = models.ForeignKey(Run, models.CASCADE, related_name="outputs")
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
