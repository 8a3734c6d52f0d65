"""The portal's way to Lamina: a client with a workspace's key and the shared request budget."""

import time
from collections.abc import Iterator

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from lamina_integration import AsyncLaminaClient, LaminaClient, LaminaError, Lane, RequestBudget
from portal.workspaces import away
from portal.workspaces.fields import Unreadable
from portal.workspaces.models import Workspace

BUDGET_KEY = f"{settings.CACHES['default']['KEY_PREFIX']}:lamina-budget"
# When Lamina last answered whatever call, as readiness tells it.
ANSWERED_KEY = f"{settings.CACHES['default']['KEY_PREFIX']}:lamina-answered"
NOTED_EVERY_SECONDS = 3.0
# Whether Lamina is away a process asks Redis so often, however many pages want to know.
AWAY_ASKED_EVERY_SECONDS = 2.0

# No retries of its own: a call that cannot wait its turn goes back to the queue.
_connection = redis.Redis.from_url(
    settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=5, retry=Retry(NoBackoff(), 0)
)


class KeyUnreadable(LaminaError):
    """Nobody is asked: the workspace's key cannot be decrypted with any FIELD_ENCRYPTION_KEY."""

    def __init__(self) -> None:
        super().__init__("No FIELD_ENCRYPTION_KEY fits the workspace's stored key")


class NotedBudget(RequestBudget):
    """The shared budget, which also keeps the time of Lamina's last answer."""

    _noted_at = -NOTED_EVERY_SECONDS

    def answered(self) -> None:
        """Take note that Lamina answers, and write down when: once in a few seconds is enough."""
        super().answered()
        if time.monotonic() - NotedBudget._noted_at < NOTED_EVERY_SECONDS:
            return
        NotedBudget._noted_at = time.monotonic()
        try:
            _connection.set(ANSWERED_KEY, f"{time.time():.3f}")
        except RedisError:
            return  # the budget has said so already; rows tell as much


def client_for(workspace: Workspace, *, lane: Lane) -> LaminaClient:
    """Return a client that speaks for `workspace` and waits for its turn in `lane`.

    Close it after use: it is a context manager. Raises KeyUnreadable. Every client of every process shares one budget,
    because Lamina counts requests by address and not by key.
    """
    return _client(key_of(workspace), lane)


def client_for_a_check(workspace: Workspace) -> LaminaClient:
    """Return a client for one question, outside of the shared budget.

    Asked for whether Lamina can be reached, it must ask even while the fleet holds its calls back, and an answer that
    fails to come must not make the fleet do so. What it sends is within what the budget leaves unused.
    """
    return LaminaClient(base_url=settings.LAMINA_BASE_URL, api_key=_readable(key_of(workspace)))


def clients_of_every_key(*, lane: Lane) -> Iterator[LaminaClient]:
    """Yield a client for each key there is, the portal's own first: for what Lamina tells whoever has one."""
    keys = [settings.LAMINA_API_KEY, *Workspace.objects.order_by("pk").values_list("lamina_api_key", flat=True)]
    for key in dict.fromkeys(keys):
        if key and not isinstance(key, Unreadable):
            yield _client(key, lane)


def _client(key: str, lane: Lane) -> LaminaClient:
    return LaminaClient(base_url=settings.LAMINA_BASE_URL, api_key=_readable(key), budget=shared_budget(), lane=lane)


def async_client_for(workspace: Workspace, *, lane: Lane, connections: int) -> AsyncLaminaClient:
    """Return such a client for an event loop, with so many connections at once; raises KeyUnreadable, too."""
    return AsyncLaminaClient(
        base_url=settings.LAMINA_BASE_URL,
        api_key=_readable(key_of(workspace)),
        budget=shared_budget(),
        lane=lane,
        connections=connections,
    )


def _readable(key: str) -> str:
    if isinstance(key, Unreadable):
        raise KeyUnreadable
    return key


def shared_budget() -> RequestBudget:
    """Return the budget that every client of every process shares."""
    return NotedBudget(
        _connection,
        limit=settings.LAMINA_RATE_LIMIT,
        window_seconds=settings.LAMINA_RATE_WINDOW_SECONDS,
        key=BUDGET_KEY,
    )


class Silence:
    """Whether Lamina is away, as this process has last heard."""

    def __init__(self) -> None:
        self._is_known, self._asked_at = False, -AWAY_ASKED_EVERY_SECONDS

    def is_known(self) -> bool:
        """Return whether Lamina does not answer, as was known within the last two seconds; not without Redis."""
        if away.is_known():
            return False
        now = time.monotonic()
        if now - self._asked_at >= AWAY_ASKED_EVERY_SECONDS:
            self._asked_at = now  # first: other threads are not to ask as well
            self._is_known = shared_budget().is_away()
        return self._is_known

    def forget(self) -> None:
        """Ask again at the next opportunity."""
        self._asked_at = -AWAY_ASKED_EVERY_SECONDS


silence = Silence()


def key_of(workspace: Workspace) -> str:
    """Return the key a workspace speaks with: its own, or the portal's."""
    return workspace.lamina_api_key or settings.LAMINA_API_KEY
