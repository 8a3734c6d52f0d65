"""Range headers, read as the contract has it."""

import io

import pytest

from portal.media.ranges import Part, Slice, Unsatisfiable, find_part


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-", 0, 99),
        ("bytes=10-19", 10, 19),
        ("bytes=10-1000", 10, 99),
        ("bytes=-5", 95, 99),
        ("bytes=-500", 0, 99),
        ("Bytes=99-99", 99, 99),
        ("bytes= 0-1", 0, 1),
    ],
)
def test_single_range_is_understood(header: str, first: int, last: int) -> None:
    part = find_part(header, size=100)
    assert part == Part(first, last, 100)
    assert part.content_range == f"bytes {first}-{last}/100"


def test_range_without_an_end_is_answered_bit_by_bit_for_players() -> None:
    assert find_part("bytes=10-", size=100, open_end=20) == Part(10, 29, 100)
    assert find_part("bytes=90-", size=100, open_end=20) == Part(90, 99, 100)
    assert find_part("bytes=10-80", size=100, open_end=20) == Part(10, 80, 100)


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "lines=1-2", "bytes=5-2", "bytes=-", "bytes=a-b", "bytes", ""])
def test_anything_else_gets_the_whole(header: str) -> None:
    assert find_part(header, size=100) is None


@pytest.mark.parametrize(("header", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-1", 0)])
def test_range_beyond_the_end_cannot_be_satisfied(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        find_part(header, size=size)


def test_slice_gives_so_many_bytes_in_small_pieces_and_closes() -> None:
    file = io.BytesIO(bytes(range(250)) * 1000)
    file.seek(3)
    part = Slice(file, length=200_000)
    pieces = list(part)
    assert b"".join(pieces) == (bytes(range(250)) * 1000)[3:200_003]
    assert max(map(len, pieces)) <= 64 * 1024
    part.close()
    assert file.closed
