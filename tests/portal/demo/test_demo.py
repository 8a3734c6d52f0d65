"""The demo itself, as a person starts it: all processes, a death in the family, the end, and a second start."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from portal.demo.loopback import find_free, is_free

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[3]
PORTS = range(30000 + os.getpid() % 1000, 32000)


class Demo:
    """One start of the demo."""

    def __init__(self, data: Path, *, port: int) -> None:
        self.data = data
        self.port = port
        self.said = data.parent / "said.txt"
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "portal.demo"],
                cwd=ROOT,
                env={**os.environ, "DATA": str(data), "PORT": str(port), "SPEED": "50"},
                stdout=said,
                stderr=said,
            )

    def wait_until_said(self, words: str, *, seconds: float = 90) -> None:
        """Return once the terminal shows these words."""
        deadline = time.monotonic() + seconds
        while words not in self.said.read_text():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop and return its status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Demo]]:
    """A function that starts the demo on this test's folder and port."""
    started: list[Demo] = []
    port = find_free(PORTS, but_not=0)

    def start() -> Demo:
        started.append(Demo(tmp_path / "data", port=port))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.stop(signal.SIGTERM)


def processes_of(data: Path) -> list[int]:
    """Return the processes that run for a data folder, by what their environment says."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"DATA_DIR={data}".encode() in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return found


def sign_in(demo: Demo) -> httpx.Response:
    """Return the page that the demo's owner sees first."""
    password = json.loads((demo.data / "demo.json").read_text())["passwords"]["owner"]
    assert password in demo.said.read_text()
    with httpx.Client(base_url=f"http://127.0.0.1:{demo.port}", follow_redirects=True, timeout=30) as browser:
        browser.get("/accounts/login/")
        return browser.post(
            "/accounts/login/",
            data={
                "login": "owner@demo.test",
                "password": password,
                "csrfmiddlewaretoken": browser.cookies["csrftoken"],
            },
        )


def test_demo_starts_mends_itself_stops_and_starts_again_quickly(start: Callable[[], Demo]) -> None:
    demo = start()
    demo.wait_until_said("Ctrl-C stops everything")
    page = sign_in(demo)
    assert page.url.path.startswith("/w/demo/")

    worker = next(pid for pid in processes_of(demo.data) if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(worker, signal.SIGKILL)
    demo.wait_until_said("The worker process was killed (SIGKILL); starting it again")

    assert demo.stop() == 0
    assert processes_of(demo.data) == []
    assert is_free(demo.port)

    done = (demo.data / "done.json").stat().st_mtime_ns
    again = start()
    again.wait_until_said("Ctrl-C stops everything")
    assert (demo.data / "done.json").stat().st_mtime_ns == done
    assert sign_in(again).url.path == page.url.path
    assert again.stop(signal.SIGTERM) == 0
    assert processes_of(demo.data) == []


def test_second_demo_on_the_same_folder_is_one_line_and_harms_nothing(start: Callable[[], Demo]) -> None:
    demo = start()
    demo.wait_until_said("Starting the portal")
    second = subprocess.run(
        [sys.executable, "-m", "portal.demo"],
        cwd=ROOT,
        env={**os.environ, "DATA": str(demo.data), "PORT": str(demo.port)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.splitlines() == [
        f"The data folder {demo.data} is in use by another demo. Stop it, or choose another with DATA=folder."
    ]
    assert demo.process.poll() is None
    assert demo.stop() == 0
    assert processes_of(demo.data) == []
