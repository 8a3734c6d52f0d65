"""Users, workspaces, the memberships that join them, and what a workspace spends."""

import uuid
from decimal import Decimal
from typing import Any, ClassVar, Literal, overload

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models.expressions import Combinable
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.workspaces.fields import EncryptedTextField

Credits = str | float | Decimal | Combinable


@overload
def credits_field(
    name: Any = None, *, null: Literal[True], **options: Any
) -> "models.DecimalField[Credits | None, Decimal | None]": ...
@overload
def credits_field(name: Any = None, **options: Any) -> "models.DecimalField[Credits, Decimal]": ...
def credits_field(name: Any = None, **options: Any) -> "models.DecimalField[Any, Any]":
    """Return a column for an amount of credits."""
    return models.DecimalField(name, max_digits=14, decimal_places=2, **options)


class UserManager(BaseUserManager["User"]):
    """Makes users who are known by their email address."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        """Return a new user; raises ValueError without an address."""
        if not email:
            raise ValueError("A user needs an email address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        """Return a new user who may do everything in the admin site."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> "User":
        """Return the user with this address, in any case."""
        return self.get(email__iexact=email)


class User(AbstractUser):
    """A person who signs in with an email address."""

    # The stubs know only that a column of a base class is overridden, not that None removes it.
    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(_("email address"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]  # the stubs want one of usernames

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """Return the name to show."""
        return str(self)

    def get_short_name(self) -> str:
        """Return the first word of the name, or the part of the address before the @."""
        return self.name.split()[0] if self.name.strip() else self.email.split("@")[0]


class Role(models.TextChoices):
    """What a member of a workspace is there for."""

    OWNER = "owner", _("Owner")
    CREATOR = "creator", _("Creator")
    REVIEWER = "reviewer", _("Reviewer")
    MERCHANT = "merchant", _("Merchant")


class Workspace(models.Model):
    """A tenant: its members, its key at Lamina, its media."""

    slug = models.SlugField(_("slug"), unique=True)
    name = models.CharField(_("name"), max_length=100)
    lamina_api_key = EncryptedTextField(
        _("Lamina API key"), blank=True, help_text=_("Empty: the portal's own key is used.")
    )
    credits_balance = credits_field(_("credits"), null=True, editable=False, help_text=_("As Lamina last told us."))
    credits_checked_at = models.DateTimeField(null=True, editable=False)
    monthly_budget = credits_field(
        _("budget for a month, in credits"), null=True, blank=True, help_text=_("Empty: no limit but Lamina's own.")
    )
    spent_elsewhere = credits_field(
        null=True,
        editable=False,
        help_text=_("What Lamina has counted for the workspace's key beyond our ledger; empty: not compared yet."),
    )
    compared_at = models.DateTimeField(null=True, editable=False, help_text=_("When that was last compared."))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="workspaces")

    class Meta:
        ordering = ["name"]
        verbose_name = _("workspace")
        verbose_name_plural = _("workspaces")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the workspace's first page."""
        return reverse("runs:choose", args=[self.slug])


class Membership(models.Model):
    """A user's place in a workspace."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.CREATOR)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_per_user"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"

    @property
    def can_create(self) -> bool:
        """Whether this member may spend credits: start, cancel and repeat runs."""
        return self.role in {Role.OWNER, Role.CREATOR}


class BudgetMonth(models.Model):
    """What a workspace spends in a calendar month: the sums of its ledger lines, kept beside them.

    A run counts in the month in which it was submitted, whenever it ends.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="budget_months")
    starts_on = models.DateField(_("month"))
    held = credits_field(_("held"), default=0, help_text=_("For runs that go on."))
    spent = credits_field(_("spent"), default=0)

    class Meta:
        ordering = ["-starts_on", "workspace"]
        verbose_name = _("budget month")
        verbose_name_plural = _("budget months")
        constraints = [
            models.UniqueConstraint(fields=["workspace", "starts_on"], name="one_row_per_month"),
            models.CheckConstraint(condition=models.Q(held__gte=0), name="held_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.workspace} {self.starts_on:%Y-%m}"


class LineKind(models.TextChoices):
    """What a ledger line is for."""

    RUN = "run", _("Run")
    SECOND = "second", _("The same run, begun a second time at Lamina")
    REFINEMENT = "refinement", _("Refinement")
    CORRECTION = "correction", _("Correction by Lamina's own count")


class LineState(models.TextChoices):
    """Where a ledger line is."""

    HELD = "held", _("Held")
    SETTLED = "settled", _("Settled")
    RELEASED = "released", _("Released")


class LedgerLine(models.Model):
    """What one run may cost, and what it came to.

    A run's own line has the run's id: rooms below this one know more of runs, and the line outlives
    a run that is pruned.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    month = models.ForeignKey(BudgetMonth, models.CASCADE, related_name="lines")
    kind = models.CharField(_("kind"), max_length=20, choices=LineKind, default=LineKind.RUN)
    state = models.CharField(_("state"), max_length=20, choices=LineState)
    run_id = models.UUIDField(null=True, db_index=True)
    reference = models.CharField(_("reference"), max_length=12, blank=True)
    what = models.CharField(_("what for"), max_length=300, blank=True)
    expected = credits_field(_("expected"), null=True)
    least = credits_field(_("at least"), null=True)
    most = credits_field(_("at most"), null=True)
    outputs = models.PositiveSmallIntegerField(default=0, help_text=_("How many the estimate is for; 0: not known."))
    amount = credits_field(_("to hold"), default=0, help_text=_("While the run goes on."))
    held = credits_field(_("held"), default=0)
    settled = credits_field(_("settled"), default=0)
    is_exact = models.BooleanField(_("exact"), default=False, help_text=_("As Lamina counts, and not as estimated."))
    lamina_run_id = models.CharField(
        _("Lamina's run id"),
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("Of a second run only."),
    )
    dealt_with_at = models.DateTimeField(
        _("dealt with"), null=True, help_text=_("When staff said so of a second run. Empty: not yet.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    changed_at = models.DateTimeField(_("changed"), default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("ledger line")
        verbose_name_plural = _("ledger lines")
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=LineKind.values), name="line_kind_known"),
            models.CheckConstraint(condition=models.Q(state__in=LineState.values), name="line_state_known"),
            models.CheckConstraint(
                condition=models.Q(state=LineState.HELD) | models.Q(held=0), name="only_a_held_line_holds"
            ),
        ]
        indexes = [
            models.Index(fields=["month", "-created_at"]),
            models.Index(fields=["created_at"], condition=models.Q(held__gt=0), name="line_that_holds"),
            models.Index(fields=["created_at"], condition=models.Q(kind=LineKind.SECOND), name="line_of_a_second_run"),
        ]

    def __str__(self) -> str:
        return self.reference or self.get_kind_display()

    @property
    def likely(self) -> Decimal:
        """Return what all of its outputs together most likely cost."""
        return next(figure for figure in (self.expected, self.most, self.amount) if figure is not None)


class SpendingStop(models.Model):
    """A stop of all spending, of one workspace or of all, with its reason; kept when it is lifted."""

    workspace = models.ForeignKey(
        Workspace,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="spending_stops",
        verbose_name=_("workspace"),
        help_text=_("Empty: all workspaces."),
    )
    why = models.CharField(_("reason"), max_length=200, help_text=_("The members read this."))
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("since"), default=timezone.now)
    lifted_at = models.DateTimeField(_("lifted"), null=True)
    lifted_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("lifted by"))
    lifted_why = models.CharField(_("reason to go on"), max_length=200, blank=True)

    class Meta:
        ordering = ["-at"]
        verbose_name = _("stop of spending")
        verbose_name_plural = _("stops of spending")
        indexes = [models.Index(fields=["at"], condition=models.Q(lifted_at__isnull=True), name="stop_in_force")]

    def __str__(self) -> str:
        return f"{self.workspace or _('all workspaces')}: {self.why}"


class Wallet(models.Model):
    """What is known of one Lamina key, from the moment that Lamina first refused it, or a start for want of credits."""

    fingerprint = models.CharField(max_length=64, unique=True, help_text=_("Tells keys apart; never the key itself."))
    refused_at = models.DateTimeField(null=True, help_text=_("Since when it has no credits. Empty: it has some."))
    key_refused_at = models.DateTimeField(
        null=True, help_text=_("Since when Lamina does not accept the key. Empty: it does.")
    )
    balance_then = credits_field(null=True, help_text=_("The least that was left since Lamina refused."))
    balance = credits_field(null=True, help_text=_("As last told since then; empty: not asked yet."))
    asked_at = models.DateTimeField(null=True, help_text=_("When its balance was last asked for."))
    try_at = models.DateTimeField(null=True, help_text=_("When one run is let through to try."))

    class Meta:
        verbose_name = _("wallet")
        verbose_name_plural = _("wallets")

    def __str__(self) -> str:
        return self.fingerprint[:8]
