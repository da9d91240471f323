"""Notices as the customer reads them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from work_orders.domain.case_states import OUT, NoticeState
from work_orders.domain.money import ExpectedCost, expected_with_visit, expected_without_visit, money
from work_orders.domain.notice_text import MONTH, NoticeText
from work_orders.domain.policy import Policy
from work_orders.domain.slots import HalfDay, count_free, free_slots
from work_orders.domain.words import chance, duration
from work_orders.queries.paging import LIMIT, Page, page_of
from work_orders.service import tables as t
from work_orders.service.booking import crew


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice in a list. `waiting` = an answer is awaited."""

    id: str
    case_id: str
    order_id: str
    asset_id: str
    customer_id: str
    state: str
    title: str
    queued_at: datetime
    send_after: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    reminded_at: datetime | None
    no_reply_at: datetime | None
    waiting: bool
    version: int


@dataclass(frozen=True, slots=True)
class SlotChoice:
    """A half day on offer. `free` counts the technicians who can still come then; `passed` = it can't be chosen."""

    n: int
    day: date
    half: str
    start: datetime
    end: datetime
    words: str
    free: int
    passed: bool
    if_then: ExpectedCost | None
    """What is to be expected with a visit in it."""
    if_then_words: str


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """What the customer answered."""

    n: int
    kind: str
    at: datetime
    actor: str
    reason: str
    day: date | None
    half: str | None
    handled_at: datetime | None


@dataclass(frozen=True, slots=True)
class NoticeDetail:
    """A notice with its choices. `left` counts the half days still free until `latest`; `left_words` says so."""

    notice: NoticeRow
    text: NoticeText
    asset: str
    customer: str
    company: str
    phone: str
    channel: str
    refused: str
    reason: str
    """Why it was withdrawn or corrected."""
    slots: tuple[SlotChoice, ...]
    left: int
    left_words: str
    latest: datetime | None
    now_cost: ExpectedCost
    never_cost: ExpectedCost
    waiting_words: tuple[str, ...]
    answers: tuple[AnswerRow, ...]
    visit_words: str
    """Who comes and when, once it is booked."""


_N = t.notices.c
_ROW = (
    _N.id, _N.case_id, _N.order_id, _N.asset_id, _N.customer_id, _N.state, _N.body, _N.queued_at, _N.send_after,
    _N.sent_at, _N.answered_at, _N.reminded_at, _N.no_reply_at, _N.version,
)  # fmt: skip


def _row(r: Any) -> NoticeRow:
    title = msgspec.json.decode(r.body, type=NoticeText).title
    values: list[Any] = [*r[:6], title, *r[7:13], r.state in OUT, r.version]
    return NoticeRow(*values)


def notices(
    connection: sa.Connection, tenant: str, *, customer_id: str | None = None, asset_id: str | None = None,
    state: str | None = None, after: str | None = None, limit: int = LIMIT,
) -> Page[NoticeRow]:  # fmt: skip
    """Notices, newest first; a customer sees those that have been sent to him."""
    chosen: sa.Select[Any] = sa.select(*_ROW).where(_N.tenant == tenant)
    if customer_id is not None:
        chosen = chosen.where(_N.customer_id == customer_id, _N.sent_at.is_not(None))
    for column, value in ((_N.asset_id, asset_id), (_N.state, state)):
        if value is not None:
            chosen = chosen.where(column == value)
    rows, cursor = page_of(connection, chosen, _N.queued_at, _N.id, after, limit)
    return Page(tuple(map(_row, rows)), cursor)


def waiting_for_answer(connection: sa.Connection, tenant: str) -> int:
    """How many notices wait for a customer's answer and have not been given up."""
    return int(
        connection.execute(
            sa.select(sa.func.count()).where(_N.tenant == tenant, _N.state.in_(OUT), _N.no_reply_at.is_(None))
        ).scalar_one()
    )


def notice(
    connection: sa.Connection, tenant: str, id: str, now: datetime, *, customer_id: str | None = None
) -> NoticeDetail | None:
    """One notice; with `customer_id` only that customer's, once it has been sent. What is left is counted now."""
    found = connection.execute(sa.select(t.notices).where(_N.tenant == tenant, _N.id == id)).first()
    if found is None or (customer_id is not None and (found.customer_id != customer_id or found.sent_at is None)):
        return None
    row = _row(connection.execute(sa.select(*_ROW).where(_N.tenant == tenant, _N.id == id)).one())
    text = msgspec.json.decode(found.body, type=NoticeText)
    a, k, s, o = t.assets, t.customers, t.sites, t.orders
    more = connection.execute(
        sa.select(
            a.c.name, k.c.name.label("customer"), s.c.time_zone, o.c.skill, o.c.latest, o.c.visit_start,
            o.c.technician_id, o.c.state.label("order_state"),
        )
        .select_from(o)
        .join(a, sa.and_(a.c.tenant == o.c.tenant, a.c.id == o.c.asset_id))
        .join(k, sa.and_(k.c.tenant == o.c.tenant, k.c.id == o.c.customer_id))
        .outerjoin(s, sa.and_(s.c.tenant == o.c.tenant, s.c.id == a.c.site_id))
        .where(o.c.tenant == tenant, o.c.id == found.order_id)
    ).one()  # fmt: skip
    body = connection.execute(sa.select(t.policies.c.body).where(t.policies.c.tenant == tenant)).scalar()
    policy = msgspec.json.decode(body, type=Policy) if body else Policy()
    zone = ZoneInfo(more.time_zone or "UTC")
    slots, left = _choices(connection, tenant, found, text, more, zone, now)
    at_now = (now - text.curve.start).total_seconds() / 3600
    costs, c = text.costs, text.costs.currency
    first = expected_with_visit(text.curve.within(at_now) or 0.0, at_now, costs)
    never = expected_without_visit(text.curve.within(MONTH) or 0.0, MONTH, costs)
    waiting = (
        f"A visit now: {money(first.total, c)} to be expected, {money(first.customer, c)} of it yours.",
        *(s.if_then_words for s in slots if s.if_then_words),
        f"No visit within {duration(MONTH)}: {money(never.total, c)} to be expected, {money(never.customer, c)} of it"
        f" yours (the chance of a failure by then is {chance(never.p)}).",
    )
    answers = connection.execute(
        sa.select(*(t.answers.c[n] for n in ("n", "kind", "at", "actor", "reason", "day", "half", "handled_at")))
        .where(t.answers.c.tenant == tenant, t.answers.c.notice_id == id)
        .order_by(t.answers.c.n)
    )
    return NoticeDetail(
        row, text, more.name, more.customer, policy.company, policy.phone, found.channel, found.refused, found.reason,
        slots, left, _left_words(left, found.state), more.latest, first, never, waiting,
        tuple(AnswerRow(*r) for r in answers), _visit_words(connection, tenant, more, zone),
    )  # fmt: skip


def _choices(
    connection: sa.Connection, tenant: str, found: Any, text: NoticeText, order: Any, zone: ZoneInfo,
    now: datetime,
) -> tuple[tuple[SlotChoice, ...], int]:  # fmt: skip
    if found.state not in (NoticeState.QUEUED, NoticeState.HELD, *OUT):
        return (), 0
    c = t.notice_slots.c
    rows = connection.execute(
        sa.select(t.notice_slots)
        .where(c.tenant == tenant, c.notice_id == found.id, c.generation == found.generation)
        .order_by(c.n)
    ).all()
    people = crew(connection, tenant, now.astimezone(zone).date() - timedelta(days=1))
    out = []
    for r in rows:
        slot, hours = HalfDay(r.day, r.half), (r.end - text.curve.start).total_seconds() / 3600
        p = text.curve.within(hours)
        then = None if p is None else expected_with_visit(p, hours, text.costs)
        currency = text.costs.currency
        words = (
            ""
            if then is None
            else f"A visit on {slot.words()}: {money(then.total, currency)} to be expected,"
            f" {money(then.customer, currency)} of it yours (the chance of a failure before is {chance(then.p)})."
        )
        free = count_free(people, order.skill, slot)
        out.append(SlotChoice(r.n, r.day, r.half, r.start, r.end, slot.words(), free, r.start <= now, then, words))
    latest = max([order.latest or now, *(r.end for r in rows)])
    left = sum(1 for _ in free_slots(people, order.skill, zone, now, latest))
    return tuple(out), left


def _left_words(left: int, state: str) -> str:
    if state not in (NoticeState.QUEUED, NoticeState.HELD, *OUT):
        return ""
    if left == 0:
        return "No half day is free in time any more: please call us."
    if left == 1:
        return "Only one half day is left in time."
    return f"{left} half days are still free in time."


def _visit_words(connection: sa.Connection, tenant: str, order: Any, zone: ZoneInfo) -> str:
    if order.visit_start is None or order.technician_id is None or order.order_state == "cancelled":
        return ""
    e = t.technicians.c
    name = connection.execute(sa.select(e.name).where(e.tenant == tenant, e.id == order.technician_id)).scalar()
    start = order.visit_start.astimezone(zone)
    slot = HalfDay(start.date(), "am" if start.hour < 12 else "pm")
    return f"{name or order.technician_id} comes on {slot.words()}."
