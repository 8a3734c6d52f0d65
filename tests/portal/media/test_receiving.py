"""Bodies with files, bounded before they are read and while they are."""

from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import load_handler
from django.test import RequestFactory

from portal.media.receiving import BoundedUploadHandler, OversizedUpload, largest_file_bytes
from portal.media.views import HANDLERS
from tests.portal.media.making import jpeg, upload


def received(*files: bytes) -> Any:
    request = RequestFactory().post("/", {f"p{number}_file": upload(file) for number, file in enumerate(files)})
    request.upload_handlers = [load_handler(handler, request) for handler in HANDLERS]
    return request.FILES


def test_file_that_grows_too_large_arrives_as_its_name_and_size(settings: Any) -> None:
    settings.MEDIA_MAX_IMAGE_BYTES = settings.MEDIA_MAX_VIDEO_BYTES = 200_000
    small = jpeg()
    files = received(small, bytes(500_000), small)
    assert isinstance(files["p1_file"], OversizedUpload)
    assert (files["p1_file"].size, files["p1_file"].name) == (500_000, "mug.jpg")
    assert files["p0_file"].read() == files["p2_file"].read() == small


def test_file_of_exactly_the_limit_arrives(settings: Any) -> None:
    settings.MEDIA_MAX_IMAGE_BYTES = settings.MEDIA_MAX_VIDEO_BYTES = 200_000
    assert received(bytes(200_000))["p0_file"].read() == bytes(200_000)


def test_body_that_is_no_form_of_ours_is_refused_unread() -> None:
    with pytest.raises(RequestDataTooBig):
        BoundedUploadHandler().handle_raw_input(None, {}, 4 * largest_file_bytes(), b"x")
