"""Apps: what there is, what one asks for, what a run of it costs."""

from __future__ import annotations

from typing import Any

from lamina_integration.client.answers import many, one, raw_object
from lamina_integration.client.calls import Call, Group, Mode, endpoint, given, path
from lamina_integration.wire import App, AppSummary, DiscoveredApp, Estimate, Graph

MOST_DISCOVERED = 20


class Apps(Group[Mode]):
    """The apps this key may run: the workspace's own and the public ones."""

    @endpoint
    def list(self, search: str | None = None, limit: int | None = None) -> Call[tuple[AppSummary, ...]]:
        """Return the apps that match, in Lamina's order."""
        return Call("GET", "/v1/apps", many(AppSummary), query=given(search=search, limit=limit))

    @endpoint
    def get(self, app_id: str) -> Call[App]:
        """Return one app with its parameters and outputs."""
        return Call("GET", path("/v1/apps/{app_id}", app_id=app_id), one(App))

    @endpoint
    def get_detail(self, app_id: str) -> Call[dict[str, Any]]:
        """Return one app's detail document exactly as Lamina sent it, for keeping."""
        return Call("GET", path("/v1/apps/{app_id}", app_id=app_id), _detail)

    @endpoint
    def estimate(self, app_id: str) -> Call[Estimate]:
        """Return what a run would cost and whether it is affordable, whatever its inputs."""
        return Call("POST", path("/v1/apps/{app_id}/estimate", app_id=app_id), one(Estimate))

    @endpoint
    def graph(self, app_id: str) -> Call[Graph]:
        """Return the graph of steps behind an app; rarely needed, and not on every server."""
        return Call("GET", path("/v1/apps/{app_id}/workflow", app_id=app_id), one(Graph))

    @endpoint
    def discover(
        self,
        intent: str,
        *,
        max_credits: float | None = None,
        output_format: str | None = None,
        limit: int | None = None,
    ) -> Call[tuple[DiscoveredApp, ...]]:
        """Return the apps that suit an intent, best first, twenty at most; Lamina may give fewer than asked for."""
        constraints = given(maxCredits=max_credits, outputFormat=output_format)
        body = given(intent=intent, constraints=constraints or None, limit=_within_reach(limit))
        return Call("POST", "/v1/apps/discover", many(DiscoveredApp, inside="matches"), body=body)


def _within_reach(limit: int | None) -> int | None:
    """Return as many as may be asked for: more than any source of the contract knows might be refused."""
    return None if limit is None else max(1, min(limit, MOST_DISCOVERED))


def _detail(payload: Any) -> dict[str, Any]:
    detail = raw_object(payload)
    App.from_detail(detail)  # a document that cannot be read must not be kept
    return detail
