"""A scenario file: knobs for the beginning, and rules for what befalls certain runs.

    seed = 7

    [knobs]
    latency = 0.2

    [[rules]]
    app = "ec7ec3ce-69b4-43c9-8eea-fe9752d679a4"    # without it: every app
    starts = [1, 3]                                 # the first and the third start the rule sees; without it: all
    probability = 0.5                               # drawn from the seed
    fail = "The provider gave up"

What a rule does: `fail` (text), `output_error` (text), `seconds` (how long it takes),
`lose_answer`, `drop_webhook` (true). Several rules may befall one run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina_integration.sandbox.knobs import Dice

CONDITIONS: dict[str, Any] = {"app": str, "starts": list, "probability": (int, float)}
DEEDS: dict[str, Any] = {
    "fail": str,
    "output_error": str,
    "seconds": (int, float),
    "lose_answer": bool,
    "drop_webhook": bool,
}


class ScenarioError(Exception):
    """A scenario that cannot be played; says which file and why, in one line."""


@dataclass
class Rule:
    """What befalls the runs that meet its conditions."""

    number: int
    conditions: Mapping[str, Any]
    deeds: Mapping[str, Any]
    seen: int = 0

    def meets(self, app_id: str, dice: Dice) -> bool:
        """Whether this start is one the rule is about; counts the starts it has seen."""
        if self.conditions.get("app", app_id) != app_id:
            return False
        self.seen += 1
        if self.seen not in self.conditions.get("starts", [self.seen]):
            return False
        chance = self.conditions.get("probability", 1.0)
        return chance >= 1 or dice.falls(f"rule {self.number}", chance)


@dataclass(frozen=True)
class Scenario:
    """Knobs and rules, as a file has them."""

    knobs: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...] = ()

    def begun(self) -> list[Rule]:
        """Return the rules as they are before the first start."""
        return [Rule(number, conditions, deeds) for number, (conditions, deeds) in enumerate(self.rules)]


def read(path: Path) -> Scenario:
    """Read a scenario file, or raise the ScenarioError that names its first problem."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: not TOML: {error}") from error
    if unknown := set(document) - {"seed", "knobs", "rules"}:
        raise ScenarioError(f"{path}: unknown {', '.join(sorted(unknown))}; known are seed, knobs and rules")
    knobs = document.get("knobs", {}) | ({"seed": document["seed"]} if "seed" in document else {})
    rules = document.get("rules", [])
    if not isinstance(rules, list):
        raise ScenarioError(f"{path}: rules are written [[rules]]")
    return Scenario(knobs=knobs, rules=tuple(_rule(path, number, rule) for number, rule in enumerate(rules, start=1)))


def _rule(path: Path, number: int, rule: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    for name, value in rule.items():
        kind = (CONDITIONS | DEEDS).get(name)
        if kind is None:
            raise ScenarioError(f"{path}: rule {number}: unknown {name!r}; known are {', '.join(CONDITIONS | DEEDS)}")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ScenarioError(f"{path}: rule {number}: {name} cannot be {value!r}")
    deeds = {name: value for name, value in rule.items() if name in DEEDS}
    if not deeds:
        raise ScenarioError(f"{path}: rule {number} does nothing; it needs one of {', '.join(DEEDS)}")
    return {name: value for name, value in rule.items() if name in CONDITIONS}, deeds
