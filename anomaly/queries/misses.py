"""The miss report: what could have been seen of a breakdown that nothing had called for."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import numpy as np
import sqlalchemy as sa

from anomaly.domain.detector import State, detector_of
from anomaly.domain.following import HOUR_US, Follower
from anomaly.domain.layout import layout_of
from anomaly.domain.missed import ALONE, FEWEST_HOURS, LIMIT, SCORE, Hours, LookBack, Nearness, look_back
from anomaly.domain.packing import OldSnapshot, unpack
from anomaly.queries.forecasts import AlarmRow, alarms
from anomaly.service import tables as t
from anomaly.service.labelling import MISSED_DAYS
from contracts.asset_model import AssetModel
from plumbing.runtime import Shared
from plumbing.sql import Database, from_us, to_us

MOST_ROWS = 400_000
"""A report looks at so many rows at most, the newest ones: it is made while somebody waits for the page."""
KEPT = 64
DAY_US = 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class Miss:
    """A breakdown that nothing had called for."""

    finding: str
    device: str
    asset: str
    component: str
    mode: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Detected:
    """One detector in the days before: shares of its threshold."""

    kind: str
    """`score` = the detector itself, `alone` = what one signal adds to it, `limit` = a failure limit."""
    name: str
    title: str
    nearest: float
    nearest_at: datetime
    quiet: float
    since: datetime | None
    """From when on it stood out from the quiet days; None = it never did."""


@dataclass(frozen=True, slots=True)
class MissReport:
    """What could have been seen; `visible` None = it cannot be said, for the reason in `sentence`."""

    miss: Miss
    from_at: datetime
    visible: bool | None
    since: datetime | None
    """The earliest moment at which it could have been seen."""
    hours_before: float | None
    nearest: Detected | None
    detectors: tuple[Detected, ...]
    sentence: str
    note: str
    rows: int


@dataclass(frozen=True, slots=True)
class Track:
    """The report with the detectors by the hour, for the chart."""

    report: MissReport
    hours: tuple[Hours, ...]


def misses(database: Database, tenant: str, *, asset: str | None = None, limit: int = 50) -> list[Miss]:
    """Missed breakdowns, newest first, a device each."""
    c = t.missed.c
    query = sa.select(c.finding_id, c.device, c.asset, c.component, c.mode, c.at).where(c.tenant == tenant)
    if asset is not None:
        query = query.where(c.asset == asset)
    with database.read() as connection:
        rows = connection.execute(query.order_by(c.at.desc(), c.finding_id.desc()).limit(limit)).all()
    return [Miss(*tuple(row)) for row in rows]


class MissReports:
    """Makes reports and keeps the newest ones: the same readings lead to the same report."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._kept: dict[tuple[str, str, int], Track] = {}
        self._turn = threading.Lock()

    def track(self, tenant: str, finding: str) -> Track | None:
        """The report of a missed breakdown; None = there is none of this finding. Raises StoreUnreachable."""
        c, s = t.missed.c, t.states.c
        with self._shared.database.read() as connection:
            row = connection.execute(
                sa.select(t.missed, s.model, s.picture)
                .outerjoin(t.states, sa.and_(s.tenant == c.tenant, s.device == c.device))
                .where(c.tenant == tenant, c.finding_id == finding)
                .order_by(c.device)
                .limit(1)
            ).first()
        if row is None:
            return None
        newest = msgspec.json.decode(row.picture)["newest_us"] if row.picture else -1
        key = (tenant, finding, min(newest or -1, to_us(row.at)))
        with self._turn:
            if key not in self._kept:
                while len(self._kept) >= KEPT:
                    self._kept.pop(next(iter(self._kept)))
                miss = Miss(row.finding_id, row.device, row.asset, row.component, row.mode, row.at)
                self._kept[key] = self._made(tenant, miss, row.model, row.state)
            return self._kept[key]

    def _made(self, tenant: str, miss: Miss, model_name: str | None, packed: bytes | None) -> Track:
        end = to_us(miss.at)
        start = end - MISSED_DAYS * DAY_US
        model = self._shared.models(model_name) if model_name else None
        if model is None:
            return _unsaid(miss, start, "Nothing of this machine was ever heard.")
        if packed is None:
            return _unsaid(miss, start, "No baseline had been learned: what is usual for it was not known.")
        try:
            state: State = unpack(msgspec.msgpack.decode(packed))
        except OldSnapshot:
            return _unsaid(miss, start, "Its baseline of the time was kept by another version and cannot be read.")
        assert state.baseline is not None
        layout = layout_of(model)
        back = LookBack(model, layout, state.baseline, start, end)
        begun = self._read(tenant, miss.device, model, state, back, start, end)
        found = look_back(back.hours, layout.settings.window_hours)
        report = report_of(
            miss, model, from_us(begun), found, back.rows, start,
            alarms(self._shared.database, tenant, device=miss.device, limit=200),
        )  # fmt: skip
        return Track(report, tuple(back.hours))

    def _read(
        self, tenant: str, device: str, model: AssetModel, state: State, back: LookBack, start: int, end: int
    ) -> int:
        """Feed the readings day by day; from when on they were looked at."""
        layout, settings = layout_of(model), model.detection
        last = self._shared.store.read(tenant, device, from_us=end - DAY_US, to_us=end)
        per_day = max(1, len(last.t_us))
        begun = max(start, end - max(1, MOST_ROWS // per_day) * DAY_US)
        before = round(3 * settings.window_hours * HOUR_US + 5 * settings.lag_hours * HOUR_US)
        probe = detector_of(layout, State(Follower.of(layout), state.baseline, fits=state.fits))
        at = begun - before
        while at < end:
            seen = self._shared.store.read(tenant, device, from_us=at, to_us=min(at + DAY_US, end))
            if len(seen.t_us):
                back.add(probe.feed(seen.t_us, layout.arrange(seen.signals, seen.values), _no_alarm))
            at += DAY_US
        return begun


def _no_alarm(_t_us: int, _score: float) -> bool:
    return False


def _unsaid(miss: Miss, start_us: int, why: str) -> Track:
    report = MissReport(miss, from_us(start_us), None, None, None, None, (), why, "", 0)
    return Track(report, ())


def report_of(
    miss: Miss, model: AssetModel, from_at: datetime, found: list[Nearness], rows: int, start_us: int,
    stood: list[AlarmRow],
) -> MissReport:  # fmt: skip
    """The report in words."""
    named = [_detected(n, model, start_us) for n in found]
    if not named:
        why = f"Too few readings to say anything: fewer than {FEWEST_HOURS} hours with a score in the 30 days before."
        return MissReport(miss, from_at, None, None, None, None, (), why, "", rows)
    real = [d for d in named if d.kind == SCORE]
    nearest = max((d for d in named if d.kind in (SCORE, LIMIT)), key=lambda d: d.nearest, default=named[0])
    out = [d for d in named if d.since is not None]
    first = min(out, key=lambda d: d.since or miss.at, default=None)
    in_alarm = [a for a in stood if a.raised_at < miss.at and (a.cleared_at is None or a.cleared_at > from_at)]
    most = f"{_percent(nearest.nearest)} of it on {_day(nearest.nearest_at)}"
    brief = ", but not for as long as an alarm needs" if nearest.nearest > 1 and not in_alarm else ""
    near = f"{nearest.title} came nearest to its threshold: {most}{brief}."
    if in_alarm and real:
        began = min(a.raised_at for a in in_alarm)
        sentence = f"An alarm stood from {_day(began)} on, but no visit was called. {near}"
        return _report(miss, from_at, named, nearest, min(began, first.since if first and first.since else began),
                       sentence, rows)  # fmt: skip
    if first is None or first.since is None:
        quiet = "none of them rose above what it showed in the quiet days and stayed there"
        sentence = f"Not visible in these signals: {quiet}. {near}"
        return MissReport(miss, from_at, False, None, None, nearest, tuple(named), sentence, _note(miss, from_at), rows)
    ahead = (miss.at - first.since) / timedelta(hours=1)
    sentence = (
        f"It could have been seen from {_day(first.since)} on, {_length(ahead)} before: {_lower(first.title)} stood"
        f" above everything that it had shown in the quiet days. {near}"
    )
    return _report(miss, from_at, named, nearest, first.since, sentence, rows)


def _report(
    miss: Miss, from_at: datetime, named: list[Detected], nearest: Detected, since: datetime, sentence: str, rows: int
) -> MissReport:
    ahead = (miss.at - since) / timedelta(hours=1)
    return MissReport(
        miss, from_at, True, since, ahead, nearest, tuple(named), sentence, _note(miss, from_at), rows
    )  # fmt: skip


def _note(miss: Miss, from_at: datetime) -> str:
    days = (miss.at - from_at) / timedelta(days=1)
    if days > MISSED_DAYS - 0.5:
        return ""
    return f"Its readings are so many that only the newest {days:.0f} days were looked at."


def _detected(n: Nearness, model: AssetModel, start_us: int) -> Detected:
    mode = model.mode(n.name) if n.kind == LIMIT else None
    title = {
        SCORE: "The detector of the whole machine",
        ALONE: f"{model.signals[n.name].title} by itself" if n.name in model.signals else n.name,
        LIMIT: f"The failure limit of {mode.title.lower()}" if mode else n.name,
    }[n.kind]
    since = None if n.since is None else from_us(start_us + n.since * HOUR_US)
    return Detected(
        n.kind, n.name, title, n.nearest, from_us(start_us + n.nearest_at * HOUR_US), n.quiet, since
    )  # fmt: skip


def hours_of(track: Track) -> tuple[list[float], list[tuple[str, list[float]]]]:
    """For the chart: epoch seconds, and the level of the score and of the strongest signals."""
    if not track.hours:
        return [], []
    start = to_us(track.report.miss.at) - MISSED_DAYS * DAY_US
    known = np.flatnonzero(np.isfinite(track.hours[0].level))
    t_s = [(start + (h + 0.5) * HOUR_US) / 1e6 for h in known.tolist()]
    titles = {(d.kind, d.name): d.title for d in track.report.detectors} | {(SCORE, ""): "All signals"}
    ranked = {(d.kind, d.name): i for i, d in enumerate(track.report.detectors)}
    alone = [h for h in track.hours if h.kind == ALONE and (h.kind, h.name) in ranked]
    chosen = [track.hours[0], *sorted(alone, key=lambda h: ranked[(h.kind, h.name)])[:1]]
    return t_s, [(titles.get((h.kind, h.name), h.name), [float(x) for x in h.level[known]]) for h in chosen]


def _percent(share: float) -> str:
    return f"{max(share, 0.0):.0%}".replace("%", " %")


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b %H:%M}"


def _length(hours: float) -> str:
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
