"""What bad words of customers led to, for lists."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from work_orders.domain.policy import Policy
from work_orders.queries.paging import LIMIT, Page, page_of
from work_orders.service import tables as t
from work_orders.service.feedback_tables import feedback_actions

SHOWN = 200


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """Somebody's to see to; `owner` "" = nobody's yet, `done` what he did."""

    id: str
    source: str
    source_id: str
    case_id: str
    asset_id: str
    asset: str
    customer_id: str | None
    why: str
    words: str
    owner: str
    due_at: datetime
    state: str
    opened_at: datetime
    done_at: datetime | None
    done_by: str
    done: str
    version: int
    overdue: bool


_F, _A = feedback_actions.c, t.assets.c
_COLUMNS = (
    _F.id, _F.source, _F.source_id, _F.case_id, _F.asset_id, _A.name, _F.customer_id, _F.why, _F.words, _F.owner,
    _F.due_at, _F.state, _F.opened_at, _F.done_at, _F.done_by, _F.done, _F.version,
)  # fmt: skip


def _chosen(tenant: str) -> sa.Select[Any]:
    joined = sa.and_(_A.tenant == _F.tenant, _A.id == _F.asset_id)
    return sa.select(*_COLUMNS).join(t.assets, joined).where(_F.tenant == tenant)


def _made(rows: Iterable[Any], now: datetime) -> tuple[FeedbackRow, ...]:
    return tuple(FeedbackRow(*(*r, r.state == "open" and r.due_at <= now)) for r in rows)


def feedback_actions_of(
    connection: sa.Connection, tenant: str, now: datetime, *, state: str = "", after: str | None = None,
    limit: int = LIMIT,
) -> Page[FeedbackRow]:  # fmt: skip
    """Actions, newest first."""
    chosen = _chosen(tenant)
    if state:
        chosen = chosen.where(_F.state == state)
    rows, cursor = page_of(connection, chosen, _F.opened_at, _F.id, after, limit)
    return Page(_made(rows, now), cursor)


def to_see_to(connection: sa.Connection, tenant: str, now: datetime) -> tuple[FeedbackRow, ...]:
    """What is open, the first due first."""
    chosen = _chosen(tenant).where(_F.state == "open").order_by(_F.due_at, _F.id).limit(SHOWN)
    return _made(connection.execute(chosen), now)


def feedback_action_of(connection: sa.Connection, tenant: str, id: str, now: datetime) -> FeedbackRow | None:
    """One of them."""
    return next(iter(_made(connection.execute(_chosen(tenant).where(_F.id == id)), now)), None)


def feedback_rule(connection: sa.Connection, tenant: str) -> tuple[str, int]:
    """Whose new ones are, and within how many days."""
    body = connection.execute(sa.select(t.policies.c.body).where(t.policies.c.tenant == tenant)).scalar()
    policy = msgspec.json.decode(body, type=Policy) if body else Policy()
    return policy.feedback_owner, policy.feedback_days
