"""The door every request comes in by: counted, limited, perhaps spoilt, asked for its key, written down.

The order matters. A request over the limit or met by a fault has changed nothing when it is refused;
only a lost answer is lost after the deed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from typing import Any
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lamina_integration.sandbox import legacy
from lamina_integration.sandbox.accounts import Caller
from lamina_integration.sandbox.limits import Allowance
from lamina_integration.sandbox.oddities import oddly
from lamina_integration.sandbox.refusals import ConnectionCut, Refusal
from lamina_integration.sandbox.times import iso
from lamina_integration.sandbox.world import World

logger = logging.getLogger("lamina.sandbox")
logger.setLevel(logging.WARNING)  # within somebody else's process it is quiet; the command line may change that

TOO_MANY = "Too many requests from this IP, please try again in a minute"
IDENTIFIER = re.compile(r"(?<=/)(?:[0-9a-f]{8}-[0-9a-f-]{27})(?=/|$)")
SPENDS = re.compile(
    r"/v1/apps/[^/]+/runs|/v1/runs/[^/]+/feedback|/v1/generate/(image|video)|/v1/content/(run|create|batch|auto-generate)"
)
RUNS = re.compile(r"/v1/(runs|assets|apps/[^/]+/runs)(/|$)")


class Gate:
    """Wraps the API: what is here concerns every request alike."""

    def __init__(self, app: ASGIApp, *, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        visit = Visit(scope, send, world=self._world)
        try:
            await self._let_in(visit, receive)
        except Refusal as refusal:
            await visit.refuse(refusal, receive)
        except HTTPException as error:
            code = "NOT_FOUND" if error.status_code == 404 else "VALIDATION_ERROR"
            headers = dict(error.headers or {})
            unserved = Refusal(status=error.status_code, code=code, message=error.detail, headers=headers)
            await visit.refuse(unserved, receive)
        except ConnectionCut:
            visit.cut()
        finally:
            visit.write_down()

    async def _let_in(self, visit: Visit, receive: Receive) -> None:
        world = self._world
        is_control = visit.path.startswith("/_sandbox")
        if world.down_until > time.monotonic() and not is_control:
            raise ConnectionCut
        if is_control:
            _refuse_other_pages(visit.request)
        if visit.is_api:
            visit.allowance = self._allowance(visit)
            if await self._spoil(visit, receive):
                return
            visit.scope["state"]["caller"] = authenticate(world, visit.request)
        await self._app(visit.scope, receive, visit.send)

    def _allowance(self, visit: Visit) -> Allowance:
        knobs, windows = self._world.knobs, self._world.windows
        client = visit.scope.get("client")
        allowance = windows.take(f"ip {client[0] if client else ''}", limit=knobs.limit, window=knobs.window)
        if knobs.limit_per_key and visit.key:
            by_key = windows.take(f"key {visit.key}", limit=knobs.limit_per_key, window=knobs.window)
            allowance = min(allowance, by_key, key=lambda each: each.remaining - (not each.allowed))
        return allowance

    async def _spoil(self, visit: Visit, receive: Receive) -> bool:
        """Delay, refuse or lose a request before anything is done about it; whether it got a useless answer."""
        knobs, dice = self._world.knobs, self._world.dice
        allowance = visit.allowance
        if allowance and not allowance.allowed:
            raise Refusal(status=429, code="RATE_LIMITED", message=TOO_MANY, retry_after=allowance.reset_seconds)
        if knobs.latency or knobs.latency_jitter:
            await asyncio.sleep(knobs.latency + dice.between("latency_jitter", 0, knobs.latency_jitter))
        if dice.falls("rate_limited", knobs.rate_limited):
            wait = knobs.rate_limited_seconds
            headers = {"Retry-After": str(wait), "RateLimit-Remaining": "0", "RateLimit-Reset": str(wait)}
            raise Refusal(status=429, code="RATE_LIMITED", message=TOO_MANY, retry_after=wait, headers=headers)
        if dice.falls("server_errors", knobs.server_errors):
            unavailable = knobs.server_error_status == 503
            raise Refusal(
                status=knobs.server_error_status,
                code="RESOURCE_UNAVAILABLE" if unavailable else "INTERNAL_ERROR",
                message="Service temporarily unavailable" if unavailable else "Internal server error",
            )
        if visit.spends and dice.falls("lost_requests", knobs.lost_requests):
            raise ConnectionCut
        if dice.falls("garbled", knobs.garbled):
            page = Response("<html><body>Bad gateway</body></html>", media_type="text/html")
            await page(visit.scope, receive, visit.send)
            return True
        return False


class Visit:
    """One request on its way through: what it is, and how it was answered."""

    def __init__(self, scope: Scope, send: Send, *, world: World) -> None:
        self.scope = scope
        self._world = world
        self.path: str = scope["path"]
        scope.setdefault("state", {})["legacy"] = self._present(scope)
        self.is_api = self.path.startswith("/v1/") or self.path.startswith("/api/")
        self.request = Request(scope)
        self.request_id = str(uuid.uuid4())
        self.key = key_of(self.request)
        self.spends = scope["method"] == "POST" and bool(SPENDS.fullmatch(scope["path"]))
        self.allowance: Allowance | None = None
        self.status = 0
        self._send = send
        self._held: Message | None = None
        self._began = time.monotonic()
        scope["app"] = world
        scope["state"]["request_id"] = self.request_id

    def _present(self, scope: Scope) -> tuple[str, ...]:
        """Lead an old path to where it is served, if that is on; return the older shapes to answer in."""
        # A slash within an id is no slash of the path.
        whole = scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", "replace")
        if "%2f" in whole.lower():
            scope["path"] = "/".join(unquote(part).replace("/", "%2F") for part in whole.split("/"))
        words = self._world.knobs.legacy
        present = legacy.present_path(scope["path"]) if "old-paths" in words else scope["path"]
        if present == scope["path"]:
            return words
        scope["path"] = present
        return (*words, "execution-id")

    async def send(self, message: Message) -> None:
        """Pass an answer on with the headers every answer has, and now and then with something odd in it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.is_api:
                message = {**message, "headers": [*message["headers"], *self._headers(message["headers"])]}
            if self._is_to_be_odd(message):
                self._held = message  # its length is not known yet
                return
        elif self._held is not None:
            body = json.dumps(oddly(json.loads(message["body"]), self._world.dice)).encode()
            headers = [(name, value) for name, value in self._held["headers"] if name.lower() != b"content-length"]
            await self._send({**self._held, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
            self._held, message = None, {**message, "body": body}
        await self._send(message)

    def _is_to_be_odd(self, message: Message) -> bool:
        """Whether this answer tells of runs, is whole in one piece of JSON, and the dice fall so."""
        if not RUNS.match(self.scope["path"]) or not 200 <= message["status"] < 300:
            return False
        is_json = any(
            value.startswith(b"application/json") for name, value in message["headers"] if name == b"content-type"
        )
        return is_json and self._world.dice.falls("odd_answers", self._world.knobs.odd_answers)

    async def refuse(self, refusal: Refusal, receive: Receive) -> None:
        """Answer with an error body."""
        if self.status:
            return
        words, status, body = self._world.knobs.legacy, refusal.status, refusal.body(request_id=self.request_id)
        if "status-422" in words and refusal.code == "VALIDATION_ERROR" and status == 400:
            status = 422
        if "string-details" in words and refusal.details is not None:
            body["details"] = legacy.sentences(refusal.details)
        if "minimal-errors" in words:
            body = {name: value for name, value in body.items() if name in ("error", "details")}
        response: Response = JSONResponse(body, status_code=status, headers=refusal.headers)
        if status == 429 and "plain-429" in words:
            response = PlainTextResponse(TOO_MANY, status_code=429, headers=refusal.headers)
        await response(self.scope, receive, self.send)

    def cut(self) -> None:
        """Break the connection off."""
        connection = self.scope["state"].get("connection")
        if connection is not None:
            connection.transport.abort()

    def write_down(self) -> None:
        """Note the request in the ledger and the log."""
        milliseconds = (time.monotonic() - self._began) * 1000
        logger.info("%s %s %s %.0f ms", self.scope["method"], self.path, self.status or "cut", milliseconds)
        if self.is_api or self.path.startswith("/uploads"):
            self._world.ledger.count_request(
                method=self.scope["method"],
                path=self.path,
                route=IDENTIFIER.sub("{id}", self.path),
                status=self.status,
                key=self.key,
                time=iso(),
            )

    def _headers(self, sent: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        own = {"X-Request-Id": self.request_id} | (self.allowance.headers() if self.allowance else {})
        present = {name.lower() for name, _ in sent}
        return [(name.encode(), value.encode()) for name, value in own.items() if name.lower().encode() not in present]


def _refuse_other_pages(request: Request) -> None:
    """Refuse what another site's page asks of the control endpoints: they want no key, and browsers reach loopback."""
    origin = request.headers.get("origin")
    if origin and origin.partition("://")[2] != request.headers.get("host"):
        raise Refusal(status=403, code="FORBIDDEN", message="Not from another page")


def key_of(request: Request) -> str | None:
    """Return the key a request carries in either header."""
    if key := request.headers.get("x-api-key"):
        return key
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


def authenticate(world: World, request: Request) -> Caller:
    """Return who calls, or refuse."""
    key = key_of(request)
    if not key:
        raise Refusal(status=401, code="AUTH_MISSING_KEY", message="Missing API key")
    caller = world.accounts.find(key)
    if caller is None:
        raise Refusal(status=401, code="AUTH_INVALID_KEY", message="Invalid API key")
    named = request.headers.get("x-workspace-id")
    if named and named != caller.workspace.workspace_id:
        raise Refusal(status=403, code="FORBIDDEN", message="Workspace header does not match API key workspace scope")
    return caller


def world_of(request: Request) -> World:
    """Return the stand-in a request came to."""
    world: World = request.scope["app"]
    return world


def legacy_of(request: Request) -> tuple[str, ...]:
    """Return the older shapes a request is to be answered in."""
    words: tuple[str, ...] = request.state.legacy
    return words


def caller_of(request: Request) -> Caller:
    """Return who calls."""
    caller: Caller = request.state.caller
    return caller


async def read_object(request: Request) -> dict[str, Any]:
    """Return a request's JSON object, or refuse."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(status=400, code="VALIDATION_ERROR", message="The request body must be a JSON object", details=[])
    return body
