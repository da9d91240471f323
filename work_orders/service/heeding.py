"""What is urgent in somebody's own words raises the priority of his case, never lowers it; a person may say otherwise.

Nothing more is kept of the words; that a case was raised, and by which of them, is on record.
"""

from plumbing.runtime import Shared
from work_orders.domain.job import priority_of
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.domain.report_reader import URGENCY
from work_orders.domain.report_words import own_words
from work_orders.service import tables as t
from work_orders.service.errors import BadInput
from work_orders.service.moves import open_order_of
from work_orders.service.report_reader import reader
from work_orders.service.sla import follow
from work_orders.service.unit import Unit, unit

NOT_URGENT = "judged"
"""A person has looked: words raise this case no more."""
_MAY = (Role.DISPATCHER, Role.ADMIN)


def heed_words(work: Unit, case_id: str, text: str) -> None:
    """Somebody said something about a case that is open."""
    case = work.one(t.cases, case_id, "case")
    own = own_words(text)
    if case.closed_at is not None or case.urgent or not own:
        return
    found = reader().read(own).urgent
    if found is None:
        return
    work.update(t.cases, {"id": case_id}, urgent=found.name)
    _set_priority(work, case_id)
    said = ", ".join(f"“{w}”" for w in found.words)
    why = f"The case of {case.asset_id} is urgent by what was said: {URGENCY[found.name]} ({said})."
    work.record("urgency_raised", case.asset_id, case_id, why, urgent=found.name)


def call_calm(shared: Shared, tenant: str, case_id: str, actor: Actor, *, version: int | None = None) -> None:
    """A dispatcher has looked: it is not urgent, whatever the words. Raises NotPermitted, NotFound, BadInput, Stale."""
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "call a case calm", _MAY)
    with unit(shared, tenant, actor) as work:
        case = work.one(t.cases, case_id, "case")
        work.check_version(case, version)
        if case.urgent not in URGENCY or case.closed_at is not None:
            raise BadInput("case", "no words have made it urgent")
        work.update(t.cases, {"id": case_id}, urgent=NOT_URGENT)
        _set_priority(work, case_id)
        work.record("urgency_judged", case.asset_id, case_id, f"{actor.name} has looked: it is not urgent.")


def _set_priority(work: Unit, case_id: str) -> None:
    """The priority of its open order follows, and so do its promises."""
    case, order = work.one(t.cases, case_id, "case"), open_order_of(work, case_id)
    asset = work.one(t.assets, case.asset_id, "asset")
    now = priority_of(case.broke_down_at is not None, case.urgent in URGENCY, asset.criticality)
    if order is not None and order.priority != now:
        work.update(t.orders, {"id": order.id}, priority=now, changed_at=work.now)
    work.at_end(follow, case_id)
