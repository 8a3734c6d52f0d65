"""The waits that short storms shorten."""

import importlib
from datetime import timedelta

import pytest

from tests.storm import haste


@pytest.mark.parametrize(("home", "name"), [(home, name) for home, names in haste.WAITS.items() for name in names])
def test_every_wait_that_is_shortened_is_where_it_is_looked_for(home: str, name: str) -> None:
    assert isinstance(getattr(importlib.import_module(home), name), int | float | timedelta)


@pytest.mark.parametrize(
    ("wait", "shorter"), [(40, 5), (10, 1), (3, 1), (60.0, 7.5), (timedelta(seconds=120), timedelta(seconds=15))]
)
def test_shortened_wait_stays_what_it_is(
    wait: int | float | timedelta, shorter: int | float | timedelta, settings: object
) -> None:
    settings.STORM_HASTE = 8
    assert haste.shortened(wait) == shorter
    assert type(haste.shortened(wait)) is type(shorter)
