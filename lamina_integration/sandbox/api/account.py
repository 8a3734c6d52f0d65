"""The account: who calls, credits, and the request limit."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox.api.answers import data
from lamina_integration.sandbox.gate import caller_of, world_of


async def usage(request: Request) -> Response:
    """Return the workspace's credits and the limit its requests are under."""
    workspace, knobs = caller_of(request).workspace, world_of(request).knobs
    balance = 0.0 if knobs.out_of_credits else workspace.balance
    return data(
        {
            "credits": {"balance": balance, "totalEarned": workspace.earned, "totalSpent": workspace.spent},
            "rateLimit": {"limit": knobs.limit, "windowMs": int(knobs.window * 1000)},
        }
    )


async def account(request: Request) -> Response:
    """Return the key's user and workspace."""
    workspace = caller_of(request).workspace
    named = {"name": workspace.name, "slug": workspace.slug, "role": "owner"}
    return data(
        {
            "user": {"id": workspace.user_id, "email": f"owner@{workspace.slug}.example.com"},
            "workspace": {"id": workspace.workspace_id, **named},
            "memberships": [{"workspaceId": workspace.workspace_id, **named}],
        }
    )


routes = [Route("/v1/account", account, methods=["GET"]), Route("/v1/account/usage", usage, methods=["GET"])]
