"""The admin's actions that decide about a run or a refinement: each asks for a reason on a page of its own."""

from collections.abc import Callable
from functools import partial
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
from portal.runs.settle import Asked, SettleRefused
from portal.runs.states import Status
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


class NotThereForm(ReasonForm):
    """Why somebody thinks that Lamina has none of the runs, whatever it lists."""

    none_of = forms.CharField(required=False, widget=forms.HiddenInput)  # a tick that names what was listed

    def __init__(self, data: Any, *, asked: Asked) -> None:
        super().__init__(data)
        self.asked = asked

    def clean(self) -> dict[str, Any]:
        """Want a word about what could be it, also about what came up after that word was given."""
        cleaned = super().clean() or {}
        told = cleaned.get("none_of", "").split()
        if not self.asked.is_clear and not told:
            raise forms.ValidationError(_("Look at what Lamina lists, and say that it is none of that."))
        if not set(self.asked.ids) <= set(told):
            raise forms.ValidationError(_("Lamina lists another run since you looked. Look at the list again."))
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

        title = _("This is its run at Lamina")
        return self._decide(request, queryset, "join_run", title, JoinForm, join, lambda: settle.ask(queryset))

    @admin.action(description=gettext_lazy("It never arrived: send it once more…"), permissions=["settle"])
    def send_once_more(self, request: PersonRequest, queryset: Any) -> HttpResponse | None:
        """Send unconfirmed runs again on a person's word that Lamina does not have them."""

        return self._not_there(
            request, queryset, "send_once_more", _("It never arrived: send it once more"), settle.send_once_more
        )

    @admin.action(description=gettext_lazy("Look for it no more: it has failed…"), permissions=["settle"])
    def give_up(self, request: PersonRequest, queryset: Any) -> HttpResponse | None:
        """End unconfirmed runs without knowing what became of them."""

        return self._not_there(request, queryset, "give_up", _("Look for it no more: it has failed"), settle.give_up)

    def _not_there(
        self, request: PersonRequest, queryset: Any, action: str, title: str, settle_it: Callable[..., None]
    ) -> HttpResponse | None:
        """Ask Lamina what could be the chosen runs, and let somebody decide who has seen that."""
        asked = settle.ask([run for run in queryset if run.status == Status.UNCONFIRMED])

        def decide(run: Any, form: forms.Form) -> None:
            seen = [candidate.lamina_run_id for candidate in asked.candidates.get(run.pk, [])]
            settle_it(run, person=request.user, reason=form.cleaned_data["reason"], ruled_out=seen)

        form_for = partial(NotThereForm, asked=asked)
        return self._decide(request, queryset, action, title, form_for, decide, lambda: asked)

    def _decide(
        self,
        request: HttpRequest,
        queryset: Any,
        action: str,
        title: str,
        form_for: Callable[[Any], forms.Form],
        decide: Callable[[Any, forms.Form], None],
        ask: Callable[[], Asked | None] = lambda: None,
    ) -> HttpResponse | None:
        """Ask for the reason, then decide about each of the chosen rows; what is refused says why.

        `ask` is for the page alone: what Lamina says of the rows.
        """
        is_answer = "decide" in request.POST
        form = form_for(request.POST if is_answer else None)
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
        if asked := ask():
            found = [(row, asked.candidates.get(row.pk, [])) for row in rows]
            context |= {"asked": asked, "found": [pair for pair in found if pair[1]]}
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


class DealtWithForm(ReasonForm):
    """What was done about a second run."""

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.fields["reason"].help_text = _(
            "What was done: its credits were asked for, it was cancelled at Lamina, or it may stay. "
            "It is kept in the history with your name."
        )


class SecondRunActions(SettleActions):
    """The one action for a run that Lamina began a second time."""

    @admin.action(description=gettext_lazy("It was dealt with…"), permissions=["settle"])
    def deal_with(self, request: PersonRequest, queryset: Any) -> HttpResponse | None:
        """Have second runs listed no more among those to look at."""

        def end(second: Any, form: forms.Form) -> None:
            settle.deal_with(second, person=request.user, reason=form.cleaned_data["reason"])

        return self._decide(request, queryset, "deal_with", _("It was dealt with"), DealtWithForm, end)


def keep_who(request: PersonRequest, rows: Any, what: str) -> None:
    """Write into the admin's own history what somebody did with these rows; before it is done, lest it go unsaid."""
    LogEntry.objects.log_actions(request.user.pk, rows, CHANGE, what)


def _names(rows: list[Any]) -> str:
    return ", ".join(str(row) for row in rows[:20]) + (" …" if len(rows) > 20 else "")
