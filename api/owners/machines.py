"""Machines: the installed base, with the state that anomaly sees and the work that goes on."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from api.language import ENGLISH, speaker
from api.live import CUSTOMER_HEARS
from api.owners.condition import NOTHING, Condition, Conditions
from api.owners.language_for import language_for
from api.owners.words import forecast_of
from api.roles import Principal, Role
from api.views import Asset, Forecast, Health, Line, SignalInfo
from contracts.asset_model import AssetModel
from contracts.units import shown
from ingest.service.registry import list_devices
from plumbing.runtime import Shared
from work_orders import queries
from work_orders.domain.letter import life_zh
from work_orders.queries import AssetView, CaseRow

SHOWN_CASES = 200


def visible(connection: sa.Connection, who: Principal, now: datetime) -> list[AssetView]:
    """The assets that the principal may see."""
    if who.sees_all:
        return queries.assets(connection, who.tenant, now)
    if who.role is Role.CUSTOMER:
        return queries.assets(connection, who.tenant, now, customer_id=who.subject)
    jobs = queries.orders(connection, who.tenant, technician_id=who.subject, limit=SHOWN_CASES).items
    return queries.assets(connection, who.tenant, now, ids=sorted({j.asset_id for j in jobs}))


def assets(shared: Shared, who: Principal, conditions: Conditions, only: str | None = None) -> list[Asset]:
    """Machines with their state; `only` one of them."""
    now = shared.clocks.of(who.tenant).now()
    seen = {d.device: d.last_seen for d in list_devices(shared.database, who.tenant)}
    with shared.database.read() as connection:
        language = language_for(connection, who)
        found = [a for a in visible(connection, who, now) if only is None or a.id == only]
        open_cases: dict[str, list[CaseRow]] = {}
        for case in queries.cases(connection, who.tenant, open_only=True, limit=SHOWN_CASES).items:
            open_cases.setdefault(case.asset_id, []).append(case)
        forecasts: dict[str, Forecast] = {}
        for asset in found:
            if asset.id in open_cases:
                newest = queries.predictions(connection, who.tenant, asset_id=asset.id, limit=1).items
                if newest:
                    told, model = newest[0].prediction, shared.models(asset.model)
                    mode = model.mode(told.failure_mode) if model else None
                    words = mode.words.get(language) if mode else None
                    made = forecast_of(told, asset.id, model)
                    forecasts[asset.id] = replace(made, mode=words.title) if words else made
    return [
        _asset(shared, a, conditions, open_cases.get(a.id, []), forecasts.get(a.id), seen, language)
        for a in found
    ]  # fmt: skip


def _asset(
    shared: Shared, a: AssetView, conditions: Conditions, cases: Sequence[CaseRow], forecast: Forecast | None,
    seen: dict[str, datetime | None], language: str,
) -> Asset:  # fmt: skip
    condition = next((conditions[d] for d in a.devices if d in conditions), NOTHING)
    if forecast is not None and condition.health is None:
        condition = replace(condition, health=forecast.health)
    model = shared.models(a.model)
    times = [at for d in a.devices if (at := seen.get(d)) is not None]
    last = max(times) if times else None
    unit = model.lifetime_unit if model else "h"
    state, why = say_state(a, condition, cases, forecast, last, language, unit)
    return Asset(
        a.id, a.name, a.model, model.title if model else a.model, a.customer_id or "", a.customer, a.site, state, why,
        condition.health, condition.score, condition.threshold, condition.learning_hours_left, last, a.devices,
        signals_of(model), forecast, condition.spark,
    )  # fmt: skip


def signals_of(model: AssetModel | None) -> list[SignalInfo]:
    """The signals of a model, symptoms first."""
    if model is None:
        return []
    order = {"symptom": 0, "condition": 1, "event": 2, "device_health": 3}
    return [
        SignalInfo(s.name, s.title, shown(s.unit), s.role.value)
        for s in sorted(model.signals.values(), key=lambda s: order[s.role.value])
    ]


def say_state(
    a: AssetView, condition: Condition, cases: Sequence[CaseRow], forecast: Forecast | None, last: datetime | None,
    language: str = ENGLISH, unit: str = "h",
) -> tuple[Health, str]:  # fmt: skip
    """The state in NAMUR NE 107's words, and why in a sentence."""
    say = speaker(language)
    broken = [c for c in cases if c.outcome == "failed"]
    if broken:
        return Health.FAILURE, say("It broke down ({what}).", what=broken[0].component.replace("_", " "))
    if a.worked_on:
        return Health.CHECK, say("Somebody works on it: {what}. Its alarms wait.", what=a.worked_on)
    if cases or condition.alarm_since is not None:
        if forecast is not None and forecast.remaining is not None:
            life = life_zh(forecast.remaining, unit) if language == "zh" else f"{_lower(forecast.life)}."
            return Health.MAINTENANCE, say("{mode}: {life}", mode=forecast.mode, life=life)
        if forecast is not None:
            return Health.MAINTENANCE, say("{mode} suspected; no trend yet.", mode=forecast.mode)
        return Health.MAINTENANCE, say("It behaves differently from what is usual for it.")
    if condition.aside:
        return Health.UNKNOWN, f"{condition.note[:1].upper()}{condition.note[1:]}."
    if condition.outside:
        return Health.OUT_OF_SPEC, say("It runs outside the regimes that were learned.")
    if condition.learning_hours_left:
        hours = f"{condition.learning_hours_left:.0f}"
        return Health.UNKNOWN, say("Learning what is usual for it, about {n} h left.", n=hours)
    if last is None:
        return Health.UNKNOWN, say("Nothing was heard from it yet.")
    if condition.hot:
        names = ", ".join(name.replace("_", " ") for name in condition.hot)
        return Health.NORMAL, say(
            "Unusual as measured ({names}), usual once load and ambient are taken into account.", names=names
        )
    if condition.note:
        words = condition.note[:1].upper() + condition.note[1:]
        return Health.NORMAL if condition.learned else Health.UNKNOWN, f"{words}."
    return Health.NORMAL, say("It behaves as usual.")


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def mine(shared: Shared, who: Principal) -> set[str]:
    """Ids of the assets that the principal may see."""
    with shared.database.read() as connection:
        return {a.id for a in visible(connection, who, shared.clocks.of(who.tenant).now())}


def timeline(shared: Shared, who: Principal, asset: str) -> list[Line]:
    """What happened around an asset that the principal may see."""
    with shared.database.read() as connection:
        found, known = queries.timeline(connection, who.tenant, asset), queries.names(connection, who.tenant)
    if who.role is Role.CUSTOMER:
        found = [m for m in found if m.action in CUSTOMER_HEARS]
    return [
        Line(
            m.at,
            m.action,
            queries.in_names(m.text, known),
            m.actor if who.sees_all else "",
            f"/orders/{m.id}/report" if who.role is Role.CUSTOMER and m.action in REPORTED else link_of(m.id, who),
        )
        for m in found
    ]


REPORTED = ("job_done", "order_closed")
"""What is told of an order that has a service report."""
LINKS = {"C-": "/cases/", "WO-": "/orders/", "N-": "/notices/"}


def link_of(id: str, who: Principal) -> str:
    """The page of what an event is about; empty where the principal has none."""
    for prefix, at in LINKS.items():
        if id.startswith(prefix):
            fine = who.sees_all or (prefix == "WO-" and who.role is Role.TECHNICIAN)
            return f"{at}{id}" if fine or (prefix == "N-" and who.role is Role.CUSTOMER) else ""
    return ""
