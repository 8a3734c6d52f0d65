"""What runs make: real pictures, films, sounds and texts, from what they were given."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import av
import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from lamina_integration.sandbox import Sandbox
from tests.lamina_integration.sandbox.conftest import (
    CARTOONIFY,
    EVERY_KIND,
    EYEWEAR,
    MARKETING,
    MOOD_BOARD,
    TRY_ON,
    photo,
    run_of,
    started,
    uploaded,
)


@pytest.fixture
def lamina(lamina: Sandbox) -> Sandbox:
    """The stand-in, making its media for real."""
    lamina.set(plain_media=False)
    return lamina


def made(lamina: Sandbox, api: httpx.Client, app_id: str, **request: object) -> list[dict[str, object]]:
    """Run an app to its end; return its outputs."""
    run_id = started(api, app_id, **request)
    lamina.finish()
    run = run_of(api, run_id)
    assert run["status"] == "completed", run
    return list(run["outputs"])


def picture(output: dict[str, object]) -> Image.Image:
    return Image.open(BytesIO(httpx.get(str(output["value"])).content))


def test_each_picture_of_an_app_is_another_and_has_the_asked_shape(lamina: Sandbox, api: httpx.Client) -> None:
    inputs = {"your_product_image_url": uploaded(api, photo()), "ai_designer_aspect_ratio": "16:9"}
    outputs = made(lamina, api, MOOD_BOARD, inputs=inputs)
    pictures = [picture(output) for output in outputs]
    assert {each.format for each in pictures} == {"JPEG"}
    for output, each in zip(outputs, pictures, strict=True):
        assert output["dimensions"] == {"width": each.width, "height": each.height}
        assert each.width / each.height == pytest.approx(16 / 9, abs=0.01)
    for position, one in enumerate(pictures):
        for other in pictures[position + 1 :]:
            assert ImageStat.Stat(ImageChops.difference(one, other).convert("L")).mean[0] > 4


def test_picture_is_made_from_the_photo(lamina: Sandbox, api: httpx.Client) -> None:
    def mean(colour: str) -> list[float]:
        inputs = {"your_product_image_url": uploaded(api, photo(colour))}
        (output,) = made(lamina, api, MOOD_BOARD, inputs=inputs, outputs=["Detail Shot"])
        return ImageStat.Stat(picture(output)).mean

    red, blue = mean("#c01818"), mean("#1818c0")
    assert red[0] > red[2] + 50
    assert blue[2] > blue[0] + 50


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_and_odd_photos_are_taken(lamina: Sandbox, api: httpx.Client, kind: str) -> None:
    file = BytesIO()
    Image.new("RGBA", (60, 90), (200, 30, 30, 128)).save(file, kind)
    inputs = {"your_product_image_url": uploaded(api, file.getvalue(), name=f"a.{kind.lower()}")}
    assert len(made(lamina, api, MOOD_BOARD, inputs=inputs, outputs=["Hero Shot", "Output 4"])) == 2


def test_photo_of_one_pixel_is_taken(lamina: Sandbox, api: httpx.Client) -> None:
    inputs = {"your_product_image_url": uploaded(api, photo(size=(1, 1)))}
    assert len(made(lamina, api, MOOD_BOARD, inputs=inputs)) == 4


def test_file_that_is_no_picture_fails_the_output(lamina: Sandbox, api: httpx.Client) -> None:
    run_id = started(api, inputs={"Style": "Ghibli", "Upload": uploaded(api, b"MZ not a picture")})
    lamina.finish()
    run = run_of(api, run_id)
    assert (run["status"], run["errorMessage"]) == ("failed", "The source image could not be read")


def test_defaults_are_used_where_nothing_was_sent(lamina: Sandbox, api: httpx.Client) -> None:
    (output,) = made(lamina, api, CARTOONIFY, inputs={"Style": "Cyberpunk"})
    assert picture(output).size[0] == picture(output).size[1]


def film(output: dict[str, object]) -> tuple[str, float, tuple[int, int], bytes]:
    content = httpx.get(str(output["value"])).content
    with av.open(BytesIO(content)) as clip:
        stream = clip.streams.video[0]
        assert sum(1 for _ in clip.decode(video=0)) > 24
        return stream.codec_context.name, float(clip.duration or 0) / 1_000_000, (stream.width, stream.height), content


def test_video_app_makes_a_film_a_browser_can_start_at_once(lamina: Sandbox, api: httpx.Client) -> None:
    inputs = {"product_images_urls": [uploaded(api, photo())], "script_text": "Wake up. Pour. Breathe."}
    board, clip = made(lamina, api, MARKETING, inputs=inputs)
    codec, seconds, (width, height), content = film(clip)
    assert codec == "h264"
    assert seconds == pytest.approx(float(str(clip["durationSeconds"])), abs=0.1)
    assert width / height == pytest.approx(9 / 16, abs=0.01)
    assert content.index(b"moov") < content.index(b"mdat")
    assert "Voice: Pour." in str(board["value"])
    answer = httpx.get(str(clip["value"]), headers={"Range": "bytes=-100"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (206, "video/mp4")


def test_clip_is_taken_where_a_photo_is_needed(lamina: Sandbox, api: httpx.Client) -> None:
    first = uploaded(api, photo())
    (clip,) = made(lamina, api, EYEWEAR, inputs={"eyewear_image_url": first}, outputs=["Shot 1"])
    again = uploaded(api, httpx.get(str(clip["value"])).content, name="clip.mp4", kind="video")
    inputs = {"product_images_urls": [first], "reference_video_url": again, "script_text": "One."}
    assert len(made(lamina, api, MARKETING, inputs=inputs, outputs=["Storyboard"])) == 1
    assert made(lamina, api, EYEWEAR, inputs={"eyewear_image_url": again}, outputs=["Shot 2"])[0]["type"] == "video"


def test_styling_note_and_sound_are_made(lamina: Sandbox, api: httpx.Client) -> None:
    person = uploaded(api, photo())
    inputs = {"person_image_url": person, "garment_images_urls": [person, person], "fit_text": "Slim"}
    (note,) = made(lamina, api, TRY_ON, inputs=inputs, outputs=["Styling note"])
    assert "Fit: Slim." in str(note["value"])
    inputs = {
        "plain_text": "<b>Quiet</b> שלום",
        "null_default_text": "x",
        "no_default_options_text": "Gloss",
        "one_image_url": person,
    }
    sound, words = made(lamina, api, EVERY_KIND, inputs=inputs, outputs=["Sound", "Words"])
    assert (sound["mimeType"], httpx.get(str(sound["value"])).content[:4]) == ("audio/wav", b"RIFF")
    assert "<b>Quiet</b> שלום" in str(words["value"])


def test_input_is_fetched_over_http_and_what_is_not_there_is_said(lamina: Sandbox, api: httpx.Client) -> None:
    with Sandbox() as elsewhere:
        made(lamina, api, CARTOONIFY, inputs={"Style": "Ghibli", "Upload": f"{elsewhere.url}/samples/product.jpg"})
        run_id = started(api, inputs={"Style": "Ghibli", "Upload": f"{elsewhere.url}/samples/none.jpg"})
        lamina.finish()
    assert "(404)" in run_of(api, run_id)["errorMessage"]
    assert [fetch["answer"] for fetch in lamina.ledger()["fetches"]] == [200, 404]


@pytest.mark.parametrize("fault", ["gone", "cut", "wrong"])
def test_media_may_be_gone_cut_or_wrong(lamina: Sandbox, api: httpx.Client, fault: str) -> None:
    (output,) = made(lamina, api, CARTOONIFY)
    whole = httpx.get(str(output["value"])).content
    lamina.set(media_fault=fault)
    answer = httpx.get(str(output["value"]))
    assert {
        "gone": answer.status_code == 404,
        "cut": answer.content == whole[: len(whole) // 2],
        "wrong": answer.headers["Content-Type"].startswith("text/html"),
    }[fault]


def test_media_outside_its_folder_is_not_served(lamina: Sandbox) -> None:
    assert httpx.get(f"{lamina.url}/media/..%2fsigning-keys").status_code == 404


def test_plain_media_is_one_file_for_all(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(plain_media=True)
    outputs = made(lamina, api, MOOD_BOARD, inputs={"your_product_image_url": uploaded(api, photo())})
    assert len({output["value"] for output in outputs}) == 1


def test_pillow_and_av_are_not_loaded_before_they_are_needed() -> None:
    modules = ("PIL", "av", "django")
    program = f"import sys, lamina_integration.sandbox.server; print([m in sys.modules for m in {modules}])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert answer.stdout.strip() == "[False, False, False]"
