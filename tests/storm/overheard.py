"""What was asked while a storm went on: the ledger keeps only the latest requests, so they are collected."""

import threading
from datetime import datetime
from types import TracebackType

from tests.storm.lamina import StandIn

LOOK_SECONDS = 0.5


class Overheard:
    """Every request about a run that came meanwhile, by method and path, with the moments it came at."""

    def __init__(self, lamina: StandIn) -> None:
        self._lamina = lamina
        self._heard: set[tuple[str, str, str]] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="overhearing", daemon=True)

    def __enter__(self) -> "Overheard":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def asked_about(self, run_id: str, *, since: datetime) -> bool:
        """Return whether everything about a run was asked for since then."""
        return any(moment >= since for moment in self._moments("GET", f"/v1/runs/{run_id}"))

    def was_told_to_cancel(self, run_id: str) -> bool:
        """Return whether a run's end was asked for."""
        return bool(self._moments("POST", f"/v1/runs/{run_id}/cancel"))

    def _moments(self, method: str, path: str) -> list[datetime]:
        heard = set(self._heard)
        return [datetime.fromisoformat(at) for verb, where, at in heard if (verb, where) == (method, path)]

    def _listen(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        recent = self._lamina.ledger(last=2000)["requests"]["recent"]
        self._heard |= {
            (each["method"], each["path"], each["time"]) for each in recent if each["path"].startswith("/v1/runs/")
        }
