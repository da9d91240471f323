"""Many machines a tick and one machine's whole record come to the same: scores, alarms, forecasts, memory."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from anomaly.domain.forecast import Forecast
from anomaly.domain.machines import Arrival, Machines
from anomaly.domain.packing import pack, unpack
from anomaly.domain.watch import AlarmChanged, Event, Watch
from contracts.asset_model import AssetModel
from tests.anomaly.machines import HOUR_US, MODEL, SIGNALS, life
from tests.anomaly.test_live_equals_replay import exact
from tests.anomaly.variants import VARIANTS

HOURS = 250
Rows = tuple[np.ndarray, np.ndarray]


def company() -> dict[str, Rows]:
    """Machines that are well, wear, fall silent, lose a signal, jump in speed, begin later, or send twice as fast."""
    rows = {f"well-{seed}": life(HOURS, seed=seed) for seed in (2, 3)}
    rows |= {f"wears-{seed}": life(HOURS, seed=seed, fails_at=HOURS - 10 * seed) for seed in (4, 5, 6)}
    t_us, values = life(HOURS, seed=7)
    silent = np.r_[0:900, 1200:1300, 1302 : len(t_us)]
    rows["silent"] = t_us[silent], values[silent]
    t_us, values = life(HOURS, seed=8)
    values[1000:1400, SIGNALS.index("vibration")] = np.nan
    values[1300:, SIGNALS.index("ambient")] = np.nan
    values[1350:1400] = np.nan
    rows["blind"] = t_us, values
    t_us, values = life(HOURS, seed=9)
    values[1000:1060, SIGNALS.index("speed")] = 2200.0
    rows["fast"] = t_us, values
    t_us, values = life(HOURS, seed=10)
    rows["late"] = t_us[700:], values[700:]
    t_us, values = life(HOURS, seed=11)
    rows["doubled"] = np.sort(np.r_[t_us, t_us + HOUR_US // 12]), np.repeat(values, 2, axis=0)
    return rows


def alone(model: AssetModel, rows: dict[str, Rows]) -> dict[str, tuple[list[Event], Watch]]:
    out = {}
    for device, (t_us, values) in rows.items():
        watch = Watch(model)
        _, events = watch.feed(t_us, watch.layout.arrange(SIGNALS, values))
        out[device] = events, watch
    return out


def together(
    model: AssetModel, rows: dict[str, Rows], restart_every: int = 10**9
) -> tuple[dict[str, list[Event]], Machines, set[str]]:
    """Ticks of ten minutes; devices in changing order; now and then all goes through snapshots."""
    machines, rng = Machines(model), np.random.default_rng(1)
    events: dict[str, list[Event]] = {device: [] for device in rows}
    stacked: set[str] = set()
    at = dict.fromkeys(rows, 0)
    first = min(int(t[0]) for t, _ in rows.values())
    last = max(int(t[-1]) for t, _ in rows.values())
    for turn, end in enumerate(range(first + HOUR_US // 6, last + HOUR_US // 3, HOUR_US // 6)):
        arrivals = []
        for device in rng.permutation(sorted(rows)).tolist():
            t_us, values = rows[device]
            to = int(np.searchsorted(t_us, end))
            if to > at[device]:
                arrivals.append(Arrival(device, SIGNALS, t_us[at[device] : to], values[at[device] : to]))
                at[device] = to
        for outcome in machines.feed(arrivals):
            events[outcome.device] += outcome.events
        stacked |= set(machines.stack.slot_of)
        if turn % restart_every == restart_every - 1:
            kept = {d: msgspec.msgpack.encode(pack(machines.look_at(d).memory)) for d in rows if d in machines}
            machines = Machines(model)
            for device, memory in kept.items():
                machines.put(device, unpack(msgspec.msgpack.decode(memory)))
    return events, machines, stacked


@pytest.mark.parametrize(
    ("name", "restart_every"),
    [("plain", 10**9), ("growing", 97), ("averaging", 10**9), ("summed", 10**9), ("seasonal", 197)],
)
def test_together_is_as_alone(name: str, restart_every: int) -> None:
    rows, model = company(), VARIANTS[name]
    if name == "seasonal":  # each row of it costs as much as all the others together
        rows = {device: rows[device] for device in ("wears-6", "blind", "silent")}
    expected = alone(model, rows)
    events, machines, stacked = together(model, rows, restart_every)
    for device, (theirs, watch) in expected.items():
        assert [exact(e) for e in events[device]] == [exact(e) for e in theirs], device
        mine = machines.look_at(device)
        assert_close(pack(mine.memory), pack(watch.memory))
    everything = [e for device in rows for e in events[device]]
    assert any(isinstance(e, Forecast) for e in everything)
    assert any(isinstance(e, AlarmChanged) for e in everything)
    assert stacked == set(rows)


def assert_close(a: object, b: object) -> None:
    """Equal packed memories, figures to 1e-9."""
    a, b = unpacked(a), unpacked(b)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    elif isinstance(a, dict) and isinstance(b, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_close(a[key], b[key])
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_close(x, y)
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-9, nan_ok=True)
    else:
        assert a == b


def unpacked(x: object) -> object:
    """Arrays of a snapshot as arrays."""
    return unpack(x) if isinstance(x, list) and x and x[0] == "a" else x


def test_pooled_machines_tick_together_as_alone() -> None:
    model = replace(MODEL, detection=replace(MODEL.detection, fleet=True, baseline_hours=0.0))
    rows = company()
    whole = Machines(model)
    expected = {o.device: o.events for o in whole.feed([Arrival(d, SIGNALS, t, v) for d, (t, v) in rows.items()])}
    events, machines, stacked = together(model, rows)
    assert stacked == set(rows)
    for device in rows:
        assert [exact(e) for e in events[device]] == [exact(e) for e in expected[device]], device
        assert_close(pack(machines.look_at(device).memory), pack(whole.look_at(device).memory))


def test_a_part_replaced_in_between_goes_on_as_alone() -> None:
    rows = {d: r for d, r in company().items() if d.startswith("w")}
    cut = 1400
    machines = Machines(MODEL)
    for first in range(0, cut, 1):
        machines.feed([Arrival(d, SIGNALS, t[first : first + 1], v[first : first + 1]) for d, (t, v) in rows.items()])
    for device, (t_us, values) in rows.items():
        watch = Watch(MODEL)
        arranged = watch.layout.arrange(SIGNALS, values)
        watch.feed(t_us[:cut], arranged[:cut])
        theirs = watch.replaced("bearing", int(t_us[cut]))
        mine = machines.watch(device).replaced("bearing", int(t_us[cut]))
        assert [exact(e) for e in mine] == [exact(e) for e in theirs]
        assert_close(pack(machines.look_at(device).memory), pack(watch.memory))
