"""Lamina's apps as we know them, their schema versions, and what each workspace has pinned."""

from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.workspaces.models import Workspace


class Capability(models.TextChoices):
    """What an app is for, as people look for it."""

    IMAGE = "image", _("Product pictures")
    CATALOGUE = "catalogue", _("Catalogue sets")
    TRY_ON = "try-on", _("Virtual try-on")
    VIDEO = "video", _("Video")


class App(models.Model):
    """A Lamina app that somebody has pinned, with its newest schema."""

    lamina_id = models.CharField(_("Lamina's id"), max_length=100, unique=True)
    name = models.CharField(_("name"), max_length=300)
    description = models.TextField(_("description"), blank=True)
    schema = models.ForeignKey("SchemaVersion", models.PROTECT, null=True, related_name="+", editable=False)
    refreshed_at = models.DateTimeField(_("last looked at"), null=True, editable=False)
    refresh_error = models.TextField(_("last problem"), blank=True, editable=False)
    credits_expected = models.DecimalField(max_digits=12, decimal_places=2, null=True, editable=False)
    credits_min = models.DecimalField(max_digits=12, decimal_places=2, null=True, editable=False)
    credits_max = models.DecimalField(max_digits=12, decimal_places=2, null=True, editable=False)
    estimated_at = models.DateTimeField(
        _("estimated"), null=True, editable=False, help_text=_("When Lamina last said what a run costs.")
    )

    class Meta:
        ordering = ["name"]
        verbose_name = _("app")
        verbose_name_plural = _("apps")

    def __str__(self) -> str:
        return self.name


class SchemaVersion(models.Model):
    """An app's detail as Lamina gave it at a moment; never changed afterwards."""

    app = models.ForeignKey(App, models.CASCADE, related_name="schema_versions")
    fingerprint = models.CharField(max_length=64, help_text=_("SHA-256 of the parameters and outputs."))
    detail = models.JSONField(help_text=_("The app's detail, verbatim."))
    created_at = models.DateTimeField(_("first seen"), auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("schema version")
        verbose_name_plural = _("schema versions")
        constraints = [models.UniqueConstraint(fields=["app", "fingerprint"], name="one_row_per_schema")]

    def __str__(self) -> str:
        return f"{self.app} {self.fingerprint[:8]}"


class SchemaUse(models.Model):
    """From when on a version was an app's schema: one that comes back has a second row, a version only one."""

    app = models.ForeignKey(App, models.CASCADE, related_name="schema_uses")
    version = models.ForeignKey(SchemaVersion, models.CASCADE, related_name="uses")
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["since", "pk"]
        verbose_name = _("use of a schema version")
        verbose_name_plural = _("uses of schema versions")

    def __str__(self) -> str:
        return f"{self.version} {self.since:%Y-%m-%d %H:%M}"


class PinnedApp(models.Model):
    """An app that a workspace offers to its members, under one capability."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="pinned_apps")
    app = models.ForeignKey(App, models.PROTECT, related_name="pins")
    capability = models.CharField(_("capability"), max_length=20, choices=Capability)
    label = models.CharField(_("title"), max_length=200, blank=True, help_text=_("Empty: the app's own name."))
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_offered = models.BooleanField(_("offered"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("pinned app")
        verbose_name_plural = _("pinned apps")
        constraints = [
            models.UniqueConstraint(fields=["workspace", "app"], name="one_pin_per_app"),
            models.CheckConstraint(condition=models.Q(capability__in=Capability.values), name="capability_known"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the app's form."""
        return reverse("runs:create", args=[self.workspace.slug, self.pk])

    @property
    def title(self) -> str:
        """Return what people see as the app's name."""
        return self.label or self.app.name
