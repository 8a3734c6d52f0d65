"""How much one person may upload in a minute, counted in the shared cache."""

import logging
import time

from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

UPLOADS_A_MINUTE = 200
WINDOW_SECONDS = 60


def seconds_to_wait(user_id: int) -> int:
    """Count one upload and return 0, or how long to wait when the minute's uploads are used up."""
    now = time.time()
    key = f"uploads:{user_id}:{int(now // WINDOW_SECONDS)}"
    cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
    try:
        count = cache.incr(key)
    except (RedisError, ValueError) as error:
        # Without the cache nothing is counted; the number of workbenches still bounds the work.
        logger.warning("uploads not counted error=%s", type(error).__name__)
        return 0
    return 0 if count <= UPLOADS_A_MINUTE else WINDOW_SECONDS - int(now % WINDOW_SECONDS)
