"""Playing Lamina from outside: knobs, the clock, the ledger, and every run's fate, under /_sandbox/.

Not part of Lamina's API. It asks for no key and answers while the stand-in plays dead, which is why
the stand-in listens on loopback.
"""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lamina_integration.sandbox.gate import read_object, world_of
from lamina_integration.sandbox.knobs import CHOICES, KnobError
from lamina_integration.sandbox.legacy import SWITCHES
from lamina_integration.sandbox.refusals import invalid, not_found, problem
from lamina_integration.sandbox.runs import Run

MOST_CREDITS = 10**9


async def healthz(request: Request) -> Response:
    """Say that the stand-in is there."""
    return JSONResponse({"status": "ok", "runs": len(world_of(request).runs)})


async def knobs(request: Request) -> Response:
    """Return the knobs, turning those a PATCH names first."""
    world = world_of(request)
    if request.method == "PATCH":
        try:
            changes = await read_object(request)
            world.turn(changes)
        except KnobError as error:
            raise invalid(str(error)) from error
        if "down" in changes:
            await world.door(world.knobs.down)
    return JSONResponse(world.knobs.as_dict())


async def clock(request: Request) -> Response:
    """Return the time, moving it on first when asked to; answers when all that was due is done."""
    world = world_of(request)
    if request.method == "POST":
        seconds = (await _object_or_nothing(request)).get("advance", 0)
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or seconds < 0:
            raise invalid("Invalid advance", problem("advance", "invalid_type", "advance must be seconds."))
        await world.clock.advance(seconds)
    return JSONResponse({"now": world.clock.now, "speed": world.clock.speed, "manual": world.clock.manual})


async def settle(request: Request) -> Response:
    """Answer when everything that could happen by now has happened."""
    await world_of(request).clock.settled()
    return JSONResponse({"now": world_of(request).clock.now})


async def apps(request: Request) -> Response:
    """Return every app there is, private ones too."""
    return JSONResponse([{"appId": app.app_id, "name": app.app.name} for app in world_of(request).catalogue])


async def ledger(request: Request) -> Response:
    """Return everything the stand-in was asked and did, or `?last=` so many of each kind."""
    text = request.query_params.get("last", "")
    return JSONResponse(world_of(request).as_ledger(int(text) if re.fullmatch("[0-9]{1,9}", text) else None))


async def reset(request: Request) -> Response:
    """Begin anew, with the keys of the start: the answer says which are let in from now on."""
    await world_of(request).reset()
    return JSONResponse({"status": "ok", "keys": world_of(request).accounts.keys})


async def keys(request: Request) -> Response:
    """Let further API keys in, or revoke some; return those that are let in."""
    world = world_of(request)
    if request.method == "POST":
        body = await read_object(request)
        try:
            for key in body.get("add", []):
                world.let_in(key)
        except (ValueError, AttributeError) as error:
            raise invalid(str(error)) from error
        for key in body.get("revoke", []):
            world.lock_out(str(key))
    return JSONResponse({"keys": world.accounts.keys})


async def credits(request: Request) -> Response:
    """Return what the workspaces have; a POST of `{"add": 500, "workspace": "example-shop"}` gives some more."""
    world = world_of(request)
    if request.method == "POST":
        body = await read_object(request)
        first = next(iter(world.accounts.workspaces))
        added, slug = body.get("add"), body.get("workspace", first)
        if isinstance(added, bool) or not isinstance(added, (int, float)) or not 0 < added < MOST_CREDITS:
            raise invalid("Invalid credits", problem("add", "invalid_type", "add must be how many credits more."))
        if not isinstance(slug, str) or slug not in world.accounts.workspaces:
            raise not_found("Workspace")
        world.top_up(slug, added)
    return JSONResponse(world.as_ledger(0)["credits"])


async def choices(request: Request) -> Response:
    """Return the words that knobs with fixed words take, with a line on those that need one."""
    lines = {"legacy": SWITCHES}
    return JSONResponse({name: {word: lines.get(name, {}).get(word, "") for word in CHOICES[name]} for name in CHOICES})


async def rotate(request: Request) -> Response:
    """Sign with a new key from now on; `keep_old` says whether the old one stays published."""
    world_of(request).keys.rotate(keep_old=bool((await _object_or_nothing(request)).get("keep_old", True)))
    return JSONResponse(world_of(request).keys.as_wire())


async def run_verb(request: Request) -> Response:
    """Complete, fail or cancel a run, or deliver its state again."""
    world, verb = world_of(request), request.path_params["verb"]
    run = world.runs.find(request.path_params["run_id"])
    if run is None:
        raise not_found("Run")
    if verb == "complete":
        await world.player.complete(run)
    elif verb == "fail":
        message = (await _object_or_nothing(request)).get("message", world.knobs.fail_message)
        await world.player.fail(run, str(message))
    elif verb == "cancel":
        await world.player.cancel(run)
    elif verb == "redeliver":
        world.courier.redeliver(run)
    else:
        raise not_found("Verb")
    return JSONResponse(_known(run))


async def show_run(request: Request) -> Response:
    """Return a run with what the API does not show of it."""
    run = world_of(request).runs.find(request.path_params["run_id"])
    if run is None:
        raise not_found("Run")
    return JSONResponse(_known(run))


def _known(run: Run) -> dict[str, Any]:
    return run.as_wire() | {
        "inputs": run.inputs,
        "webhook": run.webhook,
        "workspace": run.workspace,
        "spent": run.spent,
    }


async def _object_or_nothing(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


routes = [
    Route("/_sandbox/healthz", healthz, methods=["GET"]),
    Route("/_sandbox/knobs", knobs, methods=["GET", "PATCH"]),
    Route("/_sandbox/choices", choices, methods=["GET"]),
    Route("/_sandbox/credits", credits, methods=["GET", "POST"]),
    Route("/_sandbox/clock", clock, methods=["GET", "POST"]),
    Route("/_sandbox/settle", settle, methods=["POST"]),
    Route("/_sandbox/apps", apps, methods=["GET"]),
    Route("/_sandbox/ledger", ledger, methods=["GET"]),
    Route("/_sandbox/reset", reset, methods=["POST"]),
    Route("/_sandbox/keys", keys, methods=["GET", "POST"]),
    Route("/_sandbox/signing-keys/rotate", rotate, methods=["POST"]),
    Route("/_sandbox/runs/{run_id}", show_run, methods=["GET"]),
    Route("/_sandbox/runs/{run_id}/{verb}", run_verb, methods=["POST"]),
]
