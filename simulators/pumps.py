"""The pump company of the demo: eight pumps, five of them with a story, 90 days of history, then live."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from simulators.duty import DAY, Duty, Heat, stream
from simulators.pump_physics import SIGNALS, SLOT, Pump, Rows
from simulators.wear import Event, Kind, Spell, Stuck, Wear

__all__ = ["SIGNALS", "SLOT", "Event", "Fleet", "Kind", "Pump", "Rows", "Spell", "Stuck", "Wear", "fleet"]

MODEL = "centrifugal-pump"
HISTORY_DAYS = 90
HEALTHY_PUMPS = 5
FOLDING_HOURS, FOLDING_SPREAD = 40.0, 0.12
"""Running hours in which the damage of a bearing grows by the factor e."""
LIFE_HOURS, LIFE_SPREAD = 176.0, 8.0
"""Hours of the tenant's clock from the start of the story to the failure."""
STICKS_AFTER, STUCK_FOR = 34 * 6, 6 * DAY
"""Slots from the start of the live part until a vibration sensor stands still, and how long it does."""
LOOKS_WORN = 0.2
"""As much damage it seems to be at most, when something outside a pump shakes it."""
SPELLS = ((-13 * DAY, 200 * 6, 9 * DAY), (9 * DAY + 6, 17 * DAY, 18 * DAY))
"""When it does: begins, would be a failure if it went on, ends; slots from the start of the live part."""
UNNOTICED = 14 * DAY
"""Slots before the story in which the damage is real and far too small to see."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The company's pumps; `stories` says who plays what."""

    seed: int
    live_from: datetime
    pumps: tuple[Pump, ...]
    stories: dict[str, str]
    """`served`, `ignored_twin`, `hot_afternoon`, `stuck_sensor`, `found_nothing` -> name of the pump."""
    heat: tuple[datetime, datetime]
    """When the heat wave of the hot-afternoon pump begins and ends."""

    @property
    def history_end(self) -> int:
        """The first live slot; history is the slots from 0 up to it."""
        return HISTORY_DAYS * DAY

    def pump(self, name: str) -> Pump:
        """The pump of that name. Raises KeyError."""
        for pump in self.pumps:
            if pump.name == name:
                return pump
        raise KeyError(name)

    def healthy(self) -> tuple[int, ...]:
        """Indexes of the pumps that nothing wears, in the order in which they may begin to."""
        busy = set(self.stories.values())
        return tuple(i for i, p in enumerate(self.pumps) if p.name not in busy and not p.wears)

    def next_wearing(self, index: int, start: datetime) -> "Fleet":
        """The fleet in which the bearing of pump `index` begins to wear at `start`, as the served pump's did."""
        pump = self.pumps[index]
        worn = _wearing(pump, pump.slot(start), unnoticed=0)
        return replace(self, pumps=(*self.pumps[:index], worn, *self.pumps[index + 1 :]))


def fleet(seed: int, live_from: datetime) -> Fleet:
    """The company for one seed.

    Parameters
    ----------
    seed : int
        Equal seeds give equal machines, to the last digit.
    live_from : datetime
        When the history ends and the live part begins: a Sunday 00:00 UTC of the tenant's clock.
    """
    if live_from.utcoffset() != timedelta(0) or live_from.weekday() != 6 or live_from.hour or live_from.minute:
        raise ValueError(f"live_from must be a Sunday 00:00 UTC, not {live_from.isoformat()}")
    begins = live_from - timedelta(days=HISTORY_DAYS)
    live = HISTORY_DAYS * DAY

    def pump(number: int, machine: int, heat: Heat | None = None) -> Pump:
        return Pump(f"pump-{number:02d}", seed, machine, begins, Duty(seed, machine, heat))

    served = _wearing(pump(1, 1), live, unnoticed=UNNOTICED)
    twin = replace(served, name="pump-02")
    heat = Heat(live + 5 * 6, live + 22 * 6, kelvin=11.0, demand=0.08)
    hot = pump(3, 3, heat)
    others = [pump(n, n) for n in range(4, 4 + HEALTHY_PUMPS)]
    sticks = others[-1].first_running(live + STICKS_AFTER)
    others[-1] = replace(others[-1], stuck=Stuck("vibration", sticks, sticks + STUCK_FOR))
    shaken = others[2]
    spells = tuple(Spell("bearing", live + a, live + b, FOLDING_HOURS, LOOKS_WORN, live + c) for a, b, c in SPELLS)
    others[2] = replace(shaken, spells=spells)
    stories = {
        "served": served.name, "ignored_twin": twin.name, "hot_afternoon": hot.name, "stuck_sensor": others[-1].name,
        "found_nothing": shaken.name,
    }  # fmt: skip
    return Fleet(seed, live_from, (served, twin, hot, *others), stories, (hot.time(heat.begins), hot.time(heat.ends)))


def _wearing(pump: Pump, start: int, unnoticed: int) -> Pump:
    rng = stream(pump.seed, pump.machine, "wear", start)
    life = LIFE_HOURS + LIFE_SPREAD * rng.uniform(-1.0, 1.0)
    folding = FOLDING_HOURS * (1.0 + FOLDING_SPREAD * float(rng.standard_normal()))
    fails = pump.first_running(start + round(life * 6))
    return pump.with_wear(Wear("bearing", start - unnoticed, fails, max(20.0, min(folding, 60.0))))
