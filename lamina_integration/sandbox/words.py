"""Words for people."""

from __future__ import annotations


def counted(number: int, name: str) -> str:
    """Return how many there are of something, in the right number."""
    return f"{number} {name if number == 1 else name + 's'}"
