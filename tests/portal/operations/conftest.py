"""A portal at work: every lane shows signs of life, Lamina has answered."""

import threading
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.utils import timezone

from portal.operations import broker, health
from portal.workspaces.lamina import ANSWERED_KEY, BUDGET_KEY
from portal.workspaces.models import Workspace


@pytest.fixture
def lanes_at_work() -> Iterator[None]:
    """Every lane has just finished something."""
    for lane in settings.LANES:
        broker.note_work(lane)
    yield
    with broker.connect() as connection:
        connection.delete(broker.WORKED_KEY)


@pytest.fixture
def portal_at_work(transactional_db: None, lanes_at_work: None) -> Iterator[Workspace]:
    """A workspace whose credits Lamina has just told, and lanes that work; rows that other threads see."""
    with broker.connect() as connection:
        connection.delete(ANSWERED_KEY, BUDGET_KEY)
    yield Workspace.objects.create(slug="demo", name="Northwind Goods", credits_checked_at=timezone.now())
    for thread in threading.enumerate():
        if thread.name.startswith("probe-"):
            thread.join(timeout=10)
    health._going.clear()
