"""What was found: the label of a case. A failure that a visit prevented is not a false alarm."""

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from contracts.records import FINDINGS, RESULTS, Finding, Prediction, encode
from plumbing.runtime import Shared
from work_orders.domain.case_states import CaseAction, CaseState
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.domain.order_states import OrderAction, OrderState, step_order
from work_orders.domain.requests import RequestKind
from work_orders.service import tables as t
from work_orders.service.door import Request, costs_of, open_case
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.installed_base import devices_of
from work_orders.service.moves import move_case, move_order, open_order_of
from work_orders.service.offers import take_back, tell_false_visit
from work_orders.service.orders import seen_order
from work_orders.service.unit import Row, Unit, derived_id, unit

OUTCOMES = {
    "true": "failed", "false": "found_nothing", "prevented": "prevented", "missed": "failed", "unknown": "unknown",
}  # fmt: skip
_WORDS = {
    "true": "the forecast was right, it had failed already",
    "false": "nothing was wrong",
    "prevented": "a failure was prevented",
    "missed": "it had failed, and no forecast had called for a visit",
    "unknown": "it cannot be said",
}
SAME_BREAKDOWN = timedelta(hours=1)
CLOCKS_DIFFER = timedelta(minutes=1)
_decode = msgspec.msgpack.Decoder(Prediction).decode
_MAY_REPORT = (
    Role.CUSTOMER, Role.TECHNICIAN, Role.DISPATCHER, Role.ENGINEER, Role.ADMIN, Role.INTEGRATION, Role.SYSTEM,
)  # fmt: skip


def record_finding(
    shared: Shared, tenant: str, order_id: str, result: str, actor: Actor, *, failure_mode: str = "",
    as_found: str = "", replaced: bool | None = None, serial: str = "", version: int | None = None,
) -> str:  # fmt: skip
    """The technician's finding for an order whose work is done; returns its id.

    `failure_mode` defaults to the order's; `replaced` (a new baseline follows) to whether a failure was found or
    prevented; `serial` is that of the part that was put in.

    Raises IllegalTransition, NotPermitted, NotFound, BadInput, Stale.
    """
    with unit(shared, tenant, actor) as work:
        order = seen_order(work, order_id)
        work.check_version(order, version)
        step_order(OrderState(order.state), OrderAction.RECORD_FINDING, actor.role)
        if result not in RESULTS:
            raise BadInput("result", f"{result!r} must be one of {', '.join(RESULTS)}")
        asset = work.one(t.assets, order.asset_id, "asset")
        mode = failure_mode or order.failure_mode
        if work.mode(asset, mode) is None and (mode or result not in ("false", "unknown")):
            raise BadInput("failure_mode", f"{mode!r} is no failure mode of {asset.model}")
        case = work.one(t.cases, order.case_id, "case")
        if mode and not case.failure_mode:  # somebody reported it, nobody knew what it was: now its costs are known
            costs = costs_of(work.model(asset.model), mode)
            work.update(t.cases, {"id": case.id}, failure_mode=mode, costs=costs)
        if result == "prevented" and case.broke_down_at is not None:
            raise BadInput("result", "the machine broke down before the visit, so nothing was prevented")
        move_order(work, order.id, OrderAction.RECORD_FINDING)
        n = len(work.all(t.findings, t.findings.c.order_id == order.id)) + 1
        id = derived_id("F", tenant, order.id, n)
        new = result in ("true", "prevented", "missed") if replaced is None else replaced
        put_finding(work, id, case, order.id, result, mode, as_found.strip(), new, work.now, serial.strip())
        if result == "false":
            tell_false_visit(work, case.id, as_found.strip())
        actions = (CaseAction.RESOLVE,) if case.state != CaseState.RESOLVED else ()
        move_case(work, case.id, *actions, outcome=OUTCOMES[result])
        return id


def put_finding(
    work: Unit, id: str, case: Row, order_id: str | None, result: str, mode: str, as_found: str, replaced: bool,
    at: datetime, serial: str = "",
) -> None:  # fmt: skip
    """Write a finding, label the predictions of its case, tell the log.

    The component is that of the mode found: the case's diagnosis may have named another one. What had failed is
    `missed` unless a forecast of the case came before the failure. What a visit finds takes the place of what was
    written down when the machine broke down.
    """
    f = t.findings.c
    reported = work.all(t.findings, f.case_id == case.id, f.order_id.is_(None), f.superseded_at.is_(None))
    if result == "true" and ("missed" in [r.result for r in reported] or not _foretold(work, case)):
        result = "missed"
    for row in reported:
        work.update(t.findings, {"id": row.id}, superseded_at=work.now)
    asset = work.one(t.assets, case.asset_id, "asset")
    found_mode = work.mode(asset, mode)
    component = found_mode.component if found_mode else case.component
    work.insert(
        t.findings, id=id, case_id=case.id, order_id=order_id, asset_id=case.asset_id, component=component,
        result=result, failure_mode=mode, as_found=as_found, replaced=replaced, at=at, actor=work.actor.name,
        serial=serial,
    )  # fmt: skip
    work.update(t.intake, {"case_id": case.id}, label=result)
    since = _called_since(work, case.id)
    learnable = component in work.model(asset.model).components  # of a whole machine nothing is learned
    for device in devices_of(work, case.asset_id) if learnable else ():
        found = Finding(
            1, id, work.tenant, device, component, case.id, order_id or "", result, mode, as_found, replaced, at,
            case.asset_id, serial, since,
        )  # fmt: skip
        work.emit(FINDINGS, device, encode(found))
    text = f"Found at {case.asset_id} ({component}): {_WORDS[result]}." + (f" {as_found}" if as_found else "")
    work.record(
        "finding_recorded", case.asset_id, id, text, case=case.id, order=order_id, result=result, replaced=replaced
    )


def _foretold(work: Unit, case: Row) -> bool:
    """Whether a forecast of the case came before the failure."""
    i = t.intake.c
    chosen = sa.select(i.prediction_id).where(i.tenant == work.tenant, i.case_id == case.id)
    if case.broke_down_at is not None:
        chosen = chosen.where(i.issued_at < case.broke_down_at)
    return work.connection.execute(chosen.limit(1)).first() is not None


def _called_since(work: Unit, case_id: str) -> datetime | None:
    """When the first alarm of a case began; None = no forecast belongs to it."""
    i = t.intake.c
    bodies = work.connection.execute(
        sa.select(i.body).where(i.tenant == work.tenant, i.case_id == case_id).order_by(i.issued_at).limit(1)
    )
    first = bodies.scalar()
    return None if first is None else _decode(first).alarm_since


def report_breakdown(
    shared: Shared, tenant: str, asset_id: str, failure_mode: str, actor: Actor, *, at: datetime | None = None,
    as_found: str = "", replaced: bool = False,
) -> str:  # fmt: skip
    """A machine broke down; returns the case. The same report (asset, component, time) again changes nothing; without
    a time it is the same as one of the last hour.

    With an open order the order becomes corrective and its finding will say the rest. Without one it is put on record
    what the failure says of the forecasts: `true` when one had called for a visit (and nobody was sent), else `missed`;
    the case stays open until somebody was there, unless the part was `replaced` already.
    """
    if actor.role not in _MAY_REPORT:
        raise NotPermitted(actor.role, "report a breakdown", _MAY_REPORT)
    with unit(shared, tenant, actor) as work:
        asset = work.one(t.assets, asset_id, "asset")
        if actor.role is Role.CUSTOMER and asset.customer_id != actor.of:
            raise NotFound("asset", asset_id)
        model = work.model(asset.model)
        mode = model.mode(failure_mode)
        if mode is None:
            raise BadInput("failure_mode", f"{failure_mode!r} is no failure mode of {asset.model}")
        when = at or work.now
        if when > work.now + CLOCKS_DIFFER:
            raise BadInput("at", f"{when.isoformat()} has not come yet")
        id = derived_id("F", tenant, asset_id, mode.component, when.isoformat(), "breakdown")
        c = t.cases.c
        lately = c.broke_down_at == when if at else c.broke_down_at > when - SAME_BREAKDOWN
        again = work.all(t.cases, c.asset_id == asset_id, c.component == mode.component, lately)
        if again:
            return str(again[0].id)
        work.record("breakdown_reported", asset_id, id, f"{asset.name} broke down: {mode.title.lower()}.")
        opened = open_case(
            work, Request(RequestKind.BREAKDOWN, asset_id, failure_mode=mode.name, text=as_found, external=id, at=when)
        )
        case = work.one(t.cases, str(opened.case), "case")
        if case.state == CaseState.RESOLVED or case.broke_down_at != when:  # it stands still already
            return str(case.id)
        order = open_order_of(work, case.id)
        words = case.reason or "it broke down"
        work.update(t.cases, {"id": case.id}, outcome="failed", failure_mode=mode.name, reason=words)
        if order is not None:
            work.update(t.orders, {"id": order.id}, type="corrective", priority="urgent", changed_at=work.now)
            if order.visit_start is None:
                take_back(work, case.id, "it broke down; the dispatcher calls to agree on the repair")
            return str(case.id)
        result = "missed" if case.decided_at is None else "true"
        case = work.one(t.cases, case.id, "case")
        put_finding(work, id, case, None, result, mode.name, as_found.strip(), replaced, when)
        if not replaced:
            return str(case.id)
        move_case(work, case.id, CaseAction.RESOLVE, CaseAction.CLOSE, outcome="failed")
        text = f"The case of {asset_id} ({mode.component}) is closed: failed."
        work.record("case_closed", asset_id, case.id, text, outcome="failed")
        return str(case.id)
