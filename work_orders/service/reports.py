"""A fault reported in one tap from the label of a machine: no account, three fields, photos, a number, and a link."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.letter import slot_words
from work_orders.domain.machine import Actor, Role
from work_orders.domain.policy import Policy
from work_orders.domain.report_reader import URGENCY
from work_orders.domain.report_words import SYMPTOMS, kind_of, stands
from work_orders.domain.slots import HalfDay
from work_orders.service import door_tables as d
from work_orders.service import labels
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.attachments import put
from work_orders.service.contacts import language_in
from work_orders.service.door import Opened, Request, open_case
from work_orders.service.errors import BadInput, NotFound, WorkOrdersError
from work_orders.service.unit import Unit, unit

ENGLISH = "en"
WITHIN = timedelta(hours=1)
DAY = timedelta(days=1)
TRIES_LABEL, TRIES_ADDRESS = 10, 30
"""Reports an hour from one label, and from one address."""
BYTES_LABEL, BYTES_SITE, BYTES_ALL = 50_000_000, 200_000_000, 1_000_000_000
"""Of photos without an account that are taken within a day: from one label, from the labels of a site, from all."""
MAX_PHOTOS = 3
AT_THE_MACHINE = Actor("somebody at the machine", Role.SYSTEM)


class TooManyReports(WorkOrdersError):
    """A label or an address was used too often within the hour; nothing was taken."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The machine that a label is on, as anybody may see it."""

    tenant: str
    asset_id: str
    name: str
    model: str
    site: str
    company: str
    phone: str
    language: str = ENGLISH
    """Of the customer whose machine it is."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The number of a report and the token of the page that shows how far it has come."""

    number: str
    token: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a report has come, for whoever has its link: nothing but his own words and one sentence of ours."""

    number: str
    machine: str
    text: str
    said_at: datetime
    stands: str
    company: str
    phone: str
    language: str = ENGLISH
    """Of the customer whose machine it is."""
    urgent: str = ""
    """By his own words: danger, flood, standstill."""


def labelled(shared: Shared, token: str) -> Labelled | None:
    """The machine of a label; None when the label is not ours, or void."""
    with shared.database.read() as connection:
        found = labels.read(connection, token)
        if found is None or found.kind != labels.ASSET:
            return None
        a, s = t.assets, t.sites
        row = connection.execute(
            sa.select(a.c.id, a.c.name, a.c.model, a.c.customer_id, s.c.name.label("site"))
            .outerjoin(s, sa.and_(s.c.tenant == a.c.tenant, s.c.id == a.c.site_id))
            .where(a.c.tenant == found.tenant, a.c.id == found.id)
        ).first()
        if row is None:
            return None
        company, phone = _company(connection, found.tenant)
        language = _language(connection, found.tenant, row.customer_id)
    model = shared.models(row.model)
    title = model.title if model else row.model
    return Labelled(found.tenant, row.id, row.name, title, row.site or "", company, phone, language)


def _language(connection: sa.Connection, tenant: str, customer_id: str | None) -> str:
    return (language_in(connection, tenant, customer_id) if customer_id else None) or ENGLISH


def _company(connection: sa.Connection, tenant: str) -> tuple[str, str]:
    body = connection.execute(sa.select(t.policies.c.body).where(t.policies.c.tenant == tenant)).scalar()
    policy = msgspec.json.decode(body, type=Policy) if body else Policy()
    return policy.company, policy.phone


def report_by_label(
    shared: Shared, token: str, symptom: str, *, text: str = "", contact: str = "",
    photos: Sequence[tuple[str, bytes]] = (), address: str = "", once: str = "",
) -> Reported:  # fmt: skip
    """Take a report from a label. `photos` are (name, bytes); `once` comes from the form, so that a second tap is the
    same report.

    Raises NotFound (no such label), TooManyReports, BadInput.
    """
    with shared.database.read() as connection:
        found = labels.read(connection, token)
    if found is None or found.kind != labels.ASSET:
        raise NotFound("label", token[:12])
    if symptom not in SYMPTOMS:
        raise BadInput("symptom", f"must be one of {', '.join(SYMPTOMS)}")
    if len(photos) > MAX_PHOTOS:
        raise BadInput("photo", f"at most {MAX_PHOTOS}")
    with unit(shared, found.tenant, AT_THE_MACHINE) as work:
        said = ". ".join(x for x in (SYMPTOMS[symptom], text.strip()) if x)
        wanted = Request(
            kind_of(symptom), found.id, text=said, who=contact.strip() or AT_THE_MACHINE.name, contact=contact.strip(),
            channel="label", source="label", external=f"{found.id}/{once}" if once else "",
        )  # fmt: skip
        opened = open_case(work, wanted)
        if not opened.repeated:
            sent = sum(len(data) for _, data in photos)
            site = work.one(t.assets, found.id, "asset").site_id
            _count(work, f"label:{found.id}", TRIES_LABEL, sent, BYTES_LABEL)
            _count(work, f"address:{address}", TRIES_ADDRESS)
            if sent:
                _count(work, f"site:{site or ''}", None, sent, BYTES_SITE)
                _count(work, "all", None, sent, BYTES_ALL)
            for name, data in photos:
                put(work, data, name, "photo", wanted.who, case_id=opened.case, request_id=opened.request)
        return Reported(opened.request, labels.sign(work, labels.REPORT, opened.request))


def take_report(
    shared: Shared, tenant: str, request: Request, actor: Actor, photos: Sequence[tuple[str, bytes]] = ()
) -> Opened:
    """Take the report of somebody with an account, with its photos or not at all; sent again it is the same one.

    Raises NotPermitted, NotFound, BadInput, UnknownModel.
    """
    with unit(shared, tenant, actor) as work:
        opened = open_case(work, request)
        for name, data in () if opened.repeated else photos:
            put(work, data, name, "photo", request.who or actor.name, case_id=opened.case, request_id=opened.request)
        return opened


def _count(work: Unit, who: str, tries: int | None, sent: int = 0, most: int | None = None) -> None:
    """One more of somebody's tries, at most so many within the hour and so many bytes within the day. Raises
    TooManyReports, which takes the whole transaction back."""
    c, who = w.report_tries.c, who[:200]
    work.connection.execute(w.report_tries.delete().where(c.tenant == work.tenant, c.at < work.wall - DAY))
    made = work.all(w.report_tries, c.who == who)
    if tries is not None and sum(r.at >= work.wall - WITHIN for r in made) >= tries:
        raise TooManyReports("too many reports within the hour; please call us")
    if most is not None and sent and sent + sum(r.bytes for r in made) > most:
        raise TooManyReports("too many photos within the day; please report it without any, or call us")
    work.insert(w.report_tries, who=who, n=max((int(r.n) for r in made), default=0) + 1, at=work.wall, bytes=sent)


def progress(shared: Shared, token: str) -> Progress | None:
    """How far a report has come; None when the link is not ours."""
    with shared.database.read() as connection:
        found = labels.read(connection, token)
        if found is None or found.kind != labels.REPORT:
            return None
        r, c, o, a, tenant = d.requests.c, t.cases.c, t.orders.c, t.assets.c, found.tenant
        row = connection.execute(sa.select(d.requests).where(r.tenant == tenant, r.id == found.id)).first()
        if row is None:
            return None
        machine = connection.execute(sa.select(a.name).where(a.tenant == tenant, a.id == row.asset_id)).scalar()
        case = connection.execute(sa.select(c.state, c.urgent).where(c.tenant == tenant, c.id == row.case_id)).first()
        order = connection.execute(
            sa.select(o.state, o.id).where(o.tenant == tenant, o.case_id == row.case_id, o.ended_at.is_(None))
        ).first()
        owner = connection.execute(sa.select(a.customer_id).where(a.tenant == tenant, a.id == row.asset_id)).scalar()
        language = _language(connection, tenant, owner)
        visit = _visit(connection, tenant, order.id, language) if order else ""
        company, phone = _company(connection, tenant)
    said = stands(case.state if case else None, order.state if order else None, visit, language)
    return Progress(row.id, machine or "", row.text, row.said_at, said, company, phone, language,
                    case.urgent if case and case.urgent in URGENCY else "")  # fmt: skip


def _visit(connection: sa.Connection, tenant: str, order_id: str, language: str) -> str:
    v = t.visits.c
    row = connection.execute(
        sa.select(v.day, v.half).where(v.tenant == tenant, v.order_id == order_id, v.ended_at.is_(None))
    ).first()
    return slot_words(HalfDay(row.day, row.half), language) if row else ""
