"""The review queue: every order that waits for a person's yes, with all that the decision needs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.records import Prediction
from work_orders.domain.autonomy_states import Record
from work_orders.domain.decision import Inputs, Outcome, brake_limit
from work_orders.domain.money import Costs
from work_orders.domain.policy import Policy
from work_orders.queries.door import incident_of_case
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service.track_record import standings

DAY = timedelta(hours=24)
MOST = 50


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One order. `said` are people's own words; `found_before` results at this component, newest first;
    `open_elsewhere` counts other open orders at the same site."""

    order_id: str
    version: int
    case_id: str
    asset_id: str
    asset: str
    model: str
    component: str
    failure_mode: str
    criticality: str
    customer_id: str
    customer: str
    site: str
    waiting_since: datetime
    sentence: str
    inputs: Inputs | None
    outcome: Outcome | None
    costs: Costs
    earliest: datetime | None
    latest: datetime | None
    prediction: Prediction | None
    record: Record
    found_before: tuple[tuple[str, datetime], ...]
    said: tuple[tuple[str, str], ...]
    open_elsewhere: int
    incident: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Review:
    """The queue, and how far the brake is: orders opened within a day of `limit` that may go without a person."""

    items: tuple[ReviewItem, ...]
    more: int
    in_a_day: int
    limit: int


def review(connection: sa.Connection, tenant: str, now: datetime) -> Review:
    """Orders that wait for approval, the most urgent first: by the end of their window, then by age."""
    o, c, a, k, s, g = t.orders.c, t.cases.c, t.assets.c, t.customers.c, t.sites.c, t.decisions.c
    waiting = sa.and_(o.tenant == tenant, o.state == "awaiting_approval")
    total = connection.execute(sa.select(sa.func.count()).where(waiting)).scalar_one()
    rows = connection.execute(
        sa.select(
            o.id, o.version, o.case_id, o.asset_id, a.name, a.model, o.component, o.failure_mode, a.criticality,
            o.customer_id, k.name.label("customer"), a.site_id, s.name.label("site"), o.changed_at, g.sentence,
            g.inputs, g.outcome, c.costs, c.earliest, c.latest, c.prediction_id,
        )
        .select_from(t.orders)
        .join(t.cases, sa.and_(c.tenant == o.tenant, c.id == o.case_id))
        .join(t.assets, sa.and_(a.tenant == o.tenant, a.id == o.asset_id))
        .outerjoin(t.customers, sa.and_(k.tenant == o.tenant, k.id == o.customer_id))
        .outerjoin(t.sites, sa.and_(s.tenant == a.tenant, s.id == a.site_id))
        .outerjoin(t.decisions, sa.and_(g.tenant == o.tenant, g.prediction_id == c.decided_by))
        .where(waiting)
        .order_by(o.latest.is_(None), o.latest, o.changed_at, o.id)
        .limit(MOST)
    ).all()  # fmt: skip
    records = {(x.model, x.customer_id): x.record for x in standings(connection, tenant)} if rows else {}
    items = tuple(_item(connection, tenant, r, records) for r in rows)
    in_a_day, limit = brake(connection, tenant, now)
    return Review(items, max(0, total - len(items)), in_a_day, limit)


def _item(connection: sa.Connection, tenant: str, r: Any, records: dict[tuple[str, str], Record]) -> ReviewItem:
    return ReviewItem(
        r.id, r.version, r.case_id, r.asset_id, r.name, r.model, r.component, r.failure_mode, r.criticality,
        r.customer_id or "", r.customer or "", r.site or "", r.changed_at, r.sentence or "",
        msgspec.json.decode(r.inputs, type=Inputs) if r.inputs else None,
        msgspec.json.decode(r.outcome, type=Outcome) if r.outcome else None,
        msgspec.json.decode(r.costs, type=Costs), r.earliest, r.latest,
        _prediction(connection, tenant, r.prediction_id),
        records.get((r.model, r.customer_id or ""), Record()), _before(connection, tenant, r.asset_id, r.component),
        _said(connection, tenant, r.case_id), _elsewhere(connection, tenant, r.site_id, r.id),
        incident_of_case(connection, tenant, r.case_id),
    )  # fmt: skip


def brake(connection: sa.Connection, tenant: str, now: datetime) -> tuple[int, int]:
    """Orders opened within a day, and how many may be without a person."""
    o, a = t.orders.c, t.assets.c
    in_a_day = connection.execute(
        sa.select(sa.func.count()).where(
            o.tenant == tenant, o.opened_at > now - DAY, o.follows.is_(None), o.state != "cancelled"
        )
    ).scalar_one()
    assets = connection.execute(sa.select(sa.func.count()).where(a.tenant == tenant)).scalar_one()
    body = connection.execute(sa.select(t.policies.c.body).where(t.policies.c.tenant == tenant)).scalar()
    policy = msgspec.json.decode(body, type=Policy) if body else Policy()
    return int(in_a_day), brake_limit(int(assets), policy.brake_per_100)


def _prediction(connection: sa.Connection, tenant: str, id: str | None) -> Prediction | None:
    c = t.intake.c
    body = connection.execute(sa.select(c.body).where(c.tenant == tenant, c.prediction_id == id)).scalar()
    return msgspec.msgpack.decode(body, type=Prediction) if body else None


def _before(connection: sa.Connection, tenant: str, asset: str, component: str) -> tuple[tuple[str, datetime], ...]:
    f = t.findings.c
    rows = connection.execute(
        sa.select(f.result, f.at)
        .where(f.tenant == tenant, f.asset_id == asset, f.component == component, f.superseded_at.is_(None))
        .order_by(f.at.desc())
        .limit(5)
    )
    return tuple((r.result, r.at) for r in rows)


def _said(connection: sa.Connection, tenant: str, case: str) -> tuple[tuple[str, str], ...]:
    r = d.requests.c
    rows = connection.execute(
        sa.select(r.who, r.text)
        .where(r.tenant == tenant, r.case_id == case, r.kind != "forecast")
        .order_by(r.taken_at)
        .limit(5)
    )
    return tuple((x.who, x.text) for x in rows)


def _elsewhere(connection: sa.Connection, tenant: str, site: str | None, order: str) -> int:
    o, a = t.orders.c, t.assets.c
    return connection.execute(
        sa.select(sa.func.count())
        .select_from(t.orders)
        .join(t.assets, sa.and_(a.tenant == o.tenant, a.id == o.asset_id))
        .where(o.tenant == tenant, a.site_id == site, o.ended_at.is_(None), o.id != order)
    ).scalar_one()
