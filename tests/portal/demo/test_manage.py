"""Management commands with the demo's settings."""

import json
import os
import subprocess
import sys
from pathlib import Path

from portal.demo.kept import load_or_make

ROOT = Path(__file__).resolve().parents[3]


def manage(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as `make manage` does."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "portal.demo.manage", *arguments],
        cwd=ROOT,
        env={**inherited, "DATA": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_command_gets_the_demo_s_settings(tmp_path: Path) -> None:
    kept = load_or_make(tmp_path, portal_port=8000)
    shown = manage(
        tmp_path, "shell", "--no-imports", "-c", "from django.conf import settings as s; print(s.LAMINA_BASE_URL)"
    )
    assert shown.stdout.strip() == f"http://127.0.0.1:{kept.stand_in_port}", shown.stderr


def test_folder_without_a_demo_is_said_in_one_line(tmp_path: Path) -> None:
    refused = manage(tmp_path, "check")
    assert refused.returncode != 0
    assert (
        refused.stderr.strip() == f"No demo was ever started in {tmp_path}. Start it once, or name its folder: DATA=."
    )


def test_what_is_kept_stays_the_same(tmp_path: Path) -> None:
    first = load_or_make(tmp_path, portal_port=8000)
    assert load_or_make(tmp_path, portal_port=8000) == first
    assert json.loads((tmp_path / "demo.json").read_text())["secret_key"] == first.secret_key
