"""Notices as the customer reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from work_orders.domain.case_states import OUT, NoticeState
from work_orders.domain.letter import slot_words
from work_orders.domain.money import ExpectedCost, expected_with_visit, expected_without_visit, money
from work_orders.domain.notice_page import if_then_words, left_words, visit_words
from work_orders.domain.notice_text import MONTH, NoticeText
from work_orders.domain.policy import Policy
from work_orders.domain.slots import Crew, HalfDay, count_free, free_slots
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
    movable: bool
    """Whether that may still be moved or called off by the customer."""


_MAY_COME = (NoticeState.QUEUED, NoticeState.HELD, *OUT)
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
    connection: sa.Connection,
    tenant: str,
    id: str,
    now: datetime,
    *,
    customer_id: str | None = None,
    language: str = "en",
) -> NoticeDetail | None:
    """One notice; with `customer_id` only that customer's, once it has been sent. What is left is counted now."""
    own = [] if customer_id is None else [_N.customer_id == customer_id, _N.sent_at.is_not(None)]
    found = connection.execute(sa.select(*_ROW).where(_N.tenant == tenant, _N.id == id, *own)).first()
    return details(connection, tenant, [_row(found)], now, language)[0] if found else None


def details(
    connection: sa.Connection, tenant: str, rows: Sequence[NoticeRow], now: datetime, language: str = "en"
) -> list[NoticeDetail]:
    """What a customer reads of each notice: as many queries for fifty notices as for one."""
    n, a, k, s, o, e = _N, t.assets.c, t.customers.c, t.sites.c, t.orders.c, t.technicians.c
    ids = [r.id for r in rows]
    found = connection.execute(
        sa.select(
            t.notices, a.name.label("asset"), k.name.label("customer"), s.time_zone, o.skill, o.latest, o.visit_start,
            o.technician_id, e.name.label("technician"), o.state.label("order_state"),
        )
        .join(t.orders, sa.and_(o.tenant == n.tenant, o.id == n.order_id))
        .join(t.assets, sa.and_(a.tenant == n.tenant, a.id == o.asset_id))
        .join(t.customers, sa.and_(k.tenant == n.tenant, k.id == o.customer_id))
        .outerjoin(t.sites, sa.and_(s.tenant == n.tenant, s.id == a.site_id))
        .outerjoin(t.technicians, sa.and_(e.tenant == n.tenant, e.id == o.technician_id))
        .where(n.tenant == tenant, n.id.in_(ids))
    )  # fmt: skip
    full = {r.id: r for r in found}
    body = connection.execute(sa.select(t.policies.c.body).where(t.policies.c.tenant == tenant)).scalar()
    policy = msgspec.json.decode(body, type=Policy) if body else Policy()
    c, w = t.notice_slots.c, t.answers.c
    offered: dict[str, list[Any]] = {}
    for r in connection.execute(
        sa.select(t.notice_slots).where(c.tenant == tenant, c.notice_id.in_(ids)).order_by(c.notice_id, c.n)
    ):
        if r.generation == full[r.notice_id].generation:
            offered.setdefault(r.notice_id, []).append(r)
    answers: dict[str, list[AnswerRow]] = {}
    for r in connection.execute(
        sa.select(w.notice_id, *(w[f.name] for f in fields(AnswerRow)))
        .where(w.tenant == tenant, w.notice_id.in_(ids))
        .order_by(w.notice_id, w.n)
    ):
        answers.setdefault(r.notice_id, []).append(AnswerRow(*r[1:]))
    people = crew(connection, tenant, now.date() - timedelta(days=1)) if offered else []  # whatever the time zone
    return [
        _detail(
            row, full[row.id], policy, offered.get(row.id, []), people, tuple(answers.get(row.id, ())), now, language
        )
        for row in rows
    ]


def _detail(
    row: NoticeRow, found: Any, policy: Policy, offered: Sequence[Any], people: Sequence[Crew],
    answers: tuple[AnswerRow, ...], now: datetime, language: str,
) -> NoticeDetail:  # fmt: skip
    text = msgspec.json.decode(found.body, type=NoticeText)
    zone = ZoneInfo(found.time_zone or "UTC")
    slots, left = _choices(found, text, offered, people, zone, now, language)
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
    return NoticeDetail(
        row, text, found.asset, found.customer, policy.company, policy.phone, found.channel, found.refused,
        found.reason, slots, left, left_words(left, language) if found.state in _MAY_COME else "",
        found.latest, first, never, waiting, answers,
        _visit_words(found, zone, language),
        found.order_state in ("scheduled", "dispatched") and found.visit_start is not None and found.visit_start > now,
    )  # fmt: skip


def _choices(
    found: Any, text: NoticeText, offered: Sequence[Any], people: Sequence[Crew], zone: ZoneInfo, now: datetime,
    language: str,
) -> tuple[tuple[SlotChoice, ...], int]:  # fmt: skip
    if found.state not in _MAY_COME:
        return (), 0
    out = []
    for r in offered:
        slot, hours = HalfDay(r.day, r.half), (r.end - text.curve.start).total_seconds() / 3600
        p = text.curve.within(hours)
        then = None if p is None else expected_with_visit(p, hours, text.costs)
        words = if_then_words(slot, then, text.costs.currency, language)
        free = count_free(people, found.skill, slot)
        out.append(
            SlotChoice(
                r.n, r.day, r.half, r.start, r.end, slot_words(slot, language), free, r.start <= now, then, words
            )
        )
    latest = max([found.latest or now, *(r.end for r in offered)])
    left = sum(1 for _ in free_slots(people, found.skill, zone, now, latest))
    return tuple(out), left


def _visit_words(found: Any, zone: ZoneInfo, language: str) -> str:
    if found.visit_start is None or found.technician_id is None or found.order_state == "cancelled":
        return ""
    start = found.visit_start.astimezone(zone)
    slot = HalfDay(start.date(), "am" if start.hour < 12 else "pm")
    return visit_words(found.technician or found.technician_id, slot, language)
