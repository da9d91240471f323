"""What a person does with an incident: let its orders go, let each case decide for itself, gather cases by hand."""

from collections.abc import Sequence

import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.case_states import CaseAction, CaseState
from work_orders.domain.decision import Path
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.gathering import join, let_each_decide, open_incident, waiting_of
from work_orders.service.moves import move_case
from work_orders.service.offers import queue_offer
from work_orders.service.opening import open_order
from work_orders.service.unit import Row, Unit, unit

_MAY = (Role.DISPATCHER, Role.ADMIN)
AT_ONCE, ASKED = 50, 500
"""Cases that are changed in one transaction, and that are asked for in one question."""


def _may(actor: Actor, what: str) -> None:
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, what, _MAY)


def _open(work: Unit, incident_id: str, version: int | None) -> Row:
    incident = work.one(d.incidents, incident_id, "incident")
    work.check_version(incident, version)
    if incident.closed_at is not None:
        raise BadInput("incident", "is closed")
    return incident


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
        waiting = [str(r.id) for r in waiting_of(work, incident_id)]
        if cases:
            unknown = set(cases) - set(waiting)
            if unknown:
                raise BadInput("cases", f"{', '.join(sorted(unknown))} waits for nothing")
            waiting = [id for id in waiting if id in set(cases)]
        else:
            work.update(d.incidents, {"id": incident_id}, released_at=work.now)
        text = f"{actor.name} let {len(waiting)} work orders of the incident go: {incident.title}."
        work.record("incident_released", "", incident_id, text, cases=len(waiting))
        _let_go(work, waiting[:AT_ONCE])
    for first in range(AT_ONCE, len(waiting), AT_ONCE):  # nobody else waits for thousands of them
        with unit(shared, tenant, actor) as work:
            _let_go(work, waiting[first : first + AT_ONCE])
    return len(waiting)


def _let_go(work: Unit, cases: Sequence[str]) -> None:
    """Open the orders of cases that still wait: what was left by a process that died is let go with the next try."""
    for id in cases:
        case = work.one(t.cases, id, "case")
        if case.closed_at is not None or case.path != Path.GATHERED or case.state != CaseState.MONITORING:
            continue
        case = move_case(work, id, CaseAction.PROPOSE)
        order = open_order(work, case, approved=True, why=f"{work.actor.name} let it go with its incident.")
        queue_offer(work, order)


def dissolve(shared: Shared, tenant: str, incident_id: str, actor: Actor, *, version: int | None = None) -> int:
    """The cases have nothing to do with each other: from their next forecasts each decides for itself."""
    _may(actor, "dissolve an incident")
    with unit(shared, tenant, actor) as work:
        incident = _open(work, incident_id, version)
        waiting = let_each_decide(work, incident_id)
        work.update(d.incidents, {"id": incident_id}, closed_at=work.now)
        text = f"{actor.name} dissolved the incident: {incident.title}. Each of its cases goes on by itself."
        work.record("incident_dissolved", "", incident_id, text, cases=waiting)
        return waiting


def gather(shared: Shared, tenant: str, cases: Sequence[str], title: str, actor: Actor) -> str:
    """Put open cases under an incident by hand: one site, one gateway; returns it."""
    _may(actor, "make an incident")
    if not title.strip():
        raise BadInput("title", "say what they share")
    if len(set(cases)) < 2:
        raise BadInput("cases", "must name two at least")
    ordered = sorted(set(cases))
    with unit(shared, tenant, actor) as work:
        for first in range(0, len(ordered), ASKED):
            _check_free(work, ordered[first : first + ASKED])
        incident = open_incident(work, f"hand:{ordered[0]}:{work.now.isoformat()}", "hand", title.strip())
        _put(work, incident.id, ordered[:AT_ONCE])
    for first in range(AT_ONCE, len(ordered), AT_ONCE):
        with unit(shared, tenant, actor) as work:
            _put(work, incident.id, ordered[first : first + AT_ONCE])
    return str(incident.id)


def _check_free(work: Unit, cases: Sequence[str]) -> None:
    """Whether these may be gathered: open, and under no incident that is open."""
    k, i = d.incident_cases.c, d.incidents.c
    rows = {r.id: r for r in work.all(t.cases, t.cases.c.id.in_(cases))}
    taken = sa.select(k.case_id).join(d.incidents, sa.and_(i.tenant == k.tenant, i.id == k.incident_id))
    held = set(
        work.connection.execute(
            taken.where(k.tenant == work.tenant, k.case_id.in_(cases), i.closed_at.is_(None))
        ).scalars()
    )
    for id in cases:
        if id not in rows:
            raise NotFound("case", id)
        if rows[id].closed_at is not None:
            raise BadInput("cases", f"{id} is closed")
        if id in held:
            raise BadInput("cases", f"{id} belongs to another incident")


def _put(work: Unit, incident_id: str, cases: Sequence[str]) -> None:
    for id in cases:
        case = work.one(t.cases, id, "case")
        if case.closed_at is None:
            join(work, work.one(d.incidents, incident_id, "incident"), id, case.opened_at, anew=True)
