"""A centrifugal pump by physics, one reading in ten minutes; every day of its life can be made again from its facts."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulators.duty import DAY, Day, Duty, Floats, slow, stream
from simulators.wear import Event, Kind, Spell, Stuck, Wear, down_spans

SLOT = timedelta(minutes=10)
SIGNALS = (
    "speed",
    "flow",
    "ambient_temperature",
    "vibration",
    "bearing_temperature",
    "winding_temperature",
    "discharge_pressure",
    "suction_pressure",
    "current",
    "seal_leakage",
)
COMPONENTS = ("bearing", "seal", "impeller", "motor_winding", "filter")
FAILED_VIBRATION = 9.0
"""mm/s at which a bearing counts as failed."""
RATED_SPEED, RATED_FLOW = 1450.0, 60.0
WINDING_LAG, BEARING_LAG = 5.0, 8.0
"""Time constants of the warming, in slots."""


@dataclass(frozen=True)
class Rows:
    """Readings of slots in a row: times in epoch microseconds, values (slots, SIGNALS)."""

    first: int
    t_us: NDArray[np.int64]
    values: Floats

    def __len__(self) -> int:
        return len(self.t_us)


@dataclass(frozen=True, slots=True)
class Pump:
    """One machine. `machine` numbers its random streams: two pumps with the same number are twins."""

    name: str
    seed: int
    machine: int
    begins: datetime
    """Time of slot 0, a Monday 00:00 UTC of the tenant's clock."""
    duty: Duty
    wears: tuple[Wear, ...] = ()
    stuck: Stuck | None = None
    spells: tuple[Spell, ...] = ()

    def slot(self, at: datetime) -> int:
        """The slot that a time lies in."""
        return (at - self.begins) // SLOT

    def time(self, slot: int) -> datetime:
        """When a slot is sampled."""
        return self.begins + slot * SLOT

    def sample(self, slot: int, events: tuple[Event, ...] = ()) -> dict[str, float]:
        """The reading of one slot, given what has happened to the machine."""
        day, row = divmod(slot, DAY)
        return dict(zip(SIGNALS, _day(self, day, events)[row].tolist(), strict=True))

    def rows(self, first: int, end: int, events: tuple[Event, ...] = ()) -> Rows:
        """The readings of the slots first <= slot < end."""
        days = range(first // DAY, -(-end // DAY))
        values = np.concatenate([_day(self, day, events) for day in days] or [np.empty((0, len(SIGNALS)))])
        skip = first - days.start * DAY
        slot_us = SLOT // timedelta(microseconds=1)
        t_us = round(self.begins.timestamp()) * 1_000_000 + np.arange(first, end, dtype=np.int64) * slot_us
        return Rows(first, t_us, values[skip : skip + end - first])

    def failed_at(self, events: tuple[Event, ...] = ()) -> datetime | None:
        """The truth: when the first part fails that nobody has replaced in time; None = none does."""
        times = [self.time(w.fails) for w in self.wears if not _mended(w, self, events)]
        return min(times, default=None)

    def first_running(self, slot: int) -> int:
        """The first slot from `slot` on in which the schedule lets the machine run."""
        for day in range(slot // DAY, slot // DAY + 60):
            on = np.flatnonzero(self.duty.day(day).speed) + day * DAY
            if len(on) and on[-1] >= slot:
                return int(on[on >= slot][0])
        raise ValueError(f"{self.name} does not run in the 60 days after slot {slot}")

    def with_wear(self, wear: Wear) -> "Pump":
        """The same machine with one more part that wears."""
        return replace(self, wears=(*self.wears, wear))


def _mended(wear: Wear, pump: Pump, events: tuple[Event, ...]) -> bool:
    begins, fails = pump.time(wear.begins), pump.time(wear.fails)
    return any(e.kind is Kind.REPAIRED and e.component == wear.component and begins <= e.at <= fails for e in events)


def _running_before(duty: Duty, slot: int, origin: int) -> int:
    """Running slots between two slots (negative where `slot` comes first)."""
    if slot < origin:
        return -_running_before(duty, origin, slot)
    first, last = origin // DAY, slot // DAY
    whole = sum(duty.running_slots(day) for day in range(first, last))
    head = int(np.count_nonzero(duty.day(first).speed[: origin % DAY]))
    return whole - head + int(np.count_nonzero(duty.day(last).speed[: slot % DAY]))


def damage(pump: Pump, component: str, day: int, events: tuple[Event, ...]) -> Floats:
    """Damage of one component in every slot of a day: 0 as new, 1 failed, 0 again after it was replaced."""
    total = np.zeros(DAY)
    slots = np.arange(day * DAY, (day + 1) * DAY)
    for spell in pump.spells:
        if spell.component == component and spell.begins < slots[-1] and slots[0] < spell.ends:
            level = np.minimum(_grown(pump.duty, day, spell.begins, spell.full, spell.folding), spell.top)
            total += np.where(slots < spell.ends, np.maximum(level, 0.0), 0.0)
    for wear in pump.wears:
        if wear.component != component or slots[-1] <= wear.begins:
            continue
        level = _grown(pump.duty, day, wear.begins, wear.fails, wear.folding)
        for event in events:
            if event.kind is Kind.REPAIRED and event.component == component and event.at >= pump.time(wear.begins):
                level[slots >= pump.slot(event.at)] = 0.0
        total += np.maximum(level, 0.0)
    return total


def _grown(duty: Duty, day: int, begins: int, full: int, folding: float) -> Floats:
    """0 up to slot `begins`, 1 at slot `full`, growing with every running hour, in every slot of a day."""
    slots = np.arange(day * DAY, (day + 1) * DAY)
    running = np.cumsum(duty.day(day).speed > 0) + _running_before(duty, day * DAY, full)
    start = np.exp(_running_before(duty, begins, full) / 6.0 / folding)
    level: Floats = (np.exp(np.minimum(running / 6.0 / folding, 1.0)) - start) / (1.0 - start)
    level[slots <= begins] = 0.0
    return level


def _down(pump: Pump, day: int, events: tuple[Event, ...]) -> NDArray[np.bool_]:
    slots = np.arange(day * DAY, (day + 1) * DAY)
    out = np.zeros(DAY, dtype=bool)
    broke = [Event(pump.time(w.fails), Kind.FAILED) for w in pump.wears if not _mended(w, pump, events)]
    for begin, until in down_spans((*events, *broke)):
        end = slots[-1] + 1 if until is None else pump.slot(until)
        out |= (slots >= pump.slot(begin)) & (slots < end)
    return out


def _asked(pump: Pump, day: int, events: tuple[Event, ...]) -> Day:
    asked = pump.duty.day(day)
    return Day(np.where(_down(pump, day, events), 0.0, asked.speed), asked.demand, asked.ambient)


def _lagged(drive: Floats, slots: float) -> Floats:
    """First-order lag over two days; returns the second, when the start is long forgotten."""
    out = np.empty(len(drive))
    state = float(drive[:6].mean())
    for i, x in enumerate(drive.tolist()):
        state += (x - state) / slots
        out[i] = state
    return out[DAY:]


@lru_cache(maxsize=64)
def _day(pump: Pump, day: int, events: tuple[Event, ...]) -> Floats:
    """All readings of one day, (DAY, SIGNALS)."""
    before, today = _asked(pump, day - 1, events), _asked(pump, day, events)
    hurt = {c: damage(pump, c, day, events) for c in COMPONENTS}
    hurt_before = {c: damage(pump, c, day - 1, events) for c in ("bearing", "motor_winding")}
    make = stream(pump.seed, pump.machine, "make", 0)
    size, tight = make.uniform(0.93, 1.07), make.uniform(0.93, 1.07)
    rough, _ = _bearing_made(pump, day, events)
    white = stream(pump.seed, pump.machine, "noise", day).standard_normal((DAY, len(SIGNALS)))
    drift = [slow(pump.seed, pump.machine, "noise", i, day, 9.0) for i in range(len(SIGNALS))]

    on = today.speed > 0
    n = today.speed / RATED_SPEED
    q = today.demand * (1.0 - 0.12 * np.minimum(hurt["filter"], 1.5) - 0.08 * np.minimum(hurt["impeller"], 1.5))
    flow = RATED_FLOW * size * n * q
    vibration = (
        1.75 * rough * n**0.7 * (1.0 + 0.9 * (q - 0.97) ** 2) * (1.0 + 0.05 * drift[3] + 0.05 * white[:, 3])
        + (FAILED_VIBRATION - 1.75) * hurt["bearing"] * n**0.2 * (1.0 + 0.04 * white[:, 3])
        + 2.0 * hurt["impeller"]
    )
    winding = _warmth(before, today, hurt_before["motor_winding"], hurt["motor_winding"])
    rubbing = [
        _friction(asked, _bearing_made(pump, d, events)[1]) + 26.0 * worn * (asked.speed > 0)
        for d, asked, worn in ((day - 1, before, hurt_before["bearing"]), (day, today, hurt["bearing"]))
    ]
    bearing = _lagged(np.concatenate(rubbing), BEARING_LAG)
    suction = 1.8 - 0.35 * (1.0 + 3.2 * hurt["filter"]) * (n * q) ** 2
    head = n**2 * (4.6 * tight - 1.1 * q**2) * (1.0 - 0.25 * hurt["impeller"])
    current = _current(today, q) * size * (1.0 + 0.04 * np.minimum(hurt["bearing"], 1.5)) * (1.0 + 0.006 * drift[8])
    values = np.column_stack([
        today.speed,
        flow * (1.0 + 0.006 * white[:, 1]),
        today.ambient,
        np.where(on, vibration, 0.04 + 0.01 * np.abs(white[:, 3])),
        today.ambient + bearing + 0.8 * drift[4] + 0.35 * white[:, 4],
        today.ambient + winding + 1.0 * drift[5] + 0.4 * white[:, 5],
        np.where(on, suction + head, 1.8) + 0.02 * drift[6] + 0.025 * white[:, 6],
        np.where(on, suction, 1.8) + 0.015 * drift[7] + 0.012 * white[:, 7],
        np.where(on, current * (1.0 + 0.008 * white[:, 8]), 0.0),
        np.where(on, (6.0 * tight * n * (1.0 + 0.08 * drift[9] + 0.12 * white[:, 9])) + 320.0 * hurt["seal"], 0.3),
    ])  # fmt: skip
    if pump.stuck is not None:
        _stand_still(pump, pump.stuck, day, values)
    return np.asarray(np.round(values, 3))


def _stand_still(pump: Pump, stuck: Stuck, day: int, values: Floats) -> None:
    slots = np.arange(day * DAY, (day + 1) * DAY)
    held = (slots >= stuck.begins) & (slots < stuck.ends)
    if held.any():
        values[held, SIGNALS.index(stuck.signal)] = replace(pump, stuck=None).sample(stuck.begins)[stuck.signal]


def _current(asked: Day, q: Floats) -> Floats:
    """Motor current in A: the affinity law for the shaft power over a constant magnetising part."""
    n = asked.speed / RATED_SPEED
    return np.asarray(np.sqrt((12.0 * n) ** 2 + (26.0 * n**2 * (0.42 + 0.58 * q)) ** 2))


def _bearing_made(pump: Pump, day: int, events: tuple[Event, ...]) -> tuple[Floats, Floats]:
    """Roughness and friction of the bearing that is in the machine, per slot; no two bearings are alike."""
    slots = np.arange(day * DAY, (day + 1) * DAY)
    made = np.ones((2, DAY)) * stream(pump.seed, pump.machine, "make", 1).uniform(0.93, 1.07, 2)[:, None]
    for event in events:
        if event.kind is Kind.REPAIRED and event.component == "bearing":
            fresh = stream(pump.seed, pump.machine, "part", pump.slot(event.at)).uniform(0.94, 1.06, 2)
            made[:, slots >= pump.slot(event.at)] = fresh[:, None]
    return made[0], made[1]


def _friction(asked: Day, friction: Floats) -> Floats:
    return np.asarray(21.0 * friction * (asked.speed / RATED_SPEED) ** 1.2)


def _warmth(before: Day, today: Day, hurt_before: Floats, hurt: Floats) -> Floats:
    """Winding over ambient in K: copper losses with the square of the current, lagged."""
    heat = [
        40.0 * (_current(day, day.demand) / 28.6) ** 2 * (1.0 + 1.1 * level)
        for day, level in ((before, hurt_before), (today, hurt))
    ]
    return _lagged(np.concatenate(heat), WINDING_LAG)
