"""How machines are judged: answered from anomaly's own records."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from anomaly.adapters.people import check_sensor, confirm_baseline
from anomaly.domain.diagnosis import LEAST_FIT
from anomaly.queries.condition import SensorFault, baselines, quiet_log, sensor_faults
from anomaly.queries.groups import alarm_groups
from anomaly.queries.past_cases import PastCase, like_now
from anomaly.queries.states import asset_state
from api.insight_views import FaultySensor, Insight, Part, PastLike, SharedCause, Suspected, Waste
from api.owners.machines import visible
from api.ports import Wanted
from api.roles import Principal
from api.views import Chore, Page
from contracts.asset_model import AssetModel
from contracts.units import shown
from plumbing.runtime import Shared
from plumbing.sql import from_us, to_us
from work_orders.queries import AssetView

SHOWN_DAYS = 7
MOST_FAULTS = 500


class Insights:
    """Questions and commands; None or False = there is nothing of that name for the principal."""

    _shared: Shared

    def _asset_view(self, who: Principal, asset: str) -> AssetView | None:
        with self._shared.database.read() as connection:
            found = visible(connection, who, self._shared.clocks.of(who.tenant).now())
        return next((a for a in found if a.id == asset and a.devices), None)

    def insight(self, who: Principal, asset: str) -> Insight | None:
        """How a machine is judged."""
        found = self._asset_view(who, asset)
        if found is None:
            return None
        device, model, database = found.devices[0], self._shared.models(found.model), self._shared.database
        state = asset_state(database, who.tenant, device)
        told = state.explanation if state is not None else None
        faults = sensor_faults(database, who.tenant, device=device, standing=True)
        days = quiet_log(database, who.tenant, device, limit=SHOWN_DAYS)
        return Insight(
            asset, told["score"] if told else None, told["threshold"] if told else None, _parts(told, model),
            told["nearer"] if told else None, _suspected(state.suspects if state else (), model),
            _waste(state.wasted if state else (), model, self._shared.clocks.of(who.tenant).now()),
            [_faulty(f, asset) for f in faults],
            baselines(database, who.tenant, device), days, str(told.get("says", "")) if told else "",
            [_past(x, model) for x in like_now(database, who.tenant, device)],
        )  # fmt: skip

    def quiet(self, who: Principal, asset: str, wanted: Wanted) -> Page | None:
        """The quiet log of a machine, newest day first."""
        found = self._asset_view(who, asset)
        if found is None:
            return None
        rows = quiet_log(
            self._shared.database, who.tenant, found.devices[0], before=wanted.after or None, limit=wanted.limit + 1
        )
        items = rows[: wanted.limit]
        return Page(items, items[-1].day if len(rows) > wanted.limit else None)

    def faulty_sensors(self, who: Principal, wanted: Wanted) -> Page:
        """Faults of sensors, newest first; `state` standing or ended."""
        with self._shared.database.read() as connection:
            mine = visible(connection, who, self._shared.clocks.of(who.tenant).now())
        asset_of = {d: a.id for a in mine for d in a.devices}
        found = [
            _faulty(f, asset_of[f.device])
            for f in sensor_faults(self._shared.database, who.tenant, limit=MOST_FAULTS)
            if f.device in asset_of and wanted.asset in ("", asset_of[f.device])
        ]
        found = [f for f in found if wanted.state in ("", "standing" if f.ended_at is None else "ended")]
        return Page(found[: wanted.limit])

    def shared_causes(self, who: Principal, wanted: Wanted, since: datetime | None = None) -> Page:
        """Alarms that most likely share a cause, newest first; the machine that was first is named first."""
        with self._shared.database.read() as connection:
            mine = visible(connection, who, self._shared.clocks.of(who.tenant).now())
        named = {d: a for a in mine for d in a.devices}
        us, _, last = wanted.after.partition("_")
        before = (from_us(int(us)), last) if us else None
        found = alarm_groups(
            self._shared.database, who.tenant, since=since, before=before, device=_device_of(mine, wanted.asset),
            limit=wanted.limit + 1,
        )  # fmt: skip
        items = []
        for group in found[: wanted.limit]:
            machines = [(named[d].id, named[d].name) if d in named else ("", d) for d in group.devices]
            first = named.get(group.cause)
            cause = (first.id, first.name) if first is not None else ("", group.cause)
            site = first.site if first is not None else group.site
            items.append(
                SharedCause(
                    group.id, site or group.site, group.first_at, group.last_at, group.alarms, cause,
                    [m for m in machines if m != cause],
                )
            )  # fmt: skip
        more = len(found) > wanted.limit
        return Page(items, f"{to_us(items[-1].first_at)}_{items[-1].id}" if more else None)

    def confirm_baseline(self, who: Principal, asset: str) -> bool:
        """The machine was healthy while its baseline was learned."""
        found = self._asset_view(who, asset)
        return found is not None and confirm_baseline(self._shared, who.tenant, found.devices[0], who.name)

    def sensor_checked(self, who: Principal, asset: str, signal: str) -> bool:
        """A person looked at a sensor, and what it shows is right."""
        found = self._asset_view(who, asset)
        model = self._shared.models(found.model) if found else None
        if found is None or model is None or signal not in model.signals:
            return False
        check_sensor(self._shared, who.tenant, found.devices[0], signal, who.name)
        return True

    def sensor_chores(self, who: Principal) -> list[Chore]:
        """Checks of sensors that wait for the office."""
        with self._shared.database.read() as connection:
            mine = visible(connection, who, self._shared.clocks.of(who.tenant).now())
        by_device = {d: a for a in mine for d in a.devices}
        return [
            Chore(
                "check_sensor", f.id, f"{by_device[f.device].name}: check a sensor", f"{f.text}.",
                f"/assets/{by_device[f.device].id}#sensors", "", {}, "Look at it", f.since,
            )
            for f in sensor_faults(self._shared.database, who.tenant, standing=True)
            if f.device in by_device
        ]  # fmt: skip


def _device_of(mine: Sequence[AssetView], asset: str) -> str | None:
    return next((a.devices[0] for a in mine if a.id == asset and a.devices), asset or None)


def _faulty(f: SensorFault, asset: str) -> FaultySensor:
    return FaultySensor(**asdict(f), asset=asset)


def _parts(told: dict[str, object] | None, model: AssetModel | None) -> list[Part]:
    if told is None:
        return []
    found = told["contributions"]
    if not isinstance(found, list):
        return []
    total = sum(max(0.0, c["part"]) for c in found)
    out = []
    for c in found:
        of = model.signals.get(c["signal"]) if model else None
        out.append(
            Part(
                c["signal"], of.title if of else c["signal"], shown(of.unit) if of else "", c["part"],
                max(0.0, c["part"]) / total if total > 0 else 0.0, c["value"], c["expected"], c["enough"],
            )
        )  # fmt: skip
    return out


def _waste(found: Sequence[dict[str, Any]], model: AssetModel | None, now: datetime) -> list[Waste]:
    out = []
    for w in found:
        mode = model.mode(w["mode"]) if model else None
        out.append(
            Waste(
                w["mode"], mode.title if mode else w["mode"], w["kw"], w.get("error_kw", 0.0), w["cost_a_day"],
                model.currency if model else "", w["planned"],
                None if w["days"] is None else now + timedelta(days=w["days"]), w["pays_back_days"],
            )
        )  # fmt: skip
    return out


def _suspected(found: Sequence[dict[str, object]], model: AssetModel | None) -> list[Suspected]:
    out = []
    for s in found:
        mode = model.mode(str(s["mode"])) if model else None
        fit = s["fit"]
        out.append(
            Suspected(
                str(s["component"]), str(s["mode"]), mode.title if mode else str(s["mode"]),
                float(str(s["probability"])), isinstance(fit, float) and fit >= LEAST_FIT,
            )
        )  # fmt: skip
    return out


def _past(of: PastCase, model: AssetModel | None) -> PastLike:
    mode = model.mode(of.mode) if model else None
    title = mode.title if mode else of.mode.replace("_", " ")
    return PastLike(of.case, of.asset, title, of.verdict, of.as_found, of.replaced, of.found_at, of.likeness)
