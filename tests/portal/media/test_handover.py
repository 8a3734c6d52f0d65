"""Files handed to Lamina: once, whole, and with no harm when two workers do it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import connection

from lamina_integration import LaminaClient, LaminaError, Lane
from lamina_integration.sandbox import Sandbox
from portal.media.handover import lamina_url
from portal.media.models import Media
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Workspace
from tests.portal.media.making import jpeg


@pytest.fixture
def client(lamina: Sandbox, workspace: Workspace) -> LaminaClient:
    """A client of the stand-in."""
    with client_for(workspace, lane=Lane.INTERACTIVE) as client:
        yield client


def kept_bytes(media: Media) -> bytes:
    with media.file.open("rb") as file:
        return file.read()


def test_file_is_uploaded_once_and_remembered(taken: Callable[..., Media], client: LaminaClient) -> None:
    media = taken(jpeg(), "Кружка №1.jpg")
    url = lamina_url(media, client=client)
    assert httpx.get(url).content == kept_bytes(media)
    assert lamina_url(Media.objects.get(pk=media.pk), client=client) == url
    assert url.endswith(".jpg")


def test_second_worker_goes_on_with_the_address_of_the_first(taken: Callable[..., Media], client: LaminaClient) -> None:
    media = taken(jpeg())
    stale = Media.objects.get(pk=media.pk)
    first = lamina_url(media, client=client)
    assert lamina_url(stale, client=client) == first
    assert Media.objects.get(pk=media.pk).lamina_url == first


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_go_on_with_one_address(taken: Callable[..., Media], client: LaminaClient) -> None:
    media = taken(jpeg())

    def hand_over(_number: int) -> str:
        try:
            return lamina_url(Media.objects.get(pk=media.pk), client=client)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        (url,) = set(threads.map(hand_over, range(2)))
    assert httpx.get(url).content == kept_bytes(media)


def test_nothing_is_remembered_when_the_upload_fails(
    taken: Callable[..., Media], client: LaminaClient, lamina: Sandbox
) -> None:
    media = taken(jpeg())
    lamina.set(down=60)
    with pytest.raises(LaminaError):
        lamina_url(media, client=client)
    assert Media.objects.get(pk=media.pk).lamina_url == ""
