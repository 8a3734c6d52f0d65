"""The operations of the API, one module for each group of its reference."""

from __future__ import annotations

from starlette.routing import Router

from lamina_integration.sandbox import control, files
from lamina_integration.sandbox.api import account, apps, assets, runs, streams, webhooks


def router() -> Router:
    """Return everything that is served."""
    groups = (apps, runs, streams, webhooks, assets, account, files, control)
    return Router(routes=[route for group in groups for route in group.routes])
