"""The command line: a process of its own, its page and its control endpoints, and how it ends."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the stand-in; give its process and its address."""
    command = [sys.executable, "-m", "lamina_integration.sandbox", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert found, line + (process.stderr.read() if process.stderr else "")
            yield process, found[0]
        finally:
            process.kill()


def test_process_serves_logs_and_stops_at_once(tmp_path: Path) -> None:
    with running("--key", "lma_mine", "--log-level", "info", "--speed", "100", "--data", str(tmp_path)) as (
        process,
        url,
    ):
        assert httpx.get(f"{url}/v1/apps", headers={"x-api-key": "lma_mine"}).status_code == 200
        assert httpx.get(f"{url}/_sandbox/knobs").json()["speed"] == 100
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=10)
        assert (process.returncode, time.monotonic() - began < 3) == (0, True)
    lines = [line for line in logged.splitlines() if line]
    assert re.search(r"GET /v1/apps 200 \d+ ms$", lines[0])
    assert len(lines) == 2
    assert "lma_mine" not in logged


def test_page_is_served_and_plays_by_a_strict_policy(tmp_path: Path) -> None:
    with running() as (_, url):
        page = httpx.get(url)
        assert "Lamina, played here" in page.text
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        for name in ("page.js", "page.css"):
            assert httpx.get(f"{url}/_page/{name}").status_code == 200
        assert httpx.get(f"{url}/_page/settings.py").status_code == 404
        assert len(httpx.get(f"{url}/_sandbox/apps").json()) >= 10


def test_control_refuses_other_sites_pages_and_odd_knobs() -> None:
    with running() as (_, url):
        knobs = f"{url}/_sandbox/knobs"
        assert httpx.patch(knobs, json={"speed": 9.0}, headers={"Origin": "https://evil.example"}).status_code == 403
        assert httpx.patch(knobs, json={"speed": 9.0}, headers={"Origin": url}).json()["speed"] == 9
        answer = httpx.patch(knobs, json={"speeed": 9.0})
        assert (answer.status_code, "speeed" in answer.json()["error"]) == (400, True)
        clock = f"{url}/_sandbox/clock"
        assert httpx.post(clock, json={"advance": 5}).json()["now"] >= 5
        assert httpx.post(clock, json={"advance": "soon"}).status_code == 400
        assert httpx.post(f"{url}/_sandbox/keys", json={"add": ["lma_new"]}).json()["keys"][-1] == "lma_new"
        assert httpx.get(f"{url}/v1/apps", headers={"x-api-key": "lma_new"}).status_code == 200
        assert len(httpx.post(f"{url}/_sandbox/signing-keys/rotate").json()["keys"]) == 2
        assert httpx.post(f"{url}/_sandbox/reset").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--apps", "/nowhere"], "/nowhere: there is no such folder"),
        (["--lost-answers", "2"], "lost_answers cannot be 2"),
        (["--scenario", "/nowhere.toml"], "/nowhere.toml: No such file"),
        (["--key", "a=B C"], "a key is written KEY or KEY=workspace-name"),
    ],
)
def test_wrong_argument_gives_one_clear_line(arguments: list[str], complaint: str) -> None:
    command = [sys.executable, "-m", "lamina_integration.sandbox", "--port", "0", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert complaint in line


def test_port_in_use_gives_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "lamina_integration.sandbox", "--port", str(port)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert answer.stderr == f"lamina sandbox: 127.0.0.1:{port}: address already in use\n"


@pytest.mark.parametrize(
    ("gone", "needed"),
    [
        ("uvicorn", "the stand-in needs uvicorn: pip install"),
        ("av", "lamina sandbox: its media need av: pip install av"),
    ],
)
def test_package_that_is_not_installed_is_named_with_the_way_to_it(gone: str, needed: str) -> None:
    hiding = (
        f"import runpy, sys; sys.modules[{gone!r}] = None; sys.argv = ['sandbox', '--port', '0'];"
        "runpy.run_module('lamina_integration.sandbox', run_name='__main__')"
    )
    finished = subprocess.run([sys.executable, "-c", hiding], capture_output=True, text=True, timeout=30, check=False)
    assert finished.returncode != 0
    assert needed in finished.stderr.splitlines()[-1]


def test_stand_in_needs_nothing_of_django() -> None:
    loaded = "import sys, lamina_integration.sandbox.cli as c; c._parser().format_help(); print(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=30, check=True)
    assert {"django", "celery", "portal"}.isdisjoint(finished.stdout.split())
