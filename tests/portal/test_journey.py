"""The main journey without a browser: a photo, a form, a run at Lamina, its media in the gallery.

The web is Django's test client, the worker is this test calling the tasks' functions, and Lamina is
the stand-in, reached by the real client over HTTP. tests/browser makes the same journey with every
process of the demo.
"""

import io
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from lamina_integration import Lane
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.catalogue.schemas import pin
from portal.media.models import Media
from portal.runs import copies, inbox, rounds
from portal.runs.costs import to_confirm
from portal.runs.models import Delivery, Output, Run
from portal.runs.states import Status
from portal.runs.submit import send
from portal.workspaces.lamina import client_for
from portal.workspaces.models import User, Workspace

SHOTS = "ec7ec3ce-69b4-43c9-8eea-fe9752d679a4"
VIDEO = "ec9b3525-4b72-4083-a6cb-00371672e128"


@pytest.fixture
def lamina(lamina: Sandbox) -> Sandbox:
    """Lamina, making what it is asked for and not the same small file for all."""
    lamina.set(plain_media=False)
    return lamina


@pytest.fixture
def visitor(as_user: Callable[[User], Client], creator: User) -> Client:
    """The creator's browser."""
    return as_user(creator)


def pinned(workspace: Workspace, lamina_id: str) -> PinnedApp:
    with client_for(workspace, lane=Lane.INTERACTIVE) as client:
        return pin(workspace=workspace, lamina_id=lamina_id, capability="image", client=client)


def sideways_photo() -> SimpleUploadedFile:
    """Return a phone's photo: stored on its side, with the place where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 22.0, 12.0), 3: "E", 4: (4.0, 53.0, 42.0)})
    file = io.BytesIO()
    Image.effect_noise((300, 450), 60).convert("RGB").save(file, "JPEG", exif=exif)
    return SimpleUploadedFile("IMG_0001.JPG", file.getvalue(), content_type="image/jpeg")


def upload(visitor: Client) -> Media:
    post = {"file": sideways_photo(), "field": "p0", "accept": "image", "multiple": "0"}
    assert visitor.post("/w/demo/media/upload/", post).status_code == 201
    return Media.objects.get()


def submit_form(visitor: Client, pin: PinnedApp, **values: Any) -> Run:
    confirmed = str(to_confirm(pin.app) or "")
    post = {"token": str(uuid.uuid4()), "schema": pin.app.schema_id, "confirmed": confirmed, **values}
    response = visitor.post(pin.get_absolute_url(), post)
    assert response.status_code == 302, re.findall(r'class="field-error".*', response.content.decode())
    return Run.objects.get()


def take_copies(run: Run) -> None:
    for output_id in run.outputs.filter(copy_next_at__isnull=False).values_list("pk", flat=True):
        copies.copy_output(output_id)


def test_photo_to_pictures_by_webhook(
    visitor: Client, workspace: Workspace, lamina: Sandbox, settings: object, client: Client
) -> None:
    settings.PORTAL_PUBLIC_URL = "http://127.0.0.1:1"
    lamina.set(webhook_dropped=1.0)
    app = pinned(workspace, SHOTS)
    photo = upload(visitor)
    assert (photo.width, photo.height) == (450, 300)
    assert set(photo.changes) >= {"upright", "location"}
    run = submit_form(visitor, app, p0=photo.ref, p2="A noisy mug", p3="1", outputs=["0", "1"])
    send(run.pk)
    run.refresh_from_db()
    start = lamina.ledger()["starts"][0]
    sent_url = start["inputs"]["your_product_image_url"]
    photo.refresh_from_db()
    assert sent_url == photo.lamina_url
    assert start["inputs"]["ai_designer_aspect_ratio"] == "4:5"
    assert "mood_board_images_urls" not in start["inputs"], "what is left blank is left to the app"

    lamina.finish()
    cache.delete(inbox.KEYS_ASKED)  # another test may have asked in this cool-down
    assert inbox.refresh_keys()
    headers, body = lamina.delivery(run.lamina_run_id)
    address = start["webhook"].removeprefix("http://127.0.0.1:1")
    assert client.post(address, body, content_type="application/json", headers=headers).status_code == 200
    inbox.apply_delivery(Delivery.objects.get().pk)
    run.refresh_from_db()
    assert run.status == Status.COMPLETED
    take_copies(run)

    kept = list(Output.objects.filter(run=run).select_related("media"))
    assert [output.label for output in kept] == ["Hero Shot", "Lifestyle Shot"]
    for output in kept:
        assert output.media is not None
        assert abs(output.media.width / output.media.height - 0.8) < 0.02
        picture = visitor.get(output.media.get_absolute_url())
        with Image.open(io.BytesIO(b"".join(picture.streaming_content))) as opened:
            assert opened.size == (output.media.width, output.media.height)
    gallery = visitor.get("/w/demo/gallery/").content.decode()
    assert all(output.media.thumb_url in gallery for output in kept)


def test_video_and_text_by_the_sweep_alone(visitor: Client, workspace: Workspace, lamina: Sandbox) -> None:
    lamina.set(webhooks=False)
    app = pinned(workspace, VIDEO)
    photo = upload(visitor)
    run = submit_form(visitor, app, p0=photo.ref, p2="A mug. A morning.", p3="0", p4="0", outputs=["0", "1"])
    send(run.pk)
    lamina.finish()
    Run.objects.update(next_at=timezone.now())
    rounds.go_round()
    run.refresh_from_db()
    assert run.status == Status.COMPLETED
    take_copies(run)
    text, video = run.outputs.select_related("media")
    assert (text.kind, bool(text.text)) == ("text", True)
    assert video.media is not None
    assert (video.media.kind, bool(video.media.poster), video.media.duration_seconds > 1) == ("video", True, True)
    part = visitor.get(video.media.get_absolute_url(), headers={"Range": "bytes=0-99"})
    assert (part.status_code, part["Content-Length"]) == (206, "100")


def test_media_that_died_is_said_and_can_be_copied_later(
    visitor: Client, workspace: Workspace, lamina: Sandbox
) -> None:
    app = pinned(workspace, SHOTS)
    photo = upload(visitor)
    run = submit_form(visitor, app, p0=photo.ref, outputs=["0"])
    send(run.pk)
    lamina.finish()
    lamina.set(media_fault="gone")
    Run.objects.update(next_at=timezone.now())
    rounds.go_round()
    take_copies(run)
    output = run.outputs.get()
    assert (output.media, output.copy_tries) == (None, 1)
    assert output.copy_next_at > timezone.now(), "it is tried again"
    assert "Copying to your gallery" in visitor.get(run.get_absolute_url()).content.decode()
    lamina.set(media_fault="")
    Output.objects.update(copy_next_at=timezone.now())
    take_copies(run)
    output.refresh_from_db()
    assert output.media is not None


def test_inputs_survive_as_they_were_given(visitor: Client, workspace: Workspace, lamina: Sandbox) -> None:
    app = pinned(workspace, SHOTS)
    photo = upload(visitor)
    brief = 'Zürich "quoted" <b>bold</b> مرحبا 🎉'
    run = submit_form(visitor, app, p0=photo.ref, p2=brief, outputs=["0"])
    send(run.pk)
    assert lamina.ledger()["starts"][0]["inputs"]["product_text"] == brief
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
