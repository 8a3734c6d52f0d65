"""The table of moves and the one function that makes them."""

import ast

import pytest
from django.conf import settings
from django.db import DatabaseError

from portal.runs.models import Move, Run
from portal.runs.states import ACTIVE, FINAL, MOVES, REMOTE, Status, Teller


def test_every_state_has_a_row_in_the_table() -> None:
    assert set(MOVES) == set(Status)


def test_every_state_is_active_or_final_or_waits_for_a_person() -> None:
    assert ACTIVE | FINAL | {Status.NEEDS_ATTENTION} == set(Status)
    assert not ACTIVE & FINAL
    assert REMOTE < ACTIVE


@pytest.mark.parametrize("final", sorted(FINAL))
def test_nothing_leaves_a_final_state(final: str) -> None:
    assert not MOVES[final]


def test_every_state_can_be_reached_from_waiting() -> None:
    reached, frontier = {Status.WAITING}, {Status.WAITING}
    while frontier:
        frontier = {to for state in frontier for to in MOVES[state]} - reached
        reached |= frontier
    assert reached == set(Status)


def test_move_writes_history_and_grows_the_version(run: Run) -> None:
    assert run.move(Status.SUBMITTING, told_by=Teller.WORKER, why="claimed")
    run.refresh_from_db()
    assert (run.status, run.version) == (Status.SUBMITTING, 1)
    line = run.history.last()
    assert line is not None
    assert (line.leaving, line.to, line.told_by, line.why) == ("waiting", "submitting", "worker", "claimed")


def test_of_two_who_move_a_run_one_is_first(run: Run) -> None:
    same = Run.objects.get(pk=run.pk)
    assert run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    assert not same.move(Status.SUBMITTING, told_by=Teller.WORKER)
    assert run.history.filter(to=Status.SUBMITTING).count() == 1


def test_move_the_table_does_not_have_changes_nothing(run: Run) -> None:
    assert not run.move(Status.NEEDS_ATTENTION, told_by=Teller.STAFF)
    run.refresh_from_db()
    assert run.status == Status.WAITING


@pytest.mark.django_db(transaction=True)
def test_move_without_its_line_of_history_is_not_made(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise DatabaseError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Move.objects, "create", refuse)
        with pytest.raises(DatabaseError):
            run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    run.refresh_from_db()
    assert run.status == Status.WAITING


def test_nothing_but_move_writes_a_run_s_state() -> None:
    """A state that is set elsewhere would leave no line in the history."""
    writers = []
    for path in sorted((settings.BASE_DIR / "portal").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if named and node.func.attr in {"update", "bulk_update", "update_or_create"}:
                source = ast.unparse(node)
                if "status=" in source.partition(".update(")[2] and ("Run" in source or "runs" in source):
                    writers.append(f"{path.name}: {source[:60]}")
            if isinstance(node, ast.Assign) and any(ast.unparse(target) == "run.status" for target in node.targets):
                writers.append(f"{path.name}: {ast.unparse(node)}")
    assert [writer for writer in writers if not writer.startswith("run.py: Run.objects.filter(pk=self.pk")] == []
    assert len(writers) == 1
