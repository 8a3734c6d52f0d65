"""What a check says: troubles, each with its mend, or that it could not look."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, and what to do about it."""

    what: str
    fix: str


class NotLookedAt(Exception):
    """A check that could not be made, with the reason: it is another one's trouble, or passes by itself."""


Check = Callable[[], Iterator[Trouble]]


def short(error: BaseException) -> str:
    """Return an error's name; its text may hold an address with a password."""
    return type(error).__name__
