"""Keep what is filled in while it is being filled in, and forget it when that is asked for."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.catalogue.forms import RunForm
from portal.catalogue.models import PinnedApp
from portal.runs.drafting import DraftTooLarge, drop, keep
from portal.runs.models import Draft
from portal.runs.views.create import bound_form, find_source, find_started, get_offered
from portal.workspaces.access import CREATORS, MemberRequest, member_required


@require_POST
@member_required(*CREATORS)
def save(request: MemberRequest, pin_id: int) -> HttpResponse:
    """Keep the form as it stands; 409 once it was sent, 413 when it is more than a draft holds."""
    pin, newest = get_offered(request, pin_id)
    form = bound_form(request, pin, newest)
    if (token := form.sent_token) is None:
        return HttpResponse(status=400)
    context: dict[str, object] = {"sent_run": find_started(request)}
    status = 409 if context["sent_run"] else 200
    if status == 200:
        try:
            context["draft"] = keep_form(request, pin, form, token=token)
        except DraftTooLarge:
            context["is_too_large"], status = True, 413
    return render(request, "runs/_draft_saved.html", context, status=status)


def keep_form(request: MemberRequest, pin: PinnedApp, form: RunForm, *, token: uuid.UUID) -> Draft | None:
    """Save what a posted form holds as the member's draft; None, and none is left, where nothing is filled in.

    Raises DraftTooLarge.
    """
    source = find_source(request)
    values = form.draft_inputs(), form.draft_outputs()
    blank = RunForm(app=form.app, schema=form.schema_version, member=request.member)
    if source is None and values == (blank.draft_inputs(), blank.draft_outputs()):
        drop(request.member, pin, token=token)
        return None
    return keep(
        member=request.member,
        pin=pin,
        schema=form.schema_version,
        inputs=values[0],
        outputs_wanted=values[1],
        token=token,
        source=source,
    )


@require_POST
@member_required(*CREATORS)
def discard(request: MemberRequest, pin_id: int) -> HttpResponse:
    """Forget the member's draft and show the form as the app has it."""
    pin, _newest = get_offered(request, pin_id)
    drop(request.member, pin)
    messages.info(request, _("The draft is gone. The files are still in the library."))
    return redirect(pin)
