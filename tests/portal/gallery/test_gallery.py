"""The gallery: what is in it, what filters it, what it costs."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.catalogue.models import PinnedApp
from portal.runs.models import OutputStatus
from portal.runs.states import Status
from portal.workspaces.models import Membership, User
from tests.factories import MembershipFactory, detail, pin_of, ready_output_of, run_of

GALLERY = "/w/demo/gallery/"


@pytest.fixture
def visitor(as_user: Callable[[User], Client], creator: User) -> Client:
    """The creator's browser."""
    return as_user(creator)


@pytest.fixture
def pinned(member: Membership) -> PinnedApp:
    """An app of the workspace."""
    return pin_of(member.workspace, detail(name="Shot maker"))


def labels(visitor: Client, query: str = "") -> set[str]:
    page = visitor.get(GALLERY + query).context["page"]
    return {output.label for output in page.object_list}


def test_empty_gallery_says_what_comes_here(visitor: Client) -> None:
    page = visitor.get(GALLERY).content.decode()
    assert "/w/demo/create/" in page


def test_gallery_shows_what_is_ours_and_not_what_is_still_made(
    visitor: Client, member: Membership, pinned: PinnedApp
) -> None:
    run = run_of(member, pinned)
    ready_output_of(run, 1, label="Ready")
    ready_output_of(run, 2, label="Not copied", media=None)
    ready_output_of(run, 3, label="Words", media=None, kind="text", text="Hello")
    ready_output_of(run, 4, label="Broken", media=None, status=OutputStatus.ERROR)
    assert labels(visitor) == {"Ready", "Words"}


def test_gallery_filters_by_person_kind_app_and_text(visitor: Client, member: Membership, pinned: PinnedApp) -> None:
    colleague = MembershipFactory(workspace=member.workspace)
    other_app = pin_of(member.workspace, detail(name="Clip maker"))
    ready_output_of(run_of(member, pinned), 1, label="Mine")
    ready_output_of(run_of(colleague, pinned), 1, label="Theirs")
    ready_output_of(run_of(colleague, other_app), 1, label="A clip", kind="video")
    assert labels(visitor, "?mine=1") == {"Mine"}
    assert labels(visitor, "?kind=video") == {"A clip"}
    assert labels(visitor, f"?app={other_app.pk}") == {"A clip"}
    assert labels(visitor, "?q=their") == {"Theirs"}
    assert labels(visitor, "?kind=video&mine=1") == set()


def test_filtered_empty_gallery_offers_to_clear_the_filters(
    visitor: Client, member: Membership, pinned: PinnedApp
) -> None:
    ready_output_of(run_of(member, pinned), 1)
    assert "Clear" in visitor.get(GALLERY + "?kind=audio").content.decode()


def test_gallery_of_somebody_who_made_nothing_says_so_and_where_to_begin(
    visitor: Client, member: Membership, pinned: PinnedApp
) -> None:
    ready_output_of(run_of(MembershipFactory(workspace=member.workspace), pinned), 1)
    page = visitor.get(GALLERY + "?mine=1").content.decode()
    assert "You have made nothing yet" in page
    assert "Nothing matches" not in page
    assert "Make something" in page
    filtered = visitor.get(GALLERY + "?mine=1&kind=audio").content.decode()
    assert "Nothing matches" in filtered
    assert "Try another word" not in filtered


def test_newest_run_comes_first_and_its_outputs_in_their_own_order(
    visitor: Client, member: Membership, pinned: PinnedApp
) -> None:
    older, newer = run_of(member, pinned), run_of(member, pinned)
    made = {}
    for run, position in ((newer, 3), (older, 1), (newer, 1), (older, 2), (newer, 2)):
        made[run, position] = ready_output_of(run, position)
    made[newer, 1].is_current = False
    made[newer, 1].save()
    again = ready_output_of(newer, 1, version=2)
    order = [again, *(made[newer, n] for n in (1, 2, 3)), *(made[older, n] for n in (1, 2))]
    assert visitor.get(GALLERY).context["page"].object_list == order
    for before, output, after in zip([None, *order], order, [*order[1:], None], strict=False):
        context = visitor.get(f"{GALLERY}{output.pk}/").context
        assert context["previous_id"] == (before and before.pk)
        assert context["next_id"] == (after and after.pk)


@pytest.mark.parametrize("count", [3, 60])
def test_gallery_costs_the_same_however_large(
    visitor: Client, member: Membership, pinned: PinnedApp, count: int, django_assert_max_num_queries: Any
) -> None:
    for n in range(count):
        ready_output_of(run_of(member, pinned), n + 1)
    with django_assert_max_num_queries(12):
        visitor.get(GALLERY)


def test_more_items_come_alone(visitor: Client, member: Membership, pinned: PinnedApp) -> None:
    run = run_of(member, pinned)
    for n in range(40):
        ready_output_of(run, n + 1)
    headers = {"HX-Request": "true", "HX-Target": "gallery-more"}
    part = visitor.get(GALLERY + "?page=2", headers=headers).content.decode()
    assert "<html" not in part
    assert "Picture 36" not in part
    assert "Picture 37" in part


@pytest.mark.parametrize("query", ["?page=0", "?page=x", "?app=9999999999999999999", "?kind=%00", "?q=%00", "?app=²"])
def test_odd_addresses_are_no_error(visitor: Client, query: str) -> None:
    assert visitor.get(GALLERY + query).status_code in {200, 400}


def test_one_output_is_shown_large_beside_its_inputs(visitor: Client, member: Membership, pinned: PinnedApp) -> None:
    run = run_of(member, pinned, status=Status.COMPLETED, lamina_run_id="r")
    first, second, third = (ready_output_of(run, n) for n in (1, 2, 3))
    response = visitor.get(f"{GALLERY}{second.pk}/")
    page = response.content.decode()
    assert second.media.get_absolute_url() in page
    assert (response.context["previous_id"], response.context["next_id"]) == (first.pk, third.pk)
    assert f"?from={run.pk}" in page


def test_output_that_is_not_ours_yet_has_no_page(visitor: Client, member: Membership, pinned: PinnedApp) -> None:
    output = ready_output_of(run_of(member, pinned), 1, media=None)
    assert visitor.get(f"{GALLERY}{output.pk}/").status_code == 404


def test_text_can_be_saved_as_a_file(visitor: Client, member: Membership, pinned: PinnedApp) -> None:
    run = run_of(member, pinned)
    words = "<b>Mug</b>\nقدح 🍵"
    output = ready_output_of(run, 1, label="Ad/line", media=None, kind="text", text=words)
    page = visitor.get(output.get_absolute_url()).content.decode()
    address = re.search(r'href="([^"]+/text/)" download', page).group(1)
    response = visitor.get(address)
    assert response.content.decode() == words
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="{run.title} Ad_line.txt"'
    assert response["X-Content-Type-Options"] == "nosniff"


def test_picture_has_no_text_to_save(visitor: Client, member: Membership, pinned: PinnedApp) -> None:
    output = ready_output_of(run_of(member, pinned), 1)
    assert visitor.get(reverse("gallery:text", args=["demo", output.pk])).status_code == 404
