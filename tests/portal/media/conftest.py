"""What the tests of this room share: a folder of their own for kept files, and a short way in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from portal.media.intake import take_in
from portal.media.models import Media
from portal.workspaces.models import User, Workspace
from tests.portal.media.making import upload


@pytest.fixture(autouse=True)
def kept_files(settings: Any, tmp_path: Path) -> Path:
    """The folder that kept files are in."""
    folder = tmp_path / "kept"
    folder.mkdir()
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(folder), "base_url": None},
        },
    }
    assert default_storage.path("x") == str(folder / "x")
    return folder


@pytest.fixture
def taken(workspace: Workspace, creator: User) -> Callable[..., Media]:
    """A function that uploads some bytes as the creator."""

    def take(content: bytes, name: str = "mug.jpg", accept: tuple[str, ...] = ("image",)) -> Media:
        return take_in(workspace=workspace, user=creator, upload=upload(content, name), accept=accept)

    return take


@pytest.fixture
def picture_of() -> Callable[..., Image.Image]:
    """A function that opens a kept file (or its "thumbnail", "poster") as a picture."""

    def opened(media: Media, field: str = "file") -> Image.Image:
        with getattr(media, field).open("rb") as file:
            image = Image.open(file)
            image.load()
        return image

    return opened
