"""Saying something to a customer: a message is written once, then the rules decide when and by which way it goes.

A message stands in the conversation of its case from the moment it is written; the web inbox needs no more. What leaves
the product is a row of the outbox (`service.outbox`), so that no network stands inside a transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from work_orders.domain.contact_rules import DAY, WEB, Decision, HoldUntil, Purpose, SendBy, Told, Wanted, decide
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.contacts import card, language_in
from work_orders.service.errors import NotFound
from work_orders.service.sending import Channel, why_stays
from work_orders.service.unit import Row, Unit, derived_id
from work_orders.service.wording import PAGES, compose

UNDER_WAY = ("queued", "claimed", "delivered")


def conversation_of(work: Unit, case_id: str, customer_id: str) -> str:
    """The one conversation of a case, begun if need be."""
    id = derived_id("T", work.tenant, case_id)
    work.insert_new(m.conversations, id=id, case_id=case_id, customer_id=customer_id, opened_at=work.now)
    return id


def _next(work: Unit, conversation_id: str) -> int:
    """The number of the next message."""
    c = m.messages.c
    last = sa.select(sa.func.max(c.n)).where(c.tenant == work.tenant, c.conversation_id == conversation_id)
    return int(work.connection.execute(last).scalar() or 0) + 1


def message_id(work: Unit, *key: object) -> str:
    """What a message is called follows from what it is about: the same is never said twice."""
    return derived_id("M", work.tenant, *key)


def facts_of(work: Unit, asset_name: str, customer_name: str, path: str) -> dict[str, Any]:
    """What every template is given. `path` leads to the page of it."""
    policy = work.policy()
    return {
        "company": policy.company, "phone": policy.phone, "asset": asset_name, "customer": customer_name,
        "link": PAGES + path,
    }  # fmt: skip


def language_for(work: Unit, customer_id: str) -> str:
    """The language of a customer's contact."""
    found = language_in(work.connection, work.tenant, customer_id)
    if found is None:
        raise NotFound("customer", customer_id)
    return found


def say(
    work: Unit, template: str, purpose: Purpose, id: str, case_id: str, customer_id: str, facts: Mapping[str, Any], *,
    notice_id: str | None = None, author: str = "", language: str = "",
) -> bool:  # fmt: skip
    """Write a message that waits for the rules; whether it is new. `language` = his, where that is known already."""
    chosen = language or language_for(work, customer_id)
    made = compose(work.connection, work.tenant, template, chosen, facts)
    thread = conversation_of(work, case_id, customer_id)
    return work.insert_new(
        m.messages, id=id, conversation_id=thread, n=_next(work, thread), case_id=case_id,
        customer_id=customer_id, notice_id=notice_id, incoming=False, purpose=purpose,
        author=author or str(facts.get("company", "")), at=work.now, channel="", subject=made.subject, text=made.text,
        html=made.html, words=str(facts.get("said", "")),
        template=made.template, template_version=made.version, language=made.language, state="queued",
        why="", due_at=work.now, sent_at=None, attachments="[]",
    )  # fmt: skip


def put_incoming(
    work: Unit, id: str, case_id: str, customer_id: str, author: str, channel: str, subject: str, text: str,
    attachments: Sequence[str] = (),
) -> bool:  # fmt: skip
    """Write what the customer said; whether it is new."""
    thread = conversation_of(work, case_id, customer_id)
    return work.insert_new(
        m.messages, id=id, conversation_id=thread, n=_next(work, thread), case_id=case_id,
        customer_id=customer_id, notice_id=None, incoming=True, purpose=Purpose.SERVICE, author=author[:200],
        at=work.now, channel=channel, subject=subject[:500], text=text, html="", words=text,
        template="", template_version=0,
        language="", state="received", why="", due_at=None, sent_at=work.now,
        attachments=msgspec.json.encode(list(attachments)).decode(),
    )  # fmt: skip


def rule(
    work: Unit, customer_id: str, id: str, purpose: Purpose, channels: Sequence[Channel], *, history: bool
) -> Decision:
    """What the rules say about a message now."""
    leaving = [c.name for c in channels if c.leaves]
    why = why_stays(work.connection, work.tenant, history=history) if leaving else ""
    if why or not leaving:
        return SendBy(WEB, others="; ".join(f"{name}: {why}" for name in leaving))
    found = card(work.connection, work.tenant, customer_id)
    if found is None:
        raise NotFound("customer", customer_id)
    contact = found.contact()
    ways = tuple(w for w in contact.ways if w.channel in leaving)
    d = m.deliveries.c
    rows = work.all(
        m.deliveries, d.customer_id == customer_id, sa.or_(d.decided_at > work.now - DAY, d.message_id == id)
    )
    told = [Told(r.message_id, r.channel, r.decided_at) for r in rows if r.state in UNDER_WAY]
    tried = frozenset(r.channel for r in rows if r.message_id == id and r.state == "bounced")
    contact = type(contact)(contact.zone, contact.quiet, ways, contact.consents, contact.cap_per_day)
    return decide(Wanted(id, purpose, tried=tried), contact, told, work.now)


def dispatch(work: Unit, id: str, customer_id: str, decision: Decision) -> None:
    """Write down what the rules said; what leaves goes into the outbox."""
    if isinstance(decision, HoldUntil):
        work.update(m.messages, {"id": id}, state="held", due_at=decision.until, why=decision.why[:300])
        return
    why = decision.others[:300] if isinstance(decision, SendBy) else ""
    work.update(m.messages, {"id": id}, state="sent", channel=decision.channel, due_at=None, sent_at=work.now, why=why)
    if isinstance(decision, SendBy) and decision.channel != WEB:
        work.insert_new(
            m.deliveries, message_id=id, channel=decision.channel, customer_id=customer_id, address=decision.address,
            state="queued", attempts=0, why="", decided_at=work.now, created_at=work.wall, try_at=work.wall,
            ended_at=None,
        )  # fmt: skip


def due_messages(work: Unit, limit: int) -> list[Row]:
    """Messages whose time has come, oldest first, at most so many."""
    c = m.messages.c
    chosen = sa.select(m.messages).where(c.tenant == work.tenant, c.due_at <= work.now)
    return list(work.connection.execute(chosen.order_by(c.at, c.case_id, c.n).limit(limit)))


def call_back(work: Unit, notice_id: str) -> bool:
    """Stop what has not left of a notice; whether any of it has left the product, or may have."""
    c, d = m.messages.c, m.deliveries.c
    left = False
    for message in work.all(m.messages, c.notice_id == notice_id):
        if message.due_at is not None:
            work.update(m.messages, {"id": message.id}, state="withdrawn", due_at=None)
        for row in work.all(m.deliveries, d.message_id == message.id):
            if row.state == "queued" and row.attempts == 0:
                work.update(
                    m.deliveries, {"message_id": row.message_id, "channel": row.channel}, state="withdrawn",
                    try_at=None, ended_at=work.wall,
                )  # fmt: skip
                work.update(m.messages, {"id": message.id}, state="withdrawn")
            elif row.state != "withdrawn":
                left = True
                if row.state == "queued":  # a try failed: it may have got there all the same
                    work.update(
                        m.deliveries, {"message_id": row.message_id, "channel": row.channel}, state="withdrawn",
                        try_at=None, ended_at=work.wall,
                    )  # fmt: skip
    return left


def customer_name(work: Unit, customer_id: str) -> str:
    """His name."""
    return str(work.one(t.customers, customer_id, "customer").name)
