"""Cases with their decision log, predictions as they were taken in, findings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.records import Prediction
from work_orders.domain.money import Bill, Costs, bill
from work_orders.queries.paging import LIMIT, Page, page_of
from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case in a list. `p_horizon` is the newest P(failure) within the decision's horizon (None = no trend yet)."""

    id: str
    asset_id: str
    asset: str
    customer_id: str | None
    component: str
    failure_mode: str
    state: str
    reason: str
    outcome: str
    opened_at: datetime
    closed_at: datetime | None
    decided_at: datetime | None
    would_have_opened_at: datetime | None
    alarm_cleared_at: datetime | None
    p_horizon: float | None
    path: str | None
    version: int


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One entry of the decision log; `inputs` is the JSON that it replays from."""

    prediction_id: str
    at: datetime
    verdict: str
    path: str | None
    p: float | None
    would_have_opened: bool
    sentence: str
    inputs: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    """What was found."""

    id: str
    case_id: str
    order_id: str | None
    asset_id: str
    component: str
    result: str
    failure_mode: str
    as_found: str
    replaced: bool
    at: datetime
    actor: str
    superseded_at: datetime | None
    serial: str


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """A case with all that belongs to it. `decisions` newest first; `bill` None while it runs."""

    case: CaseRow
    costs: Costs
    earliest: datetime | None
    latest: datetime | None
    broke_down_at: datetime | None
    decisions: tuple[DecisionRow, ...]
    prediction: Prediction | None
    orders: tuple[tuple[str, str], ...]
    """Ids and states."""
    notices: tuple[tuple[str, str], ...]
    findings: tuple[FindingRow, ...]
    bill: Bill | None


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """A prediction and what became of it here."""

    prediction: Prediction
    asset_id: str
    state: str
    reason: str
    case_id: str | None
    label: str | None
    taken_at: datetime


_C, _A = t.cases.c, t.assets
_ROW = (
    _C.id, _C.asset_id, _A.c.name, _C.customer_id, _C.component, _C.failure_mode, _C.state, _C.reason, _C.outcome,
    _C.opened_at, _C.closed_at, _C.decided_at, _C.would_have_opened_at, _C.alarm_cleared_at, _C.p_horizon, _C.path,
    _C.version,
)  # fmt: skip


def _cases(tenant: str) -> "sa.Select[Any]":
    joined = t.cases.join(_A, sa.and_(_A.c.tenant == _C.tenant, _A.c.id == _C.asset_id))
    return sa.select(*_ROW).select_from(joined).where(_C.tenant == tenant)


def cases(
    connection: sa.Connection, tenant: str, *, asset_id: str | None = None, state: str | None = None,
    customer_id: str | None = None, open_only: bool = False, after: str | None = None, limit: int = LIMIT,
) -> Page[CaseRow]:  # fmt: skip
    """Cases, newest first."""
    chosen = _cases(tenant)
    for column, value in ((_C.asset_id, asset_id), (_C.state, state), (_C.customer_id, customer_id)):
        if value is not None:
            chosen = chosen.where(column == value)
    if open_only:
        chosen = chosen.where(_C.closed_at.is_(None))
    rows, cursor = page_of(connection, chosen, _C.opened_at, _C.id, after, limit)
    return Page(tuple(CaseRow(*r) for r in rows), cursor)


def case(
    connection: sa.Connection, tenant: str, id: str, *, customer_id: str | None = None, decisions: int = 200
) -> CaseDetail | None:
    """One case; with `customer_id` only that customer's."""
    chosen = _cases(tenant).where(_C.id == id)
    if customer_id is not None:
        chosen = chosen.where(_C.customer_id == customer_id)
    row: Any = connection.execute(chosen).first()
    if row is None:
        return None
    more = connection.execute(sa.select(t.cases).where(_C.tenant == tenant, _C.id == id)).one()
    d, o, n, i = t.decisions.c, t.orders.c, t.notices.c, t.intake.c
    log = connection.execute(
        sa.select(d.prediction_id, d.at, d.verdict, d.path, d.p, d.would_have_opened, d.sentence, d.inputs)
        .where(d.tenant == tenant, d.case_id == id)
        .order_by(d.at.desc(), d.prediction_id.desc())
        .limit(decisions)
    )
    body = connection.execute(
        sa.select(i.body).where(i.tenant == tenant, i.prediction_id == more.prediction_id)
    ).scalar()
    orders = connection.execute(
        sa.select(o.id, o.state).where(o.tenant == tenant, o.case_id == id).order_by(o.opened_at)
    )
    notices = connection.execute(sa.select(n.id, n.state).where(n.tenant == tenant, n.case_id == id))
    costs = msgspec.json.decode(more.costs, type=Costs)
    return CaseDetail(
        CaseRow(*row), costs, more.earliest, more.latest, more.broke_down_at, tuple(DecisionRow(*r) for r in log),
        msgspec.msgpack.decode(body, type=Prediction) if body else None, tuple((r[0], r[1]) for r in orders),
        tuple((r[0], r[1]) for r in notices),
        findings(connection, tenant, case_id=id).items, bill(more.outcome, costs),
    )  # fmt: skip


def findings(
    connection: sa.Connection, tenant: str, *, asset_id: str | None = None, case_id: str | None = None,
    order_id: str | None = None, customer_id: str | None = None, result: str | None = None, after: str | None = None,
    limit: int = LIMIT,
) -> Page[FindingRow]:  # fmt: skip
    """Findings, newest first."""
    c = t.findings.c
    chosen = sa.select(
        c.id, c.case_id, c.order_id, c.asset_id, c.component, c.result, c.failure_mode, c.as_found, c.replaced, c.at,
        c.actor, c.superseded_at, c.serial,
    ).where(c.tenant == tenant)  # fmt: skip
    for column, value in ((c.asset_id, asset_id), (c.case_id, case_id), (c.order_id, order_id), (c.result, result)):
        if value is not None:
            chosen = chosen.where(column == value)
    if customer_id is not None:
        chosen = chosen.join(
            _A, sa.and_(_A.c.tenant == c.tenant, _A.c.id == c.asset_id, _A.c.customer_id == customer_id)
        )
    rows, cursor = page_of(connection, chosen, c.at, c.id, after, limit)
    return Page(tuple(FindingRow(*r) for r in rows), cursor)


def predictions(
    connection: sa.Connection, tenant: str, *, asset_id: str | None = None, state: str | None = None,
    case_id: str | None = None, customer_id: str | None = None, after: str | None = None, limit: int = LIMIT,
) -> Page[PredictionRow]:  # fmt: skip
    """Predictions as they were taken in, newest first."""
    c = t.intake.c
    chosen = sa.select(
        c.body, c.asset_id, c.state, c.reason, c.case_id, c.label, c.taken_at, c.issued_at, c.prediction_id
    ).where(c.tenant == tenant)
    for column, value in ((c.asset_id, asset_id), (c.state, state), (c.case_id, case_id)):
        if value is not None:
            chosen = chosen.where(column == value)
    if customer_id is not None:
        chosen = chosen.join(
            _A, sa.and_(_A.c.tenant == c.tenant, _A.c.id == c.asset_id, _A.c.customer_id == customer_id)
        )
    rows, cursor = page_of(connection, chosen, c.issued_at, c.prediction_id, after, limit)
    return Page(tuple(PredictionRow(msgspec.msgpack.decode(r[0], type=Prediction), *r[1:7]) for r in rows), cursor)
