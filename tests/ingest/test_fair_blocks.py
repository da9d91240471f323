"""A slow store and a flood: no device waits for another, and no block is larger than what gets through."""

from collections import Counter

import pytest

from ingest.adapters.block_size import SMALLEST, BlockSize
from ingest.adapters.inbox import OVERHEAD, Inbox
from plumbing.mqtt import Incoming
from plumbing.system_clock import SystemClock

BODY = b"x" * 300
EACH = OVERHEAD + len(BODY)


def sent(device: str, count: int, first: int = 0) -> list[Incoming]:
    topic = f"forewarn/v1/acme/{device}/telemetry"
    return [Incoming(1, first + n, topic, BODY, False) for n in range(count)]


def inbox() -> Inbox:
    return Inbox(10_000_000, SystemClock().monotonic)


def take(box: Inbox, messages: int) -> list[tuple[str, int]]:
    return [(m.topic.split("/")[3], m.mid) for m in box.take(messages * EACH, 0.0, 0.0)]


def test_one_reading_passes_those_that_flood() -> None:
    box = inbox()
    box.put_all(sent("loud", 1000))
    box.put_all(sent("louder", 1000))
    assert len(take(box, 10)) in (10, 11)
    box.put_all(sent("quiet", 1, 7))
    assert ("quiet", 7) in take(box, 10)


@pytest.mark.parametrize("most", [1, 2, 10])
def test_new_ones_never_keep_those_out_that_wait(most: int) -> None:
    box = inbox()
    box.put_all(sent("loud", 50))
    take(box, most)
    for n in range(200):
        box.put_all([m for i in range(most) for m in sent(f"new-{n}-{i}", 1)])
        take(box, most)
    loud = [mid for name, mid in take(box, 10_000) if name == "loud"]
    assert len(loud) < 50 - most


def test_what_one_device_sent_keeps_its_order_and_all_of_it_comes_out_once() -> None:
    box = inbox()
    for part in range(5):
        for device, count in (("a", 100), ("b", 3), ("c", 40)):
            box.put_all(sent(device, count, part * count))
    out: list[tuple[str, int]] = []
    while block := take(box, 17):
        out += block
    for device, count in (("a", 500), ("b", 15), ("c", 200)):
        assert [mid for name, mid in out if name == device] == list(range(count))
    assert box.waiting == (0, 0)


def test_a_device_keeps_its_order_when_the_flood_ends() -> None:
    box = inbox()
    box.put_all(sent("a", 30))
    out = take(box, 10)
    box.put_all(sent("a", 5, 30))
    out += take(box, 100)
    box.put_all(sent("a", 5, 35))
    out += take(box, 100)
    assert [mid for _, mid in out] == list(range(40))


def test_shares_are_equal_and_more_devices_than_a_block_holds_come_in_turn() -> None:
    box = inbox()
    for n in range(20):
        box.put_all(sent(f"d{n}", 10))
    three = Counter(name for _ in range(3) for name, _ in take(box, 40))
    assert sum(three.values()) == 120
    assert max(three.values()) - min(three.values()) <= 2
    small = inbox()
    for n in range(20):
        small.put_all(sent(f"d{n}", 10))
    heard = {name for _ in range(4) for name, _ in take(small, 5)}
    assert len(heard) == 20


def test_a_block_is_what_the_stores_take_in_a_second() -> None:
    size = BlockSize(6_000_000)
    for _ in range(12):
        size.took(size.bytes, 0.01)
    assert size.bytes == 6_000_000
    rate = 50_000.0  # bytes a second
    size.took(size.bytes, size.bytes / rate)
    assert size.bytes == 50_000
    for _ in range(5):
        size.took(size.bytes, size.bytes / rate)
    assert 25_000 <= size.bytes <= 50_000
    size.took(size.bytes, 60.0)
    assert size.bytes == SMALLEST
    size.took(100, 0.001)  # a quiet hour says nothing about the stores
    assert size.bytes == SMALLEST
