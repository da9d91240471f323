"""Addresses of customers. What colleagues enter counts as given; what a customer enters himself counts once somebody at
that address has said so: nothing but the link that asks leaves for it before."""

import re
from datetime import datetime, timedelta

import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain import signed_link
from work_orders.domain.machine import Actor, Role
from work_orders.domain.signed_link import Link
from work_orders.service.contacts import MAIL, card, put_way, whose
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.letter_tables import letters, way_requests
from work_orders.service.letters import write_letter
from work_orders.service.mail_keys import kept, key_of
from work_orders.service.unit import Row, Unit, derived_id, unit
from work_orders.service.wording import PAGES, compose

CONFIRM = "confirm"
CONFIRM_WITHIN = timedelta(days=3)
MOST_ADDRESS = 400
LINKS_A_DAY = 5
"""To one address, and for one customer: nobody is flooded by a form."""
_ADDRESS = re.compile(r"""[^\s@,;:<>()\[\]\\"]+@[^\s@,;:<>()\[\]\\"]+""")


def set_way(shared: Shared, tenant: str, customer_id: str, channel: str, address: str, actor: Actor) -> None:
    """Set a customer's address in a channel ("" = no more); what bounced there is forgotten. Of a customer's own word
    that comes once the address is confirmed; until then what he had before is used."""
    channel, address = channel.strip(), address.strip()
    if not channel.isidentifier() or len(channel) > 32:
        raise BadInput("channel", f"{channel!r} must be a plain word such as sms")
    if len(address) > MOST_ADDRESS or not address.isprintable():
        raise BadInput("address", f"must be one line of at most {MOST_ADDRESS} characters")
    if channel == MAIL and address and not _ADDRESS.fullmatch(address):
        raise BadInput("address", f"{address!r} must be one mail address")
    with unit(shared, tenant, actor) as work:
        customer = whose(work, customer_id)
        if actor.role is Role.CUSTOMER and address:
            _ask(work, customer, channel, address)
            return
        given(work, customer_id, channel, address)
        text = f"{customer.name} has {'an address' if address else 'no address any more'} for {channel}."
        work.record("contact_way_set", "", customer_id, text, channel=channel, address=address)


def given(work: Unit, customer_id: str, channel: str, address: str) -> None:
    """An address counts from now on; nothing waits to be confirmed in its channel any more."""
    put_way(work, customer_id, channel, address)
    c = way_requests.c
    mine = (c.tenant == work.tenant, c.customer_id == customer_id, c.channel == channel)
    work.connection.execute(way_requests.delete().where(*mine))


def _ask(work: Unit, customer: Row, channel: str, address: str) -> None:
    """Send a link to an address that its customer entered."""
    found = card(work.connection, work.tenant, customer.id)
    if found is None:
        raise NotFound("customer", customer.id)
    if any(w.channel == channel and w.address == address and not w.bounced for w in found.ways):
        return
    c = letters.c
    asked = work.all(
        letters, c.kind == CONFIRM, c.created_at > work.wall - timedelta(days=1),
        sa.or_(c.whom == customer.id, c.address == address),
    )  # fmt: skip
    if len(asked) >= LINKS_A_DAY:
        raise BadInput("address", f"at most {LINKS_A_DAY} links a day are sent to confirm one")
    until = (work.wall + CONFIRM_WITHIN).replace(microsecond=0)  # as a link says it
    values = {"address": address, "asked_at": work.now, "until": until}
    if not work.insert_new(way_requests, customer_id=customer.id, channel=channel, **values):
        work.update(way_requests, {"customer_id": customer.id, "channel": channel}, **values)
    token = signed_link.make(
        key_of(work), CONFIRM, work.tenant, customer.id, channel, until=until, bound=address.lower()
    )
    policy = work.policy()
    facts = {
        "company": policy.company, "phone": policy.phone, "customer": customer.name,
        "link": f"{PAGES}/confirm/{token}",
    }  # fmt: skip
    made = compose(work.connection, work.tenant, CONFIRM, found.language, facts)
    write_letter(
        work, derived_id("L", work.tenant, CONFIRM, customer.id, channel, address, work.wall.isoformat()), CONFIRM,
        customer.id, channel, address, subject=made.subject, text=made.text, html=made.html, language=made.language,
    )  # fmt: skip
    text = f"A link was sent to the address that {customer.name} entered for {channel}: it counts once confirmed."
    work.record("contact_way_asked", "", customer.id, text, customer=customer.id, channel=channel, address=address)


def asked_for(connection: sa.Connection, link: Link) -> Row | None:
    """The address that a link is about, if it still waits; None = the link is not ours, or of no use any more."""
    if len(link.what) != 2:
        return None
    c, (customer, channel) = way_requests.c, link.what
    chosen = sa.select(way_requests).where(
        c.tenant == link.tenant, c.customer_id == customer, c.channel == channel, c.until == link.until
    )
    row = connection.execute(chosen).first()
    fits = row is not None and signed_link.genuine(
        kept(connection, link.tenant) or "", CONFIRM, link, row.address.lower()
    )
    return row if fits else None


def waiting(
    connection: sa.Connection, tenant: str, customer_id: str, wall: datetime
) -> list[tuple[str, str, datetime]]:
    """Channel, address and end of what a customer entered and has not confirmed yet, but still can."""
    c = way_requests.c
    mine = sa.select(c.channel, c.address, c.until).where(
        c.tenant == tenant, c.customer_id == customer_id, c.until >= wall
    )
    return [(str(channel), str(address), until) for channel, address, until in connection.execute(mine)]


def confirm(shared: Shared, link: Link) -> None:
    """Whoever reads there says yes: the address counts. Raises NotFound for a link that is not ours, or over."""
    with unit(shared, link.tenant, Actor("by the link sent there", Role.CUSTOMER, link.what[0])) as work:
        row = asked_for(work.connection, link)
        if row is None or work.wall > row.until:
            raise NotFound("link", "")
        given(work, row.customer_id, row.channel, row.address)
        customer = whose(work, row.customer_id)
        text = f"{customer.name} confirmed an address for {row.channel}."
        work.record(
            "contact_way_confirmed", "", customer.id, text, customer=customer.id, channel=row.channel,
            address=row.address,
        )  # fmt: skip
