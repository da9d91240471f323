"""Quarantine: what was refused is mended by a rule, judged once more, stored, and counted once."""

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa

from contracts.points import TelemetryStore, decode_block
from contracts.records import BLOCKS
from ingest.domain.mapping import FACTOR, SIGNAL, UNIT, Mapping, Rule
from ingest.domain.message import read
from ingest.domain.refused_samples import Mark, read_marks, written
from ingest.service.foreign import FromNobody, normal
from ingest.service.foreign_names import speak_thingsboard, stand_behind
from ingest.service.ledger import ledger
from ingest.service.mappings import BadRule, drop_rule, keep_rules, list_rules
from ingest.service.quarantine import Quarantine, expire, quarantine_page
from ingest.service.registry import add_device
from ingest.service.replay import Replayed, replay
from plumbing import audit, log
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.tenants import TenantClocks
from tests.ingest.conftest import BOOT, NOW, FewUnits, Message, World, batch, pump, telemetry
from tests.ingest.test_crashes import Death, DiesAfterCommit, DiesAfterWriting, anywhere, death_at

__all__ = ["anywhere"]
RENAME = Rule(SIGNAL, "tmp", "temp")


def again(world: World, ids: Sequence[int] | None = None) -> list[Replayed]:
    clocks = TenantClocks(world.database, world.clock)
    store = cast(TelemetryStore, world.store)
    around = Shared(Path(), world.database, world.clock, clocks, store, {"pump": pump()}.get)
    return replay(around, "acme", ids=ids, units=FewUnits())


def keep(world: World, *rules: Rule, scope: str = "device", owner: str = "pump-1", from_now_on: bool = False) -> None:
    keep_rules(
        world.database, "acme", scope, owner, rules, from_now_on=from_now_on, models={"pump": pump()}.get,
        units=FewUnits(), now=NOW,
    )  # fmt: skip


def values(world: World, signal: str = "temp") -> list[float]:
    return [v for (_, _, _, name), v in sorted(world.store.points.items()) if name == signal]


def figures(world: World, boot: str = BOOT) -> tuple[int, int, int, dict[str, int]]:
    e = world.entry(boot)
    assert e.sent == e.stored + e.quarantined + e.discarded + e.lost + e.waiting
    return e.sent, e.stored, e.quarantined, e.refused


def logged(world: World) -> list[tuple[bool, int, list[str]]]:
    with world.database.read() as connection:
        blocks = [decode_block(e.payload) for e in log.read(connection, BLOCKS, 0, 1000)]
    return [(b.history, seq, d.signals) for b in blocks for d in b.devices for seq in d.seq]


def test_a_renamed_signal_moves_its_samples_from_quarantined_to_stored_once(world: World) -> None:
    world.take(batch(1, 2), batch(3, 3).replace('"temp"', '"tmp"'), batch(2, 3))
    assert figures(world) == (5, 2, 3, {"unknown_signal": 3})
    assert [(r.state, r.samples, r.refused) for r in again(world)] == [("kept", 0, 3)]
    keep(world, RENAME)
    assert [(r.state, r.samples, r.refused, r.words) for r in again(world)] == [("replayed", 3, 0, "")]
    assert figures(world) == (5, 5, 0, {})
    assert values(world) == [21, 22, 23, 24, 25]
    assert again(world) == []
    # ingest, which had the account in memory, goes on from there
    world.take(batch(4, 4))
    assert figures(world) == (7, 7, 0, {})
    assert [h for h, _, _ in logged(world)] == [False, False, True, True, True, False, False]
    with world.database.read() as connection:
        said = [e for e in audit.read(connection, "acme") if e.action == "quarantine_replayed"]
        assert audit.verify(connection, "acme") is None
    assert [(e.actor, e.diff["samples"]) for e in said] == [("command line", 3)]
    (entry,) = world.page()
    assert (entry.state, entry.replayed, entry.moved_at, entry.moved_by) == ("replayed", 3, NOW, "command line")


def test_a_sample_stored_in_part_gets_the_rest_and_is_not_counted_again(world: World) -> None:
    world.take(telemetry('{"rpm":900,"tmp":20,"vib":1}'))
    assert figures(world) == (1, 1, 0, {"unknown_signal": 2})
    keep(world, RENAME)
    (done,) = again(world)
    assert (done.state, done.samples, done.refused) == ("kept", 0, 1)
    assert done.words == "still refused: unknown_signal at samples[0].values.vib"
    assert (figures(world), values(world)) == ((1, 1, 0, {"unknown_signal": 1}), [20])
    keep(world, Rule(SIGNAL, "vib", ""), scope="model", owner="pump")
    (done,) = again(world)
    assert (done.state, done.samples, figures(world)) == ("replayed", 0, (1, 1, 0, {}))


@pytest.mark.parametrize(
    ("sent", "units", "rule", "stored"),
    [
        ("68", '{"temp":"degF"}', Rule(UNIT, "temp", "[degF]"), 20.0),
        ("68", '{"temp":"mm/s"}', Rule(UNIT, "temp", "[degF]"), 20.0),
        ("2000", "{}", Rule(FACTOR, "temp", "0.01"), 20.0),
        ("500", "{}", Rule(FACTOR, "temp", "0.1,-30"), 20.0),
        ("293.15", "{}", Rule(UNIT, "temp", "K"), 20.0),
    ],
)
def test_a_unit_is_converted(world: World, sent: str, units: str, rule: Rule, stored: float) -> None:
    world.take(telemetry(f'{{"temp":{sent}}}', units=units))
    assert figures(world)[1:3] == (0, 1)
    keep(world, rule)
    assert [r.state for r in again(world)] == ["replayed"]
    assert values(world) == [pytest.approx(stored)]
    assert figures(world) == (1, 1, 0, {})


def test_a_device_that_is_registered_now_gets_what_came_before_each_number_once(world: World) -> None:
    for body in (batch(1, 3), batch(2, 4), batch(7, 1).replace('"temp"', '"tmp"')):
        world.take(body, device="new")
    (first, *_) = [(r.state, r.words) for r in again(world)]
    assert first == ("kept", "no device 'new' is registered: forewarn device add new --model MODEL")
    add_device(world.database, "acme", "new", "pump", now=NOW)
    world.clock.pass_(5)
    world.take(batch(5, 2), device="new")
    done = again(world)
    assert [(r.state, r.samples, r.refused) for r in done] == [
        ("replayed", 3, 0), ("replayed", 1, 0), ("kept", 0, 1),
    ]  # fmt: skip
    entry = world.entry(device="new")
    assert (entry.sent, entry.stored, entry.quarantined, entry.duplicate, entry.through) == (7, 6, 1, 3, 7)
    keep(world, RENAME, owner="new")
    again(world)
    world.take(batch(1, 9), device="new")
    entry = world.entry(device="new")
    assert (entry.sent, entry.stored, entry.quarantined) == (9, 9, 0)


def test_senders_without_numbers_are_replayed_too(world: World) -> None:
    rows = ",".join(f'{{"t":"2026-11-22T09:59:{i:02}Z","values":{{"{n}":{i}}}}}' for i, n in ((1, "tmp"), (2, "temp")))
    world.take(f'{{"v":1,"samples":[{rows}]}}', '{"v":1,"samples":[{"values":{"tmp":5}}]}')
    assert figures(world, "") == (3, 1, 2, {"unknown_signal": 2})
    keep(world, RENAME)
    world.clock.pass_(600)
    assert [(r.state, r.samples) for r in again(world)] == [("replayed", 1), ("replayed", 1)]
    assert figures(world, "") == (3, 3, 0, {})
    at = [t for _, _, t, _ in sorted(world.store.points)]
    # a sample without a time has that of its arrival, not that of its replay
    assert (values(world), at[-1]) == ([1, 2, 5], int(NOW.timestamp() * 1e6))
    assert {(h, s) for h, s, _ in logged(world)} == {(False, 0), (True, 0)}


def test_one_behind_a_gateway_is_heard_once_it_has_a_name_here(world: World) -> None:
    speak_thingsboard(world.database, "acme", "pump-1", now=NOW)
    from ingest.domain.foreign.decoder import Sample

    body = normal("v1/gateway/telemetry", (Sample(None, {"tmp": 20.0}), Sample(1_700_000_000_000, {"temp": 30.0})))
    world.intake.take([FromNobody(-1, 0, "v1/gateway/telemetry Pump Two", body, False, ("acme", "pump-1"))])
    (done,) = again(world)
    assert (done.state, done.words[:30]) == ("kept", "it names a device that does no")
    add_device(world.database, "acme", "pump-2", "pump", now=NOW)
    stand_behind(world.database, "acme", "pump-2", "pump-1", "Pump Two", signals={"tmp": "temp"}, now=NOW)
    assert [(r.device, r.state, r.samples) for r in again(world)] == [("pump-2", "replayed", 2)]
    assert world.entry("", "pump-2").stored == 2


def test_what_cannot_be_replayed_says_why(world: World) -> None:
    world.take('{"v":1,"boot_id":"9f3c01aa","seq":1,"samples":[' + " " * 1_100_000 + "]}", "nonsense")
    world.take("nonsense", kind="state")
    words = [r.words for r in again(world)]
    assert words[0] == "of 1100049 bytes only the first 1000 are kept: the device must send it anew, in parts"
    assert words[1:] == ["no sample can be read in it: the sender must be mended"] * 2
    with world.database.write() as connection:
        connection.execute(sa.text("update ingest_quarantine set samples = '' where id = 2"))
    assert again(world, [2])[0].words.startswith("it was put aside by an older version")
    assert again(world, [77]) == []


def test_an_expired_entry_keeps_its_place_in_the_account(world: World) -> None:
    world.take(batch(1, 2).replace('"temp"', '"tmp"'))
    world.clock.pass_(86400)
    world.take(batch(3, 1).replace('"temp"', '"tmp"'))
    assert expire(world.database, "acme", before=NOW + timedelta(hours=1), now=world.clock.now()) == 1
    keep(world, RENAME)
    assert [(r.state, r.samples) for r in again(world)] == [("replayed", 1)]
    assert [(q.state, q.body == b"") for q in world.page()] == [("replayed", False), ("expired", True)]
    assert figures(world) == (3, 1, 2, {"unknown_signal": 2})
    assert [q.state for q in quarantine_page(world.database, state="kept")] == []
    world.take(batch(4, 1))
    assert figures(world)[:2] == (4, 2)


def test_rules_mend_what_comes_from_now_on_only_where_that_is_wanted(world: World) -> None:
    world.take(batch(1, 1))
    keep(world, RENAME)
    world.clock.pass_(2)
    world.take(batch(2, 1).replace('"temp"', '"tmp"'))
    assert figures(world)[1:3] == (1, 1)
    keep(world, RENAME, Rule(FACTOR, "tmp", "2"), from_now_on=True)
    world.clock.pass_(2)
    world.take(batch(3, 2).replace('"temp"', '"tmp"'), batch(5, 1), batch(6, 1).replace('"temp"', '"tmp"'))
    assert figures(world)[1:3] == (5, 1)
    assert values(world) == [21, 46, 48, 25, 52]
    drop_rule(world.database, "acme", "device", "pump-1", SIGNAL, "tmp", now=NOW)
    world.clock.pass_(2)
    world.take(batch(7, 1).replace('"temp"', '"tmp"'), batch(8, 1))
    assert figures(world)[1:3] == (6, 2)
    assert [(r.kind, r.from_now_on) for r in list_rules(world.database, "acme")] == [(FACTOR, True)]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (Rule(SIGNAL, "tmp", "heat"), "asset model pump has no signal 'heat'; it has rpm, temp, vibration"),
        (Rule(UNIT, "temp", "degF"), "'degF' is no UCUM code that is known"),
        (Rule(UNIT, "temp", "mm/s"), "mm/s measures something else than temp (Cel)"),
        (Rule(UNIT, "tmp", "Cel"), "has no signal 'tmp'"),
        (Rule(FACTOR, "temp", "0"), "must be FACTOR or FACTOR,OFFSET"),
        (Rule(FACTOR, "temp", "nan"), "must be FACTOR or FACTOR,OFFSET"),
        (Rule("sign", "temp", "-"), "must be one of signal, unit, factor"),
        (Rule(SIGNAL, "", "temp"), "names are 1 to 200 characters"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_none_is_kept(world: World, rule: Rule, says: str) -> None:
    with pytest.raises(BadRule) as no:
        keep(world, RENAME, rule) if rule.name != "tmp" else keep(world, rule)
    assert says in str(no.value)
    assert list_rules(world.database, "acme") == []


def test_a_message_that_has_the_signal_under_its_own_name_is_left_alone() -> None:
    mapping = Mapping.of([RENAME, Rule(FACTOR, "temp", "10")])
    both = read(telemetry('{"tmp":1,"temp":2}').encode())
    told = mapping.apply(both)
    assert told.typed is not None
    assert told.typed[0].values == {"tmp": 1, "temp": 20}
    chain = Mapping.of([Rule(SIGNAL, "z", "x"), Rule(SIGNAL, "x", "y")])
    told = chain.apply(read(telemetry('{"z":1,"x":2,"y":3}').encode()))
    assert told.typed is not None
    assert told.typed[0].values == {"z": 1, "x": 2, "y": 3}
    swap = Mapping.of([Rule(SIGNAL, "a", "b"), Rule(SIGNAL, "b", "a")])
    told = swap.apply(read(telemetry('{"a":1,"b":2}', units='{"a":"Cel"}').encode()))
    assert told.typed is not None
    assert (told.typed[0].values, told.units) == ({"b": 1, "a": 2}, {"b": "Cel"})
    strange = read(telemetry('{"temp":"x","tmp":[1]}').encode())
    assert Mapping.of([Rule(FACTOR, "temp", "2")]).apply(strange).loose[0].values == {"temp": "x", "tmp": [1]}


def test_marks_are_written_as_ranges_and_read_again() -> None:
    marks = {0: Mark(True, {"future": 1}), 1: Mark(True, {"future": 1}), 3: Mark(False, {"future": 1})}
    assert written(marks) == '[[0,1,true,{"future":1}],[3,3,false,{"future":1}]]'
    assert read_marks(written(marks)) == marks


def spoiled() -> list[str]:
    """Messages to be mended: wholly, in part, repeated, and one that never will be."""
    part = batch(4, 3).replace('{"temp":25.0}', '{"rpm":1,"tmp":25.0}').replace('{"temp":26.0}', '{"temp":999}')
    return [batch(1, 3).replace('"temp"', '"tmp"'), part, batch(2, 6).replace('"temp"', '"tmp"')]


def mended(world: World) -> None:
    assert figures(world) == (7, 6, 1, {"out_of_range": 1})
    assert values(world) == [21, 22, 23, 24, 25, 27]
    assert sorted((h, seq, names) for h, seq, names in logged(world) if h) == [
        (True, 1, ["temp"]), (True, 2, ["temp"]), (True, 3, ["temp"]), (True, 5, ["rpm", "temp"]), (True, 7, ["temp"]),
    ]  # fmt: skip
    assert [(q.state, q.replayed) for q in reversed(world.page())] == [("replayed", 3), ("kept", 0), ("replayed", 1)]


def test_a_replay_survives_a_death_at_every_statement(anywhere: DiesAfterCommit) -> None:
    world = World(anywhere)
    world.device()
    keep(world, RENAME)
    reached, n = 99, 0
    while n <= reached:
        with anywhere.write() as connection:
            for table in ("ingest_outboxes", "ingest_quarantine", "log_entries", "ingest_marks"):
                connection.execute(sa.text(f"delete from {table}"))
        world.store.points.clear()
        world.fresh().take([Message("forewarn/v1/acme/pump-1/telemetry", b.encode()) for b in spoiled()])
        with death_at(n) as seen:
            if n == 0:
                again(world)
            else:
                with pytest.raises(Death):
                    again(world)
        reached = len(seen) if n == 0 else reached
        again(world)
        mended(world)
        world.take(*spoiled())
        mended(world)
        n += 1
    assert reached >= 12


@pytest.mark.parametrize("point", ["store", "commit"])
def test_a_replay_survives_a_death_after_store_or_commit(anywhere: DiesAfterCommit, point: str) -> None:
    store = DiesAfterWriting()
    world = World(anywhere, store=store)
    world.device()
    keep(world, RENAME)
    world.take(*spoiled())
    if point == "store":
        store.armed = True
    else:
        anywhere.armed = True
    with pytest.raises(Death):
        again(world)
    anywhere.armed = store.armed = False
    again(world)
    mended(world)


def test_what_the_store_will_not_have_stays_in_quarantine(world: World) -> None:
    world.take(batch(1, 3).replace('"temp"', '"tmp"'))
    keep(world, RENAME)
    world.store.refuse = lambda rows, i: ["temp"] if rows.seq[i] == 2 else []
    assert [(r.state, r.samples, r.words) for r in again(world)] == [
        ("kept", 2, "still refused: store_refused at samples[1].values.temp")
    ]
    assert figures(world) == (3, 2, 1, {"store_refused": 1})
    world.store.refuse = None
    assert [(r.state, r.samples) for r in again(world)] == [("replayed", 1)]
    assert figures(world) == (3, 3, 0, {})


@pytest.mark.parametrize("seed", range(10))
def test_any_order_of_takes_replays_and_deaths_counts_each_sample_once(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    world = World(database, quarantine=Quarantine())
    world.device()
    numbers = range(1, 61)
    kinds = {n: dice.choice(["good", "renamed", "part", "never", "other"]) for n in numbers}

    def sample(n: int) -> str:
        told = {
            "good": f'"temp":{n}', "renamed": f'"tmp":{n}', "part": f'"rpm":{n},"tmp":{n}', "never": '"temp":999',
            "other": f'"vibration":{n},"oil":{n}',
        }[kinds[n]]  # fmt: skip
        return f'{{"t":"{(NOW - timedelta(minutes=n)).isoformat()}","values":{{{told}}}}}'

    def message(first: int, n: int) -> str:
        rows = ",".join(sample(i) for i in range(first, first + n))
        return f'{{"v":1,"boot_id":"{BOOT}","seq":{first},"samples":[{rows}]}}'

    def perhaps_dying(what: str, blocks: list[str]) -> None:
        for _ in range(2):
            with death_at(dice.randrange(1, 25) if dice.random() < 0.4 else 0):
                try:
                    if what == "take":
                        world.take(*blocks)
                    else:
                        again(world)
                    return
                except Death:
                    if dice.random() < 0.4:
                        world.fresh()

    todo = [(n, min(dice.randrange(1, 8), 60 - n + 1)) for n in numbers] * 2
    dice.shuffle(todo)
    rules = [RENAME, Rule(SIGNAL, "oil", "")]
    while todo:
        perhaps_dying("take", [message(*todo.pop()) for _ in range(min(len(todo), dice.randrange(1, 9)))])
        if rules and dice.random() < 0.1:
            keep(world, rules.pop(), from_now_on=dice.random() < 0.3)
        if dice.random() < 0.3:
            perhaps_dying("replay", [])
    for rule in rules:
        keep(world, rule)
    world.take(*[message(n, 1) for n in numbers])
    again(world)
    never = [n for n, kind in kinds.items() if kind == "never"]
    left = {"out_of_range": len(never)} if never else {}
    assert figures(world) == (60, 60 - len(never), len(never), left)
    expected = {(n, "temp"): float(n) for n, kind in kinds.items() if kind in ("good", "renamed", "part")}
    expected |= {(n, "rpm"): float(n) for n, kind in kinds.items() if kind == "part"}
    expected |= {(n, "vibration"): float(n) for n, kind in kinds.items() if kind == "other"}
    start = int(NOW.timestamp()) // 60
    assert {(start - t // 60_000_000, name): v for (_, _, t, name), v in world.store.points.items()} == expected
    assert sum(e.stored for e in ledger(database, "acme", "pump-1").outboxes) == 60 - len(never)
