"""First figures, each with its formula, and the bills of both outcomes."""

from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from work_orders.domain.money import Bill, Costs, bill, money
from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class Figures:
    """How the product has done so far. `formulas` says how each figure comes about; money by currency."""

    orders: int
    open_orders: int
    right: int
    wrong: int
    missed: int
    unknown: int
    watched_right: int
    would_have_opened: int
    saved: dict[str, float]
    precision: float | None
    """None while nothing has been found out."""
    formulas: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoryBill:
    """What a machine's story came to, and what the other outcome would have cost."""

    asset_id: str
    case_id: str
    outcome: str
    actual: Bill | None
    otherwise: Bill | None
    difference: float
    formula: str


def figures(connection: sa.Connection, tenant: str) -> Figures:
    """All of a tenant so far."""
    o, f, c = t.orders.c, t.findings, t.cases
    total, running = connection.execute(
        sa.select(sa.func.count(), sa.func.count(sa.case((o.ended_at.is_(None), 1)))).where(
            o.tenant == tenant, o.follows.is_(None)
        )
    ).one()
    would = connection.execute(
        sa.select(sa.func.count()).where(c.c.tenant == tenant, c.c.would_have_opened_at.is_not(None))
    ).scalar_one()
    rows = connection.execute(
        sa.select(f.c.result, f.c.order_id, c.c.costs, c.c.would_have_opened_at)
        .join(c, sa.and_(c.c.tenant == f.c.tenant, c.c.id == f.c.case_id))
        .where(f.c.tenant == tenant, f.c.superseded_at.is_(None))
    )
    count = dict.fromkeys(("true", "false", "prevented", "missed", "unknown"), 0)
    watched = 0
    saved: dict[str, float] = {}
    for r in rows:
        costs = msgspec.json.decode(r.costs, type=Costs)
        if r.order_id is None and r.result == "true":
            watched += 1
            continue
        count[r.result] += 1
        gain = 0.0
        if r.result == "prevented":
            gain = costs.failure.total - costs.planned.total
        elif r.result == "false":
            gain = -costs.false_visit.total
        saved[costs.currency] = saved.get(costs.currency, 0.0) + gain
    right, wrong = count["true"] + count["prevented"], count["false"]
    return Figures(
        int(total), int(running), right, wrong, count["missed"], count["unknown"], watched, int(would), saved,
        right / (right + wrong) if right + wrong else None,
        {
            "orders": "work orders opened; those that follow another are not counted again",
            "right": f"findings prevented ({count['prevented']}) + true ({count['true']}) of visits",
            "wrong": "findings false: a visit that found nothing",
            "missed": "breakdowns for which no visit had been called",
            "saved": "for each prevented failure: cost of the failure - cost of the planned visit;"
            " for each visit that found nothing: - its cost; a failure that happened counts 0",
            "precision": "right / (right + wrong)",
            "would_have_opened": "cases that were only watched and would have opened a work order",
        },
    )  # fmt: skip


def story_bill(connection: sa.Connection, tenant: str, asset_id: str) -> StoryBill | None:
    """The newest case of an asset that came to an end, with the bill of what happened and of what else could have."""
    c = t.cases.c
    row = connection.execute(
        sa.select(c.id, c.outcome, c.costs)
        .where(c.tenant == tenant, c.asset_id == asset_id, c.outcome.in_(("failed", "prevented", "found_nothing")))
        .order_by(c.opened_at.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    costs = msgspec.json.decode(row.costs, type=Costs)
    actual = bill(row.outcome, costs)
    otherwise = bill("prevented" if row.outcome == "failed" else "failed", costs) if actual else None
    if row.outcome == "found_nothing":
        otherwise = None
    difference = otherwise.total - actual.total if actual and otherwise else 0.0
    formula = ""
    if actual and otherwise:
        formula = (
            f"{money(otherwise.total, costs.currency)} ({otherwise.outcome}) - {money(actual.total, costs.currency)}"
            f" ({actual.outcome}) = {money(difference, costs.currency)}"
        )
    return StoryBill(asset_id, row.id, row.outcome, actual, otherwise, difference, formula)
