"""App schemas: fetched from Lamina in the background, served from the cache, kept as versions.

No page fetches a schema. `refresh` is called by the background task, the command and the task that
sends a run; pages call `schema_of`, which asks the cache and then the database.
"""

import hashlib
import json
import logging
from datetime import timedelta
from threading import Lock
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from lamina_integration import App as LaminaApp
from lamina_integration import LaminaClient, LaminaError
from portal.catalogue.models import App, Capability, PinnedApp, SchemaUse, SchemaVersion
from portal.workspaces.models import Workspace

logger = logging.getLogger(__name__)

CACHE_SECONDS = 24 * 3600
CHECKED_SECONDS = 60
LARGEST_ESTIMATE = 10**10  # what the columns hold; anything beyond is no estimate
MOST_HELD = 30

_held: dict[str, LaminaApp] = {}
_holding = Lock()


def schema_of(version: SchemaVersion) -> LaminaApp:
    """Return the app as one schema version describes it, from the cache or the database.

    Load the version with its detail deferred: the database is then asked for it only when the cache
    does not know it. The cache knows it by its content, so that a row's number that comes to mean
    something else, as after a restored backup, never shows another app's form. A process holds the
    few it has read last: they never change, and reading one with a hundred parameters takes long.
    """
    key = f"schema:{version.app_id}:{version.fingerprint}"
    app = _held.get(key)
    if app is None:
        app = LaminaApp.from_detail(_detail_of(version, key))
        with _holding:
            _held[key] = app
            if len(_held) > MOST_HELD:
                del _held[next(iter(_held))]
    return app


def _detail_of(version: SchemaVersion, key: str) -> dict[str, Any]:
    detail: dict[str, Any] | None = cache.get(key)
    if detail is None:
        detail = version.detail
        cache.set(key, detail, CACHE_SECONDS)
    return detail


def fingerprint_of(detail: dict[str, Any]) -> str:
    """Return the SHA-256 of what a form is drawn from: the parameters and outputs."""
    drawn = {"parameters": detail.get("parameters"), "outputs": detail.get("outputs")}
    return hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()


def remember(app: App, detail: dict[str, Any]) -> SchemaVersion:
    """Record an app's detail; a new version only when its parameters or outputs changed."""
    with transaction.atomic():
        version, is_new = SchemaVersion.objects.get_or_create(
            app=app, fingerprint=fingerprint_of(detail), defaults={"detail": detail}
        )
        # Of several workers that see a change at once the first one's row tells of it.
        is_changed = app.schema_id != version.pk and (
            App.objects.filter(pk=app.pk).exclude(schema=version).update(schema=version)
        )
        if is_changed:
            SchemaUse.objects.create(app=app, version=version)
        app.name = str(detail.get("name") or app.name)[:300]
        app.description = str(detail.get("description") or "")
        app.schema = version
        app.refreshed_at = timezone.now()
        app.refresh_error = ""
        app.save(update_fields=["name", "description", "schema", "refreshed_at", "refresh_error"])
    if is_changed:
        told = "new" if is_new else "an earlier one again"
        logger.info("schema version is %s app=%s fingerprint=%s", told, app.lamina_id, version.fingerprint[:8])
    return version


def refresh(app: App, *, client: LaminaClient) -> SchemaVersion:
    """Fetch an app's schema and return the version it is now; raises LaminaError."""
    return remember(app, client.apps.get_detail(app.lamina_id))


def checked(app: App, *, client: LaminaClient, within_seconds: float) -> SchemaVersion:
    """Return an app's newest schema; not asked for when a worker did so so lately. Raises LaminaError.

    What the background fetched, and a pin, do not count: only what was asked for in order to send.
    """
    key = f"schema-checked:{app.pk}"
    last = app.refreshed_at
    is_fresh = timezone.now() - last < timedelta(seconds=within_seconds) if last else False
    if last and is_fresh and app.schema and cache.get(key) == last.isoformat():
        return app.schema
    version = refresh(app, client=client)
    if app.refreshed_at:
        cache.set(key, app.refreshed_at.isoformat(), CHECKED_SECONDS)
    return version


def refresh_estimate(app: App, *, client: LaminaClient) -> None:
    """Fetch what a run of the app costs; where Lamina does not answer, the last estimate stays with its date.

    One estimate serves all workspaces: Lamina makes it from the app alone, without its inputs. What
    differs by key, the balance, is asked for apart.
    """
    try:
        fetch_estimate(app, client=client)
    except LaminaError as error:
        logger.info("no estimate app=%s error=%s", app.lamina_id, error)


def fetch_estimate(app: App, *, client: LaminaClient) -> None:
    """Fetch what a run of the app costs; raises LaminaError."""
    estimate = client.apps.estimate(app.lamina_id)
    figures = (estimate.expected, estimate.min, estimate.max)
    app.credits_expected, app.credits_min, app.credits_max = (
        None if figure is None or not 0 <= figure < LARGEST_ESTIMATE else figure for figure in figures
    )
    app.estimated_at = timezone.now()
    app.save(update_fields=["credits_expected", "credits_min", "credits_max", "estimated_at"])


def pin(*, workspace: Workspace, lamina_id: str, capability: str, client: LaminaClient) -> PinnedApp:
    """Offer an app to a workspace's members; pinning it again moves it to the new capability.

    Raises ValueError for an unknown capability and LaminaError when the app cannot be fetched.
    """
    if capability not in Capability.values:
        raise ValueError(f"capability is one of {', '.join(Capability.values)}")
    detail = client.apps.get_detail(lamina_id)
    name = str(detail.get("name") or lamina_id)[:300]
    app, _created = App.objects.get_or_create(lamina_id=lamina_id, defaults={"name": name})
    remember(app, detail)
    refresh_estimate(app, client=client)
    position = PinnedApp.objects.filter(workspace=workspace).count()
    pinned, _created = PinnedApp.objects.update_or_create(
        workspace=workspace,
        app=app,
        defaults={"capability": capability, "is_offered": True},
        create_defaults={"capability": capability, "position": position},
    )
    return pinned
