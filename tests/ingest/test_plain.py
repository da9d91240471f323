"""The quick way for messages that are well leads where the exact way leads."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.wire import Reason
from ingest.domain.account import Account
from ingest.domain.batch import Batch, Delta, Times
from ingest.domain.message import read
from ingest.domain.plain import Decoders, learn
from ingest.domain.signals import Signals
from plumbing.sql import to_us
from tests.ingest.conftest import BOOT, NOW, FewUnits, World, batch, pump, telemetry

RECEIVED = to_us(NOW)
TIMES = Times(RECEIVED, RECEIVED + 60_000_000, RECEIVED - 300_000_000)
Outcome = tuple[dict[tuple[int, int, str], float], dict[str, object], list[tuple[int, str, Reason]]]


def taken(bodies: list[bytes], quick: bool, portions: bool = False) -> tuple[Outcome, int]:
    """What becomes of messages of one device, and how many of them went the quick way."""
    signals, decoders = Signals(pump(), FewUnits()), Decoders()
    work, habit, plain = Batch(), None, 0
    rows: dict[tuple[int, int, str], float] = {}
    deltas: list[Delta] = []

    def check() -> None:
        for r in work.check():
            for t, seq, values in zip(r.rows.t_us, r.rows.seq, r.rows.values, strict=True):
                rows.update({(t, seq, n): x for n, x in zip(r.rows.signals, values, strict=True) if x is not None})

    account = Account("acme", "pump-1", BOOT, 1)
    for number, body in enumerate(bodies):
        told = habit.read(body) if habit and quick else None
        if habit and told and work.add_plain(number, told, habit.plan, work.delta(account, signals, TIMES)):
            plain += 1
            continue
        message = read(body)
        if message.boot_id != BOOT:
            account_of = Account("acme", "pump-1", message.boot_id, 1)
            known = [d.account for d in deltas if d.account.boot_id == message.boot_id]
            delta = work.delta(known[0] if known else account_of, signals, TIMES)
        else:
            delta = work.delta(account, signals, TIMES)
        if delta not in deltas:
            deltas.append(delta)
        work.add(number, message, delta)
        if habit is None or habit.missed:
            learned = learn(message, signals, decoders)
            habit = learned if learned and learned.boot_id == BOOT else habit
        if portions and number % 3 == 2:
            check()
    check()
    names = ("stored", "quarantined", "duplicate", "late", "same_time", "bad_messages", "refused")
    figures: dict[str, object] = {}
    for d in work.deltas.values():
        figures.update({f"{d.account.boot_id}.{n}": getattr(d, n) for n in names})
        figures[f"{d.account.boot_id}.rejected"] = sorted(d.rejected)
        figures[f"{d.account.boot_id}.fresh"] = list(d.fresh)
    refusals = sorted((n, r.path, r.reason) for n, a in work.asides.items() for r in a.refusals)
    return (rows, figures, refusals), plain


VALUE = st.one_of(
    st.sampled_from([1, 20.5, -41, 201, None, True, -0.0, 99.9, 1e300, "x", 1e18, 200, -40, 0.1]),
    st.floats(-50, 210),
)
T = st.one_of(
    st.integers(RECEIVED // 1000 - 400_000, RECEIVED // 1000 + 70_000),
    st.sampled_from(
        [
            None, "2026-11-22T10:00:00Z", "2026-11-22T09:59:59.1234567Z", "2026-11-22t09:59:59.1234567Z",
            "2026-11-22 09:59:59.1234567+00:00", "2026-11-22T11:00:00", "1500-01-01T00:00:00Z", "x", 10**17, True,
        ]
    ),
)  # fmt: skip
GOOD_T = st.integers(RECEIVED // 1000 - 400_000, RECEIVED // 1000)
GOOD = st.fixed_dictionaries({"t": GOOD_T, "values": st.fixed_dictionaries({"temp": st.floats(-40, 200)})})
ANY = st.fixed_dictionaries(
    {"values": st.dictionaries(st.sampled_from(["temp", "rpm", "vibration", "foo"]), VALUE, max_size=3)},
    optional={"t": T},
)
MESSAGE = st.fixed_dictionaries(
    {
        "v": st.sampled_from([1, 1, 1, 1, 1, 2]),
        "boot_id": st.sampled_from([BOOT, BOOT, BOOT, BOOT, "0000000b", "x"]),
        "seq": st.one_of(st.integers(1, 40), st.sampled_from([2**53 - 1, 0, True])),
        "samples": st.one_of(st.lists(GOOD, min_size=1, max_size=4), st.lists(ANY, max_size=3)),
    },
    optional={"units": st.sampled_from([{}, {"temp": "K"}, {"temp": "Cel"}, {"temp": "mm/s"}])},
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MESSAGE, min_size=1, max_size=12), st.booleans())
def test_the_quick_way_and_the_exact_way_agree_on_any_messages(messages: list[object], portions: bool) -> None:
    bodies = [json.dumps(message).encode() for message in messages]
    quick, _ = taken(bodies, quick=True, portions=portions)
    exact, _ = taken(bodies, quick=False)
    assert quick == exact


def test_messages_that_are_well_go_the_quick_way() -> None:
    bodies = [batch(1 + 3 * n, 3).encode() for n in range(50)]
    found, plain = taken(bodies, quick=True)
    assert plain == 49
    assert found == taken(bodies, quick=False)[0]
    assert len(found[0]) == 150


def test_a_device_whose_messages_fit_no_more_is_tried_less_and_less() -> None:
    habit = learn(read(telemetry(seq=1).encode()), Signals(pump(), FewUnits()), Decoders())
    assert habit is not None
    tried = 0
    for n in range(1000):
        assert habit.read(telemetry('{"temp":null}', seq=n + 2).encode()) is None
        tried += habit.missed
    assert tried < 20


@pytest.mark.parametrize(
    "body",
    [
        lambda: telemetry('{"temp":null}'),
        lambda: telemetry('{"temp":true}'),
        lambda: telemetry('{"temp":1}', units='{"temp":"K"}'),
        lambda: telemetry('{"foo":1}'),
        lambda: '{"v":1,"samples":[{"values":{"temp":1}}]}',
    ],
)
def test_nothing_is_learned_from_what_needs_a_closer_look(body: Callable[[], str]) -> None:
    assert learn(read(body().encode()), Signals(pump(), FewUnits()), Decoders()) is None


def test_a_large_block_is_written_in_portions_and_accounted_for_once(world: World) -> None:
    n, long_ago = 1_000, NOW - timedelta(days=1)
    world.take(*(batch(1 + 10 * i, 10, start=long_ago) for i in range(n // 10)))
    bodies = [batch(n + 1 + 50 * i, 50, start=long_ago) for i in range(800)]
    assert sum(map(len, bodies)) > 2_000_000
    world.take(*bodies, *bodies[:3])
    entry = world.entry()
    assert (entry.through, entry.stored, entry.duplicate) == (n + 40_000, n + 40_000, 150)
    assert world.store.written_rows == n + 40_000


def test_a_device_that_was_revoked_is_a_stranger_at_once(world: World) -> None:
    from ingest.service.registry import revoke_device

    world.take(batch(1, 1))
    world.take(batch(2, 1))
    revoke_device(world.database, "acme", "pump-1", now=world.clock.now())
    world.clock.pass_(2)
    world.take(batch(3, 1))
    assert world.refusals()[-1] == ("topic", "unknown_device")
