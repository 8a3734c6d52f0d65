"""Runs played: started, moved along the clock, filled output by output, ended.

Every step's moment is fixed when a run starts, so a clock that jumps lands where it would have
walked to. Whoever ends a run out of turn (cancel, fail, complete) first takes it from its player.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lamina_integration.sandbox.accounts import Caller, Workspace
from lamina_integration.sandbox.catalogue import OfferedApp
from lamina_integration.sandbox.media import briefs
from lamina_integration.sandbox.media.briefs import Brief, Made, Unmakeable
from lamina_integration.sandbox.runs import Output, Run
from lamina_integration.sandbox.times import iso
from lamina_integration.wire import App, Parameter

if TYPE_CHECKING:
    from lamina_integration.sandbox.world import World

logger = logging.getLogger("lamina.sandbox")

OUT_OF_CREDITS = "Insufficient credits"
QUEUED_SHARE = 0.15
REFINED_SHARE = 0.5  # a refinement takes so much of the time of a whole run


class Player:
    """Moves every run that has not ended."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._playing: dict[str, asyncio.Task[Any]] = {}

    def start(
        self,
        *,
        caller: Caller,
        offered: OfferedApp,
        inputs: dict[str, Any],
        labels: Sequence[str] = (),
        webhook: str | None = None,
        kind: str = "app",
    ) -> Run:
        """Take in a run of an app and let it begin; inputs and labels have been checked."""
        wanted = {label.lower() for label in labels}
        run = Run(
            run_id=str(uuid.uuid4()),
            app_id=offered.app_id,
            app_name=offered.app.name,
            workspace=caller.workspace.slug,
            key=caller.key,
            inputs=inputs,
            webhook=webhook,
            kind=kind,
            outputs=[
                Output(
                    node_id=node_id,
                    label=output.label,
                    kind=output.type,
                    credits=offered.credits_for(output.type),
                    number=number,
                )
                for number, (node_id, output) in enumerate(zip(offered.node_ids(), offered.app.outputs, strict=True))
                if not wanted or output.label.lower() in wanted
            ],
        )
        for rule in self._world.rules:
            if rule.meets(run.app_id, self._world.dice):
                run.script |= rule.deeds
        self._world.runs.add(run)
        self._world.ledger.note(
            "start",
            {
                "runId": run.run_id,
                "appId": run.app_id,
                "inputs": inputs,
                "outputs": list(labels),
                "webhook": webhook,
                "key": caller.key,
                "workspace": run.workspace,
                "time": run.created_at,
                "answered": True,
            },
        )
        self._changed(run)
        self.play(run)
        return run

    def play(self, run: Run, *, at_once: bool = False) -> None:
        """Let a run go on from where it stands; at once makes what is left without waiting for the clock."""
        task = self._world.clock.spawn(self._play(run, at_once=at_once))
        self._playing[run.run_id] = task
        task.add_done_callback(lambda _: self._playing.pop(run.run_id, None) if self._of(run) is task else None)

    async def cancel(self, run: Run) -> str:
        """End a run as cancelled; one that has ended stays what it is. Return its state's word."""
        if not run.is_terminal:
            await self._take_over(run)
            for output in run.outputs:
                if output.status == "pending":
                    output.status = "cancelled"
            self._end(run, "cancelled")
        return run.status

    async def fail(self, run: Run, message: str) -> None:
        """End a run as failed, if it has not ended."""
        if not run.is_terminal:
            await self._take_over(run)
            self._end(run, "failed", message)

    async def complete(self, run: Run) -> None:
        """Make all that is left of a run now, if it has not ended."""
        if not run.is_terminal:
            await self._take_over(run)
            self.play(run, at_once=True)
            await asyncio.wait([self._playing[run.run_id]])

    async def refine(self, run: Run, feedback: str) -> list[Output]:
        """Make a completed run's outputs again with the feedback added; return those that are new."""
        world, offered = self._world, self._world.find_offered(run)
        run.feedback.append(feedback)
        world.ledger.note("refinement", {"runId": run.run_id, "feedback": feedback, "time": iso()})
        if offered and not world.knobs.manual:
            await world.clock.until(world.clock.now + offered.seconds * REFINED_SHARE)
        renewed = []
        for output in run.outputs:
            if offered and output.status == "completed":
                await self._make(run, offered, output)
                renewed.append(output)
        self._changed(run)
        return renewed

    def _of(self, run: Run) -> asyncio.Task[Any] | None:
        return self._playing.get(run.run_id)

    async def _take_over(self, run: Run) -> None:
        task = self._playing.pop(run.run_id, None)
        if task and not task.done():
            task.cancel()
            await asyncio.wait([task])

    def _changed(self, run: Run) -> None:
        self._world.runs.changed(run)
        self._world.keep_run(run)

    def _move(self, run: Run, status: str) -> None:
        run.status = status
        if status == "running":
            run.started_at = iso()
        self._changed(run)
        self._world.courier.announce(run)

    def _end(self, run: Run, status: str, message: str | None = None) -> None:
        offered = self._world.find_offered(run)
        if status == "completed" and offered and offered.played.get("capabilities", {}).get("hasQualityControl"):
            run.quality = {"score": 0.88, "threshold": 0.75, "passed": True, "attempts": 1}
        run.error_message = message
        run.completed_at = iso()
        self._move(run, status)

    async def _play(self, run: Run, *, at_once: bool) -> None:
        world = self._world
        offered = world.find_offered(run)
        if offered is None:
            self._end(run, "failed", "The app is no longer there")
            return
        began = world.clock.now
        seconds = 0.0 if at_once else float(run.script.get("seconds", offered.seconds))
        workspace = world.accounts.workspaces[run.workspace]
        fate = self._fate(run, offered, workspace)
        if run.status == "queued":
            await world.clock.until(began + seconds * QUEUED_SHARE)
            if fate == OUT_OF_CREDITS:
                run.outputs.clear()
                self._end(run, "failed", fate)
                return
            self._move(run, "running")
        left = [output for output in run.outputs if output.status == "pending"]
        for position, output in enumerate(left):
            share = QUEUED_SHARE + (1 - QUEUED_SHARE) * (position + 1) / len(left)
            # Making begins with the wait, so that a slow machine is late by less.
            making = asyncio.ensure_future(self._prepare(run, offered, output))
            try:
                await world.clock.until(began + seconds * share)
                if fate and (position or len(left) == 1):
                    self._end(run, "failed", fate)
                    return
                await self._fill(run, output, await making)
            finally:
                making.cancel()
            self._changed(run)
        failed = [output for output in run.outputs if output.status == "error"]
        if failed and (len(failed) == len(run.outputs) or world.knobs.partial_runs == "failed"):
            self._end(run, "failed", failed[0].error)
        else:
            self._end(run, "completed")

    def _fate(self, run: Run, offered: OfferedApp, workspace: Workspace) -> str | None:
        """Return the message a run is bound to fail with, or None."""
        knobs, dice = self._world.knobs, self._world.dice
        price = sum(output.credits for output in run.outputs if output.status == "pending")
        if run.status == "queued" and (knobs.out_of_credits or workspace.balance < price):
            return OUT_OF_CREDITS
        if "fail" in run.script:
            return str(run.script["fail"])
        if run.app_id in knobs.fail_apps:
            return knobs.fail_apps[run.app_id]
        if "fail" in offered.played:
            return str(offered.played["fail"])
        return knobs.fail_message if dice.falls("fail_runs", knobs.fail_runs) else None

    async def _prepare(self, run: Run, offered: OfferedApp, output: Output) -> Made | str:
        """Return the media of an output, or the sentence that says why there is none."""
        knobs = self._world.knobs
        if "output_error" in run.script:
            return str(run.script["output_error"])
        if self._world.dice.falls("output_errors", knobs.output_errors):
            return knobs.output_error_message
        try:
            brief = await self._brief(run, offered, output)
            return await self._world.studio.make(brief, run_id=run.run_id)
        except Unmakeable as error:
            return str(error)
        except Exception:  # whatever it is, the run must come to its end as one at Lamina would
            logger.exception("run %s: could not make %r", run.run_id, output.label)
            return "Generation failed unexpectedly"

    async def _brief(self, run: Run, offered: OfferedApp, output: Output) -> Brief:
        brief = briefs.write(
            offered=offered,
            output=offered.app.outputs[output.number],
            values=values_of(offered.app, run.inputs),
            seed=f"{run.run_id}:{output.number}:{len(run.feedback)}",
            feedback=" ".join(run.feedback),
        )
        return await self._world.studio.with_files(brief)

    async def _make(self, run: Run, offered: OfferedApp, output: Output) -> None:
        await self._fill(run, output, await self._prepare(run, offered, output))

    async def _fill(self, run: Run, output: Output, made: Made | str) -> None:
        if isinstance(made, str):
            output.status, output.error = "error", made
            return
        output.type, output.status, output.error = output.kind, "completed", None
        output.value = made.text if made.path is None else self._world.media_url(made.path)
        output.extra = _described(made)
        self._world.charge(run, output.credits)


def _described(made: Made) -> dict[str, Any]:
    if made.path is None:
        return {}
    described: dict[str, Any] = {"mimeType": made.mime_type, "contentDescription": made.description}
    if made.width:
        described["dimensions"] = {"width": made.width, "height": made.height}
    if made.seconds:
        described["durationSeconds"] = made.seconds
    kind = made.mime_type.partition("/")[0]
    return described | {
        "compatibleInputTypes": ["url"],
        "canChainAs": [f"reference_{kind}_url"],
        "platformsOptimized": platforms(made.width or 0, made.height or 0),
        "suggestedNextSteps": [{"description": "Publish to a connected channel", "toolHint": None}],
    }


def platforms(width: int, height: int) -> list[str]:
    """Return the platforms a picture's or a film's shape suits."""
    if not width or not height:
        return []
    if width == height:
        return ["instagram", "facebook"]
    return ["instagram", "tiktok"] if height > width else ["youtube", "facebook"]


def values_of(app: App, inputs: dict[str, Any]) -> list[tuple[Parameter, Any]]:
    """Return each parameter with what was sent for it, or else its default; blanks count as nothing."""
    from lamina_integration.inputs import find

    sent = {id(find(app.parameters, name)): value for name, value in inputs.items() if value is not None}
    values = [(parameter, sent.get(id(parameter), parameter.default)) for parameter in app.parameters]
    return [(parameter, value) for parameter, value in values if value not in (None, "", [])]
