"""What a person does with an incident: let its orders go, let each case decide for itself, gather cases by hand."""

from collections.abc import Sequence

import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.case_states import CaseAction, CaseState
from work_orders.domain.decision import Path
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service.errors import BadInput
from work_orders.service.gathering import join, open_incident
from work_orders.service.moves import move_case
from work_orders.service.offers import queue_offer
from work_orders.service.opening import open_order
from work_orders.service.unit import Row, Unit, unit

_MAY = (Role.DISPATCHER, Role.ADMIN)


def _may(actor: Actor, what: str) -> None:
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, what, _MAY)


def _open(work: Unit, incident_id: str, version: int | None) -> Row:
    incident = work.one(d.incidents, incident_id, "incident")
    work.check_version(incident, version)
    if incident.closed_at is not None:
        raise BadInput("incident", "is closed")
    return incident


def waiting_of(work: Unit, incident_id: str) -> list[Row]:
    """The open cases of an incident whose orders wait for the one decision, the cause's own left out."""
    k, c = d.incident_cases.c, t.cases.c
    members = sa.select(k.case_id).where(k.tenant == work.tenant, k.incident_id == incident_id)
    rows = work.all(
        t.cases, c.id.in_(members), c.closed_at.is_(None), c.path == Path.GATHERED, c.state == CaseState.MONITORING
    )
    return sorted(rows, key=lambda r: (r.opened_at, r.id))


def release(
    shared: Shared, tenant: str, incident_id: str, actor: Actor, *, cases: Sequence[str] = (),
    version: int | None = None,
) -> int:  # fmt: skip
    """Let the orders go that waited, all or those of the named cases: a person has decided. Returns how many.

    Raises NotPermitted, NotFound, BadInput, Stale.
    """
    _may(actor, "let an incident's orders go")
    with unit(shared, tenant, actor) as work:
        incident = _open(work, incident_id, version)
        waiting = waiting_of(work, incident_id)
        if cases:
            unknown = set(cases) - {r.id for r in waiting}
            if unknown:
                raise BadInput("cases", f"{', '.join(sorted(unknown))} waits for nothing")
            waiting = [r for r in waiting if r.id in set(cases)]
        for row in waiting:
            move_case(work, row.id, CaseAction.PROPOSE)
            order = open_order(
                work, work.one(t.cases, row.id, "case"), approved=True, why=f"{actor.name} let it go with its incident."
            )
            queue_offer(work, order)
        if not cases:
            work.update(d.incidents, {"id": incident_id}, released_at=work.now)
        text = f"{actor.name} let {len(waiting)} work orders of the incident go: {incident.title}."
        work.record("incident_released", "", incident_id, text, cases=len(waiting))
        return len(waiting)


def dissolve(shared: Shared, tenant: str, incident_id: str, actor: Actor, *, version: int | None = None) -> int:
    """The cases have nothing to do with each other: from their next forecasts each decides for itself."""
    _may(actor, "dissolve an incident")
    with unit(shared, tenant, actor) as work:
        incident = _open(work, incident_id, version)
        waiting = waiting_of(work, incident_id)
        for row in waiting:
            work.update(t.cases, {"id": row.id}, decided_at=None, decided_by=None, path=None, in_row=0)
        work.update(d.incidents, {"id": incident_id}, closed_at=work.now)
        text = f"{actor.name} dissolved the incident: {incident.title}. Each of its cases goes on by itself."
        work.record("incident_dissolved", "", incident_id, text, cases=len(waiting))
        return len(waiting)


def gather(shared: Shared, tenant: str, cases: Sequence[str], title: str, actor: Actor) -> str:
    """Put open cases under an incident by hand: one site, one gateway; returns it."""
    _may(actor, "make an incident")
    if not title.strip():
        raise BadInput("title", "say what they share")
    if len(set(cases)) < 2:
        raise BadInput("cases", "must name two at least")
    with unit(shared, tenant, actor) as work:
        first, *_ = ordered = sorted(set(cases))
        incident = open_incident(work, f"hand:{first}:{work.now.isoformat()}", "hand", title.strip())
        for id in ordered:
            case = work.one(t.cases, id, "case")
            if case.closed_at is not None:
                raise BadInput("cases", f"{id} is closed")
            if not join(work, work.one(d.incidents, incident.id, "incident"), id, case.opened_at, anew=True):
                raise BadInput("cases", f"{id} belongs to another incident")
        return str(incident.id)
