"""The examples of the package's README do what it says, against the stand-in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

import lamina_integration
from lamina_integration import (
    DeliveryRejected,
    DeliveryStale,
    LaminaClient,
    LaminaError,
    Lane,
    RequestBudget,
    UploadFile,
)
from lamina_integration.fetch import fetch
from lamina_integration.sandbox import Sandbox
from lamina_integration.webhooks import MAX_BODY_BYTES, KeyRing
from tests.lamina_integration.sandbox.conftest import CARTOONIFY, MOOD_BOARD, photo

README = (Path(lamina_integration.__file__).parent / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.+?)```", README, re.DOTALL)


def example(word: str) -> str:
    """Return the one example that has this word in it."""
    (found,) = [text for text in EXAMPLES if word in text]
    return found


@pytest.fixture
def lamina() -> Iterator[Sandbox]:
    with Sandbox(speed=100, limit=0, plain_media=True) as running:
        yield running


@pytest.fixture
def client(lamina: Sandbox) -> Iterator[LaminaClient]:
    with LaminaClient(base_url=lamina.url, api_key=lamina.api_key) as one:
        yield one


def run(word: str, **names: Any) -> dict[str, Any]:
    """Run an example with these names at hand; return the names it leaves."""
    exec(compile(example(word), f"README.md: {word}", "exec"), names)
    return names


def test_every_example_is_run_here() -> None:
    used = ('with LaminaClient(base_url="https', "upload_urls", "RequestBudget(", "def application", "csrf_exempt")
    assert {example(word) for word in (*used, "fetched = fetch", "def test_picture")} == set(EXAMPLES)


def test_quick_start_makes_a_picture(lamina: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    def local(**arguments: Any) -> LaminaClient:
        return LaminaClient(**arguments | {"base_url": lamina.url})

    source = example("for news in").replace("from lamina_integration import LaminaClient\n", "")
    exec(source, {"LaminaClient": local, "key": lamina.api_key, "app_id": MOOD_BOARD})
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1]


def test_upload_gives_an_address_for_inputs(
    client: LaminaClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mug.jpg").write_bytes(photo())
    monkeypatch.chdir(tmp_path)
    inputs = run("upload_urls", lamina=client, UploadFile=UploadFile, os=__import__("os"))["inputs"]
    assert httpx.get(inputs["your_photo_image_url"]).content == photo()


def test_budget_is_shared(lamina: Sandbox, redis_url: str) -> None:
    names = {"redis": redis, "url": redis_url, "base_url": lamina.url, "key": lamina.api_key}
    left = run("RequestBudget(", RequestBudget=RequestBudget, LaminaClient=LaminaClient, Lane=Lane, **names)
    with left["lamina"] as one:
        assert one.apps.list()


@pytest.mark.parametrize(
    ("kind", "status"), [("genuine", "200 OK"), ("stale", "200 OK"), ("bad signature", "400 Bad Request")]
)
def test_delivery_is_taken_in_plain_wsgi(lamina: Sandbox, client: LaminaClient, kind: str, status: str) -> None:
    heard: list[tuple[str, str]] = []
    application: Callable[..., Any] = run(
        "def application",
        lamina=client,
        KeyRing=KeyRing,
        MAX_BODY_BYTES=MAX_BODY_BYTES,
        DeliveryStale=DeliveryStale,
        DeliveryRejected=DeliveryRejected,
        LaminaError=LaminaError,
        keep=lambda digest, told: heard.append(("kept", told.run_id)),
        ask_about=lambda run_id: heard.append(("asked", run_id)),
    )["application"]
    run_id = client.runs.start(CARTOONIFY, {"Style": "Ghibli"}).run_id
    headers, body = lamina.delivery(run_id, kind=kind)
    served = httpx.Client(transport=httpx.WSGITransport(app=application), base_url="http://shop.example")
    answer = served.post("/", content=body, headers=headers)
    assert f"{answer.status_code} {answer.reason_phrase}" == status
    assert heard == {"genuine": [("kept", run_id)], "stale": [("asked", run_id)], "bad signature": []}[kind]


def test_django_s_view_is_python() -> None:
    compile(example("csrf_exempt"), "README.md", "exec")


def test_output_is_downloaded(
    lamina: Sandbox, client: LaminaClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, last = client.runs.follow(client.runs.start(CARTOONIFY, {"Style": "Ghibli"}).run_id)
    monkeypatch.chdir(tmp_path)

    def local(url: str, **arguments: Any) -> Any:
        return fetch(url, **arguments, allow_hosts=frozenset({lamina.url.removeprefix("http://")}))

    fetched = run("fetched = fetch", fetch=local, output=last.outputs[0])["fetched"]
    assert fetched.size == (tmp_path / "front.png").stat().st_size > 0


def test_example_of_a_test_passes() -> None:
    names = run("def test_picture", LaminaClient=LaminaClient, app_id=CARTOONIFY, inputs={"Style": "Ghibli"})
    names["test_picture_is_made"]()
