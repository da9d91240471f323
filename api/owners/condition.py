"""How machines are, as anomaly last saw them, by device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from anomaly.queries.states import SET_ASIDE, AssetState, asset_states
from plumbing.sql import Database


@dataclass(frozen=True, slots=True)
class Condition:
    """State of one device's machine; None = not known (yet)."""

    health: float | None = None
    score: float | None = None
    threshold: float | None = None
    learning_hours_left: float | None = None
    learned: bool = False
    alarm_since: datetime | None = None
    note: str = ""
    """Why it is not scored now, in words; empty where it is."""
    outside: bool = False
    """It runs outside the known regimes."""
    hot: Sequence[str] = ()
    """Signals whose plain value has left its usual band while the compensated one has not."""
    aside: bool = False
    """It is set aside: the program fails on its readings."""
    spark: Sequence[float] = ()
    """Health in equal steps, oldest first."""


NOTHING = Condition()
Conditions = Mapping[str, Condition]


def conditions(database: Database, tenant: str, device: str | None = None) -> Conditions:
    """All machines of a tenant, or one of them."""
    return {name: _of(state) for name, state in asset_states(database, tenant, device).items()}


def _of(s: AssetState) -> Condition:
    aside = s.state == SET_ASIDE
    left = s.learning_hours_left if not aside and (not s.learned or s.state == "learning") else None
    hot = () if aside else tuple(d.signal for d in s.deviations if d.plain_outside and not d.outside)
    return Condition(
        s.health, s.score, s.threshold, left, s.learned, s.alarm_since, s.note, s.outside, hot, aside, s.spark
    )  # fmt: skip
