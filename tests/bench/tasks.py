"""The tasks of settling's controls, found by Celery because the benchmarks' settings have this folder installed."""

from celery import shared_task

from tests.bench import bare

__all__ = ["bare", "nothing"]


@shared_task(name="tests.bench.nothing")
def nothing() -> None:
    """Do nothing."""
