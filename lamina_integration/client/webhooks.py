"""Webhooks: the keys that deliveries are signed with."""

from __future__ import annotations

from lamina_integration.client.answers import many
from lamina_integration.client.calls import Call, Group, Mode, endpoint
from lamina_integration.wire import SigningKey


class Webhooks(Group[Mode]):
    """What is needed to believe a delivery; verifying it is in lamina_integration.webhooks."""

    @endpoint
    def signing_keys(self) -> Call[tuple[SigningKey, ...]]:
        """Return every key a delivery may be signed with."""
        return Call("GET", "/v1/webhooks/signing-key", many(SigningKey, envelope="keys"))
