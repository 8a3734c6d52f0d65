"""Redis as a cache that may be away, full or read-only: what it does not do counts as not cached."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from portal.workspaces import away


def _forgiving(name: str, fallback: Callable[..., Any]) -> Callable[..., Any]:
    method = getattr(RedisCache, name)

    @wraps(method)
    def call(self: RedisCache, *args: Any, **kwargs: Any) -> Any:
        if not away.is_known():
            try:
                return method(self, *args, **kwargs)
            except (ConnectionError, TimeoutError) as error:
                away.note(error)
            except ResponseError as error:
                away.note_refusal(error)
        return fallback(*args, **kwargs)

    return call


class KeptClient(RedisCacheClient):
    """Django's, which makes a Redis client anew for every command: that takes as long as asking."""

    _kept: Redis | None = None

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        """Return the one client; we have one server, and clients may be shared."""
        if self._kept is None:
            self._kept = super().get_client(key, write=write)
        return self._kept


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache, except that pages go on without it while Redis restarts or hangs."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = KeptClient

    get = _forgiving("get", lambda key, default=None, version=None: default)
    get_many = _forgiving("get_many", lambda keys, version=None: {})
    set = _forgiving("set", lambda *args, **kwargs: None)
    set_many = _forgiving("set_many", lambda data, *args, **kwargs: list(data))
    add = _forgiving("add", lambda *args, **kwargs: True)
    touch = _forgiving("touch", lambda *args, **kwargs: False)
    delete = _forgiving("delete", lambda *args, **kwargs: False)
    incr = _forgiving("incr", lambda key, delta=1, version=None: delta)
    has_key = _forgiving("has_key", lambda *args, **kwargs: False)
