"""Figures name the commit they were taken on."""

import subprocess
from pathlib import Path

from tests.commit import commit_words


def git(root: Path, *arguments: str) -> str:
    """Let git do something in a folder."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.test"]
    return subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def test_commit_is_named_and_whether_anything_changed_since(tmp_path: Path) -> None:
    assert commit_words(tmp_path) == "No commit is known: this is no checkout of git's."
    git(tmp_path, "init", "-q")
    (tmp_path / "docs").mkdir()
    for name in ("code.py", "docs/benchmarks.md"):
        (tmp_path / name).write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "--no-gpg-sign", "-m", "Begin")
    head = git(tmp_path, "rev-parse", "HEAD")[:10]
    (tmp_path / "docs/benchmarks.md").write_text("what the measurement wrote before")
    assert commit_words(tmp_path) == f"Commit {head}, and nothing changed since."
    (tmp_path / "code.py").write_text("2")
    assert commit_words(tmp_path) == f"Commit {head}, with changes that are in no commit."
    git(tmp_path, "checkout", "code.py")
    (tmp_path / "new.py").write_text("1")
    assert "with changes" in commit_words(tmp_path)
