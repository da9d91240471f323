"""How machines are now, as anomaly last saw them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from anomaly.domain.picture import Deviation
from anomaly.service import tables as t
from plumbing.sql import Database, from_us

SPARK = 48
SET_ASIDE = "set aside"
"""State of a machine whose readings the program fails on."""


@dataclass(frozen=True, slots=True)
class AssetState:
    """One machine now; None = not known. `state` and `note` are words for people."""

    device: str
    model: str
    state: str
    note: str
    learning_hours_left: float
    learned: bool
    health: float | None
    score: float | None
    threshold: float
    alarm_since: datetime | None
    component: str
    shelved_until: datetime | None
    shelved_why: str
    measured_at: datetime | None
    deviations: tuple[Deviation, ...]
    spark: tuple[float, ...] = ()
    """Health over the newest points, oldest first."""
    explanation: dict[str, Any] | None = None
    """`domain.explaining.Explanation`; None while there is no score."""
    suspects: tuple[dict[str, Any], ...] = ()
    """Likely failure modes while an alarm stands, see `domain.picture.Suspect`."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Faulty sensors (empty = the device) and the kind of fault."""
    wasted: tuple[dict[str, Any], ...] = ()
    """Losses against the healthy model, see `domain.efficiency.Wasted`."""

    @property
    def outside(self) -> bool:
        """Whether it runs outside the known regimes."""
        return self.state == "outside known regimes"


NOTHING = AssetState("", "", "", "", 0.0, False, None, None, 0.0, None, "", None, "", None, ())


def asset_state(database: Database, tenant: str, device: str) -> AssetState | None:
    """One machine; None = anomaly has seen nothing of it."""
    return asset_states(database, tenant, device).get(device)


def asset_states(database: Database, tenant: str, device: str | None = None) -> dict[str, AssetState]:
    """All machines of a tenant (or one of them), by device."""
    query = sa.select(t.states.c.device, t.states.c.model, t.states.c.picture).where(t.states.c.tenant == tenant)
    if device is not None:
        query = query.where(t.states.c.device == device)
    out = {}
    with database.read() as connection:
        aside = _aside(connection, tenant, device)
        for row in connection.execute(query):
            try:
                p = msgspec.json.decode(row.picture)
            except msgspec.DecodeError:
                note = "its state cannot be read; it is made anew from its stored readings"
                out[row.device] = replace(NOTHING, device=row.device, model=row.model, note=note)
                continue
            out[row.device] = AssetState(
                row.device, row.model, p["state"], p["note"], p["learning_hours_left"], p["learned"], p["health"],
                p["score"], p["threshold"], _at(p["alarm_since_us"]), p["component"], _at(p["shelved_until_us"]),
                p["shelved_why"], _at(p["newest_us"]), tuple(Deviation(**d) for d in p["deviations"]),
                _spark(connection, tenant, row.device), p.get("explanation"), tuple(p.get("suspects", ())),
                p.get("faults", {}), tuple(p.get("wasted", ())),
            )  # fmt: skip
    for name, (model, since) in aside.items():
        note = f"its readings cannot be judged since {since:%Y-%m-%d %H:%M} UTC, the program fails; they are kept"
        out[name] = replace(
            out.get(name, NOTHING), device=name, model=model, state=SET_ASIDE, note=note, health=None, score=None
        )
    return out


def _aside(connection: sa.Connection, tenant: str, device: str | None) -> dict[str, tuple[str, datetime]]:
    c = t.troubles.c
    query = sa.select(c.device, c.model, c.since).where(c.tenant == tenant)
    if device is not None:
        query = query.where(c.device == device)
    return {r.device: (r.model, r.since) for r in connection.execute(query)}


def _spark(connection: sa.Connection, tenant: str, device: str) -> tuple[float, ...]:
    c = t.points.c
    rows = connection.execute(
        sa.select(c.health).where(c.tenant == tenant, c.device == device).order_by(c.at.desc()).limit(SPARK)
    ).scalars()
    return tuple(reversed([float(x) for x in rows]))


def _at(us: Any) -> datetime | None:
    return None if us is None or us < 0 else from_us(us)
