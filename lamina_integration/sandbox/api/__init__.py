"""The operations of the API, one module for each group of its reference."""

from __future__ import annotations

from starlette.routing import Router

from lamina_integration.sandbox import control, files, page
from lamina_integration.sandbox.api import (
    account,
    apps,
    assets,
    content,
    guides,
    intelligence,
    models,
    previews,
    publishing,
    runs,
    streams,
    webhooks,
)

# The order counts where one path could be read as another: /v1/apps/discover before /v1/apps/{id}.
GROUPS = (
    content,
    previews,
    apps,
    runs,
    streams,
    webhooks,
    guides,
    assets,
    intelligence,
    publishing,
    account,
    models,
)


def router() -> Router:
    """Return everything that is served."""
    return Router(routes=[route for group in (*GROUPS, files, control, page) for route in group.routes])
