"""What has to be done before the processes start, and what of it is still done from last time."""

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command to run once, and again when what it was made from has changed."""

    name: str
    command: list[str]
    sources: tuple[Path, ...]
    product: Path

    def fingerprint(self) -> str:
        """Return what changes with the names, sizes and times of the sources."""
        digest = hashlib.sha256()
        for path in sorted(_files(self.sources)):
            status = path.stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def manage(*arguments: str) -> list[str]:
    """Return the command line of a management command."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def steps(*, data: Path) -> tuple[Step, Step, Step]:
    """Return the steps: the database's tables, the static files, the demo's people and apps."""
    lock = ROOT / "requirements.lock"
    database = data / "portal.sqlite3"
    migrations = (lock, *ROOT.glob("portal/*/migrations"))
    return (
        Step(name="migrate", command=manage("migrate", "-v", "0"), sources=migrations, product=database),
        Step(
            name="collectstatic",
            command=manage("collectstatic", "--noinput", "-v", "0"),
            sources=(lock, ROOT / "static", ROOT / "portal" / "settings.py"),
            product=data / "static" / "staticfiles.json",
        ),
        Step(
            name="demo_data",
            command=manage("demo_data"),
            sources=(*migrations, *ROOT.glob("portal/*/management/commands/demo_data.py")),
            product=database,
        ),
    )


class Done:
    """Which steps were done, and from what, as the data folder remembers."""

    def __init__(self, data: Path) -> None:
        """Read the folder's memory."""
        self._path = data / "done.json"
        try:
            self._fingerprints: dict[str, str] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            self._fingerprints = {}

    def is_due(self, step: Step) -> bool:
        """Tell whether a step must run now."""
        return not step.product.exists() or self._fingerprints.get(step.name) != step.fingerprint()

    def mark(self, step: Step) -> None:
        """Remember that a step has been done."""
        self._fingerprints[step.name] = step.fingerprint()
        self._path.write_text(json.dumps(self._fingerprints, indent=2))


def _files(sources: Iterable[Path]) -> Iterable[Path]:
    for source in sources:
        if source.is_dir():
            yield from (path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        elif source.exists():
            yield source
