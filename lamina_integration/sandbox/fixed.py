"""Routes whose last word could be read as another route's id."""

from __future__ import annotations

from starlette.routing import Match, Route
from starlette.types import Scope


class Fixed(Route):
    """A path that is only ever itself: with a method it does not serve it is refused, not looked up as an id."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child_scope
