"""Both clients follow a run of the stand-in to its end in every way, through whatever interrupts."""

import asyncio
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lamina_integration import (
    AsyncLaminaClient,
    By,
    LaminaClient,
    LaminaInvalidInputs,
    LaminaRunUnfinished,
    RemoteRun,
    UploadFile,
)
from lamina_integration.sandbox import Sandbox
from tests.lamina_integration.sandbox.conftest import CARTOONIFY, KEYS, MOOD_BOARD, photo

SLOW = "5a4d0000-0000-4000-9000-0000000000aa"
INPUTS = {"Style": "Ghibli"}
ORDER = ["queued", "running", "completed"]
AT_ONCE = (0.005, 0.01)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Sandbox]:
    """A stand-in in which a minute takes a tenth of a second, with an app that takes 200 seconds."""
    detail = {"appId": SLOW, "name": "Slow", "parameters": [], "outputs": [{"label": "Words", "type": "text"}]}
    (tmp_path / "slow.json").write_text(json.dumps({"data": detail, "x-sandbox": {"seconds": 200}}))
    with Sandbox(speed=600, limit=0, keys=KEYS, apps=[tmp_path]) as running:
        yield running


class Wire:
    """A wire to the stand-in that can be cut: it passes everything on, and breaks off what it is told to."""

    def __init__(self, url: str) -> None:
        self._far_end = (urlsplit(url).hostname, urlsplit(url).port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut_streams = 0  # so many streams are cut after their first piece
        self.opened = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def _pass_on(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._far_end) as far:
            threading.Thread(target=_copy, args=(near, far, lambda piece: self._count(piece)), daemon=True).start()
            _copy(far, near, lambda _: None, until=lambda piece: self._is_to_be_cut(piece))

    def _count(self, piece: bytes) -> None:
        self.opened += b"/stream HTTP/1.1" in piece

    def _is_to_be_cut(self, piece: bytes) -> bool:
        if self.cut_streams and b"event: progress" in piece:
            self.cut_streams -= 1
            return True
        return False

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _copy(
    source: socket.socket,
    target: socket.socket,
    note: Callable[[bytes], None],
    *,
    until: Callable[[bytes], bool] = lambda _: False,
) -> None:
    try:
        while piece := source.recv(65536):
            note(piece)
            target.sendall(piece)
            if until(piece):
                return
    except OSError:
        return  # the other end has gone
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it was closed already


@pytest.fixture
def wire(quick: Sandbox) -> Iterator[Wire]:
    strung = Wire(quick.url)
    yield strung
    strung.close()


def followed(url: str, app_id: str, by: By, *, awaited: bool) -> list[RemoteRun]:
    """Start a run and return all its news."""
    inputs = INPUTS if app_id == CARTOONIFY else {}
    if not awaited:
        with LaminaClient(base_url=url, api_key=KEYS[0]) as lamina:
            run = lamina.runs.start(app_id, inputs)
            return list(lamina.runs.follow(run.run_id, by=by, seconds_between=AT_ONCE))

    async def follow() -> list[RemoteRun]:
        async with AsyncLaminaClient(base_url=url, api_key=KEYS[0]) as lamina:
            run = await lamina.runs.start(app_id, inputs)
            return [news async for news in lamina.runs.follow(run.run_id, by=by, seconds_between=AT_ONCE)]

    return asyncio.run(follow())


def is_forward(news: list[RemoteRun]) -> bool:
    """Whether a run's news goes from queued to completed and never back, neither in state nor in progress."""
    states = [ORDER.index(each.status) for each in news]
    percent = [each.progress.percent_complete or 0 for each in news if each.progress]
    return states == sorted(states) and percent == sorted(percent) and news[-1].status == "completed"


def requests_to(lamina: Sandbox, ending: str) -> int:
    """Return how many requests came to addresses that end so."""
    return sum(count["count"] for count in lamina.ledger()["requests"]["counts"] if count["path"].endswith(ending))


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("by", list(By))
def test_run_is_followed_to_its_end(quick: Sandbox, by: By, awaited: bool) -> None:
    quick.set(plain_media=True)
    news = followed(quick.url, CARTOONIFY, by, awaited=awaited)
    assert is_forward(news)
    assert news[-1].outputs[0].is_usable


@pytest.mark.parametrize("awaited", [False, True])
def test_long_poll_that_times_out_is_asked_again(quick: Sandbox, awaited: bool) -> None:
    assert is_forward(followed(quick.url, SLOW, By.WAIT, awaited=awaited))
    assert requests_to(quick, "/wait") >= 3


@pytest.mark.parametrize("awaited", [False, True])
def test_stream_that_is_cut_is_opened_again(wire: Wire, awaited: bool) -> None:
    wire.cut_streams = 2
    assert is_forward(followed(wire.url, SLOW, By.STREAM, awaited=awaited))
    assert (wire.cut_streams, wire.opened) == (0, 3)


@pytest.mark.parametrize("awaited", [False, True])
def test_stream_that_gives_nothing_is_given_up_for_polling(quick: Sandbox, awaited: bool) -> None:
    quick.set(garbled=1.0)
    opened: list[int] = []

    def heal() -> None:
        while requests_to(quick, "/stream") < 3:
            continue
        opened.append(requests_to(quick, "/stream"))
        quick.set(garbled=0.0)

    run_id = _started_behind_faults(quick)
    healer = threading.Thread(target=heal)
    healer.start()
    news = _follow_started(quick.url, run_id, awaited=awaited)
    healer.join(20)
    assert is_forward(news)
    assert opened == [requests_to(quick, "/stream")] == [3]


def _started_behind_faults(lamina: Sandbox) -> str:
    lamina.set(garbled=0.0)
    with LaminaClient(base_url=lamina.url, api_key=KEYS[0]) as client:
        run_id = client.runs.start(SLOW, {}).run_id
    lamina.set(garbled=1.0)
    return run_id


def _follow_started(url: str, run_id: str, *, awaited: bool) -> list[RemoteRun]:
    if not awaited:
        with LaminaClient(base_url=url, api_key=KEYS[0]) as lamina:
            return list(lamina.runs.follow(run_id, by=By.STREAM, seconds_between=AT_ONCE))

    async def follow() -> list[RemoteRun]:
        async with AsyncLaminaClient(base_url=url, api_key=KEYS[0]) as lamina:
            return [news async for news in lamina.runs.follow(run_id, by=By.STREAM, seconds_between=AT_ONCE)]

    return asyncio.run(follow())


def begun(client: LaminaClient, kind: str) -> str:
    if kind == "model":
        return client.models.generate_image("ideogram-v3", prompt="A mug").run_id
    return client.content.run_freestyle({"modality": "image", "variants": [{"prompt": "A mug"}]}).run_id


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("kind", ["model", "freestyle"])
def test_runs_without_an_app_are_followed_to_their_end(quick: Sandbox, kind: str, awaited: bool) -> None:
    quick.set(plain_media=True, server_errors=0.3, seed=2, rate_limited=0.2, rate_limited_seconds=0)

    def follow(client: Any, run_id: str) -> Any:
        follows = {"model": client.models.follow, "freestyle": client.content.follow_freestyle}
        return follows[kind](run_id, seconds_between=AT_ONCE)

    async def followed_awaited(run_id: str) -> list[Any]:
        async with AsyncLaminaClient(base_url=quick.url, api_key=KEYS[0]) as client:
            return [news async for news in follow(client, run_id)]

    with LaminaClient(base_url=quick.url, api_key=KEYS[0]) as client:
        quick.set(server_errors=0.0, rate_limited=0.0, manual=True)
        run_id = begun(client, kind)
        quick.set(server_errors=0.3, rate_limited=0.2, manual=False)
        news = asyncio.run(followed_awaited(run_id)) if awaited else list(follow(client, run_id))
    states = [ORDER.index(each.status) for each in news]
    assert states == sorted(states)
    assert news[-1].status == "completed"
    assert news[-1].output_url if kind == "model" else news[-1].outputs[0].is_usable


def test_run_of_a_model_that_does_not_end_in_time_is_told_with_how_it_stands(quick: Sandbox) -> None:
    quick.set(manual=True)
    with LaminaClient(base_url=quick.url, api_key=KEYS[0]) as client:
        run_id = begun(client, "model")
        with pytest.raises(LaminaRunUnfinished) as raised:
            list(client.models.follow(run_id, seconds_between=AT_ONCE, give_up_after_seconds=0.1))
    assert raised.value.run is not None
    assert (raised.value.run_id, raised.value.run.status) == (run_id, "queued")


def test_run_that_ended_before_it_is_followed_is_told_once(quick: Sandbox) -> None:
    with LaminaClient(base_url=quick.url, api_key=KEYS[0]) as lamina:
        run_id = lamina.runs.start(MOOD_BOARD, {"your_product_image_url": "https://shop.example/1.jpg"}).run_id
        quick.cancel(run_id)
        assert [news.status for news in lamina.runs.follow(run_id, by=By.STREAM)] == ["cancelled"]


def test_awaited_client_does_a_whole_journey(quick: Sandbox) -> None:
    quick.set(speed=20, plain_media=True)

    async def journey() -> dict[str, Any]:
        content = photo()
        async with AsyncLaminaClient(base_url=quick.url, api_key=KEYS[0]) as lamina:
            (target,) = await lamina.assets.upload_urls([UploadFile("mug.jpg", "image")])
            await lamina.assets.put(target, io.BytesIO(content), size=len(content))
            with pytest.raises(LaminaInvalidInputs) as refused:
                await lamina.runs.start(MOOD_BOARD, {})
            inputs = {"your_product_image_url": target.asset_url}
            started = await lamina.runs.start(MOOD_BOARD, inputs, outputs=["Hero Shot"])
            answer = await lamina.runs.wait(started.run_id, timeout_seconds=120)
            cancelled = await lamina.runs.cancel(started.run_id)
            page, usage = await asyncio.gather(lamina.runs.list(limit=1), lamina.account.usage())
            return {
                "missing": list(refused.value.by_parameter),
                "ended": (answer.run.status, answer.timed_out, cancelled),
                "listed": [run.run_id == started.run_id for run in page.items],
                "paid": usage.total_spent,
            }

    assert asyncio.run(journey()) == {
        "missing": ["your_product_image_url"],
        "ended": ("completed", False, "completed"),
        "listed": [True],
        "paid": 7,
    }
