"""Every setting and dependency tried once, each trouble named with its mend in one line.

Unlike readiness this asks Lamina, once, and writes a file into the storage. A check that needs what
another one found wrong is not looked at, and says so: one trouble, one line to mend, and no "ok" for
what nobody knows.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from lamina_integration import (
    LaminaAuthError,
    LaminaBudgetSpent,
    LaminaError,
    LaminaResponseError,
    LaminaUnreachable,
    Lane,
)
from portal.operations.broker import BrokerState, broker_state, eviction_policy
from portal.operations.health import WORKER_SILENT_SECONDS, free_bytes
from portal.runs.callbacks import address_is_refused
from portal.runs.reconcile import loose_holds
from portal.workspaces.budgets import differences
from portal.workspaces.fields import Unreadable
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Workspace


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, and what to do about it."""

    what: str
    fix: str


class NotLookedAt(Exception):
    """A check that could not be made, with the reason: it is another one's trouble."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check: its troubles, or why it was not made."""

    name: str
    troubles: list[Trouble]
    not_looked_at: str = ""


Check = Callable[[], Iterator[Trouble]]


def outcomes() -> Iterator[Outcome]:
    """Yield what came of each check, one after the other."""
    for name, check in CHECKS.items():
        try:
            yield Outcome(name, list(check()))
        except NotLookedAt as error:
            yield Outcome(name, [], not_looked_at=str(error))


def check_database() -> Iterator[Trouble]:
    """Reach the database and look for migrations that were not made."""
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield Trouble(f"The database does not answer ({_short(error)})", "start it, or mend DATABASE_URL")
    else:
        if missing:
            yield Trouble(f"{len(missing)} migrations are missing", "run manage.py migrate")


def check_redis() -> Iterator[Trouble]:
    """Reach Redis and see that it never throws away what it holds."""
    try:
        policy = eviction_policy()
    except (RedisError, ValueError) as error:
        yield Trouble(f"Redis does not answer ({_short(error)})", "start it, or mend REDIS_URL")
    else:
        if policy != "noeviction":
            yield Trouble(f"Redis may evict queues (maxmemory-policy is {policy})", "set it to noeviction")


def check_workers() -> Iterator[Trouble]:
    """See that every lane has finished something lately, and tell silent workers from a silent beat."""
    try:
        state = broker_state()
    except (RedisError, ValueError) as error:
        raise NotLookedAt(f"Redis does not answer ({_short(error)})") from error
    silent = [lane for lane, idle in state.idle_seconds.items() if idle is None or idle > WORKER_SILENT_SECONDS]
    if silent == list(settings.LANES) and not any(state.queued.values()):
        yield Trouble(
            "No lane works and nothing is queued: beat sends nothing",
            "start beat: celery -A portal.beat beat, and the workers",
        )
        return
    for lane in silent:
        yield Trouble(_silence(lane, state), f"start or restart a worker: celery -A portal worker -Q {lane}")


def _silence(lane: str, state: BrokerState) -> str:
    idle = state.idle_seconds[lane]
    since = "has never finished a task" if idle is None else f"has finished no task for {idle:.0f} s"
    return f"The lane {lane} {since} ({state.queued[lane]} queued)"


def check_storage() -> Iterator[Trouble]:
    """Write, read and delete a file where media are kept."""
    content = uuid.uuid4().hex.encode()
    try:
        name = default_storage.save(f"selfcheck/{uuid.uuid4().hex}.txt", ContentFile(content))
        try:
            with default_storage.open(name) as file:
                same = file.read() == content
        finally:
            default_storage.delete(name)
    except Exception as error:
        # Each kind of storage has errors of its own.
        yield Trouble(f"Media cannot be stored ({_short(error)})", "mend MEDIA_STORAGE_URL or the storage's rights")
    else:
        if not same:
            yield Trouble("Media come back different from what was stored", "mend the storage of MEDIA_STORAGE_URL")


def check_disk() -> Iterator[Trouble]:
    """See that there is room in the data folder."""
    try:
        free = free_bytes()
    except OSError as error:
        yield Trouble(f"DATA_DIR cannot be looked at ({_short(error)})", "make the folder, or mend DATA_DIR")
    else:
        if free < settings.DISK_LOW_BYTES:
            yield Trouble(f"Only {free // 1024**2} MB are free in DATA_DIR", "make room, or run manage.py prune")


def check_lamina() -> Iterator[Trouble]:
    """Ask Lamina once, with the portal's own key or else the first workspace's."""
    try:
        workspace = _speaker()
    except (DatabaseError, ImproperlyConfigured, ValueError) as error:
        raise NotLookedAt(f"the workspaces' keys cannot be read ({_short(error)})") from error
    if workspace is None:
        yield Trouble("There is no key for Lamina", "set LAMINA_API_KEY, or a workspace's key in the admin site")
        return
    try:
        with client_for(workspace, lane=Lane.INTERACTIVE) as client:
            client.account.usage()
    except LaminaAuthError:
        named = "the workspace's key" if workspace.lamina_api_key else "LAMINA_API_KEY"
        yield Trouble("Lamina does not accept the key", f"mend {named}")
    except LaminaUnreachable as error:
        yield Trouble(f"Lamina cannot be reached ({_short(error)})", "mend LAMINA_BASE_URL or the way to it")
    except LaminaBudgetSpent:
        yield Trouble("Lamina was not asked: the request budget is used up or away", "try again in a minute")
    except LaminaResponseError as error:
        yield Trouble(f"Lamina answers {error.status_code}", "see that LAMINA_BASE_URL is the API's address")
    except LaminaError as error:
        yield Trouble(f"Lamina cannot be asked ({_short(error)})", "see LAMINA_BASE_URL and LAMINA_API_KEY")


def _speaker() -> Workspace | None:
    """Return for whom Lamina is asked; None when nobody has a key."""
    if settings.LAMINA_API_KEY:
        return Workspace(name="selfcheck")
    return Workspace.objects.exclude(lamina_api_key="").first()


def check_addresses() -> Iterator[Trouble]:
    """See that Lamina and browsers reach the portal under names it answers to."""
    url = urlsplit(settings.PORTAL_PUBLIC_URL)
    if settings.PRODUCTION and url.scheme != "https":
        yield Trouble("PORTAL_PUBLIC_URL is not an https address", "set it to https://… as Lamina reaches it")
    allowed = [host.strip().lower() for host in settings.ALLOWED_HOSTS]
    if url.hostname and not any(_allows(pattern, url.hostname) for pattern in allowed):
        yield Trouble("ALLOWED_HOSTS has not the host of PORTAL_PUBLIC_URL", f"add {url.hostname} to ALLOWED_HOSTS")
    if _address_is_refused():
        yield Trouble("Lamina refuses PORTAL_PUBLIC_URL for its webhooks", "set it to an http or https address")
    if settings.PRODUCTION and settings.DEBUG:
        yield Trouble("DEBUG is on in production", "set DEBUG=off")


def _address_is_refused() -> bool:
    try:
        return bool(settings.PORTAL_PUBLIC_URL) and address_is_refused()
    except DatabaseError:
        return False


def _allows(pattern: str, host: str) -> bool:
    return pattern in {"*", host} or (pattern.startswith(".") and f".{host}".endswith(pattern))


def check_encryption() -> Iterator[Trouble]:
    """See that every configured key is one and that every stored secret can be read with them."""
    try:
        for key in settings.FIELD_ENCRYPTION_KEYS:
            Fernet(key)
    except ValueError:
        yield Trouble("FIELD_ENCRYPTION_KEY holds something that is no key", "see .env.example for how to make one")
        return
    try:
        slugs = list(Workspace.objects.values_list("slug", flat=True))
        unreadable = [slug for slug in slugs if not _is_readable(slug)]
    except DatabaseError as error:
        raise NotLookedAt(f"the workspaces cannot be read ({_short(error)})") from error
    if unreadable:
        yield Trouble(
            f"The stored key of {', '.join(unreadable[:5])} cannot be decrypted ({len(unreadable)} in all)",
            "add the old key to FIELD_ENCRYPTION_KEY, or store the workspaces' keys anew",
        )


def _is_readable(slug: str) -> bool:
    return not isinstance(Workspace.objects.values_list("lamina_api_key", flat=True).get(slug=slug), Unreadable)


def check_budgets() -> Iterator[Trouble]:
    """See that every budget's counters are the sums of its ledger, and that nothing is held for what has ended."""
    try:
        drifted = [
            f"{month} (held {month.held} for {held}, spent {month.spent} for {spent})"
            for month, held, spent in differences()
        ]
        loose = len(loose_holds())
    except (DatabaseError, ImproperlyConfigured) as error:
        raise NotLookedAt(f"the ledger cannot be read ({_short(error)})") from error
    if drifted:
        yield Trouble(
            f"The budget differs from its ledger: {', '.join(drifted[:5])}",
            "the task portal.runs.tasks.check_budgets mends it every half minute: see that beat and tracking work",
        )
    if loose:
        yield Trouble(f"{loose} credits holds outlived their runs", "see that beat and the lane tracking work")


def _short(error: BaseException) -> str:
    """Return an error's name; its text may hold an address with a password."""
    return type(error).__name__


CHECKS: dict[str, Check] = {
    "database": check_database,
    "redis": check_redis,
    "workers": check_workers,
    "storage": check_storage,
    "disk": check_disk,
    "lamina": check_lamina,
    "addresses": check_addresses,
    "encryption": check_encryption,
    "budgets": check_budgets,
}
