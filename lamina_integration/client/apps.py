"""Apps: what there is, what one asks for, what a run of it costs."""

from __future__ import annotations

from typing import Any

from lamina_integration.client.answers import many, one, raw_object
from lamina_integration.client.calls import Call, Group, Mode, endpoint, given, path
from lamina_integration.wire import App, AppSummary, Estimate


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


def _detail(payload: Any) -> dict[str, Any]:
    detail = raw_object(payload)
    App.from_detail(detail)  # a document that cannot be read must not be kept
    return detail
