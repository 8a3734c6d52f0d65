"""Templates: named guidance for briefs."""

from __future__ import annotations

from lamina_integration.client.answers import many, one
from lamina_integration.client.calls import Call, Group, Mode, endpoint, path
from lamina_integration.wire import Template


class Templates(Group[Mode]):
    """The templates a brief may name."""

    @endpoint
    def list(self) -> Call[tuple[Template, ...]]:
        """Return the templates; where this is not served, a template can still be read by its id."""
        return Call("GET", "/v1/templates", many(Template))

    @endpoint
    def get(self, template_id: str) -> Call[Template]:
        """Return one template."""
        return Call("GET", path("/v1/templates/{template_id}", template_id=template_id), one(Template))
