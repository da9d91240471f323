"""What devices are told, and when."""

import json

from ingest.domain.settlement import MAX_BOOTS
from ingest.service.ledger import ledger
from tests.ingest.conftest import BOOT, World, batch, telemetry

OTHER = "00aa00aa"


def test_only_the_answer_to_a_state_asks(world: World) -> None:
    world.take(batch(1, 3), batch(8, 2))
    (told,) = world.heard()
    assert (told.through, told.settled, told.ask) == (3, [(8, 9)], [])
    world.state(1, 12)
    (told,) = world.heard()
    assert (told.through, told.settled, told.ask) == (3, [(8, 9)], [(4, 7), (10, 12)])


def test_a_state_is_answered_at_once_and_the_rest_twice_a_second(world: World) -> None:
    world.take(batch(1, 1))
    world.take(batch(2, 1))
    assert [t.through for t in world.heard()] == [1]
    world.state(1, 2)
    assert [t.through for t in world.heard()] == [2]
    world.take(batch(3, 1))
    world.clock.pass_(0.4)
    world.intake.answer()
    assert world.heard() == []
    world.clock.pass_(0.1)
    world.intake.answer()
    assert [t.through for t in world.heard()] == [3]
    world.clock.pass_(60)
    world.intake.answer()
    assert world.heard() == []


def test_a_repeat_counts_as_settled_and_is_told(world: World) -> None:
    world.take(batch(1, 5))
    world.heard()
    world.clock.pass_(1)
    world.take(batch(1, 5))
    assert [t.through for t in world.heard()] == [5]
    assert (world.entry().stored, world.entry().duplicate, world.store.written_rows) == (5, 5, 5)


def test_batches_may_be_cut_anew(world: World) -> None:
    world.take(batch(1, 5), batch(4, 7), batch(2, 3))
    assert (world.entry().sent, world.entry().stored, world.entry().duplicate) == (10, 10, 5)
    assert len(world.store.points) == 10


def test_what_could_not_be_told_is_told_later(world: World) -> None:
    world.connected = False
    world.take(batch(1, 1), telemetry('{"temp":999}', seq=2))
    world.connected = True
    world.intake.answer()
    (told,) = world.heard()
    assert (told.through, told.rejected) == (2, [(2, 2, "out_of_range")])


def test_given_up_ranges_are_discarded_and_passed(world: World) -> None:
    world.take(batch(1, 2))
    world.heard()
    world.state(6, 9, [(3, 4, "age")])
    (told,) = world.heard()
    assert (told.through, told.ask) == (5, [(6, 9)])
    entry = world.entry()
    assert (entry.sent, entry.stored, entry.discarded, entry.lost, entry.waiting) == (9, 2, 2, 1, 4)
    world.take(batch(3, 1))
    entry = world.entry()
    assert (entry.sent, entry.stored, entry.discarded, entry.lost, entry.waiting) == (9, 3, 1, 1, 4)


def test_a_new_outbox_ends_the_one_before(world: World) -> None:
    world.take(batch(3, 2))
    world.state(1, 1, boot=OTHER)
    assert (world.entry().lost, world.entry().waiting, world.entry(OTHER).waiting) == (2, 0, 1)
    world.take(batch(1, 1))
    assert (world.entry().lost, world.entry().stored) == (1, 3)


def test_the_will_changes_no_account(world: World) -> None:
    world.take(b'{"v":1,"online":false}', kind="state")
    assert ledger(world.database, "acme", "pump-1").outboxes == []
    assert world.heard() == []


def test_at_most_eight_outboxes_are_kept_apart_and_nothing_is_forgotten(world: World) -> None:
    for n in range(12):
        boot = f"{n:08x}"
        world.take(batch(1, 3, boot), batch(5, 1, boot))
        world.state(1, 6, [(4, 4, "age")], boot)
    book = ledger(world.database, "acme", "pump-1")
    assert len([e for e in book.outboxes if e.kind == "outbox"]) == MAX_BOOTS
    assert book.sums() == {
        "sent": 72, "stored": 48, "quarantined": 0, "discarded": 12, "lost": 11, "waiting": 1, "duplicate": 0,
        "late": 48, "same_time": 0, "moved": 0, "expired": 0,
    }  # fmt: skip
    world.fresh().take([])
    assert ledger(world.database, "acme", "pump-1").sums() == book.sums()


def test_without_numbers_the_account_says_so(world: World) -> None:
    body = '{"v":1,"samples":[{"t":"2026-11-22T09:59:59Z","values":{"temp":%d}}]}'
    world.take(body % 1, body % 2)
    world.take(body % 3)
    assert list(world.store.points.values()) == [3.0]
    entry = world.entry("")
    assert (entry.kind, entry.stored, entry.same_time, entry.through) == ("unsequenced", 3, 2, None)
    assert world.heard() == []


def test_the_last_of_equal_times_wins_whatever_it_carries(world: World) -> None:
    t = "2026-11-22T09:59:59Z"
    values = [{"temp": 1, "rpm": 1}, {"temp": 2}, {"temp": 3, "rpm": -1}, {"temp": 4, "rpm": 2}, {"rpm": 3}]
    world.take(*(json.dumps({"v": 1, "samples": [{"t": t, "values": v}]}) for v in values))
    assert {k[3]: x for k, x in world.store.points.items()} == {"temp": 4.0, "rpm": 3.0}


def test_no_time_is_the_time_of_arrival(world: World) -> None:
    world.take('{"v":1,"samples":[{"values":{"temp":1}}]}')
    assert [k[2] for k in world.store.points] == [int(world.clock.at.timestamp()) * 1_000_000]


def test_a_device_is_seen_and_says_whether_it_is_online(world: World) -> None:
    from ingest.service.registry import find_device

    def seen() -> tuple[str, bool | None]:
        device = find_device(world.database, "acme", "pump-1")
        assert device is not None
        return device.state, device.online

    assert seen() == ("created", None)
    world.take(batch(1, 1))
    assert seen() == ("active", None)
    world.state(1, 1)
    assert seen() == ("active", True)
    world.take(b'{"v":1,"online":false}', kind="state")
    assert seen() == ("active", False)


def test_an_old_reading_is_late_but_stored(world: World) -> None:
    world.take(telemetry(t='"2026-11-22T09:54:59Z"'), telemetry(t='"2026-11-22T09:55:01Z"', seq=2))
    assert (world.entry().late, world.entry().stored) == (1, 2)
    assert world.entry().boot_id == BOOT
