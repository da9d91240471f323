"""The bytes of MQTT, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbing import mqtt_stream as packets
from plumbing.mqtt_stream import Incoming, Malformed, Stream

TOPICS = st.sampled_from(["forewarn/v1/acme/pump-1/telemetry", "a", "ü/°"])
MESSAGES = st.lists(st.tuples(st.integers(1, 65_535), TOPICS, st.binary(max_size=400), st.booleans()), max_size=20)


def feed_in_pieces(data: bytes, cuts: list[int]) -> tuple[list[Incoming], list[tuple[int, bytes]]]:
    stream, out = Stream(7), []
    edges = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    for a, b in pairwise(edges):
        out += stream.feed(data[a:b])
    return out, stream.control


@given(MESSAGES, st.lists(st.integers(0, 10_000), max_size=30))
def test_packets_cut_at_any_byte_are_the_same_packets(
    messages: list[tuple[int, str, bytes, bool]], cuts: list[int]
) -> None:
    data = b"\x20\x02\x00\x00" + b"".join(packets.publish(m, t, b, retain=r) for m, t, b, r in messages)
    found, control = feed_in_pieces(data + packets.acknowledgements([5]), cuts)
    assert [(m.mid, m.topic, m.body, m.retained) for m in found] == messages
    assert all(m.epoch == 7 for m in found)
    assert control == [(packets.CONNACK, b"\x00\x00"), (packets.PUBACK, b"\x00\x05")]


def test_a_message_of_one_byte_at_a_time_arrives() -> None:
    data = packets.publish(9, "a/b", b"x" * 300)
    assert feed_in_pieces(data, list(range(len(data))))[0] == [Incoming(7, 9, "a/b", b"x" * 300, False)]


@settings(max_examples=500)
@given(st.lists(st.binary(max_size=60), max_size=5))
def test_noise_is_cut_or_refused_but_never_anything_else(pieces: list[bytes]) -> None:
    stream = Stream(1)
    try:
        for piece in pieces:
            stream.feed(piece)
    except Malformed:
        return


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x30\xff\xff\xff\xff\x01", "length"),
        (b"\x32\x01\x00", "without a topic"),
        (b"\x32\x03\x00\x05a", "within its head"),
        (b"\x30\x03\x00\x05a", "within its topic"),
        (b"\x34\x05\x00\x01a\x00\x01", "quality"),
        (b"\x36\x05\x00\x01a\x00\x01", "quality"),
        (b"\x32\x05\x00\x01a\x00\x00", "without a number"),
    ],
)
def test_what_is_no_mqtt_is_refused_in_words(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        Stream(1).feed(data)


def test_a_message_without_acknowledgement_has_no_number() -> None:
    (message,) = Stream(1).feed(b"\x30\x04\x00\x01ax")
    assert (message.mid, message.topic, message.body) == (0, "a", b"x")
    assert packets.acknowledgements([0, 3, 0]) == b"\x40\x02\x00\x03"


def test_a_topic_that_is_no_text_is_handed_over_all_the_same() -> None:
    (message,) = Stream(1).feed(b"\x30\x04\x00\x01\xffx")
    assert message.topic == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("size", [packets.KEPT_BYTES, packets.KEPT_BYTES * 3])
@pytest.mark.parametrize("piece", [10_000, 1 << 30])
def test_of_a_huge_message_only_the_beginning_is_kept_and_the_next_one_is_whole(size: int, piece: int) -> None:
    data = packets.publish(1, "a", b"x" * size) + packets.publish(2, "b", b"y")
    stream, found = Stream(1), []
    for at in range(0, len(data), piece):
        found += stream.feed(data[at : at + piece])
    assert [(m.mid, m.topic) for m in found] == [(1, "a"), (2, "b")]
    assert found[1].body == b"y"
    assert set(found[0].body) == {ord("x")}
    if piece == 10_000:
        assert len(found[0].body) <= packets.KEPT_BYTES + piece
