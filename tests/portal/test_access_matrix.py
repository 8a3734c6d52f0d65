"""Every route of a workspace, asked for by every kind of person."""

import uuid
from collections.abc import Callable

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from portal.runs.models import Output, OutputStatus, Run
from portal.workspaces.models import Membership, Role, User
from tests.factories import MembershipFactory, detail, media_of, pin_of, ready_output_of, run_of
from tests.test_architecture import OPEN_ROUTES, OWN_ROUTES, STAFF_ROUTES

# name: (roles that get in, method, made-up arguments)
EVERYBODY = set(Role)
CREATORS = {Role.OWNER, Role.CREATOR}
MATRIX: dict[str, tuple[set[Role], str]] = {
    "runs:choose": (EVERYBODY, "get"),
    "runs:create": (CREATORS, "get"),
    "runs:draft": (CREATORS, "post"),
    "runs:draft_discard": (CREATORS, "post"),
    "runs:budget": (CREATORS, "get"),
    "runs:credits": (EVERYBODY, "get"),
    "runs:list": (EVERYBODY, "get"),
    "runs:detail": (EVERYBODY, "get"),
    "runs:progress": (EVERYBODY, "get"),
    "runs:cancel": (CREATORS, "post"),
    "runs:again": (CREATORS, "post"),
    "runs:refine": (CREATORS, "post"),
    "runs:withdraw": (CREATORS, "post"),
    "gallery:list": (EVERYBODY, "get"),
    "gallery:detail": (EVERYBODY, "get"),
    "gallery:text": (EVERYBODY, "get"),
    "media:upload": ({Role.OWNER, Role.CREATOR, Role.MERCHANT}, "post"),
    "media:library": (EVERYBODY, "get"),
    "media:file": (EVERYBODY, "get"),
}


@pytest.fixture
def things(member: Membership) -> dict[str, list[object]]:
    """One of everything in the workspace, as the routes name it."""
    pinned = pin_of(member.workspace, detail())
    run: Run = run_of(member, pinned)
    output: Output = ready_output_of(run, 1)
    text = Output.objects.create(run=run, position=2, kind="text", status=OutputStatus.COMPLETED, text="A line")
    media = media_of(member.workspace)
    media.thumbnail.save("thumb.webp", ContentFile(b"a picture"))
    return {
        "runs:create": [pinned.pk],
        "runs:draft": [pinned.pk],
        "runs:draft_discard": [pinned.pk],
        "runs:detail": [run.pk],
        "runs:progress": [run.pk],
        "runs:cancel": [run.pk],
        "runs:again": [run.pk],
        "runs:refine": [run.pk],
        "runs:withdraw": [run.pk, run.refinements.create(words="Warmer").pk],
        "gallery:detail": [output.pk],
        "gallery:text": [text.pk],
        "media:file": [media.pk, "thumb"],
    }


def ask(browser: Client, name: str, slug: str, arguments: list[object]) -> int:
    """Return the status of the answer."""
    address = reverse(name, args=[slug, *arguments])
    return getattr(browser, MATRIX[name][1])(address).status_code


def test_matrix_has_a_row_for_every_route() -> None:
    names = {name for name, _address, _view in OWN_ROUTES} - OPEN_ROUTES.keys() - STAFF_ROUTES
    assert names == MATRIX.keys()


@pytest.mark.parametrize("name", MATRIX)
def test_stranger_gets_404_everywhere(
    name: str, things: dict[str, list[object]], as_user: Callable[[User], Client], outsider: User
) -> None:
    assert ask(as_user(outsider), name, "demo", things.get(name, [])) == 404


@pytest.mark.parametrize("name", sorted(name for name in MATRIX if name not in {"runs:choose", "runs:list"}))
def test_things_of_another_workspace_do_not_exist_in_one_s_own(
    name: str, things: dict[str, list[object]], as_user: Callable[[User], Client], outsider: User
) -> None:
    if name in things:
        assert ask(as_user(outsider), name, "other", things[name]) == 404


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("role", list(Role))
def test_role_decides(
    name: str, role: Role, things: dict[str, list[object]], as_user: Callable[[User], Client], member: Membership
) -> None:
    person = MembershipFactory(workspace=member.workspace, role=role).user
    status = ask(as_user(person), name, "demo", things.get(name, []))
    if role in MATRIX[name][0]:
        assert status not in {302 if MATRIX[name][1] == "get" else 0, 401, 403}, status
    else:
        assert status == 403


@pytest.mark.parametrize("name", MATRIX)
def test_anonymous_sees_nothing(name: str, things: dict[str, list[object]], client: Client) -> None:
    address = reverse(name, args=["demo", *things.get(name, [])])
    response = getattr(client, MATRIX[name][1])(address)
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_made_up_ids_are_404(as_user: Callable[[User], Client], creator: User) -> None:
    browser = as_user(creator)
    for name, arguments in {
        "runs:detail": [uuid.uuid4()],
        "runs:progress": [uuid.uuid4()],
        "runs:create": [999],
        "gallery:detail": [999],
        "gallery:text": [999],
        "media:file": [uuid.uuid4(), "original"],
    }.items():
        assert ask(browser, name, "demo", arguments) == 404, name
