"""Finding files again, and only those of one's own workspace."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.media.library import find_media, library, place_of
from portal.media.models import Media
from portal.workspaces.models import Workspace
from tests.factories import media_of


def test_files_are_found_by_reference_in_one_query(
    workspace: Workspace, other_workspace: Workspace, django_assert_num_queries: object
) -> None:
    ours, theirs = media_of(workspace), media_of(other_workspace)
    refs = [ours.ref, theirs.ref, "media:nonsense", "https://example.org/x.jpg", "", ours.ref]
    with django_assert_num_queries(1):
        found = find_media(workspace, refs)
        assert [media.get_absolute_url() for media in found.values()]
    assert found == {ours.ref: ours}
    with django_assert_num_queries(0):
        assert find_media(workspace, ["media:", "x"]) == {}


def test_library_pages_through_everything_once(workspace: Workspace, other_workspace: Workspace) -> None:
    media_of(other_workspace)
    media_of(workspace, kind="video")
    made = [media_of(workspace) for _ in range(7)]
    same_moment = timezone.now() - timedelta(hours=1)
    Media.objects.filter(pk__in=[media.pk for media in made[:4]]).update(created_at=same_moment)
    seen: list[Media] = []
    before = ""
    while page := list(library(workspace, kinds=["image"], limit=3, before=before)):
        seen += page
        before = place_of(page[-1])
    assert len(seen) == 7
    assert set(seen) == set(made)
    assert [media.created_at for media in seen] == sorted((media.created_at for media in seen), reverse=True)


def test_library_searches_names(workspace: Workspace) -> None:
    media_of(workspace, name="Blue mug.jpg")
    media_of(workspace, name="chair.jpg")
    assert [media.name for media in library(workspace, kinds=["image"], limit=9, search="MUG")] == ["Blue mug.jpg"]


@pytest.mark.parametrize("before", ["nonsense", "2026-01-01_x", "_", "9999-12-31T23:59:59-23:59_" + "0" * 32])
def test_nonsense_place_begins_at_the_beginning(workspace: Workspace, before: str) -> None:
    media = media_of(workspace)
    assert list(library(workspace, kinds=["image"], limit=9, before=before)) == [media]
