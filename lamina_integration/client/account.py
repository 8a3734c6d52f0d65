"""Account: credits and limits of the key's workspace."""

from __future__ import annotations

from lamina_integration.client.answers import one
from lamina_integration.client.calls import Call, Group, Mode, endpoint
from lamina_integration.wire import Usage


class Account(Group[Mode]):
    """The workspace behind the key."""

    @endpoint
    def usage(self) -> Call[Usage]:
        """Return the credits left and the request limit."""
        return Call("GET", "/v1/account/usage", one(Usage))
