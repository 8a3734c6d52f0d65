"""The child that decodes: quick to start, limited, and its end no harm to us."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from portal.media import bench
from portal.media.bench import BenchRefused, remake
from portal.media.sniffing import JPEG
from tests.portal.media.making import jpeg


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small photo on disk."""
    path = tmp_path / "source"
    path.write_bytes(jpeg())
    return path


def with_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(text)
    monkeypatch.setattr(bench, "PROGRAM", program)


@pytest.mark.parametrize(
    "text",
    [
        "import os; os.abort()",
        "raise SystemExit(3)",
        "print('not a report'); raise SystemExit(1)",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "bytearray(10**13)",
    ],
    ids=["abort", "exit", "rubbish", "crash", "memory"],
)
def test_child_that_ends_badly_could_not_read_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: Path, text: str
) -> None:
    with_program(monkeypatch, tmp_path, text)
    with pytest.raises(BenchRefused) as refused:
        remake(source, JPEG, folder=tmp_path)
    assert refused.value.code == "unreadable"


def test_child_that_says_nothing_sensible_could_not_read_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: Path
) -> None:
    for said in (
        "",
        "[]",
        "{",
        '{"kind": "image"}',
        '{"kind": "image", "extension": "jpg", "content_type": "image/jpeg", "file": "source"}',
    ):
        with_program(monkeypatch, tmp_path, f"print({said!r})")
        with pytest.raises(BenchRefused) as refused:
            remake(source, JPEG, folder=tmp_path)
        assert refused.value.code == "unreadable"


def test_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: Path) -> None:
    with_program(monkeypatch, tmp_path, "while True: pass")
    monkeypatch.setattr(bench, "STILL_SECONDS", 0.3)
    with pytest.raises(BenchRefused) as refused:
        remake(source, JPEG, folder=tmp_path)
    assert refused.value.code == "unreadable"


def test_so_many_children_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: Path) -> None:
    monkeypatch.setattr(bench, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(bench, "LONGEST_WAIT_SECONDS", 0.05)
    with bench._places, pytest.raises(BenchRefused) as refused:
        remake(source, JPEG, folder=tmp_path)
    assert refused.value.code == "busy"
    assert remake(source, JPEG, folder=tmp_path).width == 60


LIMITED = """
import sys
sys.path.append({folder!r})
from workbench import limits
limits.apply(memory_bytes=300_000_000, processor_seconds=1, file_bytes=1000)
"""


@pytest.mark.parametrize(
    "greed",
    [
        "bytearray(400_000_000)",
        "with open('big', 'wb') as file: file.write(bytes(5000))",
        "while True: pass",
    ],
    ids=["memory", "file", "processor"],
)
def test_limits_end_a_greedy_child(tmp_path: Path, greed: str) -> None:
    text = LIMITED.format(folder=str(bench.PROGRAM.parents[1])) + greed
    ended = subprocess.run([sys.executable, "-I", "-c", text], cwd=tmp_path, capture_output=True, check=False)
    assert ended.returncode != 0
    assert not (tmp_path / "big").exists() or (tmp_path / "big").stat().st_size <= 1000


def test_child_has_none_of_our_secrets_and_none_of_our_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: Path
) -> None:
    monkeypatch.setenv("SECRET_KEY", "told to nobody")
    spy = "import json, os, sys; print(json.dumps({'refused': json.dumps([dict(os.environ), sys.path])}))"
    with_program(monkeypatch, tmp_path, spy)
    with pytest.raises(BenchRefused) as refused:
        remake(source, JPEG, folder=tmp_path)
    environment, path = json.loads(refused.value.code)
    assert "SECRET_KEY" not in environment
    assert str(bench.PROGRAM.parents[3]) not in path


def test_child_loads_no_django(tmp_path: Path, source: Path) -> None:
    job: dict[str, Any] = {
        "task": "still",
        "source": str(source),
        "folder": str(tmp_path),
        "format": "JPEG",
        "remake": True,
        "max_pixels": 10**7,
        "max_seconds": 1,
        "memory_bytes": 2 * 1024**3,
        "processor_seconds": 10,
        "largest_file_bytes": 10**7,
    }
    command = [sys.executable, "-I", "-X", "importtime", str(bench.PROGRAM), json.dumps(job)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["width"] == 60
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert not {name for name in loaded if name.split(".")[0] in {"django", "portal", "av", "pillow_heif"}}
