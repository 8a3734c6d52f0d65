"""The stand-in from outside: its knobs, its ledger, and deliveries signed with its key."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lamina_integration import webhooks


class StandIn:
    """Lamina as the stand-in plays it in a process of its own."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        self._data = data
        self._http = httpx.Client(base_url=f"{url}/_sandbox", timeout=60, trust_env=False)

    def turn(self, **knobs: object) -> None:
        """Turn knobs."""
        self._http.patch("/knobs", json=knobs).raise_for_status()

    def reset(self) -> None:
        """Begin anew, every knob as at the start."""
        self._http.post("/reset").raise_for_status()

    def ledger(self, *, last: int | None = None) -> dict[str, Any]:
        """Return what it was asked and did, or only the last so many of each kind."""
        query = {} if last is None else {"last": last}
        return dict(self._http.get("/ledger", params=query).raise_for_status().json())

    def is_up(self) -> bool:
        """Return whether it answers."""
        try:
            return self._http.get("/healthz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def advance(self, seconds: float) -> None:
        """Move its clock on."""
        self._http.post("/clock", json={"advance": seconds}).raise_for_status()

    def redeliver(self, run_id: str) -> None:
        """Have it send a run's present state to its callback again."""
        self._http.post(f"/runs/{run_id}/redeliver").raise_for_status()

    def rotate_key(self, *, keep_old: bool) -> None:
        """Have it sign with a new key."""
        self._http.post("/signing-keys/rotate", json={"keep_old": keep_old}).raise_for_status()

    def run(self, run_id: str) -> dict[str, Any]:
        """Return one run with its outputs."""
        return dict(self._http.get(f"/runs/{run_id}").raise_for_status().json())

    def requests(self, *, method: str = "", path: str = "", status: int | None = None) -> int:
        """Return how many requests of a kind came so far."""
        return sum(
            each["count"]
            for each in self.ledger()["requests"]["counts"]
            if (not method or each["method"] == method)
            and path in each["path"]
            and (status is None or each["status"] == status)
        )

    def key(self) -> Ed25519PrivateKey:
        """Return the key it signs with now."""
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex((self._data / "signing-keys").read_text().split()[0]))

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def signed(
    run: dict[str, Any] | bytes, *, key: Ed25519PrivateKey, run_id: str, age: float = 0
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a delivery of a run object, or of any bytes, signed so many seconds ago."""
    body = run if isinstance(run, bytes) else json.dumps({"data": run}, separators=(",", ":")).encode()
    timestamp = int(time.time() - age)
    headers = {
        "Content-Type": "application/json",
        webhooks.SIGNATURE_HEADER: webhooks.sign(key, body, timestamp),
        webhooks.TIMESTAMP_HEADER: str(timestamp),
        webhooks.REQUEST_ID_HEADER: run_id,
    }
    return headers, body
