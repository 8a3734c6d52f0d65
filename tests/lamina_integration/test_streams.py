"""Events are read whole, however their bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina_integration import streams
from lamina_integration.streams import EventReader, ServerEvent, StreamTooLong, run_of

TRANSCRIPT = (
    "\ufeff: welcome\r\n"
    'event: progress\r\ndata: {"runId":"r","status":"running"}\r\n\r\n'
    "event: ping\ndata: 1780390816000\n\n"
    "id: 7\nretry: 100\n\n"
    "event: note\rdata: one\rdata:two ü\r\r"
    "data: nameless\n\n"
    "event: lost\ndata: never finished"
).encode()
EVENTS = [
    ServerEvent("progress", '{"runId":"r","status":"running"}'),
    ServerEvent("ping", "1780390816000"),
    ServerEvent("note", "one\ntwo ü"),
    ServerEvent("message", "nameless"),
]


def read(*pieces: bytes) -> list[ServerEvent]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)]


def test_events_are_read() -> None:
    assert read(TRANSCRIPT) == EVENTS


@given(st.lists(st.integers(0, len(TRANSCRIPT)), max_size=8))
def test_events_do_not_depend_on_where_the_bytes_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TRANSCRIPT)]
    assert read(*(TRANSCRIPT[a:b] for a, b in pairwise(edges))) == EVENTS


def test_events_come_as_soon_as_they_are_whole() -> None:
    reader = EventReader()
    assert list(reader.feed(b"event: progress\ndata: x\n")) == []
    assert list(reader.feed(b"\n")) == [ServerEvent("progress", "x")]


def test_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_EVENT_BYTES", 1000)
    with pytest.raises(StreamTooLong):
        read(*[b"data: " + b"x" * 50 + b"\n"] * 100)


def test_payload_is_the_bare_run_or_one_inside_data_c21() -> None:
    for data in ('{"runId":"r","status":"failed"}', '{"data":{"runId":"r","status":"failed"}}'):
        run = run_of(ServerEvent("error", data))
        assert run is not None
        assert (run.run_id, run.status) == ("r", "failed")


@pytest.mark.parametrize("data", ["1780390816000", "", "{", '{"message":"Stream timeout"}', "null", "[]", "[" * 9999])
def test_pings_and_what_cannot_be_read_tell_of_no_run_c21(data: str) -> None:
    assert run_of(ServerEvent("ping", data)) is None
