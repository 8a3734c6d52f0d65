"""A stand-in whose clock moves by hand, somebody who calls it, and a callback that listens."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from lamina_integration.sandbox import Sandbox

MOOD_BOARD = "ec7ec3ce-69b4-43c9-8eea-fe9752d679a4"
PREMIUM = "bbb17293-5fe7-4645-8c6e-0745bc28254d"
TRY_ON = "a76e85ec-20b4-4fbc-99ad-055423a868a2"
EYEWEAR = "1afc70fd-cb66-4f44-847d-bdaf7e237be4"
MARKETING = "ec9b3525-4b72-4083-a6cb-00371672e128"
CARTOONIFY = "3f68debe-df0a-4fc9-bdd3-9d45a4160587"
EVERY_KIND = "5a4d0000-0000-4000-9000-000000000090"
ALWAYS_FAILS = "5a4d0000-0000-4000-9000-000000000091"
KEYS = ("lma_first", "lma_second=other-shop")
# It speaks plain HTTP: to load all authorities for it would be most of what a test costs.
PLAIN = False


@pytest.fixture(scope="package")
def server() -> Iterator[Sandbox]:
    with Sandbox(manual=True, limit=0, keys=KEYS) as running:
        yield running


@pytest.fixture
def lamina(server: Sandbox) -> Sandbox:
    """The stand-in, begun anew for each test; its clock moves by hand, and all pictures are the same one."""
    server.reset()
    server.set(plain_media=True)
    return server


@pytest.fixture
def api(lamina: Sandbox) -> Iterator[httpx.Client]:
    """Somebody with the first workspace's key."""
    with httpx.Client(base_url=lamina.url, headers={"x-api-key": KEYS[0]}, timeout=20, verify=PLAIN) as client:
        yield client


@pytest.fixture
def stranger(lamina: Sandbox) -> Iterator[httpx.Client]:
    """Somebody with the other workspace's key."""
    key = KEYS[1].partition("=")[0]
    with httpx.Client(base_url=lamina.url, headers={"x-api-key": key}, timeout=20, verify=PLAIN) as client:
        yield client


def photo(colour: str = "#b5532f", size: tuple[int, int] = (320, 240), kind: str = "JPEG") -> bytes:
    """Return a small photo of sorts: a disc on a light ground."""
    picture = Image.new("RGB", size, "#e9e4da")
    picture.paste(colour, (size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4))
    file = BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def uploaded(api: httpx.Client, content: bytes, *, name: str = "mug.jpg", kind: str = "image") -> str:
    """Upload a file as a client does; return its address."""
    answer = api.post("/v1/assets/upload-urls", json={"files": [{"filename": name, "mediaType": kind}]})
    target = answer.json()["data"]["uploads"][0]
    put = httpx.put(target["uploadUrl"], content=content, headers={"Content-Type": target["contentTypeHint"]})
    assert put.is_success, put.text
    return str(target["assetUrl"])


def started(api: httpx.Client, app_id: str = CARTOONIFY, **request: Any) -> str:
    """Start a run; return its id."""
    webhook = request.pop("webhook", None)
    body = {"inputs": {"Style": "Ghibli"}} | request
    answer = api.post(f"/v1/apps/{app_id}/runs", json=body, params={"webhook": webhook} if webhook else {})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["runId"])


def run_of(api: httpx.Client, run_id: str) -> dict[str, Any]:
    """Return a run as the API shows it."""
    return dict(api.get(f"/v1/runs/{run_id}").json()["data"])


@dataclass
class Callback:
    """A receiver of deliveries: what came, and what to answer next."""

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture
def callback() -> Iterator[Callback]:
    """A listener that answers 200 unless told otherwise."""
    heard = Callback()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.received.append((dict(self.headers.items()), body))
            self.send_response(heard.answers.pop(0) if heard.answers else 200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard.url = f"http://127.0.0.1:{listener.server_port}/hooks/token?a=1"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield heard
    listener.shutdown()
    listener.server_close()
    thread.join()
