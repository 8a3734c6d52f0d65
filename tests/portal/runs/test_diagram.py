"""The documentation's page of states is the table's."""

from django.conf import settings

from portal.runs.diagram import FILE, states_page
from portal.runs.states import MEANINGS, MOVES, Status


def test_page_of_states_is_as_new_as_the_table() -> None:
    assert (settings.BASE_DIR / FILE).read_text() == states_page(), "run manage.py draw_states"


def test_every_state_is_explained_and_every_move_has_its_reason() -> None:
    assert set(MEANINGS) == set(Status)
    assert all(why.endswith(".") for moves in MOVES.values() for why in moves.values())


def test_diagram_has_every_move_once() -> None:
    lines = states_page().splitlines()
    for leaving, moves in MOVES.items():
        for to in moves:
            assert lines.count(f"    {Status(leaving).value} --> {Status(to).value}") == 1
