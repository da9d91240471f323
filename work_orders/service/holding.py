"""What stands against guarded commands on a machine: open permits and lock-outs; ingest and the devices are told."""

from contracts.records import DEVICE_COMMANDS, HoldReleased, HoldSet, encode
from plumbing.runtime import Shared
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import tables as t
from work_orders.service.errors import BadInput
from work_orders.service.installed_base import devices_of
from work_orders.service.unit import Unit, derived_id, unit

KINDS = ("permit", "lockout")
_MAY = (Role.TECHNICIAN, Role.DISPATCHER, Role.ENGINEER, Role.ADMIN)


def put_hold(work: Unit, asset_id: str, kind: str, note: str) -> str:
    """Let a permit or a lock-out stand against guarded commands; its id."""
    n = len(work.all(t.holds, t.holds.c.asset_id == asset_id)) + 1
    id = derived_id("H", work.tenant, asset_id, n)
    work.insert(
        t.holds, id=id, asset_id=asset_id, kind=kind, note=note.strip()[:300], actor=work.actor.name, since=work.now
    )
    for device in devices_of(work, asset_id):
        work.emit(DEVICE_COMMANDS, device, encode(HoldSet(1, id, work.tenant, device, kind, note, work.now)))
    work.record("hold_set", asset_id, id, f"{asset_id}: {kind} on record. {note}".strip(), kind=kind)
    return id


def take_off(work: Unit, id: str) -> bool:
    """It stands no more; whether it stood."""
    row = work.one(t.holds, id, "hold")
    if row.released_at is not None:
        return False
    work.update(t.holds, {"id": id}, released_at=work.now)
    for device in devices_of(work, row.asset_id):
        work.emit(DEVICE_COMMANDS, device, encode(HoldReleased(1, id, work.tenant, device, work.now)))
    work.record("hold_released", row.asset_id, id, f"{row.asset_id}: {row.kind} released.", kind=row.kind)
    return True


def set_hold(shared: Shared, tenant: str, asset_id: str, kind: str, note: str, actor: Actor) -> str:
    """Record an open permit or a lock-out; its id."""
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, f"record a {kind}", _MAY)
    if kind not in KINDS:
        raise BadInput("kind", f"must be one of {', '.join(KINDS)}")
    with unit(shared, tenant, actor) as work:
        work.one(t.assets, asset_id, "asset")
        return put_hold(work, asset_id, kind, note)


def release_hold(shared: Shared, tenant: str, id: str, actor: Actor) -> bool:
    """The permit is closed, the lock taken off; whether it stood."""
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "release a hold", _MAY)
    with unit(shared, tenant, actor) as work:
        return take_off(work, id)
