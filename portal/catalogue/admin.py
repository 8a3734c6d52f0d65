"""Apps, their schema versions and what each workspace has pinned, in the admin site."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lamina_integration import LaminaError, Lane
from portal.catalogue.models import App, PinnedApp, SchemaVersion
from portal.catalogue.schemas import pin, refresh, refresh_estimate
from portal.workspaces.admin import ReadOnlyAdmin
from portal.workspaces.lamina import client_for


class PinForm(forms.ModelForm):
    """Pins an app by Lamina's id; the schema is fetched before anything is saved."""

    lamina_id = forms.CharField(label=gettext_lazy("Lamina's app id"), max_length=100)

    class Meta:
        model = PinnedApp
        fields = ["workspace", "capability", "label", "position", "is_offered"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["position"].required = False
        self.fields["position"].initial = None
        self.fields["position"].help_text = _("Empty: after the others.")

    def clean(self) -> dict[str, Any]:
        """Fetch the app, so that a wrong id is said at once."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            with client_for(cleaned["workspace"], lane=Lane.INTERACTIVE) as client:
                self.pinned = pin(
                    workspace=cleaned["workspace"],
                    lamina_id=cleaned["lamina_id"].strip(),
                    capability=cleaned["capability"],
                    client=client,
                )
        except LaminaError as error:
            raise ValidationError({"lamina_id": _("Lamina did not give this app: %s") % error}) from error
        if cleaned.get("position") is None:
            cleaned["position"] = self.pinned.position
        return cleaned

    def _post_clean(self) -> None:
        """Go on with the row that pinning made, so that saving changes it instead of adding another."""
        if hasattr(self, "pinned"):
            self.instance = self.pinned
        super()._post_clean()  # type: ignore[misc]  # the stubs leave out what begins with an underscore


@admin.register(PinnedApp)
class PinnedAppAdmin(admin.ModelAdmin):
    """What the workspaces offer."""

    list_display = ["title", "workspace", "capability", "position", "is_offered", "refreshed"]
    list_filter = ["workspace", "capability", "is_offered"]
    list_select_related = ["app", "workspace"]
    search_fields = ["app__name", "app__lamina_id", "label"]

    def get_form(
        self, request: HttpRequest, obj: PinnedApp | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """Ask for Lamina's id when an app is pinned; a pinned one only changes its place."""
        if obj is None:
            kwargs["form"] = PinForm
        else:
            kwargs["fields"] = ["capability", "label", "position", "is_offered"]
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: PinnedApp | None = None) -> tuple[str, ...]:
        """Return the fields in the order they are asked."""
        rest = ("capability", "label", "position", "is_offered")
        return rest if obj else ("workspace", "lamina_id", *rest)

    @admin.display(description=gettext_lazy("schema looked at"))
    def refreshed(self, pinned: PinnedApp) -> Any:
        """Tell when the schema was last looked at."""
        return pinned.app.refreshed_at


@admin.register(App)
class AppAdmin(ReadOnlyAdmin):
    """Lamina's apps, with the newest schema."""

    list_display = [
        "name",
        "lamina_id",
        "refreshed_at",
        "refresh_error",
        "credits_expected",
        "estimated_at",
        "versions",
    ]
    readonly_fields = ["versions"]
    search_fields = ["name", "lamina_id"]
    actions = ["refresh_now"]

    @admin.display(description=gettext_lazy("schema versions"))
    def versions(self, app: App) -> str:
        """Return the way to what changed between them."""
        return format_html('<a href="{}">{}</a>', reverse("operations:app", args=[app.pk]), _("What changed"))

    @admin.action(description=gettext_lazy("Look at the schema again"), permissions=["view"])
    def refresh_now(self, request: HttpRequest, queryset: Any) -> None:
        """Fetch the chosen apps' schemas now."""
        for app in queryset:
            pinned = app.pins.select_related("workspace").first()
            if pinned is None:
                continue
            try:
                with client_for(pinned.workspace, lane=Lane.INTERACTIVE) as client:
                    refresh(app, client=client)
                    refresh_estimate(app, client=client)
            except LaminaError as error:
                messages.error(request, f"{app}: {error}")
            else:
                messages.success(request, _("%s is up to date.") % app)


@admin.register(SchemaVersion)
class SchemaVersionAdmin(ReadOnlyAdmin):
    """Every schema an app has had."""

    list_display = ["app", "fingerprint", "created_at"]
    list_filter = ["app"]
    fields = ["app", "fingerprint", "created_at", "pretty"]

    @admin.display(description=gettext_lazy("detail"))
    def pretty(self, version: SchemaVersion) -> str:
        """Return the detail, indented."""
        return format_html("<pre>{}</pre>", json.dumps(version.detail, indent=2, ensure_ascii=False))
