"""What stands beside a notice on its page: the track record, the price of waiting, the message as it was sent."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from work_orders.domain.letter import price_words, record_words, waiting_price
from work_orders.domain.notice_text import NoticeText
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.how_often_right import track_record
from work_orders.service.wording import PAGES


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of the notice, as it was told."""

    at: datetime
    channel: str
    state: str
    subject: str
    text: str
    template: str
    version: int
    language: str
    why: str


@dataclass(frozen=True, slots=True)
class NoticeMore:
    """`prices` by the number of the half day; `held` = why it waits; `latest` = when the visit should be over."""

    record: str
    prices: dict[str, str]
    latest: datetime | None
    propose: str
    held: str
    sent: tuple[Sent, ...]


def notice_more(
    connection: sa.Connection, tenant: str, id: str, now: datetime, language: str = "en"
) -> NoticeMore | None:
    """None = there is no such notice."""
    n, o, a, s = t.notices.c, t.orders.c, t.assets.c, t.notice_slots.c
    row = connection.execute(
        sa.select(t.notices, o.failure_mode, o.latest, o.remedy, a.model)
        .join(t.orders, sa.and_(o.tenant == n.tenant, o.id == n.order_id))
        .join(t.assets, sa.and_(a.tenant == n.tenant, a.id == n.asset_id))
        .where(n.tenant == tenant, n.id == id)
    ).first()
    if row is None:
        return None
    text = msgspec.json.decode(row.body, type=NoticeText)
    slots = connection.execute(
        sa.select(s.n, s.end).where(s.tenant == tenant, s.notice_id == id, s.generation == row.generation)
    )
    prices = {str(r.n): price_words(waiting_price(text, r.end, now), text.costs.currency, language) for r in slots}
    record = track_record(connection, tenant, row.customer_id, row.model, row.failure_mode)
    c = m.messages.c
    sent = connection.execute(
        sa.select(m.messages).where(c.tenant == tenant, c.notice_id == id, c.sent_at.is_not(None)).order_by(c.n)
    )
    remedy = text.words[language].remedy if language in text.words else row.remedy
    return NoticeMore(
        record_words(record, language), prices, row.latest, remedy, row.refused if row.state == "held" else "",
        tuple(
            Sent(
                r.sent_at, r.channel, r.state, r.subject, r.text.replace(PAGES, ""), r.template, r.template_version,
                r.language, r.why,
            )
            for r in sent
        ),
    )  # fmt: skip


def spoken_of(connection: sa.Connection, tenant: str, case_id: str) -> bool:
    """Whether the customer knows of a case: he was told, he wrote, or he brought it."""
    c, w = t.cases.c, m.messages.c
    told = sa.select(w.id).where(w.tenant == tenant, w.case_id == case_id, w.sent_at.is_not(None)).limit(1)
    if connection.execute(told).first() is not None:
        return True
    kind = connection.execute(sa.select(c.kind).where(c.tenant == tenant, c.id == case_id)).scalar()
    return kind in ("report", "phone", "breakdown", "complaint", "email")
