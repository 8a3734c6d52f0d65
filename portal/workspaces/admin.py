"""Users, workspaces and members in the admin site."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.http import HttpRequest
from django.utils.translation import gettext
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

    budget_why = forms.CharField(
        label=_("Why the budget changes"),
        required=False,
        max_length=200,
        help_text=_("Needed when it does; kept in the history."),
    )

    class Meta:
        model = Workspace
        fields = ["name", "slug", "monthly_budget"]

    def clean(self) -> dict[str, Any]:
        """Ask for the reason of another budget."""
        cleaned = super().clean() or {}
        if "monthly_budget" in self.changed_data and not cleaned.get("budget_why"):
            self.add_error("budget_why", _("Say why: a budget is raised or lowered for a reason."))
        if (cleaned.get("monthly_budget") or 0) < 0:
            self.add_error("monthly_budget", _("A budget is not less than nothing."))
        return cleaned

    def save(self, commit: bool = True) -> Any:
        """Save, with the key replaced or forgotten as asked; another key has another count of what was spent."""
        if self.cleaned_data["new_key"] or self.cleaned_data["forget_key"]:
            self.instance.spent_elsewhere = self.instance.compared_at = None
        if self.cleaned_data["new_key"]:
            self.instance.lamina_api_key = self.cleaned_data["new_key"]
        elif self.cleaned_data["forget_key"]:
            self.instance.lamina_api_key = ""
        return super().save(commit)


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):
    """Tenants and their members."""

    form = WorkspaceForm
    list_display = ["name", "slug", "has_own_key", "credits_balance", "monthly_budget", "created_at"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [MembershipInline]

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Keep the budget and its reason in the history, beside what Django keeps."""
        message = super().construct_change_message(request, form, formsets, add)
        if "monthly_budget" not in form.changed_data:
            return message
        budget, why = form.cleaned_data["monthly_budget"], form.cleaned_data["budget_why"]
        told = gettext("%(why)s (the budget is now %(budget)s)")
        name = told % {"why": why, "budget": gettext("without a limit") if budget is None else budget}
        return [*message, {"changed": {"name": gettext("budget"), "object": name, "fields": ["monthly_budget"]}}]

    @admin.display(boolean=True, description=_("own key"))
    def has_own_key(self, workspace: Workspace) -> bool:
        """Tell whether calls are made with a key of the workspace's own."""
        return bool(workspace.lamina_api_key)
