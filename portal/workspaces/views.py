"""The front door: where a signed-in person belongs."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal.workspaces.access import PersonRequest


@require_safe
@login_required
def home(request: PersonRequest) -> HttpResponse:
    """Lead to the person's workspace; let them choose when there are several."""
    workspaces = list(request.user.workspaces.all())
    if len(workspaces) == 1:
        return redirect(workspaces[0])
    if workspaces:
        return render(request, "workspaces/choose.html", {"workspaces": workspaces})
    return render(request, "workspaces/none.html")
