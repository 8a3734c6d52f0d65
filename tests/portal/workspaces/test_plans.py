"""A table that is migrated while connections are kept."""

from threading import Event, Thread

import pytest
from django.db import NotSupportedError, close_old_connections, connection

from portal.workspaces.models import Workspace

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite prepares nothing that could be stale"),
]


def test_connection_that_prepared_a_statement_is_left_once_its_table_has_changed(workspace: Workspace) -> None:
    is_prepared, is_changed = Event(), Event()
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(Workspace.objects.values_list("name", flat=True).get(pk=workspace.pk))
        except NotSupportedError as error:
            answers.append(error)
        close_old_connections()  # as at the end of a request

    def serve() -> None:
        try:
            for _ in range(8):
                ask()
            is_prepared.set()
            is_changed.wait(10)
            for _ in range(3):
                ask()
        finally:
            connection.close()

    thread = Thread(target=serve)
    thread.start()
    assert is_prepared.wait(10)
    with connection.cursor() as cursor:
        cursor.execute("alter table workspaces_workspace alter column name type text")
    is_changed.set()
    thread.join()
    with connection.cursor() as cursor:
        cursor.execute("alter table workspaces_workspace alter column name type varchar(100)")
    assert answers[-2:] == [workspace.name] * 2, "the connection was kept"
