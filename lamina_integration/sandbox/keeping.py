"""What survives a restart: records in one SQLite file of the data folder, which one stand-in at a time may use."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, identity TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, identity)
)
"""
WRITE = """
INSERT INTO records (kind, identity, body) VALUES (?, ?, ?)
ON CONFLICT (kind, identity) DO UPDATE SET body = excluded.body
"""
BASE = "{base}"


class Keeper:
    """Writes records down as they change and gives them back in the order they first came.

    The stand-in's own address is written as a mark: after a restart it may be another.
    """

    def __init__(self, folder: Path, *, base_url: str) -> None:
        self._base_url = base_url
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise BlockingIOError(error.errno, "another stand-in is using this folder", str(folder)) from error
        self._database = sqlite3.connect(folder / "records.sqlite3", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")  # a power cut may cost the last runs of a demo
        self._database.execute(SCHEMA)

    def write(self, kind: str, identity: str, record: dict[str, Any]) -> None:
        """Write a record down, over an earlier one of the same identity."""
        body = json.dumps(record, ensure_ascii=False).replace(self._base_url, BASE)
        self._database.execute(WRITE, (kind, identity, body))

    def read(self, kind: str) -> Iterator[dict[str, Any]]:
        """Return the records of a kind."""
        rows = self._database.execute("SELECT body FROM records WHERE kind = ? ORDER BY number", (kind,))
        for (body,) in rows:
            yield json.loads(body.replace(BASE, self._base_url))

    def drop(self, kind: str, identity: str) -> None:
        """Forget one record."""
        self._database.execute("DELETE FROM records WHERE kind = ? AND identity = ?", (kind, identity))

    def forget(self) -> None:
        """Forget every record."""
        self._database.execute("DELETE FROM records")

    def close(self) -> None:
        """Let another stand-in use the folder."""
        self._database.close()
        self._lock.close()
