"""The way in for browsers: one file a request, answered with its tile or with the reason why not."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from portal.media import throttle
from portal.media.models import Media
from portal.workspaces.models import Role, User, Workspace
from tests.factories import MembershipFactory, media_of
from tests.portal.media.making import encoded, jpeg, phone_exif, photo, upload

SignIn = Callable[[User], Client]


@pytest.fixture
def visitor(as_user: SignIn, creator: User) -> Client:
    """The creator's browser."""
    return as_user(creator)


def post(visitor: Client, content: bytes | None = None, name: str = "mug.jpg", **fields: Any) -> HttpResponse:
    file = {} if content is None else {"file": upload(content, name)}
    data = {"field": "p3", "accept": "image", "multiple": "1", **fields, **file}
    return visitor.post(reverse("media:upload", args=["demo"]), data)


def test_upload_answers_with_the_tile(visitor: Client, workspace: Workspace) -> None:
    answer = post(visitor, encoded(photo(), "HEIF", exif=phone_exif().tobytes()), "IMG_1.HEIC")
    media = workspace.media.get()
    page = answer.content.decode()
    assert answer.status_code == 201
    assert f'name="p3" value="{media.ref}"' in page
    assert media.thumb_url in page
    assert "Turned upright, location removed, HEIC to JPEG" in page


def test_refusal_says_why_and_escapes_the_name(visitor: Client) -> None:
    answer = post(visitor, b"<html>", "<b>page</b>.jpg")
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "is not a picture" in page
    assert "<b>" not in page
    assert not Media.objects.exists()


def test_upload_without_a_file_is_refused(visitor: Client) -> None:
    assert post(visitor).status_code == 422


def test_kinds_that_are_not_known_mean_pictures(visitor: Client) -> None:
    assert post(visitor, jpeg(), accept="program,<script>").status_code == 201


def test_field_name_that_is_none_of_ours_is_dropped(visitor: Client) -> None:
    answer = post(visitor, jpeg(), field='"><script>')
    assert b"<script" not in answer.content
    assert b'name=""' in answer.content


@pytest.mark.parametrize(("role", "status"), [(Role.OWNER, 201), (Role.MERCHANT, 201), (Role.REVIEWER, 403)])
def test_only_those_who_bring_files_may_upload(workspace: Workspace, as_user: SignIn, role: Role, status: int) -> None:
    member = MembershipFactory(workspace=workspace, role=role)
    assert post(as_user(member.user), jpeg()).status_code == status


def test_outsider_and_stranger_cannot_upload(
    client: Client, as_user: SignIn, outsider: User, workspace: object
) -> None:
    assert post(as_user(outsider), jpeg()).status_code == 404
    assert post(client, jpeg()).status_code == 302
    assert not Media.objects.exists()


def test_upload_is_a_post_with_a_token(creator: User) -> None:
    visitor = Client(enforce_csrf_checks=True)
    visitor.force_login(creator, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert visitor.get(reverse("media:upload", args=["demo"])).status_code == 405
    assert post(visitor, jpeg()).status_code == 403
    assert not Media.objects.exists()
    token = "t" * 32
    visitor.cookies["csrftoken"] = token
    data = {"file": upload(jpeg()), "accept": "image"}
    address = reverse("media:upload", args=["demo"])
    assert visitor.post(address, data, headers={"X-CSRFToken": token}).status_code == 201


def test_body_beyond_the_largest_limit_is_refused_unread(visitor: Client, settings: Any) -> None:
    class Unread:
        def read(self, *_: object) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    address = reverse("media:upload", args=["demo"])
    size = settings.MEDIA_MAX_VIDEO_BYTES * 2
    answer = visitor.generic(
        "POST",
        address,
        b"",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(size),
        **{"wsgi.input": Unread()},
    )
    assert answer.status_code == 413
    assert "up to 200 MB" in answer.content.decode()


def test_too_many_uploads_in_a_minute_wait(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "UPLOADS_A_MINUTE", 2)
    monkeypatch.setattr(throttle.time, "time", lambda: 1_800_000_010.0)
    answers = [post(visitor, jpeg()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[-1]["Retry-After"]) in range(1, 61)
    assert "Wait" in answers[-1].content.decode()


def test_picker_shows_only_what_fits_page_by_page(
    visitor: Client, workspace: Workspace, other_workspace: Workspace
) -> None:
    media_of(other_workspace, name="theirs.jpg")
    media_of(workspace, name="clip.mp4", kind="video")
    for number in range(30):
        media_of(workspace, name=f"mug {number:02}.jpg")
    address = reverse("media:library", args=["demo"])
    first = visitor.get(address, {"field": "p3", "accept": "image", "multiple": "1"})
    page = first.content.decode()
    assert "mug 29.jpg" in page
    assert "mug 00.jpg" not in page
    assert "clip.mp4" not in page
    assert "theirs.jpg" not in page
    second = visitor.get(address, {"field": "p3", "accept": "image", "before": first.context["next_before"]})
    assert "mug 00.jpg" in second.content.decode()
    assert second.context["next_before"] == ""
    assert "No file has that" in visitor.get(address, {"field": "p3", "q": "chair"}).content.decode()


def test_picker_costs_few_queries(visitor: Client, workspace: Workspace, django_assert_max_num_queries: Any) -> None:
    for _ in range(20):
        media_of(workspace)
    with django_assert_max_num_queries(4):
        visitor.get(reverse("media:library", args=["demo"]), {"field": "p3", "accept": "image"})


def test_staff_find_files_in_the_admin(staff: User, as_user: SignIn, workspace: Workspace) -> None:
    media = media_of(workspace, name="mug.jpg")
    visitor = as_user(staff)
    assert b"mug.jpg" in visitor.get(reverse("admin:media_media_changelist"), {"q": str(media.pk)}).content
    assert visitor.get(reverse("admin:media_media_change", args=[media.pk])).status_code == 200
    assert visitor.get(reverse("admin:media_media_add")).status_code == 403
