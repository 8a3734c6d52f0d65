"""The table of moves and the one function that makes them."""

import pytest

from portal.runs.models import Run
from portal.runs.states import ACTIVE, FINAL, MOVES, REMOTE, Status, Teller


def test_every_state_has_a_row_in_the_table() -> None:
    assert set(MOVES) == set(Status)


def test_every_state_is_active_or_final_or_waits_for_a_person() -> None:
    assert ACTIVE | FINAL | {Status.NEEDS_ATTENTION} == set(Status)
    assert not ACTIVE & FINAL
    assert REMOTE < ACTIVE


@pytest.mark.parametrize("final", sorted(FINAL))
def test_nothing_leaves_a_final_state(final: str) -> None:
    assert MOVES[final] == frozenset()


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
