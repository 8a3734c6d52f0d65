"""The client for asyncio: the same endpoints, the same errors, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Self, TypeVar

import httpx
import stamina

from lamina_integration.client import exchange
from lamina_integration.client.account import Account
from lamina_integration.client.answers import MAX_ANSWER_BYTES, Answer, interpret
from lamina_integration.client.apps import Apps
from lamina_integration.client.assets import Assets
from lamina_integration.client.calls import Async, Call, Listen, News, NextEvent, Pause, Script, Upload
from lamina_integration.client.content import Content
from lamina_integration.client.intelligence import Intelligence
from lamina_integration.client.models import Models
from lamina_integration.client.publishing import Publishing
from lamina_integration.client.rate_limit import read_remaining, read_reset
from lamina_integration.client.runs import Runs
from lamina_integration.client.templates import Templates
from lamina_integration.client.webhooks import Webhooks
from lamina_integration.errors import LaminaError, LaminaRateLimited, LaminaUnreachable
from lamina_integration.limits import Lane, RequestBudget
from lamina_integration.streams import EventReader, ServerEvent, StreamTooLong

T = TypeVar("T")


class AsyncLaminaClient:
    """Lamina's API with one key, in one lane of the shared budget, for one event loop.

    `patience_seconds` is how long a call waits for its turn in the budget, when that is not what its lane waits.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        budget: RequestBudget | None = None,
        lane: Lane = Lane.INTERACTIVE,
        patience_seconds: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: httpx.Timeout = exchange.TIMEOUT,
        connections: int = 20,
    ) -> None:
        self._address: dict[str, Any] = {"base_url": base_url.rstrip("/"), "api_key": api_key, "timeout": timeout}
        self._budget = budget
        self._lane = lane
        self._patience_seconds = patience_seconds
        self._http = httpx.AsyncClient(
            transport=transport,
            verify=exchange.tls_context(),
            limits=exchange.limits(connections),
            mounts=None if transport else exchange.DIRECT,
        )
        self.apps: Apps[Async] = Apps(self)
        self.runs: Runs[Async] = Runs(self)
        self.webhooks: Webhooks[Async] = Webhooks(self)
        self.content: Content[Async] = Content(self)
        self.templates: Templates[Async] = Templates(self)
        self.assets: Assets[Async] = Assets(self)
        self.intelligence: Intelligence[Async] = Intelligence(self)
        self.publishing: Publishing[Async] = Publishing(self)
        self.account: Account[Async] = Account(self)
        self.models: Models[Async] = Models(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back the connections."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a described call and return its answer; a read is repeated when it fails on the way."""
        if not call.is_read:
            return await self._exchange(call)
        async for attempt in stamina.retry_context(on=exchange.is_worth_retrying, **exchange.RETRY):
            with attempt:
                return await self._exchange(call)
            exchange.log_retry(call, tries=attempt.num, seconds=attempt.next_wait)
        raise AssertionError("a retry ends with an answer or an error")

    async def follow(self, script: Script[T]) -> AsyncIterator[T]:
        """Carry out a script and give its news."""
        events: AsyncGenerator[ServerEvent, None] | None = None
        try:
            step = next(script)
            while True:
                outcome: Any = None
                try:
                    match step:
                        case News():
                            yield step.of
                        case Pause():
                            await asyncio.sleep(step.seconds)
                        case Listen():
                            if events is not None:
                                await events.aclose()
                            events = self._events(step.call)
                        case NextEvent():
                            outcome = None if events is None else await anext(events, None)
                        case _:
                            outcome = await self.send(step)
                except LaminaError as error:
                    step = script.throw(error)
                else:
                    step = script.send(outcome)
        except StopIteration:
            return
        finally:
            if events is not None:
                await events.aclose()
            script.close()

    async def _exchange(self, call: Call[T]) -> T:
        await self._acquire(call)
        started = time.monotonic()
        try:
            answer = await self._request(call)
        except LaminaUnreachable as error:
            exchange.log_failure(call, error, milliseconds=(time.monotonic() - started) * 1000)
            await self._answered(call, error, seconds=time.monotonic() - started)
            raise
        return await self._settle(call, answer, milliseconds=(time.monotonic() - started) * 1000)

    async def _acquire(self, call: Call[Any]) -> None:
        if self._budget is not None and call.upload is None:
            await self._budget.acquired(self._lane, patience_seconds=self._patience_seconds)

    async def _settle(self, call: Call[T], answer: Answer, *, milliseconds: float) -> T:
        run_id, failure = call.run_id, None
        try:
            result = interpret(call, answer)
            run_id = run_id or getattr(result, "run_id", None)
        except LaminaUnreachable as error:
            failure = error
            raise
        except LaminaRateLimited as error:
            if self._budget is not None:
                await asyncio.to_thread(self._budget.hold, error.retry_after)
            raise
        finally:
            exchange.log_answer(call, answer, run_id=run_id, milliseconds=milliseconds)
            await self._answered(call, failure, seconds=milliseconds / 1000)
        if milliseconds < exchange.FRESH_MILLISECONDS:
            await self._observe(call, answer)
        return result

    async def _answered(self, call: Call[Any], error: LaminaError | None, *, seconds: float) -> None:
        """Let everybody know whether Lamina gives answers; where a file is put is not Lamina's API."""
        if self._budget is None or call.upload is not None:
            return
        if isinstance(error, LaminaUnreachable):
            await asyncio.to_thread(self._budget.unanswered, seconds)
        else:
            await asyncio.to_thread(self._budget.answered)

    async def _observe(self, call: Call[Any], answer: Answer) -> None:
        if self._budget is not None and call.upload is None:
            await asyncio.to_thread(self._budget.observe, read_remaining(answer.headers), read_reset(answer.headers))

    async def _request(self, call: Call[Any]) -> Answer:
        arguments = exchange.request_arguments(call, **self._address)
        if call.upload is not None:
            arguments["content"] = _chunks(call.upload)
        try:
            async with self._http.stream(**arguments) as response:
                return await _read(call, response, seconds=exchange.answer_seconds(call, self._address["timeout"]))
        except exchange.TRANSPORT_FAILURES as failure:
            raise exchange.unreachable(call, failure) from failure

    async def _events(self, call: Call[Any]) -> AsyncGenerator[ServerEvent, None]:
        """Give the events of a stream until its connection ends."""
        await self._acquire(call)
        started = time.monotonic()
        answer: Answer | None = None
        try:
            async with self._http.stream(**exchange.stream_arguments(call, **self._address)) as response:
                answer = Answer(response.status_code, response.headers, b"{}")
                if response.status_code != 200:
                    seconds = exchange.answer_seconds(call, self._address["timeout"])
                    answer = await _read(call, response, seconds=seconds)
                await self._settle(call, answer, milliseconds=(time.monotonic() - started) * 1000)
                reader = EventReader()
                try:
                    async for piece in response.aiter_bytes():
                        for event in reader.feed(piece):
                            yield event
                except StreamTooLong as failure:
                    raise exchange.too_long(call, answer) from failure
        except exchange.TRANSPORT_FAILURES as failure:
            error = exchange.unreachable(call, failure)
            if answer is None:  # a stream that breaks later has been an answer
                await self._answered(call, error, seconds=time.monotonic() - started)
            raise error from failure


async def _read(call: Call[Any], response: httpx.Response, *, seconds: float) -> Answer:
    content = bytearray()
    deadline = time.monotonic() + seconds
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise exchange.too_long(call, Answer(response.status_code, response.headers, b""))
        if time.monotonic() > deadline:
            raise exchange.too_slow(call, Answer(response.status_code, response.headers, b""))
    return Answer(response.status_code, response.headers, bytes(content))


async def _chunks(upload: Upload) -> AsyncIterator[bytes]:
    """Give the pieces of a file, read beside the event loop."""
    pieces = exchange.chunks(upload)
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
