"""The dispatcher's inbox: what waits for a person, the most urgent first, each with the one key that settles it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from work_orders.domain.case_states import OUT
from work_orders.service import tables as t

URGENCY = (
    "breakdown", "visit_overdue", "decide", "call_me", "proposed_day", "no_reply", "no_slot", "no_technician",
    "to_book", "permit", "review",
)  # fmt: skip


UNPLANNED = ("approved", "planned", "ready", "scheduled", "dispatched")
"""States in which nobody has begun; without a technician somebody must be found (he rejected it, say)."""


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One thing to do. `key` is the function of `work_orders.service` behind the one key, `id` what it is given."""

    kind: str
    id: str
    case_id: str
    asset_id: str
    asset: str
    customer_id: str | None
    since: datetime
    text: str
    key: str
    version: int
    """Of the order."""
    notice_id: str | None = None


def inbox(connection: sa.Connection, tenant: str, now: datetime) -> list[InboxItem]:
    """All that waits for a dispatcher."""
    items = [*_orders(connection, tenant, now), *_notices(connection, tenant)]
    return sorted(items, key=lambda i: (URGENCY.index(i.kind), i.since, i.id))


def _orders(connection: sa.Connection, tenant: str, now: datetime) -> list[InboxItem]:
    o, a, c, d, n = t.orders.c, t.assets, t.cases, t.decisions, t.notices.c
    asked = sa.select(n.id).where(
        n.tenant == o.tenant, n.case_id == o.case_id, n.order_id == o.id, n.ended_at.is_(None)
    )  # fmt: skip
    rows = connection.execute(
        sa.select(
            o.id, o.case_id, o.asset_id, a.c.name, o.customer_id, o.changed_at, o.state, o.title, o.agreed,
            o.technician_id, o.visit_start, o.visit_end, o.type, o.version, o.priority, o.permits, d.c.sentence,
            asked.exists().label("asked"),
        )
        .join(a, sa.and_(a.c.tenant == o.tenant, a.c.id == o.asset_id))
        .join(c, sa.and_(c.c.tenant == o.tenant, c.c.id == o.case_id))
        .outerjoin(d, sa.and_(d.c.tenant == o.tenant, d.c.prediction_id == c.c.decided_by))
        .where(o.tenant == tenant, o.ended_at.is_(None))
    )  # fmt: skip
    out = []
    for r in rows:
        unplanned = r.state in UNPLANNED and r.technician_id is None
        late = r.state in ("scheduled", "dispatched") and r.visit_end is not None and r.visit_end <= now
        if r.state == "awaiting_approval":
            kind, text, key = "decide", r.sentence or r.title, "approve_proposal"
        elif r.type == "corrective" and unplanned and r.priority == "urgent":
            kind, text, key = "breakdown", f"{r.title}: it broke down and nobody is booked.", "assign_technician"
        elif unplanned and not r.agreed and (r.type != "predictive" or not r.asked):  # no notice asks the customer
            kind, text, key = "to_book", f"{r.title}: call the customer and agree on a day.", "assign_technician"
        elif r.state == "planned" and r.technician_id is not None:
            needed = ", ".join(msgspec.json.decode(r.permits, type=list[str]))
            kind, text, key = "permit", f"{r.title}: the visit is agreed, a permit is missing ({needed}).", "grant"
        elif r.agreed and unplanned:
            kind, text, key = "no_technician", f"{r.title}: nobody is booked yet.", "assign_technician"
        elif late:
            kind, text, key = "visit_overdue", f"{r.technician_id} has not begun {r.title}.", "book_visit"
        elif r.state == "review":
            kind, text, key = "review", f"{r.title}: the finding is in.", "order_action:close"
        else:
            continue
        out.append(
            InboxItem(kind, r.id, r.case_id, r.asset_id, r.name, r.customer_id, r.changed_at, text, key, r.version)
        )
    return out


def _notices(connection: sa.Connection, tenant: str) -> list[InboxItem]:
    n, a, w, s, o = t.notices.c, t.assets, t.answers, t.notice_slots, t.orders
    joined = t.notices.join(a, sa.and_(a.c.tenant == n.tenant, a.c.id == n.asset_id)).join(
        o, sa.and_(o.c.tenant == n.tenant, o.c.id == n.order_id, o.c.ended_at.is_(None))
    )
    base = (n.order_id, n.case_id, n.asset_id, a.c.name, n.customer_id, n.id.label("notice_id"), o.c.version)
    out = []
    asked: Iterable[Any] = connection.execute(
        sa.select(*base, w.c.at, w.c.kind, w.c.day, w.c.half, w.c.reason)
        .select_from(joined.join(w, sa.and_(w.c.tenant == n.tenant, w.c.notice_id == n.id)))
        .where(n.tenant == tenant, w.c.handled_at.is_(None))
    )
    for r in asked:
        said = f" ({r.reason})" if r.reason else ""
        if r.kind == "propose":
            half = f" {r.half}" if r.half else ""
            text = f"{r.customer_id} proposes {r.day}{half} for {r.name}{said}."
            kind, key = "proposed_day", "book_visit"
        else:
            kind, text, key = "call_me", f"{r.customer_id} asks for a call about {r.name}{said}.", "book_visit"
        out.append(_item(kind, r, r.at, text, key))
    silent: Iterable[Any] = connection.execute(
        sa.select(*base, n.no_reply_at)
        .select_from(joined)
        .where(n.tenant == tenant, n.state.in_(OUT), n.no_reply_at.is_not(None))
    )
    for r in silent:
        text = f"{r.customer_id} did not answer about {r.name}."
        out.append(_item("no_reply", r, r.no_reply_at, text, "book_visit"))
    offered = sa.select(s.c.n).where(
        s.c.tenant == n.tenant, s.c.notice_id == n.id, s.c.generation == n.generation
    )  # fmt: skip
    without: Iterable[Any] = connection.execute(
        sa.select(*base, n.sent_at)
        .select_from(joined)
        .where(n.tenant == tenant, n.state.in_(OUT), n.no_reply_at.is_(None), ~offered.exists())
    )
    for r in without:
        text = f"No half day is free in time for {r.name}."
        out.append(_item("no_slot", r, r.sent_at, text, "book_visit"))
    return out


def _item(kind: str, r: Any, since: datetime, text: str, key: str) -> InboxItem:
    return InboxItem(
        kind, r.order_id, r.case_id, r.asset_id, r.name, r.customer_id, since, text, key, r.version, r.notice_id
    )
