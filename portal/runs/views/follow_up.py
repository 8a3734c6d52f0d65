"""What comes after a run: the same once more, or a change of what it made, which can be withdrawn."""

import uuid
from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.runs import costs, tasks
from portal.runs.models import RefinementState, Run
from portal.runs.refine import RefinementRefused, ask
from portal.runs.refine import withdraw as take_back
from portal.runs.submit import submit
from portal.runs.views.pages import detail_page, screen
from portal.workspaces.access import CREATORS, MemberRequest, member_required
from portal.workspaces.budgets import SpendingRefused
from portal.workspaces.tasks import nudge
from portal.workspaces.words import refusal


@require_POST
@member_required(*CREATORS)
def again(request: MemberRequest, run_id: uuid.UUID) -> HttpResponse:
    """Start a run like this one, with everything kept; the same press again leads to the same run."""
    source = get_object_or_404(request.workspace.runs.select_related("app", "pin__app__schema"), pk=run_id)
    token, pin = token_of(request), source.pin
    if token is None or pin is None or pin.app.schema is None or not screen(request, source, [], None).can_run_again:
        return redirect(source)
    try:
        run = submit(
            member=request.member,
            pin=pin,
            schema=pin.app.schema,
            inputs=source.inputs,
            outputs_wanted=source.outputs_wanted,
            token=token,
            retry_of=source,
        )
    except SpendingRefused as refused:
        messages.error(request, refusal(refused))
        return redirect(source)
    transaction.on_commit(partial(nudge, tasks.send_run, str(run.pk)))
    return redirect(run)


@require_POST
@member_required(*CREATORS)
def refine(request: MemberRequest, run_id: uuid.UUID) -> HttpResponse:
    """Ask for a change of what a run made; what is refused comes back with its words."""
    run: Run = get_object_or_404(request.workspace.runs.select_related("app"), pk=run_id)
    run.workspace = request.workspace
    words, token = request.POST.get("words", ""), token_of(request)
    try:
        if token is None:
            raise RefinementRefused(_("This page was too old. Look at your words and send them again."))
        if not is_confirmed(request, run):
            raise RefinementRefused(_("Tick that so many credits may be spent."))
        refinement = ask(member=request.member, run=run, words=words, token=token)
    except (RefinementRefused, SpendingRefused) as refused:
        error = refusal(refused) if isinstance(refused, SpendingRefused) else str(refused)
        return detail_page(request, run_id, status=422, refine_words=words, refine_error=error)
    transaction.on_commit(partial(nudge, tasks.send_refinement, refinement.pk, str(run.pk)))
    return redirect(run)


@require_POST
@member_required(*CREATORS)
def withdraw(request: MemberRequest, run_id: uuid.UUID, change_id: int) -> HttpResponse:
    """Take back a change that was not sent yet; of another one, say that it is too late."""
    run = get_object_or_404(request.workspace.runs, pk=run_id)
    run.workspace = request.workspace
    change = get_object_or_404(run.refinements, pk=change_id)
    if not take_back(change, person=request.user):
        change.refresh_from_db(fields=["state", "outcome_code"])
        if change.state == RefinementState.WAITING and take_back(change, person=request.user):
            return redirect(run)  # it came back in between
        if change.is_open:
            messages.warning(request, _("It was too late to withdraw the change: Lamina is being asked for it."))
        elif not change.is_withdrawn:
            messages.info(request, _("There was nothing left to withdraw: the change was over by then."))
    return redirect(run)


def is_confirmed(request: MemberRequest, run: Run) -> bool:
    """Return whether the credits that have to be agreed to were, if there are any."""
    wanted = costs.to_confirm(run.app)
    return wanted is None or request.POST.get("confirmed") == str(wanted)


def token_of(request: MemberRequest) -> uuid.UUID | None:
    """Return the form's token, or None where there is none."""
    try:
        return uuid.UUID(request.POST.get("token", ""))
    except ValueError:
        return None
