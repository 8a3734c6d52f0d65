"""The portal's Celery application with one more task, which does nothing: the control of settling."""

from portal.celery import app


@app.task(name="tests.bench.nothing")
def nothing() -> None:
    """Do nothing."""
