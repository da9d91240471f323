"""What charts show, from the telemetry store and the service's own records."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from anomaly.queries.compensated import USUAL, deviations, usual
from anomaly.queries.forecasts import alarms, index_chart
from anomaly.queries.late import late_rows
from anomaly.queries.misses import MissReports, Track, hours_of
from api.language import speaker
from api.owners.machines import mine
from api.roles import Principal
from api.views import Chart, Series
from contracts.evidence import evidence
from contracts.points import StoreUnreachable
from contracts.records import Prediction
from contracts.units import shown
from plumbing.runtime import Shared
from plumbing.sql import to_us
from work_orders import queries
from work_orders.queries import AssetView

BUCKETS = 240
MISSED, MISSED_DAYS = "missed:", 30
USUAL_THEN = "Usual for it, when the forecast was made"
GAP = 6.0
"""A silence of so many buckets is a gap in the line."""
BEFORE_EVIDENCE = timedelta(hours=72)


def _clean(values: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(v) or math.isinf(v) else round(v, 4) for v in values]


def in_language(chart: Chart, language: str) -> Chart:
    """A chart of evidence for a customer; the words of the asset model stay as they are."""
    say = speaker(language)
    return replace(
        chart, note=say(chart.note), series=[replace(s, name=say(s.name)) for s in chart.series],
        spans=[(start, end, say(words)) for start, end, words in chart.spans],
        limits=[(value, ": ".join(map(say, words.split(": ")))) for value, words in chart.limits],
    )  # fmt: skip


class Charts:
    """Charts of one installation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._misses = MissReports(shared)

    def asset_of(self, who: Principal, asset: str) -> AssetView | None:
        """The asset, if the principal may see it."""
        if asset not in mine(self._shared, who):
            return None
        with self._shared.database.read() as connection:
            return queries.asset(connection, who.tenant, asset, self._shared.clocks.of(who.tenant).now())

    def series(
        self, tenant: str, device: str, signal: str, title: str, unit: str, start: datetime, end: datetime
    ) -> Series:
        """A signal in buckets: mean with its lowest and highest value; a silence is a gap."""
        try:
            band = self._shared.store.band(tenant, device, signal, to_us(start), to_us(end), BUCKETS)
        except StoreUnreachable:
            return Series(title, shown(unit), [], [])
        t = band.t_us / 1e6
        mean, low, high = (np.asarray(v, dtype=float) for v in (band.mean, band.low, band.high))
        if len(t) > 1:
            width = max((end - start).total_seconds() / BUCKETS, float(np.median(np.diff(t))))
            holes = np.flatnonzero(np.diff(t) > GAP * width) + 1
            t = np.insert(t, holes, (t[holes - 1] + t[holes]) / 2)
            mean, low, high = (np.insert(v, holes, np.nan) for v in (mean, low, high))
        at = [round(x, 3) for x in t.tolist()]
        return Series(title, shown(unit), at, *(_clean(v.tolist()) for v in (mean, low, high)))

    def alarms(self, tenant: str, devices: Sequence[str]) -> list[tuple[float, float, str]]:
        """Stretches in alarm, to be shaded."""
        now = self._shared.clocks.of(tenant).now()
        found = [a for device in devices for a in alarms(self._shared.database, tenant, device=device, limit=20)]
        return [
            (a.raised_at.timestamp(), (a.cleared_at or now).timestamp(), a.component.replace("_", " ")) for a in found
        ]

    def late(self, who: Principal, device: str, start: datetime, end: datetime) -> list[tuple[float, float, str]]:
        """Stretches whose readings came after their turn, to be hatched."""
        found = late_rows(self._shared.database, who.tenant, device=device, since=start)
        out = []
        for of in (x for x in found if x.from_at <= end):
            peak = "" if of.peak is None or not who.sees_all else f", highest score {of.peak:.2f}"
            words = f"{of.rows:,} sample{'' if of.rows == 1 else 's'}{peak}"
            out.append((of.from_at.timestamp(), of.to_at.timestamp(), words))
        return out

    def signal(self, who: Principal, asset: str, signal: str, hours: float) -> Chart | None:
        """A signal of an asset; `health`; `compensated:SIGNAL`."""
        found = self.asset_of(who, asset)
        if found is None:
            return None
        end = self._shared.clocks.of(who.tenant).now()
        start = end - timedelta(hours=hours)
        if signal.startswith(MISSED):
            return self._missed(who, found, signal.removeprefix(MISSED))
        if signal == "health":
            return self._health(who.tenant, found, start, end)
        plain = signal.removeprefix("compensated:")
        model = self._shared.models(found.model)
        of = model.signals.get(plain) if model else None
        if of is None or not found.devices:
            return None
        line = self.series(who.tenant, found.devices[0], plain, of.title, of.unit, start, end)
        limits = []
        if model is not None:
            modes = [m for c in model.components.values() for m in c.modes]
            limits = [
                (m.limit.value, f"fails: {m.title.lower()}") for m in modes if m.limit and m.limit.signal == plain
            ]
        late = self.late(who, found.devices[0], start, end)
        chart = Chart(of.title, [line], self.alarms(who.tenant, found.devices), limits, late=late)
        if plain == signal:
            return chart
        return self.compensated(who.tenant, found.devices[0], plain, of.title, start, end)

    def compensated(self, tenant: str, device: str, signal: str, title: str, start: datetime, end: datetime) -> Chart:
        """How far a symptom is from usual, as measured and less what load and ambient explain."""
        try:
            found = deviations(self._shared, tenant, device, signal, to_us(start), to_us(end), BUCKETS)
        except StoreUnreachable:
            found = None
        if found is None or not len(found.t_us):
            return Chart(title, [], note="Its usual values are not learned yet.")
        t = [round(x, 3) for x in (found.t_us / 1e6).tolist()]
        return Chart(
            title,
            [
                Series("As measured", "deviations", t, _clean(found.plain.tolist())),
                Series("Load and ambient taken out", "deviations", t, _clean(found.compensated.tolist())),
            ],
            limits=[(USUAL, "usual up to here"), (-USUAL, "usual down to here")],
        )

    def missed_of(self, tenant: str, finding: str) -> Track | None:
        """The report of a missed breakdown; None = there is none, or its readings cannot be had now."""
        try:
            return self._misses.track(tenant, finding)
        except StoreUnreachable:
            return None

    def _missed(self, who: Principal, asset: AssetView, which: str) -> Chart | None:
        """The month before a missed breakdown: `FINDING` = the detectors, `FINDING:SIGNAL` = a signal."""
        finding, _, signal = which.partition(":")
        track = self.missed_of(who.tenant, finding) if who.sees_all else None
        if track is None or track.report.miss.asset != asset.id:
            return None
        miss, since = track.report.miss, track.report.since
        shaded = [(since.timestamp(), miss.at.timestamp(), "could have been seen")] if since is not None else []
        if not signal:
            t, lines = hours_of(track)
            series = [Series(title, "", t, _clean(level)) for title, level in lines]
            return Chart("Detectors", series, shaded, [(1.0, "threshold")], "" if t else track.report.sentence)
        model = self._shared.models(asset.model)
        of = model.signals.get(signal) if model else None
        if of is None:
            return None
        start = miss.at - timedelta(days=MISSED_DAYS)
        return Chart(
            of.title, [self.series(who.tenant, miss.device, signal, of.title, of.unit, start, miss.at)], shaded
        )

    def _health(self, tenant: str, asset: AssetView, start: datetime, end: datetime) -> Chart:
        if not asset.devices:
            return Chart("Health", [], note="No device watches this machine.")
        found = index_chart(self._shared.database, tenant, asset.devices[0], start, end)
        note = "" if found.at else "Health is drawn once its baseline is learned."
        every = max(1, len(found.at) // (2 * BUCKETS))
        t = [at.timestamp() for at in found.at][::every]
        series = [Series("Health", "%", t, _clean([float(h) for h in found.health][::every]))]
        if found.at and found.fails_middle is not None:
            ends = (found.fails_early, found.fails_middle, found.fails_late)
            series.append(ahead(found.at[-1], found.health[-1], [e for e in ends if e is not None]))
        return Chart("Health", series, self.alarms(tenant, asset.devices), [(0.0, "failure")], note)

    def evidence(
        self, tenant: str, prediction: Prediction | None, asset_model: str, until: datetime | None = None
    ) -> Chart | None:
        """The signal that carries a forecast, with what was expected."""
        if prediction is None:
            return None
        model = self._shared.models(asset_model)
        names = [c for c in prediction.carriers if model is not None and c.signal in model.signals]
        if model is None or not names:
            return Chart("Evidence", [], note="No single signal carries it.")
        mode = model.mode(prediction.failure_mode)
        top = (evidence(names, mode) or names)[0]
        of = model.signals[top.signal]
        now = self._shared.clocks.of(tenant).now()
        end = min(now, until) if until else now
        line = self.series(
            tenant, prediction.device, of.name, of.title, of.unit, prediction.evidence_from - BEFORE_EVIDENCE, end
        )
        series = [line]
        known = None if until else self._usual(tenant, prediction.device, of.name, line)
        if known is None and top.expected is not None and line.t:
            span = [prediction.evidence_from.timestamp(), prediction.measured_at.timestamp()]
            known = Series(USUAL_THEN, line.unit, span, [round(top.expected, 4)] * 2)
        if known is not None:
            series.append(known)
        limits = []
        if mode is not None and mode.limit is not None and mode.limit.signal == of.name:
            limits.append((mode.limit.value, f"fails: {mode.title.lower()}"))
        spans = [(prediction.alarm_since.timestamp(), end.timestamp(), "alarm")]
        return Chart(of.title, series, spans, limits)

    def _usual(self, tenant: str, device: str, signal: str, line: Series) -> Series | None:
        """What is usual for the machine at its load and heat of the time; None where that is not known any more."""
        if not line.t:
            return None
        try:
            found = usual(
                self._shared, tenant, device, signal, round(line.t[0] * 1e6), round(line.t[-1] * 1e6) + 1, BUCKETS
            )
        except StoreUnreachable:
            return None
        if found is None or not len(found.t_us):
            return None
        t, value = found.t_us / 1e6, found.value
        if len(t) > 1:
            holes = np.flatnonzero(np.diff(t) > GAP * float(np.median(np.diff(t)))) + 1
            t, value = np.insert(t, holes, (t[holes - 1] + t[holes]) / 2), np.insert(value, holes, np.nan)
        return Series("Usual for it", line.unit, [round(x, 3) for x in t.tolist()], _clean(value.tolist()))

    def case(self, who: Principal, case: str) -> Chart | None:
        """Evidence of a case."""
        with self._shared.database.read() as connection:
            found = queries.case(connection, who.tenant, case, decisions=1)
            if found is None:
                return None
            now = self._shared.clocks.of(who.tenant).now()
            asset = queries.asset(connection, who.tenant, found.case.asset_id, now)
        chart = self.evidence(who.tenant, found.prediction, asset.model if asset else "", found.case.closed_at)
        return chart or Chart("Evidence", [], note="No forecast belongs to this case.")


def ahead(start: datetime, health: float, ends: Sequence[datetime]) -> Series:
    """Health from now to the expected failure: in the middle, with the early and the late end around it."""
    hours = [max((end - start).total_seconds() / 3600, 1e-6) for end in ends]
    grid = np.linspace(0.0, hours[-1], 40)
    falls = [[round(float(health * max(0.0, 1.0 - h / end)), 2) for h in grid] for end in hours]
    t = [(start + timedelta(hours=float(h))).timestamp() for h in grid]
    return Series("Forecast", "%", t, falls[len(falls) // 2], falls[0], falls[-1])
