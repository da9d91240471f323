"""A person lets the product do more, or less, for an asset model and a customer, on the record that he saw."""

import msgspec

from plumbing.runtime import Shared
from work_orders.domain.autonomy_states import AUTONOMY, AutonomyAction, Record
from work_orders.domain.decision import Autonomy
from work_orders.domain.machine import Actor
from work_orders.service import autonomy_tables as p
from work_orders.service import tables as t
from work_orders.service.errors import BadInput, WorkOrdersError
from work_orders.service.installed_base import autonomy_of
from work_orders.service.track_record import standings
from work_orders.service.unit import derived_id, unit


class RecordChanged(WorkOrdersError):
    """The record is not the one that was on the screen any more; `is_now` is the newest."""

    def __init__(self, is_now: Record) -> None:
        super().__init__("the record has changed since you looked: look again")
        self.is_now = is_now


def move_autonomy(
    shared: Shared, tenant: str, model: str, customer_id: str, action: str, seen: Record, actor: Actor, *,
    reason: str = "",
) -> Autonomy:  # fmt: skip
    """`promote` (one step), `step_back` or `stop`; the mode afterwards. `seen` is the record that was on the screen:
    more is allowed only on the newest, less always.

    Raises IllegalTransition, NotPermitted, NotFound, UnknownModel, BadInput, RecordChanged.
    """
    try:
        wanted = AutonomyAction(action)
    except ValueError as problem:
        raise BadInput("action", f"{action!r} must be one of {', '.join(AutonomyAction)}") from problem
    with unit(shared, tenant, actor) as work:
        work.model(model)
        if customer_id:
            work.one(t.customers, customer_id, "customer")
        before = autonomy_of(work, model, customer_id or None)
        after = AUTONOMY.step(before, wanted, actor.role)
        found = standings(work.connection, tenant, model=model)
        now = next((s.record for s in found if s.customer_id == customer_id), Record())
        if wanted is AutonomyAction.PROMOTE and now != seen:
            raise RecordChanged(now)
        if not work.insert_new(t.autonomy, model=model, customer_id=customer_id, mode=after):
            work.update(t.autonomy, {"model": model, "customer_id": customer_id}, mode=after)
        n = len(work.all(p.promotions)) + 1
        work.insert(
            p.promotions, id=derived_id("PR", tenant, n), model=model, customer_id=customer_id, from_mode=before,
            to_mode=after, seen=msgspec.json.encode(now).decode(), reason=reason.strip()[:300], actor=actor.name,
            at=work.now,
        )  # fmt: skip
        who = f"{model} of {customer_id or 'every customer'}"
        text = (
            f"{actor.name} let the product {after} instead of {before} for {who}, having seen {now.right} right,"
            f" {now.wrong} wrong, {now.missed} missed."
        )
        work.record("autonomy_moved", "", f"{model}/{customer_id}", text, mode=after, before=before)
        return after
