"""A gateway that is off line is one incident: it gathers the cases of its machines, and ends when the gateway is back.

No customer is told of it: his machines are not known to have anything.
"""

import sqlalchemy as sa

from contracts.records import Outage
from work_orders.domain.incidents import GATEWAY
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service.gathering import join, let_each_decide, open_incident
from work_orders.service.unit import Row, Unit


def hear_outage(work: Unit, told: Outage) -> None:
    """An outage began, changed or is over; the same again changes nothing. One device alone is no incident."""
    c = d.incidents.c
    cause = f"{GATEWAY}:{told.device}"
    found = work.all(d.incidents, c.cause == cause, c.closed_at.is_(None))
    if told.ended_at is not None:
        if found:
            _over(work, found[0], told.device)
        return
    if not found and not told.behind:
        return
    title = _title(told)
    incident = found[0] if found else open_incident(work, cause, GATEWAY, title)
    _keep(work, incident, told)
    if incident.title != title:
        work.update(d.incidents, {"id": incident.id}, title=title)
        work.record("incident_changed", "", incident.id, f"{title}.")
    for case in _begun(work, incident.id, told):
        join(work, work.one(d.incidents, incident.id, "incident"), case.id, case.opened_at)


def _title(told: Outage) -> str:
    if not told.behind:
        return f"{told.device} is off line"
    them = told.behind[0] if len(told.behind) == 1 else f"{len(told.behind)} devices"
    return f"{told.device} is off line, and {them} behind it"


def _keep(work: Unit, incident: Row, told: Outage) -> None:
    """Which devices are off line with it now."""
    c = d.incident_devices.c
    wanted = {told.device, *told.behind}
    mine = (c.tenant == work.tenant, c.incident_id == incident.id)
    known = set(work.connection.execute(sa.select(c.device).where(*mine)).scalars())
    key = {"tenant": work.tenant, "incident_id": incident.id}
    gone = [key | {"gone": name} for name in sorted(known - wanted)]
    come = [key | {"device": name} for name in sorted(wanted - known)]
    if gone:
        left = d.incident_devices.delete().where(*mine, c.device == sa.bindparam("gone"))
        work.connection.execute(left, gone)
    if come:
        work.connection.execute(d.incident_devices.insert(), come)


def _begun(work: Unit, incident_id: str, told: Outage) -> list[Row]:
    """Open cases of its machines that began with the outage or after it."""
    k, m, a = t.cases.c, d.incident_devices.c, t.asset_devices.c
    here = (
        sa.select(a.asset_id)
        .join(d.incident_devices, sa.and_(m.tenant == a.tenant, m.device == a.device))
        .where(a.tenant == work.tenant, m.incident_id == incident_id)
    )
    chosen = sa.select(k.id, k.opened_at).where(
        k.tenant == work.tenant, k.closed_at.is_(None), k.opened_at >= told.since, k.asset_id.in_(here)
    )
    return list(work.connection.execute(chosen.order_by(k.opened_at, k.id)))


def _over(work: Unit, incident: Row, device: str) -> None:
    """The gateway is back: what waited with it decides for itself."""
    waited = let_each_decide(work, incident.id)
    work.update(d.incidents, {"id": incident.id}, closed_at=work.now)
    text = f"{device} is on line again, its incident is over." + (
        f" {waited} cases that waited with it go on by themselves." if waited else ""
    )
    work.record("incident_closed", "", incident.id, text, cases=waited)
