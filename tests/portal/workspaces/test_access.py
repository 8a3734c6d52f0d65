"""Who gets in, who does not, and how each is told."""

from collections.abc import Callable

from django.test import Client

from portal.workspaces.models import Membership, User, Workspace

RUNS = "/w/demo/runs/"


def test_member_sees_the_workspace(as_user: Callable[[User], Client], creator: User) -> None:
    assert as_user(creator).get(RUNS).status_code == 200


def test_stranger_gets_404(as_user: Callable[[User], Client], outsider: User, workspace: Workspace) -> None:
    assert as_user(outsider).get(RUNS).status_code == 404


def test_anonymous_is_led_to_sign_in_and_back(client: Client, workspace: Workspace) -> None:
    response = client.get(RUNS)
    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/w/demo/runs/"


def test_fragment_without_a_session_is_refused_and_not_redirected(client: Client, workspace: Workspace) -> None:
    assert client.get(RUNS, headers={"HX-Request": "true"}).status_code == 403


def test_removed_member_is_out_at_the_next_request(
    as_user: Callable[[User], Client], creator: User, member: Membership
) -> None:
    browser = as_user(creator)
    assert browser.get(RUNS).status_code == 200
    member.delete()
    assert browser.get(RUNS).status_code == 404
