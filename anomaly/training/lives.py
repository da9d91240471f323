"""Lives of machines as training takes them: stored readings in steps, cut where a part was found failed or replaced.

A part that was found worn before it failed ends a life as a failure does: nobody lets it run on to learn more.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from anomaly.domain.following import HOUR_US
from anomaly.domain.layout import Array, Layout, layout_of
from anomaly.service import tables as t
from anomaly.training.remaining_life import Lived
from contracts.asset_model import AssetModel
from contracts.points import TelemetryStore
from plumbing.sql import Database, to_us

ENDS_A_LIFE = ("true", "prevented", "missed")
FEWEST_STEPS = 30
"""A life of fewer steps teaches nothing."""
AT_ONCE_US = 30 * 24 * HOUR_US


class _Picture(msgspec.Struct):
    """What counts of a machine's picture here."""

    newest_us: int


_newest = msgspec.json.Decoder(_Picture).decode


@dataclass(frozen=True, slots=True)
class End:
    """A life ended: by a failure (or a part found worn), or because a good part was replaced."""

    at_us: int
    failed: bool
    finding: str


@dataclass(frozen=True)
class Steps:
    """Means over steps of running time: hours since the epoch (n,), readings (n, k), regime conditions (n, c)."""

    hours: Array
    readings: Array
    levels: Array


@dataclass(frozen=True, slots=True)
class Columns:
    """Which of a layout's columns are read, and which set the regime."""

    readings: tuple[str, ...]
    levels: tuple[str, ...]
    spans: tuple[float, ...]


def columns_of(layout: Layout) -> Columns:
    """Symptoms and the conditions that are no regime are readings; regimes are levels."""
    regime = {layout.conditions[j] for j in layout.regimes}
    rest = tuple(c for c in layout.conditions if c not in regime)
    levels = tuple(layout.conditions[j] for j in layout.regimes)
    return Columns(layout.symptoms + rest, levels, tuple(layout.spans[j] for j in layout.regimes))


def ends_of(database: Database, tenant: str, device: str) -> list[End]:
    """The ends of a device's lives by the labels in force, oldest first."""
    c = t.labels.c
    with database.read() as connection:
        rows = connection.execute(
            sa.select(c.to_at, c.verdict, c.replaced, c.finding_id)
            .where(c.tenant == tenant, c.device == device, c.corrected_by.is_(None))
            .order_by(c.to_at, c.finding_id)
        ).all()
    return [
        End(to_us(r.to_at), r.verdict in ENDS_A_LIFE, r.finding_id)
        for r in rows
        if r.verdict in ENDS_A_LIFE or r.replaced
    ]


def devices_of(database: Database, tenant: str, asset_model: str) -> list[tuple[str, int]]:
    """Devices of an asset model that were heard, with the time of their newest reading; whose state is damaged waits
    until it is made anew."""
    s = t.states.c
    with database.read() as connection:
        rows = connection.execute(
            sa.select(s.device, s.picture).where(s.tenant == tenant, s.model == asset_model).order_by(s.device)
        ).all()
    return [(r.device, newest_us) for r in rows if (newest_us := _newest_us(r.picture)) is not None]


def _newest_us(picture: str) -> int | None:
    try:
        return _newest(picture).newest_us
    except msgspec.DecodeError:
        return None


def steps_of(
    store: TelemetryStore, tenant: str, device: str, model: AssetModel, from_us: int | None, to_us: int
) -> Steps:
    """A device's readings in whole steps before a time, while it ran. A step without readings is left out.

    Raises StoreUnreachable.
    """
    layout = layout_of(model)
    columns = columns_of(layout)
    step_us = round(model.prognosis.every_hours * HOUR_US)
    end = to_us // step_us * step_us
    if from_us is None:
        first = store.read(tenant, device, to_us=end, limit=1)
        if not len(first.t_us):
            return _none(columns)
        from_us = int(first.t_us[0])
    begin = -(-from_us // step_us) * step_us
    span = max(step_us, AT_ONCE_US // step_us * step_us)
    found = []
    for at in range(begin, end, span):
        seen = store.read(tenant, device, from_us=at, to_us=min(at + span, end))
        if len(seen.t_us):
            found.append(_means(seen.t_us, layout.arrange(seen.signals, seen.values), layout, columns, step_us))
    if not found:
        return _none(columns)
    return Steps(*(np.concatenate([getattr(f, name) for f in found]) for name in ("hours", "readings", "levels")))


def _none(columns: Columns) -> Steps:
    return Steps(np.zeros(0), np.zeros((0, len(columns.readings))), np.zeros((0, len(columns.levels))))


def _means(t_us: NDArray[np.int64], values: Array, layout: Layout, columns: Columns, step_us: int) -> Steps:
    runs = np.ones(len(t_us), dtype=bool)
    if layout.running is not None and layout.running.signal in layout.signals:
        x = values[:, layout.signals.index(layout.running.signal)]
        runs = np.array([layout.running.holds(v) for v in x.tolist()], dtype=bool)
    order = np.argsort(t_us[runs], kind="stable")
    step = t_us[runs][order] // step_us
    rows = values[runs][order][:, [layout.signals.index(name) for name in columns.readings + columns.levels]]
    each, first = np.unique(step, return_index=True)
    if not len(each):
        return _none(columns)
    there = np.isfinite(rows)
    counts = np.add.reduceat(there.astype(float), first, axis=0)
    sums = np.add.reduceat(np.where(there, rows, 0.0), first, axis=0)
    means = np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)
    k = len(columns.readings)
    good = np.isfinite(means[:, k:]).all(1)  # without its conditions nobody can say what is usual
    return Steps((each[good] + 1) * step_us / HOUR_US, means[good][:, :k], means[good][:, k:])


def lives_of(device: str, steps: Steps, ends: Sequence[End]) -> list[Lived]:
    """A device's lives, oldest first; the last one has not ended."""
    out, begun = [], -np.inf
    for n, end in enumerate([*ends, None]):
        until = np.inf if end is None else end.at_us / HOUR_US
        mine = (steps.hours > begun) & (steps.hours <= until)
        if mine.sum() >= FEWEST_STEPS:
            hours = steps.hours[mine]
            last = float(hours[-1]) if end is None else until
            out.append(
                Lived(f"{device}/{n + 1}", hours, steps.readings[mine], steps.levels[mine], last,
                      end is not None and end.failed)
            )  # fmt: skip
        begun = until
    return out


def gather(
    database: Database, store: TelemetryStore, tenant: str, model: AssetModel, tell: Callable[[str], None]
) -> list[Lived]:
    """All lives of the machines of an asset model. Raises StoreUnreachable."""
    found: list[Lived] = []
    devices = devices_of(database, tenant, model.name)
    for n, (device, newest_us) in enumerate(devices):
        tell(f"reading what is stored of {device} ({n + 1} of {len(devices)})")
        steps = steps_of(store, tenant, device, model, None, newest_us + 1)
        found += lives_of(device, steps, ends_of(database, tenant, device))
    return found


def hash_of(lives: Sequence[Lived]) -> str:
    """SHA-256 of everything that is learned from."""
    out = hashlib.sha256()
    for life in lives:
        out.update(f"{life.name} {life.end_hours!r} {life.failed}\n".encode())
        for array in (life.hours, life.readings, life.levels):
            out.update(np.ascontiguousarray(array).tobytes())
    return out.hexdigest()
