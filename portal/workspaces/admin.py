"""Users, workspaces and members in the admin site."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.utils.translation import gettext_lazy as _

from portal.workspaces.models import Membership, User, Workspace


class MembershipInline(admin.TabularInline):
    """Members of a workspace, or workspaces of a user."""

    model = Membership
    extra = 0
    autocomplete_fields = ["user", "workspace"]


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """People, by email address."""

    ordering = ["email"]
    list_display = ["email", "name", "is_staff", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email", "name"]
    add_form = AdminUserCreationForm
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        (_("Person"), {"fields": ["name"]}),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["email", "name", "usable_password", "password1", "password2"]})
    ]
    inlines = [MembershipInline]


class WorkspaceForm(forms.ModelForm):
    """A workspace whose stored key is replaced or removed, but never shown."""

    new_key = forms.CharField(
        label=_("New Lamina API key"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Empty: the stored key stays. The stored key is never shown."),
    )
    forget_key = forms.BooleanField(
        label=_("Forget the stored key"), required=False, help_text=_("The portal's own key is used from then on.")
    )

    class Meta:
        model = Workspace
        fields = ["name", "slug"]

    def save(self, commit: bool = True) -> Any:
        """Save, with the key replaced or forgotten as asked."""
        if self.cleaned_data["new_key"]:
            self.instance.lamina_api_key = self.cleaned_data["new_key"]
        elif self.cleaned_data["forget_key"]:
            self.instance.lamina_api_key = ""
        return super().save(commit)


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):
    """Tenants and their members."""

    form = WorkspaceForm
    list_display = ["name", "slug", "has_own_key", "credits_balance", "created_at"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [MembershipInline]

    @admin.display(boolean=True, description=_("own key"))
    def has_own_key(self, workspace: Workspace) -> bool:
        """Tell whether calls are made with a key of the workspace's own."""
        return bool(workspace.lamina_api_key)
