"""Puts cases of one cause under one incident as they come in, and ends it with the last of them."""

from datetime import datetime

import sqlalchemy as sa

from work_orders.domain.case_states import CaseState
from work_orders.domain.decision import Path
from work_orders.domain.incidents import GATEWAY, MANY, Member, cause_of
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service.unit import Row, Unit, derived_id


def open_incident(work: Unit, cause: str, kind: str, title: str) -> Row:
    """The open incident of a cause, opened when there is none."""
    c = d.incidents.c
    found = work.all(d.incidents, c.cause == cause, c.closed_at.is_(None))
    if found:
        return found[0]
    n = len(work.all(d.incidents, c.cause == cause)) + 1
    id = derived_id("I", work.tenant, cause, n)
    work.insert(d.incidents, id=id, cause=cause, kind=kind, title=title[:300], opened_at=work.now, version=1)
    work.record("incident_opened", "", id, f"{title}: an incident was opened.", kind=kind)
    return work.one(d.incidents, id, "incident")


def join(work: Unit, incident: Row, case_id: str, since: datetime, *, anew: bool = False) -> bool:
    """Put a case under an incident, unless it is under one; whether it was put. The earliest is the cause.

    `anew` takes it out of one that is over, too: a person says where it belongs.
    """
    if not work.insert_new(d.incident_cases, case_id=case_id, incident_id=incident.id, since=since):
        if not anew or incident_of(work, case_id) is not None:
            return False
        work.update(d.incident_cases, {"case_id": case_id}, incident_id=incident.id, since=since)
    first = cause_of([Member(case_id, since), *_cause(work, incident.id)])
    work.update(d.incidents, {"id": incident.id}, cause_case_id=first)  # another version of it, whoever is the cause
    return True


def _cause(work: Unit, incident_id: str) -> list[Member]:
    """The case that counts as the cause so far."""
    c, k = d.incidents.c, d.incident_cases.c
    rows = work.connection.execute(
        sa.select(k.case_id, k.since)
        .join(d.incidents, sa.and_(c.tenant == k.tenant, c.cause_case_id == k.case_id))
        .where(c.tenant == work.tenant, c.id == incident_id)
    )
    return [Member(r.case_id, r.since) for r in rows]


def share_cause(work: Unit, cause: str, case_id: str, since: datetime) -> None:
    """A new case of a known cause: with the second one of it there is an incident, and all of them belong to it."""
    c, r, k = d.incidents.c, d.requests.c, t.cases.c
    found = work.all(d.incidents, c.cause == cause, c.closed_at.is_(None))
    if found:
        join(work, found[0], case_id, since)
        return
    others = work.connection.execute(
        sa.select(k.id, k.asset_id, r.said_at)
        .join(d.requests, sa.and_(r.tenant == k.tenant, r.case_id == k.id))
        .where(k.tenant == work.tenant, r.cause == cause, k.closed_at.is_(None), k.id != case_id)
        .order_by(r.said_at, k.id)
    ).all()
    if not others:
        return
    asset = work.one(t.assets, others[0].asset_id, "asset")
    site = work.one(t.sites, asset.site_id, "site").name if asset.site_id else asset.name
    incident = open_incident(work, cause, "group", f"Several machines at {site} at the same time")
    for other in others:
        join(work, work.one(d.incidents, incident.id, "incident"), other.id, other.said_at)
    join(work, work.one(d.incidents, incident.id, "incident"), case_id, since)


def incident_of(work: Unit, case_id: str) -> Row | None:
    """The open incident of a case."""
    found = work.those(d.incident_cases, case_id=case_id)
    if not found:
        return None
    rows = work.those(d.incidents, id=found[0].incident_id, closed_at=None)
    return rows[0] if rows else None


def open_members(work: Unit, incident_id: str, most: int = MANY) -> int:
    """How many open cases an incident has, counted up to `most`: a case of thousands must not read them all."""
    k, c = d.incident_cases.c, t.cases.c
    some = (
        sa.select(k.case_id)
        .join(t.cases, sa.and_(c.tenant == k.tenant, c.id == k.case_id))
        .where(k.tenant == work.tenant, k.incident_id == incident_id, c.closed_at.is_(None))
        .limit(most)
    )
    return work.connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()


def gathered(work: Unit, case_id: str) -> int:
    """With how many machines a case waits for its incident's one decision; 0 = it decides for itself."""
    incident = incident_of(work, case_id)
    if incident is None or incident.released_at is not None:
        return 0
    if incident.kind == GATEWAY:  # the gateway is the cause, none of its machines
        return devices_behind(work, incident.id)
    return 0 if incident.cause_case_id == case_id else open_members(work, incident.id)


def devices_behind(work: Unit, incident_id: str) -> int:
    """How many devices a dead gateway's incident counts, itself included."""
    c = d.incident_devices.c
    some = sa.select(c.device).where(c.tenant == work.tenant, c.incident_id == incident_id).limit(MANY)
    return work.connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()


def share_gateway(work: Unit, asset_id: str, case_id: str, since: datetime) -> None:
    """A new case of a machine whose gateway is off line belongs to the gateway's incident."""
    m, a, i = d.incident_devices, t.asset_devices.c, d.incidents.c
    found = work.connection.execute(
        sa.select(i.id)
        .join(m, sa.and_(m.c.tenant == i.tenant, m.c.incident_id == i.id))
        .join(t.asset_devices, sa.and_(a.tenant == m.c.tenant, a.device == m.c.device))
        .where(i.tenant == work.tenant, i.closed_at.is_(None), a.asset_id == asset_id)
        .order_by(i.opened_at)
        .limit(1)
    ).scalar()
    if found is not None:
        join(work, work.one(d.incidents, found, "incident"), case_id, since)


def let_each_decide(work: Unit, incident_id: str) -> int:
    """The cases that waited with an incident decide for themselves from their next forecasts on; how many they are."""
    waiting = waiting_of(work, incident_id)
    for row in waiting:
        work.update(t.cases, {"id": row.id}, decided_at=None, decided_by=None, path=None, in_row=0)
    return len(waiting)


def waiting_of(work: Unit, incident_id: str) -> list[Row]:
    """The open cases of an incident whose orders wait for the one decision, the oldest first."""
    k, c = d.incident_cases.c, t.cases.c
    members = sa.select(k.case_id).where(k.tenant == work.tenant, k.incident_id == incident_id)
    chosen = sa.select(t.cases).where(
        c.tenant == work.tenant, c.id.in_(members), c.closed_at.is_(None), c.path == Path.GATHERED,
        c.state == CaseState.MONITORING,
    )  # fmt: skip
    return list(work.connection.execute(chosen.order_by(c.opened_at, c.id)))


def settle(work: Unit, case_id: str) -> None:
    """A case has ended; with the last one ends its incident, but for one that its gateway ends."""
    incident = incident_of(work, case_id)
    if incident is not None and incident.kind != GATEWAY and not open_members(work, incident.id, 1):
        work.update(d.incidents, {"id": incident.id}, closed_at=work.now)
        work.record("incident_closed", "", incident.id, f"{incident.title}: the last case is closed.")
