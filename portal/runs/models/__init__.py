"""Runs, their attempts, outputs and history, and the deliveries that bring news of them: a module for each noun."""

from portal.runs.models.attempts import Attempt, Callback, new_token
from portal.runs.models.deliveries import Delivery, SigningKey, Verdict
from portal.runs.models.drafts import Draft
from portal.runs.models.history import Move
from portal.runs.models.known import KnownRemote, SecondRun, note_known
from portal.runs.models.outputs import OPEN, Output, OutputStatus
from portal.runs.models.refinements import HELD_UP, OPEN_REFINEMENTS, REFUSED, WITHDRAWN, Refinement, RefinementState
from portal.runs.models.run import Run, RunLane, RunQuerySet, new_reference

__all__ = [
    "HELD_UP",
    "OPEN",
    "OPEN_REFINEMENTS",
    "REFUSED",
    "WITHDRAWN",
    "Attempt",
    "Callback",
    "Delivery",
    "Draft",
    "KnownRemote",
    "Move",
    "Output",
    "OutputStatus",
    "Refinement",
    "RefinementState",
    "Run",
    "RunLane",
    "RunQuerySet",
    "SecondRun",
    "SigningKey",
    "Verdict",
    "new_reference",
    "new_token",
    "note_known",
]
