"""What charts show, from the telemetry store and the service's own records."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from api.owners.condition import Conditions
from api.owners.machines import mine
from api.roles import Principal
from api.views import Chart, Series
from contracts.points import StoreUnreachable
from contracts.records import Prediction
from plumbing.runtime import Shared
from plumbing.sql import to_us
from work_orders import queries
from work_orders.queries import AssetView

BUCKETS = 240
GAP = 6.0
"""A silence of so many buckets is a gap in the line."""
BEFORE_EVIDENCE = timedelta(hours=72)
FORECASTS = 300


def _clean(values: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(v) or math.isinf(v) else round(v, 4) for v in values]


class Charts:
    """Charts of one installation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

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
            return Series(title, unit, [], [])
        t = band.t_us / 1e6
        mean, low, high = (np.asarray(v, dtype=float) for v in (band.mean, band.low, band.high))
        if len(t) > 1:
            width = max((end - start).total_seconds() / BUCKETS, float(np.median(np.diff(t))))
            holes = np.flatnonzero(np.diff(t) > GAP * width) + 1
            t = np.insert(t, holes, (t[holes - 1] + t[holes]) / 2)
            mean, low, high = (np.insert(v, holes, np.nan) for v in (mean, low, high))
        return Series(title, unit, [round(x, 3) for x in t.tolist()], _clean(mean.tolist()), _clean(low.tolist()),
                      _clean(high.tolist()))  # fmt: skip

    def alarms(self, tenant: str, asset: str) -> list[tuple[float, float, str]]:
        """Stretches with an open case, to be shaded."""
        now = self._shared.clocks.of(tenant).now()
        with self._shared.database.read() as connection:
            found = queries.cases(connection, tenant, asset_id=asset, limit=20).items
        spans = []
        for c in found:
            end = c.alarm_cleared_at or c.closed_at or now
            spans.append((c.opened_at.timestamp(), end.timestamp(), c.component.replace("_", " ")))
        return spans

    def signal(self, who: Principal, asset: str, signal: str, hours: float, conditions: Conditions) -> Chart | None:
        """A signal of an asset; `health`; `compensated:SIGNAL`."""
        found = self.asset_of(who, asset)
        if found is None:
            return None
        end = self._shared.clocks.of(who.tenant).now()
        start = end - timedelta(hours=hours)
        if signal == "health":
            return self._health(who.tenant, found, start)
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
        chart = Chart(of.title, [line], self.alarms(who.tenant, asset), limits)
        if plain == signal:
            return chart
        return self._compensated(who.tenant, found, plain, chart)

    def _compensated(self, tenant: str, asset: AssetView, signal: str, plain: Chart) -> Chart | None:
        return Chart(plain.title, plain.series, plain.spans, (), "Only the value as measured is known here yet.")

    def _predictions(self, tenant: str, asset: str) -> list[Prediction]:
        with self._shared.database.read() as connection:
            found = queries.predictions(connection, tenant, asset_id=asset, limit=FORECASTS).items
        return [r.prediction for r in reversed(found)]

    def _health(self, tenant: str, asset: AssetView, start: datetime) -> Chart:
        found = [p for p in self._predictions(tenant, asset.id) if p.issued_at >= start]
        t = [p.issued_at.timestamp() for p in found]
        series = [Series("Health", "%", t, [round(p.health, 2) for p in found])]
        if found and found[-1].remaining is not None:
            series.append(ahead(found[-1]))
        return Chart(
            "Health", series, self.alarms(tenant, asset.id), [(0.0, "failure")],
            "" if found else "Health is drawn from the first alarm on; until then nothing points to a failure.",
        )  # fmt: skip

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
        top = names[0]
        of = model.signals[top.signal]
        now = self._shared.clocks.of(tenant).now()
        end = min(now, until) if until else now
        line = self.series(
            tenant, prediction.device, of.name, of.title, of.unit, prediction.evidence_from - BEFORE_EVIDENCE, end
        )
        series = [line]
        if top.expected is not None and line.t:
            series.append(Series("Usual for it", of.unit, [line.t[0], line.t[-1]], [top.expected, top.expected]))
        mode = model.mode(prediction.failure_mode)
        limits = []
        if mode is not None and mode.limit is not None and mode.limit.signal == of.name:
            limits.append((mode.limit.value, f"fails: {mode.title.lower()}"))
        spans = [(prediction.alarm_since.timestamp(), end.timestamp(), "alarm")]
        return Chart(of.title, series, spans, limits)

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


def ahead(newest: Prediction) -> Series:
    """Health from the newest forecast to its end: the median, between the early and the late end."""
    remaining = newest.remaining
    assert remaining is not None
    start = newest.issued_at
    hours = np.linspace(0.0, max(remaining.p95, 1.0), 40)

    def fall(end: float) -> list[float | None]:
        return [round(float(newest.health * max(0.0, 1.0 - h / max(end, 1e-6))), 2) for h in hours]

    t = [(start + timedelta(hours=float(h))).timestamp() for h in hours]
    return Series("Forecast", "%", t, fall(remaining.p50), fall(remaining.p05), fall(remaining.p95))
