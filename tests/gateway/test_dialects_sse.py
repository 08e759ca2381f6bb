"""A stream is cut into whole events, however it is split into chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import sse
from gateway.dialects.sse import EventTooLong, Splitter, data_of

STREAM = (
    b": hello\n\n"
    b'data: {"a":1}\n\n'
    b'event: x\r\ndata: {"b":2}\r\n\r\n'
    b'data: {"c":3}\r\r'
    b"data: one\ndata: two\n\n\n"
    b'id: 7\ndata:{"d":4}\nretry: 5\n\n'
    b"data: [DONE]\n\n"
    b"data: cut off"
)


def split(chunks):
    """All events of a stream, and what is left of it."""
    splitter = Splitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events, splitter.rest()


WHOLE = split([STREAM])


def test_a_stream_is_cut_after_each_blank_line():
    events, rest = WHOLE
    assert len(events) == 7
    assert [data_of(event) for event in events] == [
        b"",
        b'{"a":1}',
        b'{"b":2}',
        b'{"c":3}',
        b"one\ntwo",
        b'{"d":4}',
        b"[DONE]",
    ]
    assert rest == b"data: cut off"
    assert b"".join(events) + rest == STREAM


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_a_stream_cut_at_any_byte_has_the_same_events(at):
    assert split([STREAM[:at], STREAM[at:]]) == WHOLE


def test_a_stream_in_single_bytes_has_the_same_events():
    assert split([bytes([byte]) for byte in STREAM]) == WHOLE


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_cut_anywhere_has_the_same_events(cuts):
    edges = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    assert split(chunks) == WHOLE


@given(st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"data: x", b"\n\n", b"e"])))
def test_nothing_is_added_or_lost(pieces):
    events, rest = split(pieces)
    assert b"".join(events) + rest == b"".join(pieces)
    assert split([b"".join(pieces)]) == (events, rest)


def test_nothing_is_left_after_the_rest_was_taken():
    splitter = Splitter()
    splitter.feed(b"data: 1")
    assert splitter.rest() == b"data: 1"
    assert splitter.rest() == b""
    assert splitter.feed(b"data: 2\n\n") == [b"data: 2\n\n"]


def test_an_event_without_an_end_is_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(sse, "EVENT_BYTES_MAX", 1000)
    splitter = Splitter()
    assert splitter.feed(b"data: 1\n\n" + b"x" * 2000) == [b"data: 1\n\n"]
    with pytest.raises(EventTooLong):
        splitter.feed(b"x")


@given(st.binary())
def test_the_data_of_any_bytes_can_be_asked_for(event):
    assert isinstance(data_of(event), bytes)
