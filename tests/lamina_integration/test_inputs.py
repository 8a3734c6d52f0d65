"""Inputs are judged as Lamina judges them."""

from __future__ import annotations

from typing import Any

import pytest

from lamina_integration.inputs import address, check, find
from lamina_integration.wire import Parameter


def parameter(**members: Any) -> Parameter:
    return Parameter.model_validate({"id": None, "name": "Label", "type": "text", "required": False, **members})


def codes(parameters: list[Parameter], inputs: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.param, problem.code) for problem in check(parameters, inputs)]


@pytest.mark.parametrize("required", [True, False])
def test_check_asks_for_what_has_no_default_whatever_required_says(required: bool) -> None:
    absent = parameter(key="a", required=required)
    null = parameter(key="b", default=None, required=required)
    assert codes([absent, null], {}) == [("a", "missing_no_default"), ("b", "missing_no_default")]


@pytest.mark.parametrize("default", ["", [], 0, False, "x", ["y"]])
def test_check_takes_any_default_but_null_for_a_default(default: Any) -> None:
    assert codes([parameter(key="a", default=default, required=True)], {}) == []


def test_check_takes_a_null_for_not_supplied() -> None:
    assert codes([parameter(key="a"), parameter(key="b", default="")], {"a": None, "b": None, "c": None}) == [
        ("a", "missing_no_default")
    ]


def test_check_reports_every_problem_at_once() -> None:
    parameters = [
        parameter(key="front", type="url"),
        parameter(key="place", type="options", options=["Studio"]),
        parameter(key="link", type="url"),
        parameter(key="script"),
    ]
    inputs = {"place": "Mars", "link": "ftp://x/y", "script": 7, "Colour": "red"}
    assert sorted(codes(parameters, inputs)) == [
        ("Colour", "unknown_parameter"),
        ("front", "missing_no_default"),
        ("link", "invalid_media"),
        ("place", "invalid_option"),
        ("script", "invalid_type"),
    ]


@pytest.mark.parametrize("label", ["Standard ", "Model  Ethnicity", "Disney / Pixar", "1:1", "Straight ", ""])
def test_check_compares_labels_byte_for_byte(label: str) -> None:
    choice = parameter(key="a", type="options", options=[label])
    assert codes([choice], {"a": label}) == []
    for changed in (label + " ", " ".join(label.split()) + "!", label.upper() + "x"):
        assert codes([choice], {"a": changed}) == [("a", "invalid_option")]


def test_check_judges_a_list_of_labels_item_by_item() -> None:
    choice = parameter(key="a", type="options", options=["x", "y"])
    assert codes([choice], {"a": ["x", "y"]}) == []
    assert codes([choice], {"a": ["x", "z", 1]}) == [("a", "invalid_option")] * 2


def test_check_leaves_a_choice_without_options_to_lamina() -> None:
    assert codes([parameter(key="a", type="options")], {"a": "anything"}) == []
    assert codes([parameter(key="a", type="options")], {"a": 3}) == [("a", "invalid_option")]


@pytest.mark.parametrize("value", ["http://x.example/a.jpg", "HTTPS://x.example/a b.jpg".replace(" ", "%20"), []])
def test_check_takes_web_addresses_for_media(value: Any) -> None:
    assert codes([parameter(key="a", type="url")], {"a": value}) == []


@pytest.mark.parametrize(
    "value",
    ["", "x.jpg", "//x/y", "javascript:alert(1)", "data:image/png;base64,AA", "http://", "http://[", " http://x/", 5],
)
def test_check_refuses_other_media(value: Any) -> None:
    assert codes([parameter(key="a", type="url")], {"a": value}) == [("a", "invalid_media")]


def test_check_takes_one_address_or_several_for_media() -> None:
    several = parameter(key="a", type="url", multiple=True)
    assert codes([several], {"a": "https://x.example/1.jpg"}) == []
    assert codes([several], {"a": ["https://x.example/1.jpg", "https://x.example/2.jpg"]}) == []
    assert codes([several], {"a": ["https://x.example/1.jpg", "nope", None]}) == [("a", "invalid_media")] * 2


def test_check_takes_anything_for_a_type_it_does_not_know() -> None:
    assert codes([parameter(key="a", type="hologram")], {"a": {"b": 1}}) == []


def test_check_names_a_problem_by_key_else_by_name() -> None:
    assert codes(
        [parameter(key="k", name="N", id="i"), parameter(name="M", id="j"), parameter(name="", id="z")], {}
    ) == [
        ("k", "missing_no_default"),
        ("M", "missing_no_default"),
        ("z", "missing_no_default"),
    ]


def test_check_of_text_takes_numbers_only_when_told_to() -> None:
    text = [parameter(key="a")]
    assert [problem.code for problem in check(text, {"a": 3})] == ["invalid_type"]
    assert check(text, {"a": 3}, numbers_are_text=True) == ()
    assert [problem.code for problem in check(text, {"a": ["x"]}, numbers_are_text=True)] == ["invalid_type"]


def test_find_looks_among_all_keys_before_all_ids_before_all_names() -> None:
    by_name, by_id, by_key = parameter(name="x"), parameter(id="x", name="b"), parameter(key="x", name="c")
    assert find([by_name, by_id, by_key], "x") is by_key
    assert find([by_name, by_id], "x") is by_id
    assert find([by_name], "x") is by_name
    assert find([by_name], "X") is None


def test_address_prefers_the_key_then_the_name_then_the_id() -> None:
    full = parameter(key="k", name="N", id="i")
    named = parameter(name="M", id="j")
    assert [address([full, named], each) for each in (full, named)] == ["k", "M"]


def test_address_avoids_a_name_that_is_the_id_of_another() -> None:
    other = parameter(id="Front", name="Elsewhere")
    front = parameter(id="7", name="Front")
    assert address([front, other], front) == "7"
    assert address([front, other], other) == "Elsewhere"


def test_address_tells_two_parameters_of_the_same_name_apart_by_id() -> None:
    first, second = parameter(id="1", name="Photo"), parameter(id="2", name="Photo")
    assert [address([first, second], each) for each in (first, second)] == ["Photo", "2"]
    sent = {address([first, second], first): "a", address([first, second], second): "b"}
    assert codes([first, second], sent) == []


@pytest.mark.parametrize(
    "name", ["csrfmiddlewaretoken", "__proto__", "data.value[0]", "<b>\"'&", "\u202eabc", "x" * 300, "Model  Ethnicity"]
)
def test_names_are_used_as_they_are(name: str) -> None:
    odd = parameter(name=name)
    assert address([odd], odd) == name
    assert codes([odd], {name: "x"}) == []


def test_address_of_an_equal_copy_is_that_of_the_original() -> None:
    assert address([parameter(name="A"), parameter(name="B", id="b")], parameter(name="B", id="b")) == "B"


def test_two_parameters_nothing_tells_apart_cannot_both_be_supplied() -> None:
    first, second = parameter(name="Photo"), parameter(name="Photo")
    assert codes([first, second], {"Photo": "x"}) == [("Photo", "missing_no_default")]
