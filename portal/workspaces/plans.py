"""Statements that a connection to Postgres has prepared, and tables that a migration has changed since."""

from collections.abc import Callable
from typing import Any

from django.db import NotSupportedError
from django.db.backends.base.base import BaseDatabaseWrapper

STALE = "cached plan must not change result type"


def watch(connection: BaseDatabaseWrapper, **_signal: object) -> None:
    """Have a new connection to Postgres ended after the request or task that met a changed table.

    It looks sound to Django, and would refuse the same statement for as long as it is kept.
    """
    if connection.vendor == "postgresql" and _leave_when_stale not in connection.execute_wrappers:
        connection.execute_wrappers.append(_leave_when_stale)


def _leave_when_stale(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    try:
        return execute(sql, params, many, context)
    except NotSupportedError as error:
        if STALE in str(error):
            context["connection"].close_at = 0
        raise
