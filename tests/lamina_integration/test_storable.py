"""Text from outside that no database takes."""

import pytest

from lamina_integration.storable import loads


def test_what_cannot_be_stored_is_replaced_and_the_rest_stays() -> None:
    text = '{"a\\u0000": ["\\ud83d", "\\ud83d\\ude00", "two  spaces ", {"b": "\\u0000x"}]}'
    assert loads(text) == {"a\ufffd": ["\ufffd", "😀", "two  spaces ", {"b": "\ufffdx"}]}


@pytest.mark.parametrize("content", ['["\ud83d"]', b'["\xed\xa0\xbd"]'])
def test_half_a_pair_is_replaced_also_where_it_is_not_escaped(content: bytes | str) -> None:
    assert set(loads(content)[0]) == {"\ufffd"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_what_cannot_be_stored_is_replaced_in_every_encoding_of_json(encoding: str) -> None:
    assert loads('{"a": "a\\u0000b", "b": "\\ud83d"}'.encode(encoding)) == {"a": "a\ufffdb", "b": "\ufffd"}


def test_hangul_begins_like_a_surrogate_and_stays() -> None:
    assert loads('["한국"]'.encode()) == ["한국"]


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "{"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the reader says of it
        loads(text)


def test_number_beyond_all_measure_is_none() -> None:
    assert loads("[1e999, 1.5, 3]") == [None, 1.5, 3]
