"""What a customer and a dispatcher read of a case: its conversation and how far it is. Notes are asked for apart."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from work_orders.domain.case_states import CaseState, VisitState
from work_orders.domain.letter import slot_words
from work_orders.domain.order_states import OrderState
from work_orders.domain.policy import Policy
from work_orders.domain.progress import CaseFacts, Step, VisitFact, steps
from work_orders.domain.report_reader import URGENCY
from work_orders.domain.slots import HalfDay
from work_orders.queries.paging import LIMIT, Page, soonest_of
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.arrival import arrival_words
from work_orders.service.wording import PAGES


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a conversation."""

    id: str
    incoming: bool
    author: str
    at: datetime
    channel: str
    subject: str
    text: str
    state: str
    why: str
    template: str
    template_version: int
    language: str
    attachments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A case as its customer follows it. `known` is what need not be asked again."""

    case_id: str
    asset_id: str
    asset: str
    customer_id: str
    customer: str
    state: str
    steps: tuple[Step, ...]
    said: tuple[Said, ...]
    known: tuple[tuple[str, str], ...]
    notice_id: str | None
    person: str | None = None
    """The telephone of a person, where the case is urgent by what was said; "" = none is on record."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something among colleagues."""

    n: int
    at: datetime
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class LooseMail:
    """A mail that belongs to no case yet."""

    id: str
    sender: str
    subject: str
    text: str
    attachments: tuple[str, ...]
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A conversation whose last word is the customer's."""

    case_id: str
    asset: str
    customer: str
    at: datetime
    text: str


def conversation(
    connection: sa.Connection,
    tenant: str,
    case_id: str,
    *,
    customer_id: str | None = None,
    now: datetime | None = None,
    language: str = "en",
) -> Conversation | None:
    """The conversation of a case, empty before a word is said; with `customer_id` only that customer's. With `now` it
    says when a technician on the way arrives, where that is told."""
    c, a, k, s = t.cases.c, t.assets.c, t.customers.c, t.sites.c
    row: Any = connection.execute(
        sa.select(
            t.cases, a.name.label("asset"), k.name.label("customer"), k.phone, k.contact, s.name.label("site"),
            s.address, s.access_notes, s.time_zone,
        )
        .join(t.assets, sa.and_(a.tenant == c.tenant, a.id == c.asset_id))
        .join(t.customers, sa.and_(k.tenant == c.tenant, k.id == c.customer_id))
        .outerjoin(t.sites, sa.and_(s.tenant == a.tenant, s.id == a.site_id))
        .where(c.tenant == tenant, c.id == case_id)
    ).first()  # fmt: skip
    if row is None or (customer_id is not None and row.customer_id != customer_id):
        return None
    notice = connection.execute(
        sa.select(t.notices).where(t.notices.c.tenant == tenant, t.notices.c.case_id == case_id)
    ).first()
    sent = notice if notice is not None and notice.sent_at is not None else None
    return Conversation(
        case_id, row.asset_id, row.asset, row.customer_id, row.customer, row.state,
        steps(_facts(connection, tenant, row, sent, now, language), language), _said(connection, tenant, case_id),
        _known(connection, tenant, row, sent, language), sent.id if sent is not None else None,
        _person(connection, tenant) if row.urgent in URGENCY and row.closed_at is None else None,
    )  # fmt: skip


def _person(connection: sa.Connection, tenant: str) -> str:
    body = connection.execute(sa.select(t.policies.c.body).where(t.policies.c.tenant == tenant)).scalar()
    return msgspec.json.decode(body, type=Policy).phone if body else ""


def _said(connection: sa.Connection, tenant: str, case_id: str) -> tuple[Said, ...]:
    c = m.messages.c
    rows = connection.execute(
        sa.select(m.messages).where(c.tenant == tenant, c.case_id == case_id, c.state != "withdrawn").order_by(c.n)
    )
    return tuple(
        Said(
            r.id, r.incoming, r.author, r.at, r.channel, r.subject, r.words or r.text.replace(PAGES, ""), r.state,
            r.why, r.template, r.template_version, r.language,
            tuple(msgspec.json.decode(r.attachments, type=list[str])),
        )
        for r in rows
    )  # fmt: skip


def _facts(
    connection: sa.Connection, tenant: str, case: Any, notice: Any, now: datetime | None, language: str
) -> CaseFacts:
    o, v, e, f = t.orders.c, t.visits.c, t.technicians.c, t.findings.c
    order = connection.execute(
        sa.select(t.orders).where(o.tenant == tenant, o.case_id == case.id).order_by(o.opened_at.desc()).limit(1)
    ).first()
    visits = []
    if order is not None:
        rows = connection.execute(
            sa.select(t.visits, e.name)
            .outerjoin(t.technicians, sa.and_(e.tenant == v.tenant, e.id == v.technician_id))
            .where(v.tenant == tenant, v.order_id == order.id)
            .order_by(v.id, v.start)
        ).all()
        zone = ZoneInfo(case.time_zone or "UTC")
        arrives = arrival_words(connection, tenant, order.id, now, language)[0] if now is not None else ""
        for r in sorted(rows, key=lambda r: (r.ended_at is None, r.start)):
            slot = HalfDay(r.start.astimezone(zone).date(), r.half)
            state, who = VisitState(r.state), r.name or r.technician_id
            on_the_way = arrives if state is VisitState.EN_ROUTE else ""
            visits.append(VisitFact(state, slot_words(slot, language), who, r.ended_at, on_the_way))
    found = sa.select(f.result).where(f.tenant == tenant, f.case_id == case.id, f.superseded_at.is_(None))
    if case.closed_at is None:  # what is on record of a breakdown while nobody was there yet
        found = found.where(f.order_id.is_not(None))
    result = connection.execute(found.limit(1)).scalar()
    declined = ""
    if case.state == CaseState.DECLINED:
        w = t.answers.c
        declined = (
            connection.execute(
                sa.select(w.reason).where(w.tenant == tenant, w.notice_id == (notice.id if notice else ""))
                .order_by(w.n.desc()).limit(1)
            ).scalar() or ""
        )  # fmt: skip
    return CaseFacts(
        CaseState(case.state), case.asset, case.kind, case.opened_at, case.decided_at,
        notice.sent_at if notice else None, notice.answered_at if notice else None,
        OrderState(order.state) if order else None, order.started_at if order else None,
        order.finished_at if order else None, visits, result or "", case.closed_at, declined,
    )  # fmt: skip


def _known(connection: sa.Connection, tenant: str, row: Any, notice: Any, language: str) -> tuple[tuple[str, str], ...]:
    """What was said once: it stands beside every form, so that nobody asks again."""
    found = [
        ("Contact", row.contact), ("Phone", row.phone), ("Site", row.site or ""), ("Address", row.address or ""),
        ("Access", row.access_notes or ""),
    ]  # fmt: skip
    if notice is not None:
        w = t.answers.c
        words = ANSWERED[language]
        for r in connection.execute(
            sa.select(t.answers).where(w.tenant == tenant, w.notice_id == notice.id).order_by(w.n)
        ):
            said = [words.get(r.kind, r.kind), r.day.isoformat() if r.day else "", r.half or "", r.reason]
            found.append(("Answered", " ".join(x for x in said if x)))
    return tuple((label, text) for label, text in found if text)


ANSWERED = {
    "en": {"accept": "accepted", "decline": "declined", "propose": "proposed", "call_me": "wants a call"},
    "zh": {"accept": "接受", "decline": "谢绝", "propose": "提出其他日期", "call_me": "请打电话"},
}


def notes(connection: sa.Connection, tenant: str, case_id: str) -> tuple[Note, ...]:
    """Notes of a case, oldest first. For colleagues alone."""
    c = m.case_notes.c
    rows = connection.execute(
        sa.select(c.n, c.at, c.actor, c.text).where(c.tenant == tenant, c.case_id == case_id).order_by(c.n)
    )
    return tuple(Note(*r) for r in rows)


def loose_mails(connection: sa.Connection, tenant: str, limit: int = 100) -> list[LooseMail]:
    """Mails that wait for a dispatcher, oldest first."""
    c = m.mails.c
    rows = connection.execute(
        sa.select(m.mails).where(c.tenant == tenant, c.handled_at.is_(None)).order_by(c.at, c.id).limit(limit)
    )
    return [
        LooseMail(
            r.id, r.sender, r.subject, r.text, tuple(msgspec.json.decode(r.attachments, type=list[str])), r.at, r.why
        )
        for r in rows
    ]


def unanswered(
    connection: sa.Connection, tenant: str, *, after: str | None = None, limit: int = LIMIT
) -> Page[Unanswered]:
    """Conversations whose last word is the customer's, the longest waiting first. A case that was closed since needs
    no answer."""
    c, other, a, k, case = m.messages.c, m.messages.alias("newer"), t.assets.c, t.customers.c, t.cases.c
    newer = (
        sa.select(other.c.id)
        .where(
            other.c.tenant == c.tenant, other.c.case_id == c.case_id, other.c.incoming.is_(False),
            other.c.template == "reply", other.c.n > c.n,
        )
        .exists()
    )  # fmt: skip
    waiting = (
        sa.select(c.case_id, sa.func.min(c.at).label("at"), sa.func.max(c.n).label("n"))
        .join(t.cases, sa.and_(case.tenant == c.tenant, case.id == c.case_id))
        .where(c.tenant == tenant, c.incoming.is_(True), ~newer)
        .where(sa.or_(case.closed_at.is_(None), c.at > case.closed_at))
        .group_by(c.case_id)
        .subquery()
    )
    newest = m.messages.alias("last")
    last = newest.c
    chosen = (
        sa.select(waiting.c.case_id, a.name.label("asset"), k.name.label("customer"), waiting.c.at, last.text)
        .join(newest, sa.and_(last.tenant == tenant, last.case_id == waiting.c.case_id, last.n == waiting.c.n))
        .join(t.cases, sa.and_(case.tenant == tenant, case.id == waiting.c.case_id))
        .join(t.assets, sa.and_(a.tenant == tenant, a.id == case.asset_id))
        .join(t.customers, sa.and_(k.tenant == tenant, k.id == last.customer_id))
    )
    rows, cursor = soonest_of(connection, chosen, waiting.c.at, waiting.c.case_id, after, limit)
    return Page(tuple(Unanswered(*r) for r in rows), cursor)
