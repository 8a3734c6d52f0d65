"""Runs: start, read, list, wait, cancel, refine."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lamina_integration.sandbox import legacy
from lamina_integration.sandbox.api.answers import data, page, whole_number
from lamina_integration.sandbox.api.apps import offered_app
from lamina_integration.sandbox.api.asked import asked
from lamina_integration.sandbox.api.starting import check_webhook, start
from lamina_integration.sandbox.gate import caller_of, legacy_of, world_of
from lamina_integration.sandbox.player import OUT_OF_CREDITS
from lamina_integration.sandbox.refusals import ConnectionCut, Refusal, invalid, not_found, problem
from lamina_integration.sandbox.runs import STATES, Run
from lamina_integration.sandbox.times import read
from lamina_integration.sandbox.words import counted


def run_of(request: Request, *, kind: str = "app") -> Run:
    """Return the run a path names, or refuse; other workspaces' runs and other kinds are not there."""
    run = world_of(request).runs.find(
        request.path_params["run_id"], workspace=caller_of(request).workspace.slug, kind=kind
    )
    if run is None:
        raise not_found("Execution")
    return run


def shown(request: Request, run: Run) -> dict[str, Any]:
    """Return a run as it is shown, in an older shape if that is asked for."""
    return legacy.run(run.as_wire(), legacy_of(request))


async def start_run(request: Request) -> Response:
    """Start a run of an app."""
    world, offered = world_of(request), offered_app(request)
    body, webhook = await asked(request), request.query_params.get("webhook")
    if webhook is not None:
        check_webhook(webhook)
    run = start(
        world,
        caller=caller_of(request),
        offered=offered,
        inputs=body["inputs"],
        labels=body.get("outputs"),
        webhook=webhook,
    )
    answer = legacy.run(run.as_started(), legacy_of(request))
    await late_or_lost(request, run)
    return data(answer, status=202)


async def late_or_lost(request: Request, *runs: Run) -> None:
    """Hold the answer to accepted starts back, or cut its connection, as the knobs say."""
    world = world_of(request)
    if world.knobs.slow_starts:
        await asyncio.sleep(world.knobs.slow_starts)
    is_lost = any(run.script.get("lose_answer") for run in runs)
    if is_lost or (runs and world.dice.falls("lost_answers", world.knobs.lost_answers)):
        for run in runs:
            world.ledger.unanswered(run.run_id)
        raise ConnectionCut


async def list_runs(request: Request) -> Response:
    """Return this workspace's runs, the newest first."""
    query = request.query_params
    status, since = query.get("status") or None, query.get("since") or None
    if status and status not in STATES:
        raise invalid(
            "Invalid query", problem("status", "invalid_option", f"status must be one of: {', '.join(STATES)}.")
        )
    if since and read(since.replace(" ", "+")) is None:
        raise invalid("Invalid query", problem("since", "invalid_type", "since must be an ISO 8601 time."))
    found = world_of(request).runs.newest(
        workspace=caller_of(request).workspace.slug,
        status=status,
        app_id=query.get("appId") or None,
        since=since.replace(" ", "+") if since else None,
        kinds=("app",),
    )
    return page(found, request, lambda run: legacy.run(run.as_summary(), legacy_of(request)))


async def get_run(request: Request) -> Response:
    """Return one run."""
    return data(shown(request, run_of(request)))


async def get_freestyle_run(request: Request) -> Response:
    """Return one run that no app stands behind."""
    return data(shown(request, run_of(request, kind="freestyle")))


async def wait_for_run(request: Request) -> Response:
    """Return a run once it has ended, or as it stands when the time is up."""
    world, run = world_of(request), run_of(request)
    seconds = whole_number(request, "timeout", default=60, low=1, high=120)
    deadline = asyncio.ensure_future(world.clock.until(world.clock.now + seconds))
    gone = asyncio.ensure_future(_gone(request))
    try:
        while not (run.is_terminal or deadline.done() or gone.done()):
            change = asyncio.ensure_future(world.runs.next_change(run))
            await asyncio.wait([change, deadline, gone], return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
    finally:
        deadline.cancel()
        gone.cancel()
    answer: dict[str, Any] = {"data": shown(request, run)}
    if not run.is_terminal or "no-timeout-flag" not in legacy_of(request):
        answer["timeout"] = not run.is_terminal
    return JSONResponse(answer)


async def _gone(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def cancel_run(request: Request) -> Response:
    """Cancel a run; one that has ended answers its own state."""
    world, run = world_of(request), run_of(request)
    answer = world.knobs.cancel_answer
    status = await world.player.cancel(run) if answer == "cancelled" or run.is_terminal else answer
    return data(legacy.run({"runId": run.run_id, "status": status}, legacy_of(request)))


async def refine_run(request: Request) -> Response:
    """Make a completed run's outputs again with a person's feedback."""
    world, run = world_of(request), run_of(request)
    feedback = (await asked(request))["feedback"].strip()
    if run.status != "completed":
        raise invalid(
            "Only a completed run can be refined", problem("runId", "invalid_state", f"The run is {run.status}.")
        )
    workspace = caller_of(request).workspace
    if world.knobs.out_of_credits or workspace.balance < run.spent:
        raise Refusal(status=402, code=None, message=OUT_OF_CREDITS)
    renewed = await world.player.refine(run, feedback)
    if world.dice.falls("lost_refinements", world.knobs.lost_answers):
        raise ConnectionCut
    answer = {
        "runId": run.run_id,
        "status": run.status,
        "summary": f"Made {counted(len(renewed), 'output')} again with your feedback.",
        "refinedNodes": [{"nodeId": output.node_id, "reason": feedback[:120]} for output in renewed],
        "outputs": [output.as_wire() for output in renewed],
        "errorMessage": None,
    }
    return data(legacy.run(answer, legacy_of(request)))


routes = [
    Route("/v1/apps/{app_id}/runs", start_run, methods=["POST"]),
    Route("/v1/runs", list_runs, methods=["GET"]),
    Route("/v1/runs/{run_id}", get_run, methods=["GET"]),
    Route("/v1/runs/{run_id}/wait", wait_for_run, methods=["GET"]),
    Route("/v1/runs/{run_id}/cancel", cancel_run, methods=["POST"]),
    Route("/v1/runs/{run_id}/feedback", refine_run, methods=["POST"]),
    Route("/v1/freestyle/{run_id}", get_freestyle_run, methods=["GET"]),
]
