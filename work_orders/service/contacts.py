"""How a customer wants to be told: language, time zone, quiet hours, ways; what he agreed to, when and by whom.

A customer whose mail address was given as his contact is written to there about his own machines until he says no:
that is what the address was given for. Everything else needs a yes that is on record.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.contact_rules import Contact, Purpose, Quiet, Way
from work_orders.domain.letter import LANGUAGES, language_of
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.errors import BadInput, NotFound, Stale
from work_orders.service.installed_base import zone as zone_named
from work_orders.service.unit import Row, Unit, unit

MAIL = "mail"
QUIET = ("22:00", "07:00")
CAP_PER_DAY = 4
WITH_THE_ADDRESS = (Purpose.FORECAST, Purpose.SERVICE, Purpose.SAFETY)


@dataclass(frozen=True, slots=True)
class Consent:
    """What he said last; `given` without `at` rests on the address that he gave as his contact."""

    purpose: str
    channel: str
    given: bool
    at: datetime | None
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class ContactCard:
    """All that is on record about how to tell a customer."""

    customer_id: str
    name: str
    language: str
    time_zone: str
    quiet_from: str
    quiet_to: str
    cap_per_day: int
    ways: tuple[Way, ...]
    consents: tuple[Consent, ...]
    version: int

    def contact(self) -> Contact:
        """As the rules take it."""
        quiet = Quiet(time.fromisoformat(self.quiet_from), time.fromisoformat(self.quiet_to))
        agreed = {(c.purpose, c.channel): c.given for c in self.consents}
        return Contact(ZoneInfo(self.time_zone), quiet, self.ways, agreed, self.cap_per_day)


def card(connection: sa.Connection, tenant: str, customer_id: str) -> ContactCard | None:
    """The contact of a customer, with what holds where nothing was said. None = there is no such customer."""
    k, c, w, s = t.customers.c, m.contacts.c, m.contact_ways.c, t.sites.c
    customer = connection.execute(sa.select(t.customers).where(k.tenant == tenant, k.id == customer_id)).first()
    if customer is None:
        return None
    row = connection.execute(sa.select(m.contacts).where(c.tenant == tenant, c.customer_id == customer_id)).first()
    ways = [
        Way(r.channel, r.address, r.bounced)
        for r in connection.execute(
            sa.select(m.contact_ways).where(w.tenant == tenant, w.customer_id == customer_id).order_by(w.n, w.channel)
        )
    ]
    if "@" in customer.contact and all(way.channel != MAIL for way in ways):
        ways.insert(0, Way(MAIL, customer.contact))
    consents = _consents(connection, tenant, customer_id)
    if any(way == Way(MAIL, customer.contact, way.bounced) for way in ways):
        said = {(x.purpose, x.channel) for x in consents}
        consents += [
            Consent(p, MAIL, True, None, "", "the address was given as the contact")
            for p in WITH_THE_ADDRESS
            if (p, MAIL) not in said
        ]
    zone = connection.execute(
        sa.select(s.time_zone).where(s.tenant == tenant, s.customer_id == customer_id).order_by(s.id).limit(1)
    ).scalar()
    reachable, told = tuple(way for way in ways if way.address), tuple(consents)
    if row is None:
        language = language_of(customer.locale)
        return ContactCard(customer_id, customer.name, language, zone or "UTC", *QUIET, CAP_PER_DAY, reachable, told, 0)
    return ContactCard(
        customer_id, row.name, row.language, row.time_zone, row.quiet_from, row.quiet_to, row.cap_per_day, reachable,
        told, row.version,
    )  # fmt: skip


def language_in(connection: sa.Connection, tenant: str, customer_id: str) -> str | None:
    """The language of a customer alone. None = there is no such customer."""
    k, c = t.customers.c, m.contacts.c
    row = connection.execute(
        sa.select(k.locale, c.language)
        .outerjoin(m.contacts, sa.and_(c.tenant == k.tenant, c.customer_id == k.id))
        .where(k.tenant == tenant, k.id == customer_id)
    ).first()
    return None if row is None else row.language or language_of(row.locale)


def _consents(connection: sa.Connection, tenant: str, customer_id: str) -> list[Consent]:
    c = m.consents.c
    newest: dict[tuple[str, str], Consent] = {}
    for r in connection.execute(
        sa.select(m.consents).where(c.tenant == tenant, c.customer_id == customer_id).order_by(c.n)
    ):
        newest[r.purpose, r.channel] = Consent(r.purpose, r.channel, r.given, r.at, r.actor, r.note)
    return list(newest.values())


def consents_said(connection: sa.Connection, tenant: str, customer_id: str) -> list[Consent]:
    """All that he ever said, oldest first."""
    c = m.consents.c
    rows = connection.execute(
        sa.select(m.consents).where(c.tenant == tenant, c.customer_id == customer_id).order_by(c.at, c.n)
    )
    return [Consent(r.purpose, r.channel, r.given, r.at, r.actor, r.note) for r in rows]


def whose(work: Unit, customer_id: str) -> Row:
    """The customer, if whoever acts may say how he is told."""
    if work.actor.role not in (Role.CUSTOMER, Role.DISPATCHER, Role.ADMIN, Role.SYSTEM):
        raise NotPermitted(work.actor.role, "change a contact", (Role.CUSTOMER, Role.DISPATCHER, Role.ADMIN))
    if work.actor.role is Role.CUSTOMER and work.actor.of != customer_id:
        raise NotFound("customer", customer_id)
    return work.one(t.customers, customer_id, "customer")


def set_contact(
    shared: Shared, tenant: str, customer_id: str, actor: Actor, *, name: str, language: str, time_zone: str,
    quiet_from: str = QUIET[0], quiet_to: str = QUIET[1], cap_per_day: int = CAP_PER_DAY, version: int | None = None,
) -> None:  # fmt: skip
    """Say how a customer wants to be told. Raises BadInput, NotFound, NotPermitted, Stale."""
    if language not in LANGUAGES:
        raise BadInput("language", f"{language!r} must be one of {', '.join(LANGUAGES)}")
    zone_named(time_zone)
    for field, given in (("quiet_from", quiet_from), ("quiet_to", quiet_to)):
        if _time(given) is None:
            raise BadInput(field, f"{given!r} must be a time such as 22:00")
    if not 0 <= cap_per_day <= 100:
        raise BadInput("cap_per_day", "must be from 0 to 100")
    values: dict[str, Any] = {
        "name": name.strip()[:200], "language": language, "time_zone": time_zone, "quiet_from": quiet_from,
        "quiet_to": quiet_to, "cap_per_day": cap_per_day,
    }  # fmt: skip
    with unit(shared, tenant, actor) as work:
        customer = whose(work, customer_id)
        c = m.contacts.c
        row = next(iter(work.all(m.contacts, c.customer_id == customer_id)), None)
        if version is not None and (row.version if row else 0) != version:
            raise Stale(customer_id, version, row.version if row else 0)
        if row is None:
            work.insert(m.contacts, customer_id=customer_id, changed_at=work.now, version=1, **values)
        else:
            work.update(m.contacts, {"customer_id": customer_id}, changed_at=work.now, **values)
        work.record("contact_set", "", customer_id, f"How {customer.name} wants to be told was set.", **values)


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text) if len(text) == len("22:00") else None
    except ValueError:
        return None


def put_way(work: Unit, customer_id: str, channel: str, address: str, bounced: str = "") -> None:
    """Write a way; with `bounced` = why nothing gets there."""
    values = {"address": address, "bounced": bounced[:300], "bounced_at": work.now if bounced else None}
    n = 0 if channel == MAIL else 1 + len(work.all(m.contact_ways, m.contact_ways.c.customer_id == customer_id))
    if not work.insert_new(m.contact_ways, customer_id=customer_id, channel=channel, n=n, **values):
        work.update(m.contact_ways, {"customer_id": customer_id, "channel": channel}, **values)


def give_consent(
    shared: Shared, tenant: str, customer_id: str, purpose: str, channel: str, given: bool, actor: Actor, *,
    note: str = "",
) -> None:  # fmt: skip
    """Keep that he agreed to be told for a purpose by a channel, or no longer does; the same again changes nothing."""
    if purpose not in tuple(Purpose):
        raise BadInput("purpose", f"{purpose!r} must be one of {', '.join(Purpose)}")
    if not channel.isidentifier() or len(channel) > 32:
        raise BadInput("channel", f"{channel!r} must be a plain word such as sms")
    with unit(shared, tenant, actor) as work:
        customer = whose(work, customer_id)
        c = m.consents.c
        before = work.all(m.consents, c.customer_id == customer_id, c.purpose == purpose, c.channel == channel)
        newest = max(before, key=lambda r: int(r.n), default=None)
        if newest is not None and newest.given == given:
            return
        work.insert(
            m.consents, customer_id=customer_id, purpose=purpose, channel=channel, n=len(before) + 1, given=given,
            at=work.now, actor=actor.name, note=note.strip()[:300],
        )  # fmt: skip
        text = f"{customer.name} {'agreed' if given else 'does not agree any more'} to {purpose} by {channel}."
        work.record("consent_given" if given else "consent_withdrawn", "", customer_id, text, purpose=purpose)


def known_senders(connection: sa.Connection, address: str, tenants: Collection[str] = ()) -> list[tuple[str, str]]:
    """Tenants and customers whose mail address this is."""
    w, k, plain = m.contact_ways.c, t.customers.c, address.strip().lower()
    found = {
        (r.tenant, r.customer_id)
        for r in connection.execute(
            sa.select(w.tenant, w.customer_id).where(w.channel == MAIL, sa.func.lower(w.address) == plain)
        )
    }
    found |= {
        (r.tenant, r.id) for r in connection.execute(sa.select(k.tenant, k.id).where(sa.func.lower(k.contact) == plain))
    }
    return sorted(x for x in found if not tenants or x[0] in tenants)
