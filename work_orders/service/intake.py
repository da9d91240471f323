"""Predictions and alarms come in: linked to the one open case of their asset and component, suppressed, or expired.

Every prediction that is linked leads to a decision, and every decision, "no" included, is logged with all its inputs.
"""

from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.asset_model import AssetModel, FailureMode
from contracts.records import Alarm, Prediction
from plumbing.runtime import Shared
from work_orders.domain.aftercare import MENDED, SETTLING
from work_orders.domain.case_states import INTAKE, CaseAction, CaseState, IntakeAction, IntakeState
from work_orders.domain.decision import Inputs, Outcome, Path, Verdict, decide
from work_orders.domain.machine import SYSTEM, Role
from work_orders.domain.money import Costs
from work_orders.domain.order_states import OrderAction, OrderState, allowed
from work_orders.domain.requests import RequestKind
from work_orders.domain.risk import Curve, Window, interpolate, window
from work_orders.domain.trust import Past, trust
from work_orders.service import tables as t
from work_orders.service.diagnosing import Closer, look_closer
from work_orders.service.door import Request, open_case
from work_orders.service.gathering import gathered
from work_orders.service.installed_base import asset_of, autonomy_of
from work_orders.service.moves import move_case, move_order, open_order_of
from work_orders.service.offers import queue_offer, take_back
from work_orders.service.opening import open_order
from work_orders.service.shelving import work_on
from work_orders.service.trying_afar import afar_of, end_try, try_from_afar
from work_orders.service.unit import Row, Unit, unit

DAY = timedelta(hours=24)


def take_prediction(shared: Shared, prediction: Prediction) -> str:
    """Take one prediction in its own transaction; what became of it (`linked`, `suppressed`, `expired`)."""
    with unit(shared, prediction.tenant, SYSTEM) as work:
        return take(work, prediction)


def take_alarm(shared: Shared, alarm: Alarm) -> None:
    """Take one alarm in its own transaction."""
    with unit(shared, alarm.tenant, SYSTEM) as work:
        hear(work, alarm)


def take(work: Unit, prediction: Prediction) -> str:
    """Take a prediction; a repetition changes nothing."""
    asset = asset_of(work, prediction.device)
    new = work.insert_new(
        t.intake, prediction_id=prediction.id, device=prediction.device, asset_id=asset.id if asset else "",
        component=prediction.component, failure_mode=prediction.failure_mode, alarm_id=prediction.alarm_id,
        state=IntakeState.ISSUED, reason="", issued_at=prediction.issued_at, measured_at=prediction.measured_at,
        taken_at=work.now, body=msgspec.msgpack.encode(prediction),
    )  # fmt: skip
    if not new:
        c = t.intake.c
        return str(work.all(t.intake, c.prediction_id == prediction.id)[0].state)
    model = work.models(asset.model) if asset else None
    mode = model.mode(prediction.failure_mode) if model else None
    action, why = _sort_out(work, prediction, asset, mode)
    case_id = None
    if action is IntakeAction.LINK and asset is not None and model is not None and mode is not None:
        case = _case_of(work, prediction, asset, mode)
        case_id = case.id
    state = INTAKE.step(IntakeState.ISSUED, action, Role.SYSTEM)
    work.update(t.intake, {"prediction_id": prediction.id}, state=state, reason=why, case_id=case_id)
    if case_id is not None and asset is not None and model is not None and mode is not None:
        case = work.one(t.cases, case_id, "case")
        if case.component == prediction.component:  # what was merged into another case does not decide there
            _decide(work, prediction, case, asset, model, mode)
    return str(state)


def _sort_out(
    work: Unit, prediction: Prediction, asset: Row | None, mode: FailureMode | None
) -> tuple[IntakeAction, str]:
    if asset is None:
        return IntakeAction.SUPPRESS, "its device watches no asset that is on record"
    if mode is None or mode.component != prediction.component:
        return IntakeAction.SUPPRESS, f"{asset.model} has no failure mode {prediction.failure_mode}"
    if not prediction.pageable:
        return IntakeAction.SUPPRESS, "the alarm does not hold on the device's newest data"
    if work.now - prediction.issued_at > timedelta(hours=work.policy().stale_hours):
        return IntakeAction.EXPIRE, "it came too late to act on"
    busy = work_on(work, asset.id)
    if busy is not None:
        return IntakeAction.SUPPRESS, f"the machine is being worked on: {busy.reason}"
    f = t.findings.c
    repaired = work.connection.execute(
        sa.select(sa.func.max(f.at)).where(
            f.tenant == work.tenant, f.asset_id == asset.id, f.component == prediction.component, f.replaced.is_(True)
        )
    ).scalar()
    if repaired is not None and prediction.measured_at <= repaired:
        return IntakeAction.SUPPRESS, "it rests on readings from before the repair"
    looked_at = _dealt_with(work, asset, prediction)
    if looked_at is not None:
        return IntakeAction.SUPPRESS, f"its alarm was dealt with in the closed case {looked_at}"
    return IntakeAction.LINK, ""


def _dealt_with(work: Unit, asset: Row, prediction: Prediction) -> str | None:
    """The closed case that dealt with a forecast's alarm. An alarm that goes on after the repair, once it had time to
    settle, was not dealt with."""
    i, k, f = t.intake, t.cases, t.findings.c
    closed = work.connection.execute(
        sa.select(k.c.id, k.c.outcome, k.c.closed_at)
        .join(i, sa.and_(i.c.tenant == k.c.tenant, i.c.case_id == k.c.id))
        .where(
            k.c.tenant == work.tenant, k.c.closed_at.is_not(None), k.c.state != CaseState.MERGED,
            k.c.asset_id == asset.id,
            k.c.component == prediction.component, i.c.alarm_id == prediction.alarm_id,
        )
        .order_by(k.c.closed_at.desc())
        .limit(1)
    ).first()  # fmt: skip
    if closed is None:
        return None
    mended = [
        row.at
        for row in work.all(t.findings, f.case_id == closed.id, f.superseded_at.is_(None))
        if row.result in MENDED
    ]
    if closed.outcome == "remote":
        mended.append(closed.closed_at)
    return None if mended and prediction.measured_at >= max(mended) + SETTLING else str(closed.id)


def _case_of(work: Unit, prediction: Prediction, asset: Row, mode: FailureMode) -> Row:
    """The one open case of the asset and component, through the one door."""
    asked = Request(
        RequestKind.FORECAST, asset.id, prediction.component, mode.name, external=prediction.id, channel="log",
        cause=prediction.group, at=prediction.alarm_since, text=f"{mode.title} is suspected.",
    )  # fmt: skip
    opened = open_case(work, asked)
    id = str(opened.case)
    if opened.new:
        move_case(work, id, CaseAction.TRIAGE, CaseAction.MONITOR, role=Role.SYSTEM, alarm_id=prediction.alarm_id)
        text = f"{asset.name}: {mode.title.lower()} is suspected, a case was opened and is watched."
        work.record("case_opened", asset.id, id, text, component=prediction.component, prediction=prediction.id)
    return work.one(t.cases, id, "case")


def _inputs(
    work: Unit, prediction: Prediction, case: Row, asset: Row, model: AssetModel, mode: FailureMode, closer: Closer
) -> Inputs:
    o = t.orders.c
    lately = (o.tenant == work.tenant, o.opened_at > work.now - DAY, o.follows.is_(None), o.state != "cancelled")
    in_a_day = work.connection.execute(sa.select(sa.func.count()).where(*lately)).scalar_one()
    everything = sa.select(sa.func.count()).where(t.assets.c.tenant == work.tenant)
    assets = work.once("assets", lambda: work.connection.execute(everything).scalar_one(), t.assets)
    policy = work.policy()
    past = trust(_findings(work, asset.id, prediction.component), work.now)
    return Inputs(
        what=mode.title.lower(), unit=model.lifetime_unit, risk_hours=tuple(prediction.risk_hours),
        risk=tuple(prediction.risk), horizon_hours=model.decision.horizon_hours,
        consecutive=model.decision.consecutive, costs=Costs.of(model, mode), in_row=case.in_row,
        decided=case.decided_at is not None, autonomy=autonomy_of(work, asset.model, asset.customer_id),
        approval_limit=policy.approval_limit, orders_in_a_day=int(in_a_day), assets=int(assets),
        brake_per_100=policy.brake_per_100, has_customer=asset.customer_id is not None,
        belief=closer.factor * past.factor, trust=past.factor,
        evidence="; ".join(x for x in (closer.sentence, past.sentence) if x), gathered=gathered(work, case.id),
        afar=afar_of(work, case, mode),
        baseline_confirmed=prediction.baseline_confirmed,
    )  # fmt: skip


def _findings(work: Unit, asset_id: str, component: str) -> list[Past]:
    """What was found at a component, corrected findings left out."""
    rows = work.those(t.findings, asset_id=asset_id, component=component, superseded_at=None)
    return [Past(row.result, row.at) for row in rows]


def _decide(work: Unit, prediction: Prediction, case: Row, asset: Row, model: AssetModel, mode: FailureMode) -> None:
    p = interpolate(prediction.risk_hours, prediction.risk, model.decision.horizon_hours)
    closer = look_closer(work, prediction, case, asset, model, mode, p)
    mode = model.mode(closer.mode) or mode
    inputs = _inputs(work, prediction, case, asset, model, mode, closer)
    outcome = decide(inputs)
    if outcome.verdict is Verdict.ACT and closer.running:
        return  # nobody is asked before the checks have answered, or had their time: `diagnosing.end` decides then
    acts, watch = outcome.verdict is Verdict.ACT, outcome.path is Path.WATCH
    work.insert(
        t.decisions, prediction_id=prediction.id, case_id=case.id, at=work.now, verdict=outcome.verdict,
        path=outcome.path, p=outcome.p, would_have_opened=acts and watch, sentence=outcome.sentence,
        inputs=msgspec.json.encode(inputs).decode(), outcome=msgspec.json.encode(outcome).decode(),
    )  # fmt: skip
    values = {"prediction_id": prediction.id, "alarm_id": prediction.alarm_id, "in_row": outcome.in_row}
    values |= {"p_horizon": outcome.p, "alarm_cleared_at": None}
    if case.decided_at is None:  # the failure mode is the current best diagnosis until somebody acts on it
        values |= {"failure_mode": mode.name, "costs": msgspec.json.encode(inputs.costs).decode()}
    if acts:
        _act(work, prediction, case, asset, model, mode, outcome, values)
    else:
        work.update(t.cases, {"id": case.id}, **values)


def decide_again(work: Unit, prediction: Prediction) -> None:
    """Decide on a prediction whose decision waited for the checks."""
    asset = asset_of(work, prediction.device)
    model = work.models(asset.model) if asset else None
    mode = model.mode(prediction.failure_mode) if model else None
    if asset is None or model is None or mode is None:
        return
    c = t.cases.c
    for case in work.all(t.cases, c.asset_id == asset.id, c.component == prediction.component, c.closed_at.is_(None)):
        _decide(work, prediction, case, asset, model, mode)


def _act(
    work: Unit, prediction: Prediction, case: Row, asset: Row, model: AssetModel, mode: FailureMode, outcome: Outcome,
    values: dict[str, Any],
) -> None:  # fmt: skip
    """What follows from the decision to act; `values` are what the case learns from it."""
    curve = Curve(prediction.issued_at, tuple(prediction.risk_hours), tuple(prediction.risk))
    frame: Window = window(curve, work.now, model.decision.lead_hours, model.decision.act_latest)
    if outcome.path is Path.REMOTE and mode.remote is not None:
        work.update(t.cases, {"id": case.id}, **values)
        try_from_afar(work, case, asset, mode.remote, outcome.sentence)
        return
    values |= {
        "decided_at": work.now, "decided_by": prediction.id, "path": outcome.path, "earliest": frame.earliest,
        "latest": frame.latest, "at_most": frame.at_most,
        "would_have_opened_at": work.now if outcome.path is Path.WATCH else None,
    }  # fmt: skip
    if outcome.path in (Path.WATCH, Path.GATHERED):
        work.update(t.cases, {"id": case.id}, **values)
    if outcome.path is Path.WATCH:
        text = f"Would have opened a work order for {asset.name}, but may only watch: {outcome.sentence}"
        work.record("would_have_opened", asset.id, case.id, text, prediction=prediction.id)
        return
    if outcome.path is Path.GATHERED:
        text = f"A work order for {asset.name} waits with its incident: {outcome.sentence}"
        work.record("order_gathered", asset.id, case.id, text, prediction=prediction.id)
        return
    if case.state == CaseState.REMOTE_FIX:
        end_try(work, case.id, "late")
    case = move_case(work, case.id, CaseAction.PROPOSE, role=Role.SYSTEM, **values)
    if outcome.brake:
        text = f"The brake was pulled: the work order for {asset.name} waits for a person."
        work.record("brake_pulled", asset.id, case.id, text, case=case.id)
    approved = outcome.path is Path.AUTOMATIC
    order = open_order(work, case, approved=approved, why=outcome.sentence)
    if approved:
        queue_offer(work, order)


def hear(work: Unit, alarm: Alarm) -> None:
    """An alarm that clears: a notice not yet sent is withdrawn, one that was sent is corrected, the case closes.
    A visit that the customer has agreed to stays: somebody will look."""
    if alarm.change != "cleared":
        return
    asset = asset_of(work, alarm.device)
    if asset is None:
        return
    c = t.cases.c
    for case in work.all(
        t.cases, c.asset_id == asset.id, c.alarm_id == alarm.id, c.closed_at.is_(None), c.alarm_cleared_at.is_(None)
    ):
        if case.state in (CaseState.RESOLVED, CaseState.VERIFYING) or case.broke_down_at is not None:
            continue
        work.update(t.cases, {"id": case.id}, alarm_cleared_at=work.now, in_row=0)
        order = open_order_of(work, case.id)
        held = OrderState(order.held_from) if order is not None and order.held_from else None
        begun = order is not None and OrderAction.CANCEL not in allowed(OrderState(order.state), held)
        if begun or case.state in (CaseState.ACCEPTED, CaseState.WORK_ORDERED):
            text = f"The readings of {asset.name} are back to normal; the visit stays, as agreed."
            work.record("alarm_cleared", asset.id, case.id, text)
            continue
        why = "the readings are back to normal"
        if order is not None:
            done = move_order(work, order.id, OrderAction.CANCEL, role=Role.SYSTEM, reason=why)
            text = f"Work order {order.id} was cancelled: {why}."
            work.record(f"order_{done.state}", asset.id, order.id, text, case=case.id)
        if case.state != CaseState.DECLINED:
            take_back(work, case.id, why)
        if case.state == CaseState.REMOTE_FIX:
            end_try(work, case.id, "cleared")
        move_case(work, case.id, CaseAction.CLEAR, role=Role.SYSTEM, outcome="cleared", reason=why)
        text = f"The case of {asset.name} ({case.component}) is closed: {why}."
        work.record("case_closed", asset.id, case.id, text, outcome="cleared")


def replay(inputs: str) -> Outcome:
    """The decision that logged inputs lead to."""
    return decide(msgspec.json.decode(inputs, type=Inputs))
