"""Users, workspaces and the memberships that join them."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.workspaces.fields import EncryptedTextField


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

    username = None
    first_name = None
    last_name = None
    email = models.EmailField(_("email address"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

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
    credits_balance = models.DecimalField(
        _("credits"), max_digits=14, decimal_places=2, null=True, editable=False, help_text=_("As Lamina last told us.")
    )
    credits_checked_at = models.DateTimeField(null=True, editable=False)
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
