"""Deliveries: a run's snapshot, signed and posted to its callback, and tried again when that fails."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import httpx

from lamina_integration import webhooks
from lamina_integration.sandbox import legacy
from lamina_integration.sandbox.outgoing import outgoing
from lamina_integration.sandbox.runs import Run
from lamina_integration.sandbox.times import iso

if TYPE_CHECKING:
    from lamina_integration.sandbox.world import World

STALE_SECONDS = 600


class Courier:
    """Sends what a run's callback is owed, with every fault the knobs ask for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._client: httpx.AsyncClient | None = None

    def announce(self, run: Run) -> None:
        """Deliver a run's new state to its callback, if it has one and the state is one that is told."""
        knobs, dice = self._world.knobs, self._world.dice
        if not (run.webhook and knobs.webhooks and run.status in knobs.webhook_states):
            return
        if run.script.get("drop_webhook") or dice.falls("webhook_dropped", knobs.webhook_dropped):
            self._note(run, run.webhook, kind="dropped", attempt=0, answer=None)
            return
        # The body is the state now: a delivery that comes late still tells of this moment.
        payload = {"data": run.as_wire()}
        held = knobs.webhook_reorder_seconds if dice.falls("webhook_reordered", knobs.webhook_reordered) else 0.0
        for _ in range(1 + knobs.webhook_duplicates):
            self._owe(run, payload, held=held)
        if dice.falls("webhook_unknown", knobs.webhook_unknown):
            stranger = payload["data"] | {"runId": str(uuid.uuid4())}
            self._owe(run, {"data": stranger}, kind="unknown")

    def redeliver(self, run: Run) -> None:
        """Send a run's present state again, whatever the knobs say."""
        if run.webhook:
            self._owe(run, {"data": run.as_wire()}, kind="again")

    def resume(self, run: Run, owed: dict[str, Any]) -> None:
        """Go on with a delivery that a restart interrupted, at once: it has waited."""
        self._world.clock.spawn(self._deliver(run, owed, held=0.0))

    def prepared(self, run: Run, payload: dict[str, Any], *, kind: str = "genuine") -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of a delivery signed now, with the fault a kind names."""
        words = self._world.knobs.legacy
        told = payload["data"] if run.kind == "model" else legacy.run(payload["data"], words)
        content = told if run.kind == "model" and "bare-webhooks" in words else {"data": told}
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        timestamp = int(time.time()) - (STALE_SECONDS if kind == "stale" else 0)
        key = self._world.keys.unpublished if kind == "bad signature" else self._world.keys.current
        signature = webhooks.sign(key, body, timestamp)
        if kind == "corrupt":
            body = body.replace(b'"status":"', b'"status":"x', 1)
        headers = {
            "Content-Type": "application/json",
            webhooks.SIGNATURE_HEADER: signature,
            webhooks.TIMESTAMP_HEADER: str(timestamp),
            webhooks.REQUEST_ID_HEADER: payload["data"]["runId"],
        }
        if "no-user-id" not in words:
            headers[webhooks.USER_ID_HEADER] = self._world.accounts.workspaces[run.workspace].user_id
        return headers, body

    async def stop(self) -> None:
        """Close the connections that are still open."""
        if self._client:
            await self._client.aclose()

    def _owe(self, run: Run, payload: dict[str, Any], *, held: float = 0.0, kind: str = "genuine") -> None:
        """Begin a delivery, and write down that it is owed until it has arrived or has been given up."""
        owed = {"identity": str(uuid.uuid4()), "runId": run.run_id, "payload": payload, "kind": kind, "tried": 0}
        self._world.keep("owed", str(owed["identity"]), owed)
        self._world.clock.spawn(self._deliver(run, owed, held=held))

    async def _deliver(self, run: Run, owed: dict[str, Any], *, held: float) -> None:
        clock, identity = self._world.clock, owed["identity"]
        if held:
            await clock.until(clock.now + held)
        pauses = self._world.knobs.webhook_retry_seconds
        for attempt in range(owed["tried"] + 1, len(pauses) + 2):
            if await self._attempt(run, owed["payload"], attempt=attempt, kind=self._fault() or owed["kind"]):
                break
            if attempt <= len(pauses):
                self._world.keep("owed", identity, owed | {"tried": attempt})
                await clock.until(clock.now + pauses[attempt - 1] * self._world.knobs.webhook_pace)
        self._world.drop("owed", identity)

    def _fault(self) -> str | None:
        """Return what is wrong with the next try, if anything."""
        knobs, dice = self._world.knobs, self._world.dice
        chances = {
            "bad signature": ("webhook_bad_signatures", knobs.webhook_bad_signatures),
            "corrupt": ("webhook_corrupt", knobs.webhook_corrupt),
            "stale": ("webhook_stale", knobs.webhook_stale),
        }
        return next((fault for fault, (name, chance) in chances.items() if dice.falls(name, chance)), None)

    async def _attempt(self, run: Run, payload: dict[str, Any], *, attempt: int, kind: str) -> bool:
        headers, body = self.prepared(run, payload, kind=kind)
        if self._client is None:
            self._client = outgoing(limits=httpx.Limits(max_connections=20))
        answer: int | str
        try:
            timeout = self._world.knobs.webhook_timeout
            response = await self._client.post(run.webhook or "", content=body, headers=headers, timeout=timeout)
            answer = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            answer = type(error).__name__
        self._note(run, run.webhook or "", kind=kind, attempt=attempt, answer=answer, status=payload["data"]["status"])
        return isinstance(answer, int) and 200 <= answer < 300

    def _note(
        self, run: Run, url: str, *, kind: str, attempt: int, answer: int | str | None, status: str | None = None
    ) -> None:
        delivery = {
            "runId": run.run_id,
            "url": url,
            "status": status or run.status,
            "kind": kind,
            "attempt": attempt,
            "answer": answer,
            "time": iso(),
        }
        self._world.ledger.note("delivery", delivery)
