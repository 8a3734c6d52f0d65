"""Writing down an answer that only this worker has: a database that is away is waited for."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

Written = TypeVar("Written")
PAUSES_SECONDS = (0, 1, 2, 4, 8, 15)  # as long as a standby takes to become the database


def persistently(write: Callable[[], Written]) -> Written:
    """Return what `write` returns, which is called again while the database cannot be reached, for half a minute.

    It may have been done although the connection was lost: `write` is something that can be done twice.
    Raises OperationalError or InterfaceError in the end, and at once within somebody else's transaction.
    """
    for pause in PAUSES_SECONDS:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block:
                raise
            logger.warning("answer not written down yet error=%r", error)
            connection.close()
            time.sleep(pause)
    return write()
