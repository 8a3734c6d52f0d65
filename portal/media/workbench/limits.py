"""How much this process may take, where the platform has limits."""

import contextlib
import os

try:
    import resource
except ImportError:  # Windows has none; the wall clock of whoever started us remains
    resource = None  # type: ignore[assignment]

OPEN_FILES = 64
POLITENESS = 5


def apply(*, memory_bytes: int, processor_seconds: int, file_bytes: int) -> None:
    """Bound memory, processor time and what may be written; leave no core file; go behind those who serve pages."""
    if resource is None:
        return
    for what, amount in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, processor_seconds),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        # A system that knows a limit by name and refuses it (macOS and address space) is no reason to stop.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (amount, amount))
    os.nice(POLITENESS)
