"""The record of a kind of machine and customer: what came of what was called, for whoever lets it do more."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from work_orders.domain.autonomy_states import Record
from work_orders.domain.decision import Autonomy
from work_orders.domain.money import Costs
from work_orders.service import autonomy_tables as p
from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class Standing:
    """What the product may do for a model and a customer ("" = every one), and its record there.

    `own` = set for exactly this pair, else it follows from a wider setting. `costs` = sums of (failure, planned visit,
    visit for nothing) over the cases that the record rests on.
    """

    model: str
    customer_id: str
    customer: str
    mode: Autonomy
    own: bool
    machines: int
    record: Record
    costs: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Promotion:
    """Who changed it, when, on what record."""

    model: str
    customer_id: str
    from_mode: str
    to_mode: str
    seen: Record
    reason: str
    actor: str
    at: datetime


def standings(connection: sa.Connection, tenant: str, *, model: str | None = None) -> list[Standing]:
    """Each model, for every customer together first, then for each customer that has machines of it."""
    a, k, m = t.assets.c, t.customers.c, t.autonomy.c
    chosen = sa.select(a.model, a.customer_id, sa.func.count()).where(a.tenant == tenant)
    if model is not None:
        chosen = chosen.where(a.model == model)
    machines: dict[tuple[str, str], int] = {}
    for name, customer, count in connection.execute(chosen.group_by(a.model, a.customer_id)):
        machines[name, customer or ""] = machines.get((name, customer or ""), 0) + count
    names = {r.id: r.name for r in connection.execute(sa.select(k.id, k.name).where(k.tenant == tenant))}
    set_ = {
        (r.model, r.customer_id): Autonomy(r.mode)
        for r in connection.execute(sa.select(m.model, m.customer_id, m.mode).where(m.tenant == tenant))
    }
    records, costs = _records(connection, tenant, model)
    out = []
    for name in sorted({x for x, _ in machines}):
        own = sorted(c for x, c in machines if x == name and c)
        for customer in ("", *own):
            pairs = [(x, c) for x, c in machines if x == name and customer in ("", c)]
            out.append(
                Standing(
                    name, customer, names.get(customer, customer), mode_of(set_, name, customer),
                    (name, customer) in set_, sum(machines[x] for x in pairs), _sum([records.get(x) for x in pairs]),
                    _add([costs.get(x) for x in pairs]),
                )
            )  # fmt: skip
    return out


def mode_of(set_: dict[tuple[str, str], Autonomy], model: str, customer: str) -> Autonomy:
    """The closest setting."""
    for key in ((model, customer), (model, ""), ("", customer), ("", "")):
        if key in set_:
            return set_[key]
    return Autonomy.WATCH


def _records(
    connection: sa.Connection, tenant: str, model: str | None
) -> tuple[dict[tuple[str, str], Record], dict[tuple[str, str], tuple[float, float, float]]]:
    c, a, f = t.cases.c, t.assets.c, t.findings.c
    told = sa.and_(f.superseded_at.is_(None), f.result != "unknown")
    chosen = (
        sa.select(
            a.model, a.customer_id, c.state, c.decided_at, c.outcome, c.closed_at, c.costs, sa.func.max(f.result)
        )
        .select_from(t.cases)
        .join(t.assets, sa.and_(a.tenant == c.tenant, a.id == c.asset_id))
        .outerjoin(t.findings, sa.and_(f.tenant == c.tenant, f.case_id == c.id, told))
        .where(c.tenant == tenant, sa.or_(c.prediction_id.is_not(None), f.result == "missed"))
        .group_by(a.model, a.customer_id, c.id, c.state, c.decided_at, c.outcome, c.closed_at, c.costs)
    )  # fmt: skip
    if model is not None:
        chosen = chosen.where(a.model == model)
    records: dict[tuple[str, str], Record] = {}
    costs: dict[tuple[str, str], tuple[float, float, float]] = {}
    for r in connection.execute(chosen):
        key, result, called = (r.model, r.customer_id or ""), r[7], r.decided_at is not None
        old = records.get(key, Record())
        right, wrong = result in ("true", "prevented"), result == "false"
        records[key] = Record(
            old.right + right, old.wrong + wrong, old.missed + (result == "missed"),
            old.faded + (called and result is None and r.outcome == "cleared"),
            old.waiting + (called and result is None and r.closed_at is None),
        )  # fmt: skip
        if right or wrong:
            of, had = msgspec.json.decode(r.costs, type=Costs), costs.get(key, (0.0, 0.0, 0.0))
            costs[key] = (had[0] + of.failure.total, had[1] + of.planned.total, had[2] + of.false_visit.total)
    return records, costs


def _sum(of: list[Record | None]) -> Record:
    found = [r for r in of if r is not None]
    return Record(*(sum(getattr(r, n) for r in found) for n in ("right", "wrong", "missed", "faded", "waiting")))


def _add(of: list[tuple[float, float, float] | None]) -> tuple[float, float, float]:
    found = [c for c in of if c is not None]
    return sum(c[0] for c in found), sum(c[1] for c in found), sum(c[2] for c in found)


def promotions(connection: sa.Connection, tenant: str, *, limit: int = 20) -> list[Promotion]:
    """The newest first."""
    c = p.promotions.c
    rows = connection.execute(
        sa.select(p.promotions).where(c.tenant == tenant).order_by(c.at.desc(), c.id).limit(limit)
    )
    return [
        Promotion(
            r.model, r.customer_id, r.from_mode, r.to_mode, msgspec.json.decode(r.seen, type=Record), r.reason,
            r.actor, r.at,
        )
        for r in rows
    ]  # fmt: skip
