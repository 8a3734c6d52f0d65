"""A start, checked as the API checks it before anything is spent."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from lamina_integration.inputs import check
from lamina_integration.sandbox.accounts import Caller
from lamina_integration.sandbox.catalogue import OfferedApp
from lamina_integration.sandbox.player import OUT_OF_CREDITS
from lamina_integration.sandbox.refusals import Refusal, invalid, problem
from lamina_integration.sandbox.runs import Run
from lamina_integration.sandbox.world import World


def start(
    world: World,
    *,
    caller: Caller,
    offered: OfferedApp,
    inputs: dict[str, Any],
    labels: list[str] | None = None,
    webhook: str | None = None,
    kind: str = "app",
) -> Run:
    """Start a run, or refuse with everything that is wrong with it."""
    problems = input_problems(world, offered, inputs)
    unknown = _label_problems(offered, labels or [])
    if problems or unknown:
        raise invalid("Invalid inputs" if problems else "Unknown output label", *problems, *unknown)
    refuse_without_credits(world, caller, price(offered, labels or []))
    return world.player.start(
        caller=caller, offered=offered, inputs=inputs, labels=labels or [], webhook=webhook, kind=kind
    )


def refuse_without_credits(world: World, caller: Caller, needed: float) -> None:
    """Refuse what cannot be paid for, if that is how it is answered; else the run is taken in and fails."""
    knobs = world.knobs
    if knobs.out_of_credits_answer == "402" and (knobs.out_of_credits or caller.workspace.balance < needed):
        raise Refusal(status=402, code=None, message=OUT_OF_CREDITS)


def check_webhook(webhook: str) -> None:
    """Refuse a callback that is not an http or https address."""
    try:
        parts = urlsplit(webhook)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_good = False
    if not is_good:
        raise Refusal(status=400, code="WEBHOOK_INVALID_URL", message="Invalid webhook URL")


def input_problems(world: World, offered: OfferedApp, inputs: dict[str, Any]) -> list[dict[str, str]]:
    """Return every problem with a start's inputs."""
    found = check(offered.app.parameters, inputs, numbers_are_text=not world.knobs.strict_text)
    return [problem(each.param, each.code, each.message) for each in found]


def price(offered: OfferedApp, labels: list[str]) -> float:
    """Return what the chosen outputs cost."""
    wanted = {label.lower() for label in labels}
    chosen = [output for output in offered.app.outputs if not wanted or output.label.lower() in wanted]
    return sum(offered.credits_for(output.type) for output in chosen)


def _label_problems(offered: OfferedApp, labels: list[str]) -> list[dict[str, str]]:
    known = [output.label for output in offered.app.outputs]
    lowered = {label.lower() for label in known}
    available = ", ".join(dict.fromkeys(known))
    return [
        problem("outputs", "unknown_output", f'No output is called "{label}". Available: {available}')
        for label in labels
        if label.lower() not in lowered
    ]
