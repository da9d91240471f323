"""The whole ledger of a device, by day and by signal: what is not counted on the way in is counted in the stores.

How many values of a signal a day has is asked of the telemetry store (by the time of measuring), what was refused of it
is read from the quarantine (by the time of receipt, as far as it is kept there). What is expected follows from the
usual interval of the signal's newest readings; it is None where there are too few of them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import msgspec
import numpy as np
import sqlalchemy as sa

from contracts.points import Counting, Readings
from ingest.domain.reported import Reported
from ingest.domain.settlement import ELSEWHERE
from ingest.domain.times import DAY_US
from ingest.service.days import Day, days_of
from ingest.service.ledger import Ledger, ledger
from ingest.service.losses import Loss, losses_of
from ingest.service.quarantine import KEPT
from ingest.service.reports import report_of
from ingest.service.tables import devices, quarantine
from plumbing.runtime import Shared
from plumbing.sql import EPOCH, from_us, to_us

NEWEST = 300
"""Readings from which the usual interval is taken."""
FEWEST = 5
MOST_ENTRIES = 20_000
"""Of the quarantine, for the counts by signal."""
_VALUES = "].values."


@dataclass(frozen=True, slots=True)
class SignalNow:
    """A signal as it stands: its usual interval, its newest value's time and age."""

    signal: str
    interval_s: float | None
    last_at: datetime | None
    age_s: float | None


@dataclass(frozen=True, slots=True)
class SignalDay:
    """Values of one signal on one day (UTC); `missing` = expected - stored, at least 0."""

    day: date
    signal: str
    expected: int | None
    stored: int
    missing: int | None
    quarantined: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known.

    `skew_s` = how far the device's clock is ahead; `backlog_s` = the age of what arrives; `moved_ranges` =
    ranges whose samples have another number, too; `agent` = what the device says of itself, None where it never did.
    """

    ledger: Ledger
    days: Sequence[Day]
    losses: Sequence[Loss]
    last_seen: datetime | None
    silent_s: float | None
    skew_s: float | None
    backlog_s: float | None
    signals: Sequence[SignalNow] = ()
    signal_days: Sequence[SignalDay] = ()
    moved_ranges: Sequence[Loss] = ()
    agent: Reported | None = None


def report(shared: Shared, tenant: str, device: str, *, days: int = 7, signals: bool = True) -> Report:
    """The ledger of a device over the newest days. Raises StoreUnreachable where signals are wanted."""
    now = shared.clocks.of(tenant).now()
    with shared.database.read() as connection:
        row = connection.execute(
            sa.select(
                devices.c.first_seen, devices.c.last_seen, devices.c.skew_us, devices.c.backlog_us, devices.c.reported
            ).where(devices.c.tenant == tenant, devices.c.device == device)
        ).first()
    over = losses_of(shared.database, tenant, device)
    first, last = (row.first_seen, row.last_seen) if row else (None, None)
    current: list[SignalNow] = []
    by_day: list[SignalDay] = []
    if signals:
        newest = shared.store.read(tenant, device, limit=NEWEST, newest_first=True)
        current = [_now(newest, j, now) for j in range(len(newest.signals))]
        by_day = _by_day(shared, tenant, device, days, now, first, {s.signal: s.interval_s for s in current})
    return Report(
        ledger(shared.database, tenant, device),
        days_of(shared.database, tenant, device, days),
        [loss for loss in over if loss.reason not in ELSEWHERE],
        last,
        _seconds(now - last) if last else None,
        row.skew_us / 1e6 if row and row.skew_us is not None else None,
        row.backlog_us / 1e6 if row and row.backlog_us is not None else None,
        current,
        by_day,
        [loss for loss in over if loss.reason in ELSEWHERE],
        report_of(row.reported) if row else None,
    )


def _seconds(span: timedelta) -> float:
    return max(0.0, span.total_seconds())


def _now(newest: Readings, j: int, now: datetime) -> SignalNow:
    t_us = newest.t_us[~np.isnan(newest.values[:, j])]
    interval = None
    if len(t_us) >= FEWEST:
        interval = float(np.median(np.diff(t_us))) / 1e6 or None
    last = from_us(int(t_us[-1])) if len(t_us) else None
    return SignalNow(newest.signals[j], interval, last, _seconds(now - last) if last else None)


def _by_day(
    shared: Shared, tenant: str, device: str, days: int, now: datetime, first: datetime | None,
    intervals: dict[str, float | None],
) -> list[SignalDay]:  # fmt: skip
    today = to_us(now) // DAY_US
    begin, end = today - days + 1, today + 1
    stored: dict[tuple[int, str], int] = {}
    if isinstance(shared.store, Counting):
        for name, t_us, n in shared.store.counts(tenant, device, begin * DAY_US, end * DAY_US, DAY_US):
            stored[t_us // DAY_US, name] = n
    refused = refused_by_signal(shared, tenant, device, begin * DAY_US)
    out = []
    for day, name in sorted(stored.keys() | refused.keys(), key=lambda key: (-key[0], key[1])):
        expected = None
        interval = intervals.get(name)
        if interval:
            heard_us = to_us(first) if first else 0
            span_us = min((day + 1) * DAY_US, to_us(now)) - max(day * DAY_US, heard_us)
            expected = max(0, round(span_us / 1e6 / interval))
        n = stored.get((day, name), 0)
        missing = None if expected is None else max(0, expected - n)
        on = EPOCH.date() + timedelta(days=day)
        out.append(SignalDay(on, name, expected, n, missing, refused.get((day, name), {})))
    return out


def refused_by_signal(shared: Shared, tenant: str, device: str, from_us_: int) -> dict[tuple[int, str], dict[str, int]]:
    """Values that stand in quarantine by (day of receipt, signal) and reason; of each message the first 100 of them."""
    query = (
        sa.select(quarantine.c.received_at, quarantine.c.refusals)
        .where(
            quarantine.c.tenant == tenant, quarantine.c.device == device, quarantine.c.state == KEPT,
            quarantine.c.received_at >= from_us(from_us_),
        )
        .order_by(quarantine.c.id.desc())
        .limit(MOST_ENTRIES)
    )  # fmt: skip
    out: dict[tuple[int, str], Counter[str]] = {}
    with shared.database.read() as connection:
        for received_at, refusals in connection.execute(query):
            for path, reason in msgspec.json.decode(refusals, type=list[tuple[str, str]]):
                name = path.partition(_VALUES)[2]
                if name:
                    out.setdefault((to_us(received_at) // DAY_US, name), Counter())[reason] += 1
    return {key: dict(counts) for key, counts in out.items()}
