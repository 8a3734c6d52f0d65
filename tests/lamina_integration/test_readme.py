"""The examples of the package's README do what it says, against the stand-in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import httpx
import pytest
from django.test import RequestFactory

import lamina_integration
from lamina_integration import LaminaClient
from lamina_integration.fetch import fetch
from lamina_integration.sandbox import Sandbox
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
    used = ('with LaminaClient(base_url="https', "upload_urls", "by=By.POLL", "RequestBudget(", "def application")
    assert {example(word) for word in (*used, "csrf_exempt", "fetched = fetch", "def test_picture")} == set(EXAMPLES)


def test_quick_start_makes_a_picture(lamina: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    def local(**arguments: Any) -> LaminaClient:
        return LaminaClient(**arguments | {"base_url": lamina.url})

    source = example("address(app.parameters").replace("from lamina_integration import LaminaClient\n", "")
    exec(source, {"LaminaClient": local, "key": lamina.api_key, "app_id": MOOD_BOARD})
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1]


def test_upload_gives_an_address_for_inputs(
    client: LaminaClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mug.jpg").write_bytes(photo())
    monkeypatch.chdir(tmp_path)
    inputs = run("upload_urls", lamina=client)["inputs"]
    assert httpx.get(inputs["your_photo_image_url"]).content == photo()


def test_run_is_followed_at_the_pace_of_films(client: LaminaClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamina_integration.client.VIDEO", (0.05, 0.1))
    names = run("by=By.POLL", lamina=client, run=client.runs.start(CARTOONIFY, {"Style": "Ghibli"}))
    assert names["news"].status == "completed"


def test_budget_is_shared(lamina: Sandbox, redis_url: str) -> None:
    names = {"url": redis_url, "base_url": lamina.url, "key": lamina.api_key}
    left = run("RequestBudget(", **names)
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
        keep=lambda digest, told: heard.append(("kept", told.run_id)),
        ask_about=lambda run_id: heard.append(("asked", run_id)),
    )["application"]
    run_id = client.runs.start(CARTOONIFY, {"Style": "Ghibli"}).run_id
    headers, body = lamina.delivery(run_id, kind=kind)
    served = httpx.Client(transport=httpx.WSGITransport(app=application), base_url="http://shop.example")
    answer = served.post("/", content=body, headers=headers)
    assert f"{answer.status_code} {answer.reason_phrase}" == status
    assert heard == {"genuine": [("kept", run_id)], "stale": [("asked", run_id)], "bad signature": []}[kind]


@pytest.mark.parametrize(("kind", "status"), [("genuine", 200), ("stale", 200), ("bad signature", 400)])
def test_delivery_is_taken_in_django(
    lamina: Sandbox, client: LaminaClient, rf: RequestFactory, kind: str, status: int
) -> None:
    kept, asked = Mock(), Mock()
    taken = run("def application", lamina=client)
    view = run("csrf_exempt", **taken, Delivery=kept, ask_about=asked)["lamina_delivery"]
    run_id = client.runs.start(CARTOONIFY, {"Style": "Ghibli"}).run_id
    headers, body = lamina.delivery(run_id, kind=kind)
    answer = view(rf.post("/", body, content_type=headers.pop("Content-Type"), headers=headers))
    assert answer.status_code == status
    assert kept.objects.get_or_create.called == (kind == "genuine")
    assert asked.delay.call_args_list == ([call(run_id)] if kind == "stale" else [])


def test_delivery_whose_keys_cannot_be_had_is_to_come_again(
    lamina: Sandbox, client: LaminaClient, rf: RequestFactory
) -> None:
    run_id = client.runs.start(CARTOONIFY, {"Style": "Ghibli"}).run_id
    headers, body = lamina.delivery(run_id)
    lamina.set(server_errors=1)
    view = run("csrf_exempt", **run("def application", lamina=client))["lamina_delivery"]
    answer = view(rf.post("/", body, content_type=headers.pop("Content-Type"), headers=headers))
    assert answer.status_code == 503


def test_output_is_downloaded(
    lamina: Sandbox, client: LaminaClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, last = client.runs.follow(client.runs.start(CARTOONIFY, {"Style": "Ghibli"}).run_id)
    monkeypatch.chdir(tmp_path)

    def local(url: str, **arguments: Any) -> Any:
        return fetch(url, **arguments, allow_hosts=frozenset({lamina.url.removeprefix("http://")}))

    monkeypatch.setattr("lamina_integration.fetch.fetch", local)
    fetched = run("fetched = fetch", output=last.outputs[0])["fetched"]
    assert fetched.size == (tmp_path / "front.png").stat().st_size > 0


def test_example_of_a_test_passes() -> None:
    names = run("def test_picture", app_id=CARTOONIFY, inputs={"Style": "Ghibli"})
    names["test_picture_is_made"]()
