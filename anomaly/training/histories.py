"""What is on record of machines, as hazards take it: errors from telemetry, and work from labels.

The age of a part counts from its replacement, before that from the machine's first reading. A finding of damage is
its component's failure, as in `anomaly.training.lives`, and ends its life whether or not the part was replaced.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import sqlalchemy as sa

from anomaly.domain.error_events import ErrorReader, codes_of, joined
from anomaly.domain.hazard import Fleet
from anomaly.domain.history import Events, History, Times
from anomaly.service import tables as t
from anomaly.training.lives import AT_ONCE_US, ENDS_A_LIFE, devices_of
from contracts.asset_model import AssetModel
from contracts.points import TelemetryStore
from plumbing.sql import Database, to_us


@dataclass(frozen=True, slots=True)
class Worked:
    """Work on a component: what was found, or that it was replaced."""

    at_us: int
    component: str
    mode: str
    failed: bool


def worked_on(database: Database, tenant: str, device: str) -> list[Worked]:
    """Failures and replacements of a device's components by the labels in force, oldest first."""
    c = t.labels.c
    with database.read() as connection:
        rows = connection.execute(
            sa.select(c.to_at, c.component, c.mode, c.verdict, c.replaced)
            .where(c.tenant == tenant, c.device == device, c.corrected_by.is_(None))
            .order_by(c.to_at, c.finding_id)
        ).all()
    return [
        Worked(to_us(r.to_at), r.component, r.mode, r.verdict in ENDS_A_LIFE)
        for r in rows
        if r.verdict in ENDS_A_LIFE or r.replaced
    ]


def modes_found(database: Database, tenant: str, asset_model: str) -> dict[str, dict[str, int]]:
    """How often each failure mode of each component was found at machines of an asset model."""
    c, s = t.labels.c, t.states.c
    with database.read() as connection:
        rows = connection.execute(
            sa.select(c.component, c.mode, sa.func.count())
            .join(t.states, sa.and_(s.tenant == c.tenant, s.device == c.device))
            .where(c.tenant == tenant, s.model == asset_model, c.corrected_by.is_(None), c.verdict.in_(ENDS_A_LIFE))
            .group_by(c.component, c.mode)
        ).all()
    out: dict[str, dict[str, int]] = {}
    for component, mode, many in rows:
        out.setdefault(component, {})[mode] = many
    return out


@dataclass
class Errors:
    """A device's errors, read from the store as far as `through_us`; each reading is looked at once."""

    reader: ErrorReader
    begin_us: int
    through_us: int
    events: Events

    @classmethod
    def begin(cls, store: TelemetryStore, tenant: str, device: str, model: AssetModel, fleet: Fleet) -> "Errors | None":
        """A device of which nothing was read yet; None = nothing is stored of it. Raises StoreUnreachable."""
        first = store.read(tenant, device, limit=1)
        if not len(first.t_us):
            return None
        begin = int(first.t_us[0])
        return cls(ErrorReader.of(model, fleet.codes), begin, begin, Events())

    def read_on(
        self, store: TelemetryStore, tenant: str, device: str, model: AssetModel, fleet: Fleet, to_us: int
    ) -> None:
        """Read what is stored before a time. Raises StoreUnreachable."""
        wanted = [code for code in fleet.codes if code in model.signals]
        while wanted and self.through_us < to_us:
            end = min(self.through_us + AT_ONCE_US, to_us)
            seen = store.read(tenant, device, signals=wanted, from_us=self.through_us, to_us=end)
            if len(seen.t_us):
                values = np.full((len(seen.t_us), len(fleet.codes)), np.nan)
                for j, code in enumerate(fleet.codes):
                    if code in seen.signals:
                        values[:, j] = seen.values[:, seen.signals.index(code)]
                self.events = joined(self.events, self.reader.feed(seen.t_us, values))
            self.through_us = end

    def history(self, device: str, worked: Sequence[Worked], fleet: Fleet, end_us: int) -> History:
        """With what was done to the machine."""
        known = [w for w in worked if w.component in fleet.components]
        begun = [(self.begin_us, c) for c in range(len(fleet.components))]
        return History(
            device, self.begin_us, end_us, self.events,
            _events([*begun, *((w.at_us, fleet.components.index(w.component)) for w in known)]),
            _events([(w.at_us, fleet.components.index(w.component)) for w in known if w.failed]), nan,
        )  # fmt: skip


def _events(rows: Sequence[tuple[int, int]]) -> Events:
    both: Times = np.array(sorted(set(rows)), dtype=np.int64).reshape(-1, 2)
    return Events(both[:, 0], both[:, 1])


def fleet_of(model: AssetModel) -> Fleet:
    """Components and errors of an asset model. Readings are left to the learned lives."""
    return Fleet(tuple(sorted(model.components)), codes_of(model), ())


def gather_histories(
    database: Database, store: TelemetryStore, tenant: str, model: AssetModel, tell: Callable[[str], None]
) -> list[History]:
    """What is on record of all machines of an asset model. Raises StoreUnreachable."""
    found, fleet = [], fleet_of(model)
    devices = devices_of(database, tenant, model.name)
    for n, (device, newest_us) in enumerate(devices):
        tell(f"reading the errors of {device} ({n + 1} of {len(devices)})")
        errors = Errors.begin(store, tenant, device, model, fleet)
        if errors is not None:
            errors.read_on(store, tenant, device, model, fleet, newest_us + 1)
            found.append(errors.history(device, worked_on(database, tenant, device), fleet, newest_us))
    return found


def hash_of_histories(histories: Sequence[History], fleet: Fleet) -> str:
    """SHA-256 of everything that is learned from."""
    out = hashlib.sha256(f"{fleet.components} {fleet.codes}\n".encode())
    for h in histories:
        out.update(f"{h.asset} {h.begin_us} {h.end_us}\n".encode())
        for events in (h.errors, h.replaced, h.failed):
            out.update(np.ascontiguousarray(events.at_us).tobytes())
            out.update(np.ascontiguousarray(events.which).tobytes())
    return out.hexdigest()
