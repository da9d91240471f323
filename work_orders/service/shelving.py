"""Being worked on: while somebody is at a machine its alarms wait, with a reason and an end."""

from datetime import datetime, timedelta

from contracts.records import DEVICE_COMMANDS, FINDINGS, HoldReleased, HoldSet, Shelve, Unshelve, encode
from plumbing.runtime import Shared
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import tables as t
from work_orders.service.errors import BadInput
from work_orders.service.installed_base import devices_of
from work_orders.service.unit import Row, Unit, derived_id, unit

_MAY = (Role.TECHNICIAN, Role.DISPATCHER, Role.ENGINEER, Role.ADMIN, Role.SYSTEM)
LONGEST = timedelta(days=30)


def work_on(work: Unit, asset_id: str) -> Row | None:
    """Who is at the machine now, if anybody."""
    c = t.asset_work.c
    rows = work.all(t.asset_work, c.asset_id == asset_id, c.ended_at.is_(None), c.until > work.now)
    return rows[0] if rows else None


def shelve(work: Unit, asset_id: str, reason: str, until: datetime, order_id: str | None = None) -> str:
    """Let the alarms of a machine wait."""
    n = len(work.all(t.asset_work, t.asset_work.c.asset_id == asset_id)) + 1
    id = derived_id("W", work.tenant, asset_id, n)
    work.insert(
        t.asset_work, id=id, asset_id=asset_id, order_id=order_id, reason=reason, actor=work.actor.name,
        start=work.now, until=until,
    )  # fmt: skip
    for device in devices_of(work, asset_id):
        work.emit(FINDINGS, device, encode(Shelve(1, work.tenant, device, reason, work.now, until)))
        hold = HoldSet(1, id, work.tenant, device, "visit", reason, work.now, until)
        work.emit(DEVICE_COMMANDS, device, encode(hold))
    text = f"Alarms of {asset_id} wait: {reason}."
    work.record("alarms_shelved", asset_id, id, text, until=until.isoformat())
    return id


def unshelve(work: Unit, asset_id: str, *, order_id: str | None = None) -> bool:
    """Let the alarms of a machine through again, all or those of one order; whether any waited."""
    c = t.asset_work.c
    where = [c.asset_id == asset_id, c.ended_at.is_(None), c.until > work.now]
    rows = work.all(t.asset_work, *where, *([c.order_id == order_id] if order_id else []))
    for row in rows:
        work.update(t.asset_work, {"id": row.id}, ended_at=work.now)
        for device in devices_of(work, asset_id):
            work.emit(DEVICE_COMMANDS, device, encode(HoldReleased(1, row.id, work.tenant, device, work.now)))
    if not rows or work_on(work, asset_id) is not None:
        return bool(rows)
    for device in devices_of(work, asset_id):
        work.emit(FINDINGS, device, encode(Unshelve(1, work.tenant, device, work.now)))
    work.record("alarms_unshelved", asset_id, rows[0].id, f"Alarms of {asset_id} count again.")
    return True


def start_being_worked_on(
    shared: Shared, tenant: str, asset_id: str, reason: str, until: datetime, actor: Actor
) -> str:
    """Set "being worked on" with a reason and an end; returns its id."""
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "set being worked on", _MAY)
    if not reason.strip():
        raise BadInput("reason", "say why")
    with unit(shared, tenant, actor) as work:
        work.one(t.assets, asset_id, "asset")
        if not work.now < until <= work.now + LONGEST:
            raise BadInput("until", f"must lie within {LONGEST.days} days from now")
        return shelve(work, asset_id, reason.strip(), until)


def end_being_worked_on(shared: Shared, tenant: str, asset_id: str, actor: Actor) -> bool:
    """End "being worked on" before its time; whether it was set."""
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "end being worked on", _MAY)
    with unit(shared, tenant, actor) as work:
        work.one(t.assets, asset_id, "asset")
        return unshelve(work, asset_id)
