"""Who may do what: the only place that decides.

A view of a workspace carries `member_required`; it reaches everything else through
`request.workspace`. A stranger gets 404 (the workspace's very existence is private), a member
without the role gets 403, and a fragment asked for without a session gets 403 instead of a
log-in page inside the page.
"""

from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from portal.workspaces.budgets import with_spending
from portal.workspaces.models import Membership, Role, User, Workspace

CREATORS = (Role.OWNER, Role.CREATOR)


class PersonRequest(HttpRequest):
    """A request of a signed-in person, as the admin's actions and views behind `login_required` get it."""

    user: User


class MemberRequest(PersonRequest):
    """A request of a signed-in member, as views behind `member_required` get it."""

    htmx: HtmxDetails
    workspace: Workspace
    member: Membership


View = Callable[..., HttpResponseBase]
Also = Callable[..., QuerySet[Membership]]


def member_required(*roles: Role, also: Also | None = None) -> Callable[[View], View]:
    """Let only members of the workspace named by `slug` through; with `roles`, only those roles.

    Sets `request.workspace` and `request.member`, and marks the view for the access test. What every page
    says of the month's spending is read in the same query, but for a post, which mostly leads elsewhere.
    A view that is asked for all the time may have what it needs read instead: `also` gets the query for
    the member and the address's further parts, and returns the query with annotations.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: Any, slug: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                if request.htmx or request.headers.get("X-Requested-With") == "XMLHttpRequest":
                    return HttpResponse(_("You are signed out. Sign in again to go on."), status=403)
                return redirect_to_login(request.get_full_path())
            read_also = partial(also, **kwargs) if also else None if request.method == "POST" else with_spending
            member = find_member(user_id=request.user.pk, slug=slug, also=read_also)
            if member is None:
                raise Http404
            if roles and member.role not in roles:
                raise PermissionDenied(_("Your role in this workspace does not include this."))
            member.user = request.user
            request.workspace, request.member = member.workspace, member
            return view(request, *args, **kwargs)

        guarded.access = roles or tuple(Role)  # type: ignore[attr-defined]
        return guarded

    return decorate


def find_member(
    *, user_id: int, slug: str, also: Callable[[QuerySet[Membership]], QuerySet[Membership]] | None = None
) -> Membership | None:
    """Return the user's membership of a workspace with the workspace loaded, or None; for `also` see above."""
    members = memberships().filter(user_id=user_id, workspace__slug=slug)
    return (also(members) if also else members).first()


@cache
def memberships() -> QuerySet[Membership]:
    """Return the query for members with their workspaces; made once, because making it takes long."""
    return Membership.objects.select_related("workspace")
