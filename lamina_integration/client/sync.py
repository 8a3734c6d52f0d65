"""The client for code that waits for its answers."""

from __future__ import annotations

import time
from typing import Any, Self, TypeVar

import httpx
import stamina

from lamina_integration.client import exchange
from lamina_integration.client.account import Account
from lamina_integration.client.answers import MAX_ANSWER_BYTES, Answer, interpret
from lamina_integration.client.apps import Apps
from lamina_integration.client.assets import Assets
from lamina_integration.client.calls import Call, Sync
from lamina_integration.client.runs import Runs
from lamina_integration.client.webhooks import Webhooks
from lamina_integration.errors import LaminaRateLimited, LaminaUnreachable
from lamina_integration.limits import Lane, RequestBudget, read_remaining, read_reset

T = TypeVar("T")


class LaminaClient:
    """Lamina's API with one key, in one lane of the shared budget. Safe to share between threads."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        budget: RequestBudget | None = None,
        lane: Lane = Lane.INTERACTIVE,
        transport: httpx.BaseTransport | None = None,
        timeout: httpx.Timeout = exchange.TIMEOUT,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._budget = budget
        self._lane = lane
        self._timeout = timeout
        self._http = httpx.Client(
            transport=transport,
            verify=exchange.tls_context(),
            limits=exchange.LIMITS,
            mounts=None if transport else exchange.DIRECT,
        )
        self.apps: Apps[Sync] = Apps(self._send)
        self.runs: Runs[Sync] = Runs(self._send)
        self.assets: Assets[Sync] = Assets(self._send)
        self.webhooks: Webhooks[Sync] = Webhooks(self._send)
        self.account: Account[Sync] = Account(self._send)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def _send(self, call: Call[T]) -> T:
        if not call.is_read:
            return self._exchange(call)
        for attempt in stamina.retry_context(on=exchange.is_worth_retrying, **exchange.RETRY):
            with attempt:
                return self._exchange(call)
        raise AssertionError("a retry ends with an answer or an error")

    def _exchange(self, call: Call[T]) -> T:
        if self._budget is not None and call.upload is None:
            self._budget.acquire(self._lane)
        started = time.monotonic()
        try:
            answer = self._request(call)
        except LaminaUnreachable as error:
            exchange.log_failure(call, error, milliseconds=(time.monotonic() - started) * 1000)
            raise
        milliseconds = (time.monotonic() - started) * 1000
        run_id = call.run_id
        try:
            result = interpret(call, answer)
            run_id = run_id or getattr(result, "run_id", None)
        except LaminaRateLimited as error:
            if self._budget is not None:
                self._budget.hold(error.retry_after)
            raise
        finally:
            exchange.log_answer(call, answer, run_id=run_id, milliseconds=milliseconds)
        if self._budget is not None and call.upload is None:
            self._budget.observe(read_remaining(answer.headers), read_reset(answer.headers))
        return result

    def _request(self, call: Call[Any]) -> Answer:
        arguments = exchange.request_arguments(
            call, base_url=self._base_url, api_key=self._api_key, timeout=self._timeout
        )
        if call.upload is not None:
            arguments["content"] = exchange.chunks(call.upload)
        try:
            with self._http.stream(**arguments) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        raise exchange.too_long(call, Answer(response.status_code, response.headers, b""))
                return Answer(response.status_code, response.headers, bytes(content))
        except exchange.TRANSPORT_FAILURES as failure:
            raise exchange.unreachable(call, failure) from failure
