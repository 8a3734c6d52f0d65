"""What the stand-in was asked and what it did, for comparing afterwards."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

RECENT = 2000
T = TypeVar("T")


class Ledger:
    """Everything in the order it happened; of requests the counts and the latest ones."""

    def __init__(self, *, keep: Callable[[str, str, dict[str, Any]], None]) -> None:
        self._keep = keep
        self.starts: list[dict[str, Any]] = []
        self.deliveries: list[dict[str, Any]] = []
        self.uploads: list[dict[str, Any]] = []
        self.fetches: list[dict[str, Any]] = []
        self.charges: list[dict[str, Any]] = []
        self.refinements: list[dict[str, Any]] = []
        self.topups: list[dict[str, Any]] = []
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT)

    def note(self, kind: str, entry: dict[str, Any]) -> None:
        """Note something that happened; it is kept over a restart."""
        entries = self._list(kind)
        entries.append(entry)
        self._keep(kind, str(len(entries)), entry)

    def restore(self, kind: str, entries: Iterable[dict[str, Any]]) -> None:
        """Take in what was noted before a restart."""
        self._list(kind).extend(entries)

    def unanswered(self, run_id: str) -> None:
        """Note that the answer to a start was lost."""
        for number in range(len(self.starts), 0, -1):
            if self.starts[number - 1]["runId"] == run_id:
                self.starts[number - 1]["answered"] = False
                self._keep("start", str(number), self.starts[number - 1])
                return

    def _list(self, kind: str) -> list[dict[str, Any]]:
        return {
            "start": self.starts,
            "delivery": self.deliveries,
            "upload": self.uploads,
            "charge": self.charges,
            "refinement": self.refinements,
            "topup": self.topups,
        }[kind]

    def count_request(self, *, method: str, path: str, route: str, status: int, key: str | None, time: str) -> None:
        """Note one request; status 0 is one whose connection was cut."""
        self._counts[method, route, status] += 1
        self._recent.append({"method": method, "path": path, "status": status, "key": key, "time": time})

    def requests(self, last: int | None = None) -> dict[str, Any]:
        """Return how often each kind of request came and how it was answered, and the latest of them."""
        counts = [
            {"method": method, "path": route, "status": status, "count": count}
            for (method, route, status), count in sorted(self._counts.items())
        ]
        return {"total": self._counts.total(), "counts": counts, "recent": latest(list(self._recent), last)}

    def as_dict(self, last: int | None = None) -> dict[str, Any]:
        """Return the ledger, ready for JSON: all of it, or the last so many of each kind."""
        return {
            "starts": latest(self.starts, last),
            "requests": self.requests(last),
            "deliveries": latest(self.deliveries, last),
            "uploads": latest(self.uploads, last),
            "fetches": latest(self.fetches, last),
            "charges": latest(self.charges, last),
            "refinements": latest(self.refinements, last),
            "topups": latest(self.topups, last),
        }


def latest(entries: list[T], last: int | None) -> list[T]:
    """Return the last so many entries, or all."""
    return entries if last is None else entries[max(0, len(entries) - last) :]
