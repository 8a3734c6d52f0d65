"""Users, workspaces and members in the admin site."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from portal.workspaces import budgets
from portal.workspaces.models import BudgetMonth, LedgerLine, Membership, SpendingStop, User, Wallet, Workspace


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that are looked at and never typed in."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False


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

    def save_model(self, request: HttpRequest, obj: Workspace, form: Any, change: bool) -> None:
        """Save, and say what goes on with the key that was there before."""
        super().save_model(request, obj, form, change)
        going = obj.runs.filter(finished_at=None, sent_at__isnull=False).count()
        if going and (form.cleaned_data["new_key"] or form.cleaned_data["forget_key"]):
            told = ngettext(
                "%d run that is not over was sent with the key before. Should this one be another account's, Lamina "
                "does not show it that run: it is listed on the staff page then, and not sent again by itself.",
                "%d runs that are not over were sent with the key before. Should this one be another account's, "
                "Lamina does not show it those runs: they are listed on the staff page then, and not sent again by "
                "themselves.",
                going,
            )
            messages.warning(request, told % going)

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


class InForceFilter(admin.SimpleListFilter):
    """Stops that hold, or those that were lifted."""

    title = _("state")
    parameter_name = "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the two kinds."""
        return [("yes", _("In force")), ("no", _("Lifted"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the chosen kind."""
        return (
            queryset if self.value() not in {"yes", "no"} else queryset.filter(lifted_at__isnull=self.value() == "yes")
        )


@admin.register(SpendingStop)
class SpendingStopAdmin(admin.ModelAdmin):
    """The switch that stops spending: adding a row stops it, giving a reason to go on lifts it; none is deleted."""

    list_display = ["where", "why", "by", "at", "lifted_at", "lifted_by", "lifted_why"]
    list_filter = [InForceFilter, "workspace"]
    list_select_related = ["workspace", "by", "lifted_by"]

    def get_fields(self, request: HttpRequest, obj: SpendingStop | None = None) -> tuple[str, ...]:
        """Ask where and why when it begins; only why it is lifted afterwards."""
        began = ("workspace", "why")
        return (*began, "by", "at", "lifted_why", "lifted_at", "lifted_by") if obj else began

    def get_readonly_fields(self, request: HttpRequest, obj: SpendingStop | None = None) -> list[str]:
        """Keep what was said as it was said."""
        if obj is None:
            return []
        return [name for name in self.get_fields(request, obj) if name != "lifted_why" or obj.lifted_at]

    def get_form(
        self, request: HttpRequest, obj: SpendingStop | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """Ask for a reason to lift it."""
        form = super().get_form(request, obj, change, **kwargs)
        if "lifted_why" in form.base_fields:
            form.base_fields["lifted_why"].required = True
            form.base_fields["lifted_why"].help_text = self._what_lifting_does(obj)
        return form

    def save_model(self, request: HttpRequest, obj: SpendingStop, form: Any, change: bool) -> None:
        """Stop spending, or let it go on."""
        person = cast(User, request.user)  # the admin lets nobody else in
        if change:
            budgets.lift(obj, why=obj.lifted_why, by=person)
            for other in budgets.others_beside(obj):
                messages.warning(request, gettext("Still stopped: %s") % other)
        else:
            obj.pk = budgets.stop_spending(workspace=obj.workspace, why=obj.why, by=person).pk

    def _what_lifting_does(self, stop: SpendingStop | None) -> str:
        others = list(budgets.others_beside(stop)) if stop else []
        if not others:
            return gettext("Saving this lifts the stop: what waits is sent.")
        names = "; ".join(str(other) for other in others)
        return gettext("Saving this lifts this stop alone. Still stopped after it: %s") % names

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: why spending was stopped is kept."""
        return False

    @admin.display(description=_("workspace"), ordering="workspace")
    def where(self, stop: SpendingStop) -> str:
        """Return the workspace, or that it is all of them."""
        return str(stop.workspace) if stop.workspace else gettext("all workspaces")


@admin.register(BudgetMonth)
class BudgetMonthAdmin(ReadOnlyAdmin):
    """What each workspace spent in a month."""

    list_display = ["workspace", "starts_on", "spent", "held", "budget"]
    list_filter = ["starts_on", "workspace"]
    list_select_related = ["workspace"]

    @admin.display(description=_("budget now"))
    def budget(self, month: BudgetMonth) -> Any:
        """Return the workspace's budget as it is set now."""
        return month.workspace.monthly_budget


@admin.register(LedgerLine)
class LedgerLineAdmin(ReadOnlyAdmin):
    """What each run may cost and what it came to; estimated, unless marked as exact."""

    list_display = [
        "created_at",
        "month",
        "kind",
        "reference",
        "what",
        "state",
        "expected",
        "held",
        "settled",
        "is_exact",
    ]
    list_filter = ["state", "kind", "is_exact", "month__workspace"]
    list_select_related = ["month__workspace"]
    search_fields = ["reference", "what", "=run_id", "month__workspace__name"]
    date_hierarchy = "created_at"


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    """The keys that Lamina once found without credits, and whether their runs are held back."""

    list_display = ["fingerprint", "refused_at", "key_refused_at", "balance_then", "balance", "asked_at", "try_at"]
