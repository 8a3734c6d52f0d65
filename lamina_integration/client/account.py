"""Account: who a key belongs to, its credits and limits, what can be chosen by name."""

from __future__ import annotations

from lamina_integration.client.answers import many, one
from lamina_integration.client.calls import Call, Group, Mode, endpoint
from lamina_integration.wire import AccountDetail, Named, Usage


class Account(Group[Mode]):
    """The workspace behind the key."""

    @endpoint
    def usage(self) -> Call[Usage]:
        """Return the credits left and the request limit."""
        return Call("GET", "/v1/account/usage", one(Usage))

    @endpoint
    def get(self) -> Call[AccountDetail]:
        """Return who the key belongs to."""
        return Call("GET", "/v1/account", one(AccountDetail))

    @endpoint
    def brand_profiles(self) -> Call[tuple[Named, ...]]:
        """Return the brand profiles; where this fails, leave the choice out."""
        return Call("GET", "/v1/brand-profiles", many(Named))

    @endpoint
    def campaigns(self) -> Call[tuple[Named, ...]]:
        """Return the campaigns; where this fails, leave the choice out."""
        return Call("GET", "/v1/campaigns", many(Named))
