"""Where a form's schema is read from: this process, the cache, the database; never Lamina."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from portal.catalogue import schemas
from portal.catalogue.models import SchemaVersion
from portal.catalogue.schemas import schema_of
from tests.factories import app_from, detail


@pytest.fixture(autouse=True)
def nothing_read() -> Iterator[None]:
    """What a process and the cache know of schemas begins and ends with a test."""
    schemas._held.clear()
    cache.clear()
    yield
    schemas._held.clear()


@pytest.fixture
def version(db: None) -> SchemaVersion:
    """A version whose detail is in the database only."""
    app = app_from(detail(name="Shot maker"))
    return SchemaVersion.objects.defer("detail").get(app=app)


def test_schema_is_read_once_from_the_database_then_from_the_cache_then_from_memory(
    version: SchemaVersion, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert schema_of(version).name == "Shot maker"
    schemas._held.clear()
    again = SchemaVersion.objects.defer("detail").get(pk=version.pk)
    with django_assert_num_queries(0):
        assert schema_of(again).name == "Shot maker"
    cache.clear()
    with django_assert_num_queries(0):
        assert schema_of(again).name == "Shot maker"


def test_process_holds_no_more_than_a_few(version: SchemaVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "MOST_HELD", 2)
    others = [app_from(detail(name=f"App {number}", appId=f"app-{number}")).schema for number in range(3)]
    for each in (version, *others):
        schema_of(each)
    assert [app.name for app in schemas._held.values()] == ["App 1", "App 2"]
