"""The portal's tables, read by SQL of our own: what is compared does not depend on the code that wrote it."""

import threading
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.storm.ledger import FINAL, Tables


class Rows:
    """A database of the portal's."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self._lock = threading.Lock()

    def ask(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Return what a query finds."""
        with self._lock:
            return self._connection.execute(query, values or None).fetchall()

    def do(self, statement: str, *values: object) -> None:
        """Do something to the database."""
        with self._lock:
            # Without values there is nothing to put in, and a % is a %.
            self._connection.execute(statement, values or None)

    def one(self, query: str, *values: object) -> Any:
        """Return the first column of the first row."""
        return next(iter(self.ask(query, *values)[0].values()))

    def runs(self, tag: str) -> list[dict[str, Any]]:
        """Return the runs of a storm."""
        return self.ask(
            "select *, inputs->>'brief_text' as brief from runs_run where inputs->>'brief_text' like %s"
            " order by created_at",
            f"{tag} %",
        )

    def unsettled(self, tag: str) -> int:
        """Return how many runs of a storm have not ended."""
        return int(
            self.one(
                "select count(*) from runs_run where inputs->>'brief_text' like %s and not status = any(%s)",
                f"{tag} %",
                list(FINAL),
            )
        )

    def uncopied(self, tag: str) -> int:
        """Return how many outputs of a storm are made and not ours yet."""
        return int(
            self.one(
                "select count(*) from runs_output o join runs_run r on r.id = o.run_id"
                " where r.inputs->>'brief_text' like %s and o.copy_next_at is not null",
                f"{tag} %",
            )
        )

    def tables(self, tag: str) -> Tables:
        """Return everything of a storm that is compared."""
        return Tables(
            runs=self.runs(tag), outputs=self.of_runs("runs_output", tag), moves=self.of_runs("runs_move", tag)
        )

    def of_runs(self, table: str, tag: str) -> list[dict[str, Any]]:
        """Return the rows of a table that belong to the runs of a storm."""
        return self.ask(
            f"select t.* from {table} t join runs_run r on r.id = t.run_id"
            " where r.inputs->>'brief_text' like %s order by t.id",
            f"{tag} %",
        )

    def deliveries(self, tag: str) -> list[dict[str, Any]]:
        """Return the deliveries of a storm's runs."""
        return self.ask(
            "select d.* from runs_delivery d join runs_attempt a on a.id = d.attempt_id"
            " join runs_run r on r.id = a.run_id"
            " where r.inputs->>'brief_text' like %s order by d.id",
            f"{tag} %",
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
