"""Which code a figure was taken on: without that nobody can take it again, or tell what changed it."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a measurement writes itself, and where the packages are, is no change of the code.
BUT = (":!docs", ":!.venv")


def commit_words(root: Path = ROOT) -> str:
    """Return the commit that is checked out, and whether the files are those of it."""
    commit = _said(root, "rev-parse", "--short=10", "HEAD")
    if not commit:
        return "No commit is known: this is no checkout of git's."
    changed = _said(root, "status", "--porcelain", "--", ".", *BUT)
    return f"Commit {commit}, {'with changes that are in no commit' if changed else 'and nothing changed since'}."


def _said(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
