"""The demo as a person starts it, and a browser that is signed in to it."""

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Page, expect

ROOT = Path(__file__).parents[2]
READY_SECONDS = 120
# What a page does by itself may take a while where other work has the machine; a test that fails only waits longer.
expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Demo:
    """A running demo: where it is, who may sign in, and the stand-in behind it."""

    url: str
    passwords: dict[str, str]
    lamina_url: str
    data: Path

    def manage(self, *arguments: str) -> None:
        """Run a management command beside it."""
        inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        command = [sys.executable, "-m", "portal.demo.manage", *arguments]
        subprocess.run(command, cwd=ROOT, env={**inherited, "DATA": str(self.data)}, check=True, capture_output=True)

    def turn(self, **knobs: object) -> None:
        """Make the stand-in behave differently."""
        httpx.patch(f"{self.lamina_url}/_sandbox/knobs", json=knobs).raise_for_status()

    def ledger(self) -> dict[str, Any]:
        """Return what the stand-in was asked."""
        return httpx.get(f"{self.lamina_url}/_sandbox/ledger").raise_for_status().json()


@pytest.fixture
def drawn(demo: Demo) -> Iterator[None]:
    """Media that are really made from the inputs."""
    demo.turn(plain_media=False)
    yield
    demo.turn(plain_media=True)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The whole demo, with runs four times as fast as life."""
    data = tmp_path_factory.mktemp("demo")
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "portal.demo"],
        cwd=ROOT,
        env={**inherited, "PORT": str(port), "DATA": str(data), "SPEED": "4"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until_ready(process)
        kept = json.loads((data / "demo.json").read_text())
        demo = Demo(f"http://127.0.0.1:{port}", kept["passwords"], f"http://127.0.0.1:{kept['stand_in_port']}", data)
        # Who looks at what was made wants it drawn; for everybody else any picture does.
        demo.turn(plain_media=True)
        yield demo
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    assert process.returncode == 0, "the demo did not stop cleanly"


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    """Return when the demo says that it is ready; show what it said when it does not."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    said = []
    while True:
        line = lines.get(timeout=READY_SECONDS)
        said.append(line)
        if not line:
            pytest.fail("the demo did not start:\n" + "".join(said))
        if "Ctrl-C" in line:
            return


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The machine's own Chromium, without its calls to anywhere."""
    return {
        "executable_path": shutil.which("chromium") or shutil.which("chromium-browser"),
        "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
    }


@pytest.fixture(scope="session")
def sessions() -> dict[str, Any]:
    """Signed-in sessions by account, so that each signs in once."""
    return {}


SignIn = Callable[..., Page]


@pytest.fixture
def sign_in(browser: Browser, demo: Demo, sessions: dict[str, Any]) -> Iterator[SignIn]:
    """A function that opens a page as one of the demo's accounts; errors on its console fail the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(account: str = "creator", **options: Any) -> Page:
        # Without a graphics card, what moves on a page is most of what the browser costs.
        still = {"reduced_motion": "reduce"} | options
        context = browser.new_context(base_url=demo.url, storage_state=sessions.get(account), **still)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if account not in sessions:
            page.goto("/accounts/login/")
            page.get_by_label("Email").fill(f"{account}@demo.test")
            page.get_by_label("Password").fill(demo.passwords[account])
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/w/demo/create/")
            sessions[account] = context.storage_state()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def is_complaint(message: Any) -> bool:
    """Return whether a console message is an error; answers that say no, and lost ones, are part of the journeys."""
    expected = ("the server responded with a status of", "net::ERR_FAILED", "htmx:sendError", "htmx:afterRequest")
    return message.type == "error" and not any(words in message.text for words in expected)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos as people have them: a mug, a sideways one with a location, a large one, a fake."""
    folder = tmp_path_factory.mktemp("photos")
    draw_mug((900, 600)).save(folder / "mug.jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 22.0, 12.0), 3: "E", 4: (4.0, 53.0, 42.0)})
    draw_mug((900, 600)).rotate(90, expand=True).save(folder / "sideways.jpg", exif=exif)
    draw_mug((6000, 4000)).save(folder / "large.jpg", quality=80)
    (folder / "fake.jpg").write_bytes(b"#!/bin/sh\necho this is a program\n")
    return folder


def draw_mug(size: tuple[int, int]) -> Image.Image:
    """Return a picture of a mug on a table."""
    width, height = size
    picture = Image.new("RGB", size, (214, 190, 160))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, height * 0.7, width, height), fill=(120, 80, 50))
    draw.ellipse((width * 0.62, height * 0.4, width * 0.8, height * 0.7), outline=(170, 30, 30), width=width // 30)
    draw.rounded_rectangle((width * 0.3, height * 0.3, width * 0.68, height * 0.82), width // 20, fill=(190, 40, 35))
    draw.ellipse((width * 0.3, height * 0.24, width * 0.68, height * 0.38), fill=(60, 35, 20))
    return picture
