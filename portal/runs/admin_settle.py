"""The admin's actions that decide about a run or a refinement: each asks for a reason on a page of its own."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.runs import refine, settle
from portal.runs.settle import SettleRefused
from portal.workspaces.access import PersonRequest


class ReasonForm(forms.Form):
    """Why somebody decides so."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("How you know. It is kept in the history with your name."),
    )


class JoinForm(ReasonForm):
    """Which run at Lamina it is, and why somebody thinks so."""

    lamina_run_id = forms.CharField(max_length=100, required=False, widget=forms.HiddenInput)  # radios, in the template
    another_id = forms.CharField(
        label=gettext_lazy("Another id"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField", "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy("Lamina's run id, when the run is not in the list."),
    )
    field_order = ["lamina_run_id", "another_id", "reason"]

    def clean(self) -> dict[str, Any]:
        """Want one run and no more: what is joined wrongly is somebody else's."""
        cleaned = super().clean() or {}
        chosen, named = cleaned.get("lamina_run_id", ""), cleaned.get("another_id", "")
        if chosen and named and chosen != named:
            raise forms.ValidationError(_("You chose a run of the list and named another one. Keep one of them."))
        if not chosen and not named and not self.errors.keys() & {"lamina_run_id", "another_id"}:
            raise forms.ValidationError(_("Choose the run of the list, or give its id."))
        cleaned["lamina_run_id"] = chosen or named
        return cleaned


class SettleActions(admin.ModelAdmin):
    """Actions for runs that were sent and never answered."""

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may decide what became of it; that may cost credits."""
        return request.user.has_perm("runs.change_run")

    @admin.action(description=gettext_lazy("This is its run at Lamina…"), permissions=["settle"])
    def join_run(self, request: PersonRequest, queryset: Any) -> HttpResponse | None:
        """Join one unconfirmed run with the run at Lamina that it is; those that could be it are listed."""
        if len(queryset) != 1:
            messages.error(request, _("Choose one run."))
            return None

        def join(run: Any, form: forms.Form) -> None:
            told = form.cleaned_data
            settle.join(run, lamina_run_id=told["lamina_run_id"], person=request.user, reason=told["reason"])

        return self._decide(request, queryset, "join_run", _("This is its run at Lamina"), JoinForm, join)

    @admin.action(description=gettext_lazy("It never arrived: send it once more…"), permissions=["settle"])
    def send_once_more(self, request: PersonRequest, queryset: Any) -> HttpResponse | None:
        """Send unconfirmed runs again on a person's word that Lamina does not have them."""

        def send(run: Any, form: forms.Form) -> None:
            settle.send_once_more(run, person=request.user, reason=form.cleaned_data["reason"])

        title = _("It never arrived: send it once more")
        return self._decide(request, queryset, "send_once_more", title, ReasonForm, send)

    @admin.action(description=gettext_lazy("Look for it no more: it has failed…"), permissions=["settle"])
    def give_up(self, request: PersonRequest, queryset: Any) -> HttpResponse | None:
        """End unconfirmed runs without knowing what became of them."""

        def end(run: Any, form: forms.Form) -> None:
            settle.give_up(run, person=request.user, reason=form.cleaned_data["reason"])

        return self._decide(request, queryset, "give_up", _("Look for it no more: it has failed"), ReasonForm, end)

    def _decide(
        self,
        request: HttpRequest,
        queryset: Any,
        action: str,
        title: str,
        form_class: type[forms.Form],
        decide: Callable[[Any, forms.Form], None],
    ) -> HttpResponse | None:
        """Ask for the reason, then decide about each of the chosen rows; what is refused says why."""
        is_answer = "decide" in request.POST
        form = form_class(request.POST if is_answer else None)
        rows = list(queryset)
        if is_answer and form.is_valid():
            done, refused = [], []
            for row in rows:
                try:
                    decide(row, form)
                except SettleRefused as error:
                    refused.append(f"{row}: {error}")
                else:
                    done.append(row)
                    self.log_change(request, row, f"{title}: {form.cleaned_data['reason']}")
            if done:
                messages.success(request, _("%(title)s: %(rows)s.") % {"title": title, "rows": _names(done)})
            for line in refused:
                messages.error(request, line)
            if done or len(rows) > 1:
                return None
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "form": form,
            "rows": rows,
            "action": action,
            "selected": ACTION_CHECKBOX_NAME,
            "opts": self.opts,
        }
        if action == "join_run":
            context |= _candidates(rows[0])
        return TemplateResponse(request, "admin/runs/decide.html", context)


class RefinementActions(SettleActions):
    """The one action for a wish of which nobody knows what came."""

    @admin.action(description=gettext_lazy("Nothing came of it: close it…"), permissions=["settle"])
    def close(self, request: PersonRequest, queryset: Any) -> HttpResponse | None:
        """Close unconfirmed refinements, so that another can be asked for."""

        def end(refinement: Any, form: forms.Form) -> None:
            reason = form.cleaned_data["reason"]
            if not refine.settle_by_staff(refinement, person=request.user, reason=reason):
                raise SettleRefused(_("It is not unconfirmed any more: %s.") % refinement.get_state_display())

        return self._decide(request, queryset, "close", _("Nothing came of it: close it"), ReasonForm, end)


def keep_who(request: PersonRequest, rows: Any, what: str) -> None:
    """Write into the admin's own history what somebody did with these rows; before it is done, lest it go unsaid."""
    LogEntry.objects.log_actions(request.user.pk, rows, CHANGE, what)


def _candidates(run: Any) -> dict[str, object]:
    try:
        return {"candidates": settle.candidates(run), "asked": True}
    except SettleRefused as error:
        return {"candidates": [], "candidates_error": str(error), "asked": True}


def _names(rows: list[Any]) -> str:
    return ", ".join(str(row) for row in rows[:20]) + (" …" if len(rows) > 20 else "")
