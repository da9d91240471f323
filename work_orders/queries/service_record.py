"""What a service report says: the facts of one work order, from the forecast to the telemetry after the job."""

import math
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.points import StoreUnreachable
from contracts.records import Prediction, decode_from_anomaly
from contracts.units import shown
from plumbing.runtime import Shared
from plumbing.sql import to_us
from work_orders.domain.policy import Policy
from work_orders.domain.service_record import Found, Picture, ServiceRecord, Step, Track
from work_orders.domain.words import chance, span
from work_orders.queries import order as order_of
from work_orders.service import tables as t
from work_orders.service import work_tables as w

BEFORE, AFTER = timedelta(days=7), timedelta(days=7)
COMPARED = timedelta(hours=24)
BUCKETS, SIGNALS, PHOTOS = 240, 3, 6
VERDICTS = {
    "prevented": "The damage had begun; the failure was prevented.",
    "true": "It had failed, or was about to.",
    "false": "Nothing was wrong with the machine.",
    "missed": "It had broken down without a warning.",
    "unknown": "What it was cannot be said.",
}


def service_record(
    shared: Shared, tenant: str, id: str, *, customer_id: str | None = None, technician_id: str | None = None
) -> tuple[ServiceRecord, dict[str, bytes]] | None:
    """The record of an order with the bytes of its pictures by SHA-256; with `customer_id` or `technician_id` only
    theirs."""
    with shared.database.read() as connection:
        found = order_of(connection, tenant, id, customer_id=customer_id, technician_id=technician_id)
        if found is None:
            return None
        row = found.order
        a, s = t.assets.c, t.sites.c
        asset: Any = connection.execute(
            sa.select(a.serial, a.model, s.time_zone)
            .outerjoin(t.sites, sa.and_(s.tenant == a.tenant, s.id == a.site_id))
            .where(a.tenant == tenant, a.id == row.asset_id)
        ).one()
        devices = t.asset_devices.c
        device = connection.execute(
            sa.select(devices.device).where(devices.tenant == tenant, devices.asset_id == row.asset_id).limit(1)
        ).scalar()
        forecast = _forecast(connection, tenant, id)
        k = t.tasks.c
        steps = [
            Step(r.n, r.text, r.state, r.result, r.value, r.unit, r.low, r.high, r.actor)
            for r in connection.execute(sa.select(t.tasks).where(k.tenant == tenant, k.order_id == id).order_by(k.n))
        ]
        f = t.findings.c
        findings = list(
            connection.execute(
                sa.select(t.findings)
                .where(f.tenant == tenant, f.order_id == id, f.superseded_at.is_(None))
                .order_by(f.at, f.id)
            )
        )
        body = connection.execute(sa.select(t.policies.c.body).where(t.policies.c.tenant == tenant)).scalar()
        pictures, data = _pictures(connection, tenant, id)
    policy = msgspec.json.decode(body, type=Policy) if body else Policy()
    model = shared.models(asset.model)
    modes = {m.name: m.title for c in model.components.values() for m in c.modes} if model else {}
    component = model.components.get(row.component) if model else None
    times = [row.changed_at, *(x.at for x in findings), *(p.at for p in pictures)]
    return ServiceRecord(
        1, tenant, id, row.title, row.state, row.type, policy.company, policy.phone,
        found.customer, found.site, found.address, asset.time_zone or "UTC", row.asset_id, found.asset, asset.serial,
        model.title if model else asset.model, component.title if component else row.component, found.remedy,
        found.part or "", found.technician, row.opened_at, row.visit_start, row.started_at, row.finished_at,
        row.ended_at, max(times), _in_words(forecast, modes), steps,
        [
            Found(x.at, x.actor, VERDICTS.get(x.result, x.result), modes.get(x.failure_mode, x.failure_mode),
                  x.as_found, x.replaced, x.serial)
            for x in findings
        ],
        _tracks(shared, tenant, device, model, forecast, row), pictures,
    ), data  # fmt: skip


def _forecast(connection: sa.Connection, tenant: str, order: str) -> Prediction | None:
    o, p = t.orders.c, t.intake.c
    body = connection.execute(
        sa.select(p.body)
        .join(t.orders, sa.and_(o.tenant == p.tenant, o.prediction_id == p.prediction_id))
        .where(o.tenant == tenant, o.id == order)
    ).scalar()
    found = decode_from_anomaly(body) if body else None
    return found if isinstance(found, Prediction) else None


def _in_words(of: Prediction | None, modes: dict[str, str]) -> list[str]:
    if of is None:
        return []
    said = [f"Suspected: {modes.get(of.failure_mode, of.failure_mode.replace('_', ' '))}."]
    week = (of.p_fail or {}).get("7d")
    if week is not None:
        said.append(f"Failure within a week: {chance(week)}.")
    if of.remaining is not None:
        said.append(f"Expected to last {span(of.remaining.p05, of.remaining.p95)} more.")
    return said


def _pictures(connection: sa.Connection, tenant: str, order: str) -> tuple[list[Picture], dict[str, bytes]]:
    c, b = w.attachments.c, w.attachment_bytes.c
    rows = connection.execute(
        sa.select(c.purpose, c.name, c.who, c.at, c.media_type, c.sha256, b.body)
        .join(w.attachment_bytes, sa.and_(b.tenant == c.tenant, b.sha256 == c.sha256))
        .where(c.tenant == tenant, c.order_id == order, c.purpose.in_(("photo", "signature")))
        .order_by(c.purpose.desc(), c.at, c.id)
        .limit(PHOTOS + 2)
    ).all()
    return [Picture(*r[:6]) for r in rows], {r.sha256: bytes(r.body) for r in rows}


def _tracks(shared: Shared, tenant: str, device: str | None, model: Any, forecast: Any, row: Any) -> list[Track]:
    """The signals that carried the forecast, else the first symptoms of the model."""
    if device is None or model is None:
        return []
    usual = {c.signal: c.expected for c in forecast.carriers} if forecast else {}
    names = [n for n in usual if n in model.signals] or [
        n for n, s in model.signals.items() if str(s.role) == "symptom"
    ]
    begun = row.started_at or row.visit_start or row.opened_at
    done = row.finished_at or row.ended_at or begun
    now = shared.clocks.of(tenant).now()
    start, end = begun - BEFORE, max(begun, min(now, done + AFTER))
    out = []
    for name in names[:SIGNALS]:
        try:
            band = shared.store.band(tenant, device, name, to_us(start), to_us(end), BUCKETS)
            before = _mean(shared, tenant, device, name, begun - COMPARED, begun)
            after = _mean(shared, tenant, device, name, done, min(now, done + COMPARED)) if row.finished_at else None
        except StoreUnreachable:
            continue
        lines = [[float(f"{y:.5g}") for y in part.tolist()] for part in (band.mean, band.low, band.high)]
        at = [round(x / 1e6, 1) for x in band.t_us.tolist()]
        good = [i for i, y in enumerate(lines[0]) if math.isfinite(y)]
        lines, at = [[part[i] for i in good] for part in lines], [at[i] for i in good]
        of = model.signals[name]
        out.append(Track(of.title, shown(of.unit), usual.get(name), before, after, start, end, at, *lines))
    return out


def _mean(shared: Shared, tenant: str, device: str, name: str, start: datetime, end: datetime) -> float | None:
    """The mean of a day, by the hour; None = no readings."""
    if end <= start:
        return None
    there = [y for y in shared.store.band(tenant, device, name, to_us(start), to_us(end), 24).mean if math.isfinite(y)]
    return float(f"{sum(there) / len(there):.4g}") if there else None
