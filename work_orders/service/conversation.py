"""One conversation a case, whatever the channel; mail that comes in joins it. Notes among colleagues stand elsewhere.

A mail joins a conversation when its token is ours or it answers one of our mails, and its sender is the customer's
address. Anything else waits for a dispatcher, or, from a customer, goes through the one door as a request.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.contact_rules import Purpose
from work_orders.domain.machine import SYSTEM, Actor, NotPermitted, Role
from work_orders.domain.quoted import said
from work_orders.domain.reply_token import genuine, tokens_in
from work_orders.domain.requests import RequestKind
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.attachments import put as put_file
from work_orders.service.contacts import MAIL, card, known_senders
from work_orders.service.door import MAX_TEXT, Request, open_case
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.heeding import heed_words
from work_orders.service.mail_keys import kept
from work_orders.service.outbox import came_back
from work_orders.service.sla import answered, heard
from work_orders.service.telling import customer_name, facts_of, message_id, put_incoming, say
from work_orders.service.unit import Row, Unit, derived_id, unit
from work_orders.service.work_tables import attachments

MOST_TEXT = 10_000
MOST_FILES = 10
_OURS = re.compile(r"<?(M-[a-z2-7]{12})@", re.IGNORECASE)
_OFFICE = (Role.DISPATCHER, Role.ADMIN)
_INSIDE = (Role.TECHNICIAN, Role.DISPATCHER, Role.ENGINEER, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that came in. `references` are the Message-IDs that it answers; `automatic` = no person wrote it.

    `failed` = Message-IDs that a server reports as not delivered for good, with its reason.
    """

    mail_id: str
    sender: str
    subject: str
    text: str
    recipients: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    automatic: bool = False
    failed: tuple[tuple[str, str], ...] = ()


def _case_seen(work: Unit, case_id: str) -> Row:
    """The case, if whoever acts may talk about it."""
    case = work.one(t.cases, case_id, "case")
    if work.actor.role is Role.CUSTOMER and case.customer_id != work.actor.of:
        raise NotFound("case", case_id)
    if work.actor.role not in (Role.CUSTOMER, *_OFFICE):
        raise NotPermitted(work.actor.role, "write to a customer", (Role.CUSTOMER, *_OFFICE))
    if case.customer_id is None:
        raise BadInput("case", "nobody is on record as its customer")
    return case


def _words(text: str) -> str:
    words = text.strip()
    if not words:
        raise BadInput("text", "say something")
    if len(words) > MOST_TEXT:
        raise BadInput("text", f"must be at most {MOST_TEXT:,} characters")
    return words


def write_message(shared: Shared, tenant: str, case_id: str, text: str, actor: Actor, *, key: str = "") -> str:
    """Say something in the conversation of a case: the customer to us, or the dispatcher to him. Returns its id.

    The same `key` of the same person again is the same message.
    """
    with unit(shared, tenant, actor) as work:
        case, words = _case_seen(work, case_id), _words(text)
        asset = work.one(t.assets, case.asset_id, "asset")
        id = message_id(work, case_id, actor.name, key or f"{work.now.isoformat()} {words}")
        if actor.role is Role.CUSTOMER:
            new = put_incoming(work, id, case_id, case.customer_id, actor.name, "web", "", words)
            if new:
                heard(work, case_id)
                heed_words(work, case_id, words)
        else:
            facts = facts_of(work, asset.name, customer_name(work, case.customer_id), f"/my-cases/{case_id}")
            facts.update(said=words, author=actor.name)
            new = say(work, "reply", Purpose.SERVICE, id, case_id, case.customer_id, facts, author=actor.name)
            if new:
                answered(work, case_id)
        if new:
            work.record("message_written", asset.id, id, f"{actor.name} wrote about {asset.name}.", case=case_id)
        return id


def add_note(shared: Shared, tenant: str, case_id: str, text: str, actor: Actor) -> int:
    """Note something among colleagues; it can never be said to a customer. Returns its number."""
    if actor.role not in _INSIDE:
        raise NotPermitted(actor.role, "write notes", _INSIDE)
    with unit(shared, tenant, actor) as work:
        case, words = work.one(t.cases, case_id, "case"), _words(text)
        n = len(work.all(m.case_notes, m.case_notes.c.case_id == case_id)) + 1
        work.insert(m.case_notes, case_id=case_id, n=n, at=work.now, actor=actor.name, text=words)
        work.record("note_added", case.asset_id, case_id, f"{actor.name} noted something about the case.", note=n)
        return n


def take_mail(shared: Shared, default_tenant: str, mail: Mail) -> str:
    """Take a mail in: `joined`, `requested`, `bounced`, `unassigned` or, when it came before, `repeated`."""
    with shared.database.read() as connection:
        found = _conversation(connection, mail)
        senders = known_senders(connection, mail.sender)
    known = dict(senders) if len(senders) == 1 else {}  # an address of several says of nobody who wrote
    tenant = found.tenant if found is not None else next(iter(known), default_tenant)
    with unit(shared, tenant, SYSTEM) as work:
        id = derived_id("E", tenant, mail.mail_id)
        if work.all(m.mails, m.mails.c.id == id):
            return "repeated"
        if mail.failed and found is not None:
            done = [came_back(work, named, MAIL, why) for id_, why in mail.failed if (named := _ours(id_))]
            _keep(work, id, mail, "a server reports that a message did not arrive", handled=True)
            return "bounced" if any(done) else "unassigned"
        if mail.automatic:
            _keep(work, id, mail, "nobody wrote it: an automatic answer", handled=True)
            return "unassigned"
        if found is not None and _is_contact(work, found.customer_id, mail.sender):
            into = _join(work, found.case_id, found.customer_id, mail)
            _keep(work, id, mail, "", message=into)
            return "joined"
        if found is not None:
            _keep(work, id, mail, f"it answers case {found.case_id}, but comes from another address")
            _files(work, mail, mail.sender, request_id=id)
            return "unassigned"
        customer = known.get(tenant)
        if customer is None:
            why = "more than one customer has this address" if senders else "the sender is not known"
            _keep(work, id, mail, why)
            _files(work, mail, mail.sender, request_id=id)
            return "unassigned"
        opened = open_case(
            work,
            Request(
                RequestKind.EMAIL, text=f"{mail.subject}\n{said(mail.text)}".strip()[:MAX_TEXT],
                who=customer_name(work, customer), contact=mail.sender, channel=MAIL, source=MAIL,
                external=mail.mail_id[:200],
            ),
        )  # fmt: skip
        _keep(work, id, mail, f"kept as request {opened.request}", handled=True)
        _files(work, mail, customer_name(work, customer), request_id=opened.request)
        return "requested"


def _conversation(connection: sa.Connection, mail: Mail) -> Row | None:
    """The conversation that a mail names by a token of ours, or whose mail it answers."""
    c, w = m.conversations.c, m.messages.c
    for id, signed in tokens_in(*mail.recipients, mail.subject):
        row = connection.execute(sa.select(m.conversations).where(c.id == id)).first()
        if row is not None and genuine(kept(connection, row.tenant) or "", id, signed):
            return row
    for reference in reversed((*(named for named, _ in mail.failed), *mail.references)):
        if named := _ours(reference):
            row = connection.execute(
                sa.select(m.conversations)
                .join(m.messages, sa.and_(w.tenant == c.tenant, w.conversation_id == c.id))
                .where(w.id == named)
            ).first()
            if row is not None:
                return row
    return None


def _ours(reference: str) -> str:
    """The message that a Message-ID names; empty = it is none of ours."""
    match = _OURS.match(reference.strip())
    return f"M{match.group(1)[1:].lower()}" if match else ""


def _is_contact(work: Unit, customer_id: str, sender: str) -> bool:
    found = card(work.connection, work.tenant, customer_id)
    addresses = [w.address for w in found.ways if w.channel == MAIL] if found else []
    addresses.append(work.one(t.customers, customer_id, "customer").contact)
    return sender.strip().lower() in {a.strip().lower() for a in addresses}


def _join(work: Unit, case_id: str, customer_id: str, mail: Mail) -> str:
    id = message_id(work, "mail", mail.mail_id)
    names, author = [name for name, _ in mail.files], customer_name(work, customer_id)
    put_incoming(work, id, case_id, customer_id, author, MAIL, mail.subject, said(mail.text)[:MOST_TEXT], names)
    _files(work, mail, author, case_id=case_id)
    heard(work, case_id)
    heed_words(work, case_id, said(mail.text))
    case = work.one(t.cases, case_id, "case")
    work.record("message_received", case.asset_id, id, f"{author} answered by mail.", case=case_id)
    return id


def _files(work: Unit, mail: Mail, who: str, *, case_id: str | None = None, request_id: str | None = None) -> None:
    """Keep what came with a mail, under its own id until it is assigned; what the store does not take is named in the
    message all the same."""
    for name, data in mail.files[:MOST_FILES]:
        for purpose in ("photo", "document"):
            try:
                put_file(work, data, name, purpose, who, case_id=case_id, request_id=request_id)
            except BadInput:
                continue
            break


def _keep(work: Unit, id: str, mail: Mail, why: str, *, message: str | None = None, handled: bool = False) -> None:
    names = msgspec.json.encode([name[:200] for name, _ in mail.files]).decode()
    work.insert(
        m.mails, id=id, mail_id=mail.mail_id[:500], sender=mail.sender[:400], subject=mail.subject[:500],
        text=said(mail.text)[:MOST_TEXT], attachments=names, at=work.now, message_id=message, why=why[:300],
        handled_at=work.now if message or handled else None, actor="",
    )  # fmt: skip
    if not message and not handled:
        work.record("mail_unassigned", "", id, f"A mail from {mail.sender} belongs to no case yet: {why}.")


def _unassigned(work: Unit, mail_id: str) -> Row:
    if work.actor.role not in _OFFICE:
        raise NotPermitted(work.actor.role, "assign mail", _OFFICE)
    mail = work.one(m.mails, mail_id, "mail")
    if mail.handled_at is not None:
        raise BadInput("mail", "it is settled already")
    return mail


def assign_mail(shared: Shared, tenant: str, mail_id: str, case_id: str, actor: Actor) -> str:
    """Put an unassigned mail into the conversation of a case; the message that it became."""
    with unit(shared, tenant, actor) as work:
        mail = _unassigned(work, mail_id)
        case = work.one(t.cases, case_id, "case")
        if case.customer_id is None:
            raise BadInput("case", "nobody is on record as its customer")
        id = message_id(work, "mail", mail.mail_id)
        names: Sequence[str] = msgspec.json.decode(mail.attachments, type=list[str])
        put_incoming(work, id, case_id, case.customer_id, mail.sender, MAIL, mail.subject, mail.text, names)
        work.update(attachments, {"request_id": mail_id}, case_id=case_id)  # what came with it goes along
        heard(work, case_id)
        work.update(m.mails, {"id": mail_id}, message_id=id, handled_at=work.now, actor=actor.name)
        work.record("mail_assigned", case.asset_id, mail_id, f"{actor.name} put a mail to the case.", case=case_id)
        return id


def dismiss_mail(shared: Shared, tenant: str, mail_id: str, reason: str, actor: Actor) -> None:
    """Set an unassigned mail aside, with a reason."""
    if not reason.strip():
        raise BadInput("reason", "say why")
    with unit(shared, tenant, actor) as work:
        mail = _unassigned(work, mail_id)
        c = attachments.c
        work.connection.execute(attachments.delete().where(c.tenant == tenant, c.request_id == mail_id))
        why = f"{mail.why}; set aside: {reason.strip()}"[:300]
        work.update(m.mails, {"id": mail_id}, handled_at=work.now, actor=actor.name, why=why)
        work.record("mail_dismissed", "", mail_id, f"{actor.name} set a mail aside: {reason.strip()}.")
