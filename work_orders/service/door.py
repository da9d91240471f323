"""The one door: whatever asks for service comes in here, and the database allows one open case per asset and component.

A second request for the same joins the open case as another row, so nothing that anybody said is lost. A request
whose machine nobody knows is kept without a case until a person says which one it is.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.asset_model import AssetModel, Cost
from plumbing.runtime import Shared
from work_orders.domain.case_states import CaseAction, CaseState
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.domain.money import Costs
from work_orders.domain.requests import COMPLAINT, FROM_PEOPLE, UPKEEP, OpenCase, RequestKind, joins, may_bring
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.feedback import heed_complaint
from work_orders.service.gathering import share_cause, share_gateway
from work_orders.service.heeding import heed_words
from work_orders.service.moves import move_case
from work_orders.service.sla import follow
from work_orders.service.unit import Row, Unit, derived_id, unit

MAX_TEXT = 4000
_BACK = {
    CaseState.RESOLVED: (CaseAction.VERIFY, CaseAction.REOPEN), CaseState.VERIFYING: (CaseAction.REOPEN,),
}  # fmt: skip
"""What is said of a machine after its repair opens the case again, from these states."""
_MAY_PLACE = (Role.DISPATCHER, Role.ADMIN, Role.SYSTEM)


@dataclass(frozen=True, slots=True)
class Request:
    """What asks for service.

    `asset` "" = not known yet; `component` "" = the whole machine. `external` is the number that `source` gave it: the
    same number again is the same request. Requests with the same `cause` make one incident (a group of alarms, a
    recall, a gateway).
    """

    kind: RequestKind
    asset: str = ""
    component: str = ""
    failure_mode: str = ""
    text: str = ""
    who: str = ""
    contact: str = ""
    channel: str = ""
    source: str = ""
    """Who numbers it; the kind unless said otherwise."""
    external: str = ""
    cause: str = ""
    at: datetime | None = None
    """When it was said; now unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of a request: its row, its case (None while nobody knows the machine), whether the case is new."""

    request: str
    case: str | None
    new: bool = False
    repeated: bool = False
    """The same request came before: nothing was changed."""


def take_request(shared: Shared, tenant: str, request: Request, actor: Actor) -> Opened:
    """Bring a request in a transaction of its own. Raises NotPermitted, NotFound, BadInput, UnknownModel."""
    with unit(shared, tenant, actor) as work:
        return open_case(work, request)


def open_case(work: Unit, request: Request) -> Opened:
    """Bring a request: it joins the open case of its asset and component, or opens one.

    Raises NotPermitted, NotFound, BadInput, UnknownModel.
    """
    may_bring(request.kind, work.actor.role)
    if len(request.text) > MAX_TEXT:
        raise BadInput("text", f"must be at most {MAX_TEXT} characters")
    texts = {n: getattr(request, n).replace("\0", "") for n in ("text", "who", "contact", "external", "cause")}
    request = replace(request, **texts)  # PostgreSQL keeps no NUL, and nobody means one
    source = request.source or str(request.kind)
    if request.external and request.kind is not RequestKind.FORECAST:  # forecasts are counted once by the intake
        again = work.all(d.requests, d.requests.c.source == source, d.requests.c.external_id == request.external[:200])
        if again:
            return Opened(again[0].id, again[0].case_id, repeated=True)
    if not request.asset:
        id = _write(work, request, source, None, "")
        who = request.who or work.actor.name
        work.record("request_taken", "", id, f"{who} asked for service; which machine is not known yet.")
        return Opened(id, None)
    asset = work.one(t.assets, request.asset, "asset")
    if work.actor.role is Role.CUSTOMER and asset.customer_id != work.actor.of:
        raise NotFound("asset", request.asset)
    model = work.model(asset.model)
    component = _component(request, model)
    case, new = _case_for(work, request, asset, model, component)
    work.at_end(follow, case.id)
    if not new and request.kind is RequestKind.FORECAST:  # its own row is that of the intake
        return Opened("", case.id)
    id = _write(work, request, source, case.id, component)
    if not new:
        who = request.who or work.actor.name
        work.record("request_joined", asset.id, id, f"{who} reported {asset.name}, too.", case=case.id)
    _heed(work, request, asset, case, new)
    return Opened(id, case.id, new)


def _heed(work: Unit, request: Request, asset: Row, case: Row, new: bool) -> None:
    """What a request means for its case beside being one more row of it."""
    at = request.at or work.now
    if request.kind is RequestKind.BREAKDOWN and case.broke_down_at is None:
        work.update(t.cases, {"id": case.id}, broke_down_at=at)
        if case.state == CaseState.DECLINED:  # a visit was declined, not a repair
            move_case(work, case.id, CaseAction.STAND_DOWN, role=Role.SYSTEM)
    if request.kind is RequestKind.COMPLAINT:
        heed_complaint(work, case, request.text.strip())
    if request.kind in FROM_PEOPLE:
        heed_words(work, case.id, request.text)
    if request.cause and new:
        share_cause(work, request.cause, case.id, at)
    if new:
        share_gateway(work, asset.id, case.id, at)
    back = _BACK.get(CaseState(case.state))
    told_late = request.kind is RequestKind.BREAKDOWN and request.failure_mode  # of what the finding is about
    if back is not None and request.kind in FROM_PEOPLE and not told_late:
        move_case(work, case.id, *back, role=Role.SYSTEM)
        work.record("case_reopened", asset.id, case.id, f"The trouble of {asset.name} is back.")


def _component(request: Request, model: AssetModel) -> str:
    if request.kind is RequestKind.COMPLAINT:
        return COMPLAINT
    if request.kind is RequestKind.PREVENTIVE and request.component == UPKEEP:
        return UPKEEP
    if request.failure_mode:
        mode = model.mode(request.failure_mode)
        if mode is None:
            raise BadInput("failure_mode", f"{request.failure_mode!r} is no failure mode of {model.name}")
        return mode.component
    if request.component and request.component not in model.components:
        raise BadInput("component", f"{request.component!r} is no component of {model.name}")
    return request.component


def open_cases_of(work: Unit, asset_id: str) -> list[Row]:
    """The open cases of an asset, the oldest first."""
    return sorted(work.those(t.cases, asset_id=asset_id, closed_at=None), key=lambda r: (r.opened_at, r.id))


def _case_for(work: Unit, request: Request, asset: Row, model: AssetModel, component: str) -> tuple[Row, bool]:
    rows = open_cases_of(work, asset.id)
    joined = joins(request.kind, component, [OpenCase(r.id, r.component, CaseState(r.state)) for r in rows])
    if joined is None:
        joined = _merged_into(work, asset.id, component)
    if joined is not None:
        return work.one(t.cases, joined, "case"), False
    return _new_case(work, request, asset, model, component)


def _merged_into(work: Unit, asset_id: str, component: str) -> str | None:
    """The open case that one of this asset and component was merged into, by whatever stations."""
    cases = {str(r.id): r for r in work.those(t.cases, asset_id=asset_id)}
    for row in cases.values():
        if row.component == component and row.state == CaseState.MERGED:
            while row.state == CaseState.MERGED:
                row = cases[row.merged_into]
            if row.closed_at is None:
                return str(row.id)
    return None


def _new_case(work: Unit, request: Request, asset: Row, model: AssetModel, component: str) -> tuple[Row, bool]:
    forecast = request.kind is RequestKind.FORECAST
    parts: tuple[object, ...] = (request.external,)
    if not forecast:
        parts = ("request", asset.id, len(work.all(t.cases, t.cases.c.asset_id == asset.id)) + 1)
    id = derived_id("C", work.tenant, *parts)
    said = " ".join(request.text.split())
    values: dict[str, Any] = {"prediction_id": request.external} if forecast else {}
    new = work.insert_new(
        t.cases, id=id, asset_id=asset.id, customer_id=asset.customer_id, component=component,
        failure_mode=request.failure_mode, state=CaseState.DETECTED if forecast else CaseState.TRIAGING,
        reason="" if forecast else said[:500], opened_at=work.now, alarm_id="", in_row=0, outcome="running",
        costs=costs_of(model, request.failure_mode), version=1, kind=request.kind, **values,
    )  # fmt: skip
    if not new:  # only for who comes without the tenant's lock
        c = t.cases.c
        found = work.all(t.cases, c.asset_id == asset.id, c.component == component, c.closed_at.is_(None))
        return found[0], False
    if not forecast:
        who = request.who or work.actor.name
        text = f"{who} reported {asset.name}: a case was opened." + (f" “{said[:200]}”" if said else "")
        work.record("case_opened", asset.id, id, text, component=component, kind=request.kind)
    return work.one(t.cases, id, "case"), True


def costs_of(model: AssetModel, failure_mode: str) -> str:
    """What is at stake, as it is kept with a case; nothing is known without a failure mode."""
    mode = model.mode(failure_mode)
    none = Cost(0.0, 0.0)
    costs = Costs.of(model, mode) if mode else Costs(model.currency, none, none, none, False)
    return msgspec.json.encode(costs).decode()


def _write(work: Unit, request: Request, source: str, case_id: str | None, component: str) -> str:
    external = request.external[:200]
    c = d.requests.c
    count = sa.select(sa.func.count()).where(c.tenant == work.tenant)
    if request.asset:  # those without a machine are counted with all: they leave their kind when they are placed
        count = count.where(c.asset_id == request.asset)
    n = 0 if external else work.connection.execute(count).scalar_one() + 1
    id = derived_id("R", work.tenant, source, external or request.asset, n)
    work.insert(
        d.requests, id=id, case_id=case_id, asset_id=request.asset, component=component, kind=request.kind,
        source=source, external_id=external, channel=request.channel, who=(request.who or work.actor.name)[:200],
        contact=request.contact[:200], text=request.text, cause=request.cause[:300], said_at=request.at or work.now,
        taken_at=work.now,
    )  # fmt: skip
    return id


def place_request(
    shared: Shared, tenant: str, request_id: str, asset_id: str, actor: Actor, *, component: str = ""
) -> str:
    """A person says which machine a kept request is about; the case that it opens or joins."""
    if actor.role not in _MAY_PLACE:
        raise NotPermitted(actor.role, "say which machine a request is about", _MAY_PLACE)
    with unit(shared, tenant, actor) as work:
        row = work.one(d.requests, request_id, "request")
        if row.case_id is not None:
            return str(row.case_id)
        asset = work.one(t.assets, asset_id, "asset")
        kind = RequestKind(row.kind)
        asked = Request(
            kind, asset_id, component, text=row.text, who=row.who, contact=row.contact, cause=row.cause,
            at=row.said_at,
        )  # fmt: skip
        model = work.model(asset.model)
        case, new = _case_for(work, asked, asset, model, _component(asked, model))
        work.at_end(follow, case.id)
        work.update(d.requests, {"id": request_id}, case_id=case.id, asset_id=asset_id, component=case.component)
        work.update(w.attachments, {"request_id": request_id}, case_id=case.id)  # what came with it goes along
        text = f"{actor.name} says that the request of {row.who} is about {asset.name}."
        work.record("request_placed", asset_id, request_id, text, case=case.id, new=new)
        _heed(work, asked, asset, case, new)
        return str(case.id)
