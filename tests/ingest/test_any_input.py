"""No input ends the process: whatever comes is stored, quarantined or passed over."""

import json
import random
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.domain.acceptance import judge
from ingest.domain.account import Account
from ingest.domain.batch import Batch, Times
from ingest.domain.message import LooseSample, Sample, read
from ingest.domain.ranges import RangeSet
from ingest.domain.signals import Signals
from plumbing.sql import to_us
from tests.ingest.conftest import NOW, FewUnits, World, batch, pump, telemetry

STRANGE = [
    b'{"v":1,"samples":[1,null,{"values":3}],"boot_id":4,"seq":"x"}',
    b'{"v":1,"samples":[],"seq":-5,"boot_id":"x"}',
    b'{"v":true,"samples":[{}]}',
    b'{"v":1,"boot_id":"9f3c01aa","seq":99999999999999999999999,"samples":[{"values":{"temp":1}}]}',
    b'{"v":1,"boot_id":"9f3c01aa","seq":9007199254740991,"samples":[{"values":{"temp":1}},{"values":{"temp":1}}]}',
    b"\xff\xfe",
    b"",
    b"null",
    b"0",
    b'"' + b"[" * 100000,
    b"[" * 100000,
    b'{"v":1,"samples":' + b"[" * 100000,
    b'{"v":1,"samples":[{"values":{"temp":' + b"[" * 100000 + b"]" * 100000 + b"}}]}",
    json.dumps({"v": 1, "samples": [{"values": {"temp": 10**400}}]}).encode(),
    b'{"v":1,"samples":[{"values":{"temp":' + b"9" * 5000 + b"}}]}",
    b'{"v":' + b"9" * 5000 + b',"samples":[]}',
    b'{"v":1,"samples":[{"t":' + b"-9" * 1 + b"9" * 4000 + b',"values":{"temp":1}}]}',
    b'{"v":1,"samples":[{"values":{"temp":1,"temp":"x"}}]}',
    b'{"v":1,"samples":[{"values":{"\\ud800":1}}],"units":{"\\udfff":"\\ud800"}}',
    b'{"v":1,"samples":[{"values":{"temp":1}}],"units":{"temp":"\\ud800"}}',
    b'{"v":1,"samples":[{"values":{"' + b"x" * 900_000 + b'":1}}]}',
    b'{"v":1,"samples":[{"t":"0001-01-01T00:00:00+23:59","values":{"temp":1}}]}',
    b'{"v":1,"samples":[{"t":"9999-12-31T23:59:59-23:59","values":{"temp":1}}]}',
    b'{"v":1,"samples":[{"t":"\\u0000","values":{"temp":1}}]}',
    b'{"v":1,"samples":[' + b",".join([b'{"values":{}}'] * 70_000) + b"]}",
    '{"v":1,"samples":[{"values":{"temp":1}}]}'.encode("utf-16"),
]


@pytest.mark.parametrize("kind", ["telemetry", "state", "result"])
def test_strange_messages_leave_the_good_ones_alone(world: World, kind: str) -> None:
    world.take(batch(1, 2))
    world.take(*STRANGE, kind=kind)
    world.take(batch(3, 2))
    assert world.entry().through == 4
    assert len([v for k, v in world.store.points.items() if k[2] < to_us(NOW)]) >= 4
    assert len(world.page()) > 10


@pytest.fixture(scope="module")
def one_world(tmp_path_factory: pytest.TempPathFactory, migrated: object) -> World:
    import shutil

    from plumbing.sql import Database

    path = tmp_path_factory.mktemp("fuzz") / "ingest.sqlite"
    shutil.copy(str(migrated), path)
    world = World(Database(f"sqlite:///{path}"))
    world.device()
    return world


GOOD = telemetry('{"temp":1.5,"rpm":true,"vibration":null}', units='{"temp":"K"}').encode()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.binary(max_size=60), st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3))))
def test_random_and_mutated_bodies_never_raise(one_world: World, how: bytes | tuple[int, bytes]) -> None:
    body = how if isinstance(how, bytes) else GOOD[: how[0]] + how[1] + GOOD[how[0] + 1 :]
    for kind in ("telemetry", "state", "result"):
        one_world.take(body, kind=kind)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["temp", "rpm"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


SAMPLES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"t": JSON, "values": JSON | st.dictionaries(st.sampled_from(["temp", "rpm", "x"]), JSON)}
    )
)
FIELDS = dict.fromkeys(("boot_id", "seq", "units", "first", "last", "dropped"), JSON)
MESSAGES = st.fixed_dictionaries({}, optional={**FIELDS, "v": JSON | st.just(1), "samples": JSON | SAMPLES})


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(MESSAGES)
def test_any_json_never_raises(one_world: World, message: dict[str, object]) -> None:
    for kind in ("telemetry", "state"):
        one_world.take(json.dumps(message), kind=kind)


def test_the_quick_way_and_the_exact_way_agree() -> None:
    """The same samples one by one through `judge` and together through `Batch`."""
    dice = random.Random(5)
    signals = Signals(pump(), FewUnits())
    received = to_us(datetime(2026, 11, 22, 10, tzinfo=UTC))
    times = Times(received, received + 60_000_000, received - 300_000_000)
    pool = [1, 20.5, -41, 201, None, True, -0.0, 99.99999, 1e300, "x", 1e18]
    shapes = [["temp"], ["temp", "rpm"], ["rpm", "temp"], ["temp", "vibration", "rpm"], ["temp", "foo"], []]
    quick = Batch()
    account = Account("acme", "pump-1", "9f3c01aa", 1)
    delta = quick.delta(account, signals, times)
    exact: dict[tuple[int, str], float] = {}
    stored = quarantined = 0
    refusals = []
    for number in range(300):
        units = dice.choice([{}, {}, {"temp": "K"}, {"temp": "mm/s"}, {"rpm": "furlong"}])
        samples = [
            {"t": received // 1000 - number * 1000 - i - (10**15 if dice.random() < 0.02 else 0),
             "values": {n: dice.choice(pool) for n in dice.choice(shapes)}}
            for i in range(dice.randrange(1, 5))
        ]  # fmt: skip
        body = json.dumps({"v": 1, "boot_id": "9f3c01aa", "seq": number * 10 + 1, "samples": samples, "units": units})
        message = read(body.encode())
        quick.add(number, message, delta)
        read_samples: list[Sample | LooseSample] = [*(message.typed or []), *message.loose]
        for i, sample in enumerate(read_samples):
            verdict = judge(sample, i, units, signals, received, times.limit_us)
            refusals += [(number, r.path, r.reason) for r in verdict.refusals]
            stored, quarantined = stored + (not verdict.quarantined), quarantined + verdict.quarantined
            exact.update({(verdict.t_us, name): x for name, x in verdict.values.items()})
    rows = [r.rows for r in quick.check()]
    found = {
        (t, name): x
        for r in rows
        for t, values in zip(r.t_us, r.values, strict=True)
        for name, x in zip(r.signals, values, strict=True)
        if x is not None
    }
    assert found == exact
    assert (delta.stored, delta.quarantined) == (stored, quarantined)
    assert sorted((n, r.path, r.reason) for n, a in quick.asides.items() for r in a.refusals) == sorted(refusals)
    assert delta.fresh != RangeSet()
    assert len(exact) > 200
    assert len(refusals) > 100
