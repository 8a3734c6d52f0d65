"""What staff are told of a schema that changed."""

from typing import Any

import pytest

from lamina_integration import App
from portal.catalogue.drift import changes
from tests.factories import detail

SIZE = {"id": "1", "key": "size", "name": "Size", "type": "options", "options": ["S", "L"], "default": "S"}


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str, list[tuple[str, str, str]]]]:
    found = changes(App.from_detail(before), App.from_detail(after))
    return [
        (change.kind, change.thing, change.name, [(each.aspect, each.old, each.new) for each in change.differences])
        for change in found
    ]


@pytest.mark.parametrize(
    ("now", "difference"),
    [
        ({"name": "Size "}, ("name", '"Size"', '"Size "')),
        ({"type": "text"}, ("type", '"options"', '"text"')),
        ({"default": "L"}, ("default", '"S"', '"L"')),
        ({"options": ["S", "M", "L"]}, ("options", '"S", "L"', '"S", "M", "L"')),
        ({"accept": ["image"]}, ("accepts", "none", '"image"')),
        ({"multiple": True}, ("several", "no", "yes")),
    ],
)
def test_each_aspect_of_a_parameter_is_told(now: dict[str, Any], difference: tuple[str, str, str]) -> None:
    [(kind, thing, _name, differences)] = told(detail(SIZE), detail({**SIZE, **now}))
    assert (kind, thing) == ("changed", "parameter")
    assert difference in differences


def test_parameter_that_must_now_be_filled_in_says_so_first() -> None:
    without = {name: value for name, value in SIZE.items() if name != "default"}
    [(_kind, _thing, _name, differences)] = told(detail(SIZE), detail(without))
    assert differences[0] == ("must be filled in", "no", "yes")


def test_added_and_removed_parameters_and_outputs_are_told() -> None:
    other = {**SIZE, "id": "2", "key": "other", "name": "Other"}
    pictures = [{"label": "Front", "type": "image"}, {"label": "Back", "type": "image"}]
    clips = [{"label": "Front", "type": "video"}, {"label": "Side", "type": "image"}]
    found = told(detail(SIZE, outputs=pictures), detail(other, outputs=clips))
    assert [(kind, thing, name) for kind, thing, name, _differences in found] == [
        ("added", "parameter", "Other"),
        ("removed", "parameter", "Size"),
        ("changed", "output", "Front"),
        ("added", "output", "Side"),
        ("removed", "output", "Back"),
    ]


def test_another_order_changes_nothing_that_a_person_sees() -> None:
    other = {**SIZE, "id": "2", "key": "other", "name": "Other"}
    assert told(detail(SIZE, other), detail(other, SIZE)) == []
