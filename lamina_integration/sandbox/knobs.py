"""Everything about the stand-in that may be changed while it runs.

A probability is between 0 and 1 and is drawn from a sequence of its own, seeded by `seed`: the same
calls in the same order meet the same faults, whatever other knobs are turned.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from lamina_integration.sandbox.legacy import SWITCHES

PROBABILITY = {"kind": "probability"}


def _chance(default: float = 0.0) -> Any:
    return field(default=default, metadata=PROBABILITY)


class KnobError(ValueError):
    """A knob that does not exist, or a value it cannot take."""


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """How the stand-in behaves."""

    seed: int = 0
    # time
    speed: float = 1.0  # how many times faster than life runs go
    manual: bool = False  # runs move only when the clock is told to
    # requests, before anything is acted on
    limit: int = 100  # requests a window from one address; 0 is no limit
    window: float = 60.0  # seconds of a window, real ones
    limit_per_key: int = 0  # requests a window with one key; 0 is no such limit
    latency: float = 0.0  # real seconds before an answer
    latency_jitter: float = 0.0  # up to so many more
    rate_limited: float = _chance()  # a 429 out of the blue
    rate_limited_seconds: int = 5  # what it says to wait
    server_errors: float = _chance()  # a 5xx
    server_error_status: int = 500
    garbled: float = _chance()  # an answer that is not JSON
    odd_answers: float = _chance()  # an answer about runs with something odd in it
    down: float = 0.0  # refuse connections for so many real seconds
    # starting
    lost_answers: float = _chance()  # a start or a refinement is done, then the connection is cut
    lost_requests: float = _chance()  # the connection is cut before anything is done
    slow_starts: float = 0.0  # real seconds between accepting a start and answering
    strict_text: bool = False  # numbers and booleans are not text
    out_of_credits: bool = False  # as if the balance were spent
    out_of_credits_answer: str = "fail"  # "fail" accepts the run and fails it, "402" refuses it
    # runs
    fail_runs: float = _chance()
    fail_message: str = "Generation failed: the provider gave up"
    fail_apps: dict[str, str] = field(default_factory=dict)  # app id: message
    output_errors: float = _chance()
    output_error_message: str = "Provider rejected the source image"
    partial_runs: str = "failed"  # how a run ends when only some outputs came: "failed" or "completed"
    cancel_answer: str = "cancelled"  # or "cancel_requested", "not_cancellable"
    # webhooks
    webhooks: bool = True
    webhook_states: tuple[str, ...] = ("completed", "failed", "cancelled")
    webhook_retry_seconds: tuple[float, ...] = (5.0, 30.0, 120.0)
    webhook_pace: float = 1.0  # the pauses between tries times this
    webhook_timeout: float = 15.0
    webhook_dropped: float = _chance()  # never sent
    webhook_duplicates: int = 0  # sent so many times more
    webhook_reordered: float = _chance()  # held back so that later ones overtake it
    webhook_reorder_seconds: float = 5.0
    webhook_bad_signatures: float = _chance()  # a try signed with a key that is not published
    webhook_corrupt: float = _chance()  # a try whose body was changed after it was signed
    webhook_stale: float = _chance()  # a try signed ten minutes ago
    webhook_unknown: float = _chance()  # a genuine delivery about a run nobody started, beside the right one
    # media
    plain_media: bool = False  # one small file of each kind for all outputs: for load, not for looking at
    media_fault: str = ""  # "gone", "cut" (half of the bytes), "wrong" (a page instead), "huge" or "endless"
    upload_seconds: float = 900.0  # how long an upload address is good
    # shapes
    future_types: bool = False  # some parameters of "Every kind of field" are of types no client knows yet
    legacy: tuple[str, ...] = ()  # older shapes, by the words in `legacy`

    def changed(self, changes: Mapping[str, Any]) -> Knobs:
        """Return these knobs with some of them turned; refuse what does not exist or does not fit."""
        known = {knob.name: knob for knob in fields(self)}
        turned = {}
        for name, value in changes.items():
            if name not in known:
                raise KnobError(f"there is no knob called {name!r}; there are: {', '.join(known)}")
            turned[name] = _fitted(name, value, getattr(self, name), known[name].metadata == PROBABILITY)
        return replace(self, **turned)

    def as_dict(self) -> dict[str, Any]:
        """Return the knobs as they stand, ready for JSON."""
        return asdict(self)


CHOICES = {
    "out_of_credits_answer": ("fail", "402"),
    "partial_runs": ("failed", "completed"),
    "cancel_answer": ("cancelled", "cancel_requested", "not_cancellable"),
    "media_fault": ("", "gone", "cut", "wrong", "huge", "endless"),
    "webhook_states": ("queued", "running", "completed", "failed", "cancelled"),
    "legacy": tuple(SWITCHES),
}


def _fitted(name: str, value: Any, current: Any, is_probability: bool) -> Any:
    if isinstance(current, bool):
        fits = isinstance(value, bool)
    elif isinstance(current, (int, float)):
        value = float(value) if is_probability and isinstance(value, (bool, int)) else value
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
        fits = fits and not (is_probability and value > 1) and not (name == "speed" and value <= 0)
    elif isinstance(current, tuple):
        wanted = (int, float) if name == "webhook_retry_seconds" else str
        fits = isinstance(value, (list, tuple)) and all(isinstance(item, wanted) for item in value)
        fits = fits and all(item in CHOICES.get(name, value) for item in value)
        value = tuple(value) if fits else value
    elif isinstance(current, dict):
        fits = isinstance(value, dict) and all(isinstance(item, str) for pair in value.items() for item in pair)
    else:
        fits = isinstance(value, str) and value in CHOICES.get(name, (value,))
    if not fits:
        choices = f"; one of {CHOICES[name]}" if name in CHOICES else ""
        raise KnobError(f"{name} cannot be {value!r}{choices}")
    return value


class Dice:
    """Chances that fall the same way every time, each knob from its own sequence."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._sequences: dict[str, random.Random] = {}

    def falls(self, name: str, probability: float) -> bool:
        """Whether something of this probability happens this time."""
        return probability > 0 and self.between(name) < probability

    def between(self, name: str, low: float = 0.0, high: float = 1.0) -> float:
        """Return the next number of this name's sequence."""
        if name not in self._sequences:
            self._sequences[name] = random.Random(f"{self._seed}:{name}")  # noqa: S311 - repeatable, not secret
        return self._sequences[name].uniform(low, high)
