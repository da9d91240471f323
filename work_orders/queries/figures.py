"""The bills of both outcomes of a machine's story."""

from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from work_orders.domain.money import Bill, Costs, bill, money
from work_orders.service import tables as t


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
