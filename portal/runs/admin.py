"""Runs and deliveries in the admin site: to be found, read and nudged, never typed in."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.runs import tasks
from portal.runs.admin_settle import RefinementActions, SecondRunActions, SettleActions, keep_who
from portal.runs.models import Attempt, Delivery, Draft, Move, Output, Refinement, Run, SecondRun, SigningKey
from portal.workspaces.access import PersonRequest
from portal.workspaces.admin import ReadOnlyAdmin
from portal.workspaces.tasks import nudge


class ReadOnlyInline(admin.TabularInline):
    """Rows below a run."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False


class WithLaminaId:
    """A list that shows the beginning of Lamina's id of a run; all of it is on the page, and found by the search."""

    @admin.display(description=gettext_lazy("Lamina's run id"), ordering="lamina_run_id")
    def lamina_id_text(self, row: Run | SecondRun | Delivery) -> str:
        """Return the id, short enough for a column."""
        whole = row.lamina_run_id or ""
        return format_html('<span title="{}">{}…</span>', whole, whole[:8]) if len(whole) > 9 else whole or "-"


class MoveInline(ReadOnlyInline):
    """The run's history."""

    model = Move
    fields = ["at", "leaving", "to", "told_by", "why"]


class AttemptInline(ReadOnlyInline):
    """The tries at telling Lamina."""

    model = Attempt
    fields = ["opened_at", "sent_at", "callback", "closed_at", "outcome"]


class OutputInline(ReadOnlyInline):
    """What it made."""

    model = Output
    fields = ["position", "version", "label", "kind", "status", "media", "copy_tries", "copy_error", "error"]


class RefinementInline(ReadOnlyInline):
    """The changes that were asked for."""

    model = Refinement
    fk_name = "run"
    fields = ["asked_at", "asked_by", "words", "state", "sent_at", "finished_at", "changed", "outcome"]


@admin.register(Run)
class RunAdmin(WithLaminaId, SettleActions, ReadOnlyAdmin):
    """Any run, by our reference, Lamina's id, workspace or person."""

    list_display = ["reference", "status", "workspace", "app", "created_by", "created_at", "lamina_id_text"]
    list_filter = ["status", "lane", "workspace", "created_at"]
    list_select_related = ["workspace", "app", "created_by"]
    search_fields = [
        "reference",
        "lamina_run_id",
        "=id",
        "=request_id",
        "workspace__name",
        "created_by__email",
        "app__name",
    ]
    date_hierarchy = "created_at"
    inlines = [MoveInline, AttemptInline, RefinementInline, OutputInline]
    actions = ["look_now", "copy_again", "join_run", "send_once_more", "give_up"]

    @admin.action(description=gettext_lazy("Look at it again now"), permissions=["settle"])
    def look_now(self, request: PersonRequest, queryset: Any) -> None:
        """Make the sweep look at the chosen runs at its next turn."""
        keep_who(request, queryset, _("Looked at again"))
        count = queryset.update(next_at=timezone.now(), not_before=None)
        messages.success(request, _("The sweep looks at %d runs in a moment.") % count)

    @admin.action(description=gettext_lazy("Copy missing outputs again"), permissions=["settle"])
    def copy_again(self, request: PersonRequest, queryset: Any) -> None:
        """Try once more to copy what could not be copied."""
        keep_who(request, queryset, _("Missing outputs copied again"))
        missing = Output.objects.filter(run__in=queryset, media=None, status="completed").exclude(remote_url="")
        count = missing.update(copy_next_at=timezone.now(), copy_tries=0, copy_error="")
        messages.success(request, _("%d outputs are copied again in a moment.") % count)


@admin.register(Refinement)
class RefinementAdmin(RefinementActions, ReadOnlyAdmin):
    """What people wanted changed, and what came of it."""

    list_display = ["asked_at", "state", "run", "asked_by", "words", "changed", "outcome"]
    list_filter = ["state", "asked_at"]
    list_select_related = ["run", "asked_by"]
    search_fields = ["run__reference", "run__lamina_run_id", "words", "asked_by__email"]
    actions = ["close"]


class DealtWithFilter(admin.SimpleListFilter):
    """Second runs that somebody has still to deal with, or those that were."""

    title = gettext_lazy("state")
    parameter_name = "dealt_with"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the two kinds."""
        return [("no", gettext_lazy("Not dealt with yet")), ("yes", gettext_lazy("Dealt with"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the chosen kind."""
        kept = {"yes": False, "no": True}.get(self.value() or "")
        return queryset if kept is None else queryset.filter(dealt_with_at__isnull=kept)


@admin.register(SecondRun)
class SecondRunAdmin(WithLaminaId, SecondRunActions, ReadOnlyAdmin):
    """What Lamina has a second time of a run of ours, by its id there, our reference or workspace."""

    list_display = ["reference", "heard_of_at", "workspace", "settled", "lamina_id_text", "dealt_with_at"]
    list_filter = [DealtWithFilter]
    search_fields = ["lamina_run_id", "reference", "what", "month__workspace__name"]
    fields = ["lamina_run_id", "run", "workspace", "what", "heard_of_at", "settled", "is_exact", "dealt_with_at"]
    actions = ["deal_with"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may look at runs."""
        return request.user.has_perm("runs.view_run") or request.user.has_perm("runs.change_run")

    @admin.display(description=gettext_lazy("heard of"), ordering="created_at")
    def heard_of_at(self, second: SecondRun) -> datetime:
        """Return when the first news of it came, which is not when Lamina began it."""
        return second.created_at

    @admin.display(description=gettext_lazy("run"))
    def run(self, second: SecondRun) -> str:
        """Return our run, or that it is gone."""
        run = Run.objects.filter(pk__in=[second.run_id]).first()
        if run is None:
            return _("%s, which was pruned") % second.reference
        return format_html('<a href="{}">{}</a>', reverse("admin:runs_run_change", args=[run.pk]), run.reference)

    @admin.display(description=gettext_lazy("workspace"), ordering="month__workspace__name")
    def workspace(self, second: SecondRun) -> str:
        """Return whose it is."""
        return str(second.workspace)


@admin.register(Draft)
class DraftAdmin(ReadOnlyAdmin):
    """What people have begun and not sent."""

    list_display = ["updated_at", "workspace", "person", "pin", "schema"]
    list_filter = ["updated_at", "member__workspace"]
    list_select_related = ["member__workspace", "member__user", "pin__app", "schema__app"]
    search_fields = ["member__user__email", "member__workspace__name", "pin__app__name"]

    @admin.display(description=gettext_lazy("workspace"))
    def workspace(self, draft: Draft) -> str:
        """Return where it was begun."""
        return str(draft.member.workspace)

    @admin.display(description=gettext_lazy("person"))
    def person(self, draft: Draft) -> str:
        """Return whose it is."""
        return str(draft.member.user)


class AppliedFilter(admin.SimpleListFilter):
    """Deliveries that are dealt with, or those that are not."""

    title = gettext_lazy("state")
    parameter_name = "applied"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the two kinds."""
        return [("no", gettext_lazy("Not applied yet")), ("yes", gettext_lazy("Applied"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the chosen kind."""
        return (
            queryset if self.value() not in {"yes", "no"} else queryset.filter(applied_at__isnull=self.value() == "no")
        )


@admin.register(Delivery)
class DeliveryAdmin(WithLaminaId, ReadOnlyAdmin):
    """Lamina's messages, as they arrived."""

    list_display = ["received_at", "verdict", "lamina_id_text", "run", "repeats", "tries", "applied_at", "error"]
    list_filter = [AppliedFilter, "verdict", "received_at"]
    list_select_related = ["attempt__run"]
    search_fields = ["lamina_run_id", "digest", "attempt__run__reference"]
    actions = ["replay"]

    @admin.display(description=gettext_lazy("run"))
    def run(self, delivery: Delivery) -> str:
        """Return the run's reference."""
        return delivery.attempt.run.reference

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may apply deliveries again; that may move runs."""
        return request.user.has_perm("runs.change_delivery")

    @admin.action(description=gettext_lazy("Apply again"), permissions=["replay"])
    def replay(self, request: PersonRequest, queryset: Any) -> None:
        """Apply the chosen deliveries once more; news that is not news changes nothing."""
        keep_who(request, queryset, _("Applied again"))
        ids = list(queryset.values_list("pk", flat=True))
        queryset.update(applied_at=None, tries=0, error="", next_at=timezone.now())
        for delivery_id in ids:
            nudge(tasks.apply_delivery, delivery_id)
        messages.success(request, _("%d deliveries are applied again.") % len(ids))


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    """The keys that Lamina signs with."""

    list_display = ["kid", "x", "fetched_at"]
