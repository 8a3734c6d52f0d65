"""What the portal stands on, tried once: database, Redis, workers, storage, disk, stored keys and budgets."""

import uuid
from collections.abc import Iterator
from fnmatch import fnmatch
from os import R_OK, W_OK, X_OK, access
from urllib.parse import urlsplit

import redis
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from portal.operations.broker import PATIENCE_SECONDS, BrokerState, broker_state, eviction_policy
from portal.operations.health import WORKER_SILENT_SECONDS, free_bytes
from portal.operations.selfcheck.troubles import NotLookedAt, Trouble, short
from portal.runs.reconcile import loose_holds
from portal.workspaces.budgets import differences
from portal.workspaces.fields import Unreadable
from portal.workspaces.models import Workspace


def check_database() -> Iterator[Trouble]:
    """Reach the database and look for migrations that were not made."""
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield Trouble(f"The database does not answer ({short(error)})", "start it, or mend DATABASE_URL")
    else:
        if missing:
            yield Trouble(f"{len(missing)} migrations are missing", "run manage.py migrate")


def check_redis() -> Iterator[Trouble]:
    """Reach both of Redis' databases and see that it never throws away what it holds."""
    try:
        policy = eviction_policy()
    except (RedisError, ValueError) as error:
        yield Trouble(f"Redis does not answer ({short(error)})", "start it, or mend REDIS_URL")
    else:
        if policy != "noeviction":
            yield Trouble(f"Redis may evict queues (maxmemory-policy is {policy})", "set it to noeviction")
        yield from _second_database()


def _second_database() -> Iterator[Trouble]:
    """Reach the cache, which forgives a Redis that is away and would never tell."""
    options = {"socket_connect_timeout": PATIENCE_SECONDS, "socket_timeout": PATIENCE_SECONDS}
    try:
        with redis.Redis.from_url(str(settings.CACHES["default"]["LOCATION"]), **options) as cache:
            cache.ping()
    except (RedisError, ValueError) as error:
        yield Trouble(
            f"Redis' database for the cache cannot be had ({short(error)})",
            "end REDIS_URL with a smaller number: it and the next are used",
        )


def check_workers() -> Iterator[Trouble]:
    """See that every lane has finished something lately, and tell silent workers from a silent beat."""
    try:
        state = broker_state()
    except (RedisError, ValueError) as error:
        raise NotLookedAt(f"Redis does not answer ({short(error)})") from error
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
            origin = _origin_of(name)
        finally:
            default_storage.delete(name)
    except Exception as error:
        # Each kind of storage has errors of its own.
        yield Trouble(f"Media cannot be stored ({short(error)})", "mend MEDIA_STORAGE_URL or the storage's rights")
    else:
        if not same:
            yield Trouble("Media come back different from what was stored", "mend the storage of MEDIA_STORAGE_URL")
        if origin and not any(fnmatch(origin, shown) for shown in settings.MEDIA_ORIGINS):
            yield Trouble(f"Pages may not show media from {origin}", f"add {origin} to MEDIA_ORIGINS")


def _origin_of(name: str) -> str:
    """Return from where browsers get a file; nothing where the portal hands it out itself."""
    try:
        url = urlsplit(default_storage.url(name))
    except (NotImplementedError, ValueError):
        return ""
    return f"{url.scheme}://{url.netloc}" if url.netloc else ""


def check_disk() -> Iterator[Trouble]:
    """See that the data folder is one that can be written, and that there is room."""
    try:
        free = free_bytes()
    except OSError as error:
        yield Trouble(f"DATA_DIR cannot be looked at ({short(error)})", "make the folder, or mend DATA_DIR")
    else:
        if not settings.DATA_DIR.is_dir() or not access(settings.DATA_DIR, R_OK | W_OK | X_OK):
            yield Trouble(
                "DATA_DIR is no folder that can be written", "let the portal's user write it, or mend DATA_DIR"
            )
        if free < settings.DISK_LOW_BYTES:
            yield Trouble(f"Only {free // 1024**2} MB are free in DATA_DIR", "make room, or run manage.py prune")


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
        raise NotLookedAt(f"the workspaces cannot be read ({short(error)})") from error
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
        raise NotLookedAt(f"the ledger cannot be read ({short(error)})") from error
    if drifted:
        yield Trouble(
            f"The budget differs from its ledger: {', '.join(drifted[:5])}",
            "the task portal.runs.tasks.check_budgets mends it every half minute: see that beat and tracking work",
        )
    if loose:
        yield Trouble(f"{loose} credits holds outlived their runs", "see that beat and the lane tracking work")
