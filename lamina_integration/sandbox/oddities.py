"""Answers with something odd in them: what a careful reader of JSON must survive."""

from __future__ import annotations

import copy
from typing import Any

from lamina_integration.sandbox.knobs import Dice

NAME = "odd_answers"


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


# None of them is a state's word: that would be a lie about a run, and not an oddity.
ODD: tuple[Any, ...] = (
    None,
    "",
    "a word nobody knows",
    "\x00\ud83d\ude00\u202e" * 20,
    "long " * 20_000,
    -1,
    10**30,
    1e308,
    True,
    [],
    {},
    ["x"] * 5_000,
    [{"id": "x", "label": "x", "type": "image", "value": None, "status": "completed"}] * 500,
    _nested(60),
    {"unknown": {"deep": [None, {"very": "deep"}]}},
)


def oddly(value: Any, dice: Dice) -> Any:
    """Return a copy of a JSON value in which one place, chosen by the dice, holds something odd."""
    changed = copy.deepcopy(value)
    places = list(_places(changed))
    if not places:
        return copy.deepcopy(_chosen(ODD, dice))
    holder, key = _chosen(places, dice)
    holder[key] = copy.deepcopy(_chosen(ODD, dice))
    return changed


def _chosen(choices: Any, dice: Dice) -> Any:
    return choices[min(int(dice.between(NAME, 0, len(choices))), len(choices) - 1)]


def _places(value: Any) -> Any:
    """Yield (holder, key) for every member of a value, however deep."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in list(members):
        yield value, key
        yield from _places(member)
