"""A worker's sign of life while it works: short leases, renewed, so that a killed worker is noticed soon."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)

LEASE_SECONDS = 40
RENEW_EVERY_SECONDS = 10


@contextmanager
def renewed(renew: Callable[[], object]) -> Iterator[None]:
    """Call `renew` every few seconds as long as the block runs, from a thread of its own.

    The thread ends with its process: when that is killed, the lease runs out.
    """
    over = Event()

    def work() -> None:
        try:
            while not over.wait(RENEW_EVERY_SECONDS):
                try:
                    renew()
                except DatabaseError as error:
                    logger.warning("lease not renewed error=%r", error)
                    connection.close()  # it may be broken, and the next one is not
        finally:
            connection.close()

    thread = Thread(target=work, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
