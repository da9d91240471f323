"""Permits and lock-outs of a work order: named by the asset model, recorded by people, asked for by the order's steps.

A permit must be there before the order is ready, a lock-out before the work begins; a lock is off before it is done.
Each stands against guarded commands on the machine's devices for as long as it is open.
"""

import msgspec

from plumbing.runtime import Shared
from work_orders.domain.job import LOCKOUT
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.domain.order_states import ENDED, OrderAction
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.errors import BadInput, NotFound, WorkOrdersError
from work_orders.service.holding import put_hold, take_off
from work_orders.service.unit import Row, Unit, derived_id, unit

_MAY = (Role.TECHNICIAN, Role.DISPATCHER, Role.ADMIN)


class PermitMissing(WorkOrdersError):
    """What the order needs before it can go on, or must give back before it is done."""

    def __init__(self, order_id: str, names: list[str], what: str) -> None:
        super().__init__(f"{order_id} {what}: {', '.join(names)}")
        self.order_id, self.names = order_id, tuple(names)


def open_permits(work: Unit, order_id: str) -> list[Row]:
    """The permits and lock-outs that stand now."""
    c = w.permits.c
    return work.all(w.permits, c.order_id == order_id, c.released_at.is_(None))


def missing(work: Unit, order: Row, *, for_start: bool) -> list[str]:
    """Names of what the order needs and does not have; lock-outs are put on at the machine, so only for the start."""
    needed = msgspec.json.decode(order.permits, type=list[str])
    have = {r.name for r in open_permits(work, order.id)}
    return [n for n in needed if n not in have and (for_start or n != LOCKOUT)]


def check_permits(work: Unit, order: Row, action: OrderAction) -> None:
    """Raises PermitMissing when an action must wait for a permit, or for a lock that is still on."""
    if action in (OrderAction.MARK_READY, OrderAction.START):
        names = missing(work, order, for_start=action is OrderAction.START)
        if names:
            raise PermitMissing(order.id, names, "needs")
    if action is OrderAction.FINISH:
        locks = [r.name for r in open_permits(work, order.id) if r.kind == LOCKOUT]
        if locks:
            raise PermitMissing(order.id, locks, "must take off first")


def grant(shared: Shared, tenant: str, order_id: str, name: str, actor: Actor, *, note: str = "") -> str:
    """Record a permit, or a lock-out (`lockout`), for an order; its id. The same one that stands already is that one.

    Raises NotPermitted, NotFound, BadInput.
    """
    from work_orders.service.orders import schedule, seen_order  # both look at permits themselves

    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "record a permit", _MAY)
    name = name.strip()
    if not name or len(name) > 100:
        raise BadInput("name", "must have 1 to 100 characters")
    with unit(shared, tenant, actor) as work:
        order = seen_order(work, order_id)
        if order.state in ENDED:
            raise BadInput("order", f"is {order.state}")
        standing = [r for r in open_permits(work, order_id) if r.name == name]
        if standing:
            return str(standing[0].id)
        n = len(work.all(w.permits, w.permits.c.order_id == order_id)) + 1
        id = derived_id("P", tenant, order_id, n)
        kind = LOCKOUT if "".join(c for c in name.casefold() if c.isalpha()) == LOCKOUT else "permit"
        hold = put_hold(work, order.asset_id, kind, f"{name}: {note}".strip(": ")[:300])
        work.insert(
            w.permits, id=id, order_id=order_id, name=name, kind=kind, note=note.strip()[:300], actor=actor.name,
            at=work.now, released_by="", hold_id=hold,
        )  # fmt: skip
        text = f"{actor.name} recorded for work order {order_id}: {name}."
        work.record("permit_recorded", order.asset_id, order_id, text, kind=kind)
        if order.visit_start is not None and not missing(work, order, for_start=False):
            case = work.one(t.cases, order.case_id, "case")
            schedule(work, order, dispatch=case.path == "automatic")
        return id


def give_back(shared: Shared, tenant: str, order_id: str, permit_id: str, actor: Actor) -> bool:
    """A permit is given back, a lock taken off; whether it stood. Raises NotPermitted, NotFound."""
    from work_orders.service.orders import seen_order

    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "give a permit back", _MAY)
    with unit(shared, tenant, actor) as work:
        order = seen_order(work, order_id)
        row = work.one(w.permits, permit_id, "permit")
        if row.order_id != order_id:
            raise NotFound("permit", permit_id)
        if row.released_at is not None:
            return False
        work.update(w.permits, {"id": permit_id}, released_at=work.now, released_by=actor.name)
        take_off(work, row.hold_id)
        text = f"{actor.name} gave back for work order {order_id}: {row.name}."
        work.record("permit_released", order.asset_id, order_id, text, kind=row.kind)
        return True
