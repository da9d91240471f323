"""Merging two cases of one machine, and undoing it: what moved is recorded and goes back.

Requests (with the files that came with them) and forecasts move. Messages, notes, SLA clocks, orders and decisions stay
with the case that they were made in, so an internal note cannot reach a customer by a merge, and nothing has to be
sorted out again afterwards.
"""

from collections.abc import Sequence

import msgspec

from plumbing.runtime import Shared
from work_orders.domain.case_states import CASE, CaseAction, CaseState
from work_orders.domain.machine import Actor, Role
from work_orders.domain.requests import COMPLAINT, RequestKind
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.errors import BadInput
from work_orders.service.moves import move_case, open_order_of
from work_orders.service.orders import cancel
from work_orders.service.unit import Row, Unit, derived_id, unit


class Moved(msgspec.Struct, frozen=True):
    """What goes back when a merge is undone."""

    requests: list[str]
    predictions: list[str]
    cancelled_order: str = ""
    reason: str = ""
    """What the case was about, in words."""


def merge(
    shared: Shared, tenant: str, case_id: str, into_id: str, actor: Actor, *, reason: str = "",
    version: int | None = None,
) -> str:  # fmt: skip
    """Put a case into another open one of the same machine; returns the merge.

    Raises IllegalTransition, NotPermitted, NotFound, BadInput, Stale.
    """
    with unit(shared, tenant, actor) as work:
        case, into = work.one(t.cases, case_id, "case"), work.one(t.cases, into_id, "case")
        work.check_version(case, version)
        CASE.step(CaseState(case.state), CaseAction.MERGE, actor.role)
        _fit(case, into)
        order = open_order_of(work, case_id)
        if order is not None:
            cancel(work, order, f"its case was merged into {into_id}")
        c, i = d.requests.c, t.intake.c
        moved = Moved(
            sorted(r.id for r in work.all(d.requests, c.case_id == case_id)),
            sorted(r.prediction_id for r in work.all(t.intake, i.case_id == case_id)),
            "" if order is None else str(order.id),
            case.reason,
        )
        _carry(work, moved.requests, moved.predictions, into_id)
        move_case(work, case_id, CaseAction.MERGE, merged_into=into_id, reason=f"merged into {into_id}")
        n = len(work.all(d.merges, d.merges.c.case_id == case_id)) + 1
        id = derived_id("M", tenant, case_id, n)
        work.insert(
            d.merges, id=id, case_id=case_id, into_id=into_id, reason=reason.strip()[:300],
            moved=msgspec.json.encode(moved).decode(), actor=actor.name, at=work.now,
        )  # fmt: skip
        text = f"{actor.name} merged the case {case_id} into {into_id}." + (f" {reason.strip()}" if reason else "")
        work.record("case_merged", case.asset_id, case_id, text, into=into_id)
        return id


def _fit(case: Row, into: Row) -> None:
    if case.id == into.id:
        raise BadInput("into", "must be another case")
    if into.closed_at is not None:
        raise BadInput("into", "is closed")
    if case.asset_id != into.asset_id:
        raise BadInput("into", "is about another machine: put both under one incident")
    if COMPLAINT in (case.component, into.component):
        raise BadInput("into", "a complaint keeps a case, and an SLA, of its own")
    if case.decided_at is not None and into.decided_at is None:
        raise BadInput("into", "nothing is decided there yet: merge it the other way round")


def _carry(work: Unit, requests: Sequence[str], predictions: Sequence[str], to: str) -> None:
    for id in requests:
        work.update(d.requests, {"id": id}, case_id=to)
        work.update(w.attachments, {"request_id": id}, case_id=to)
    for id in predictions:
        work.update(t.intake, {"prediction_id": id}, case_id=to)


def _stations(work: Unit, case_id: str) -> list[str]:
    """A case, and what it has been merged into since."""
    found, row = [case_id], work.one(t.cases, case_id, "case")
    while row.merged_into:
        found.append(str(row.merged_into))
        row = work.one(t.cases, row.merged_into, "case")
    return found


def unmerge(shared: Shared, tenant: str, case_id: str, actor: Actor, *, version: int | None = None) -> str:
    """Undo a merge: what moved goes back, with what has come since for the same component. Returns the state.

    An order that the merge cancelled stays so; the next forecasts decide anew.
    Raises IllegalTransition, NotPermitted, NotFound, BadInput, Stale.
    """
    with unit(shared, tenant, actor) as work:
        case = work.one(t.cases, case_id, "case")
        work.check_version(case, version)
        CASE.step(CaseState(case.state), CaseAction.UNMERGE, actor.role)
        c, k, r, i = t.cases.c, d.merges.c, d.requests.c, t.intake.c
        other = work.all(t.cases, c.asset_id == case.asset_id, c.component == case.component, c.closed_at.is_(None))
        if other:
            raise BadInput("case", f"{other[0].id} is open for the same component by now")
        (row,) = work.all(d.merges, k.case_id == case_id, k.undone_at.is_(None))
        moved, at = msgspec.json.decode(row.moved, type=Moved), _stations(work, row.into_id)
        since = [
            x.id for x in work.all(d.requests, r.case_id.in_(at), r.component == case.component, r.taken_at >= row.at)
        ]
        later = [
            x.prediction_id
            for x in work.all(t.intake, i.case_id.in_(at), i.component == case.component, i.taken_at >= row.at)
        ]
        back = [x.id for x in work.all(d.requests, r.case_id.in_(at)) if x.id in {*moved.requests, *since}]
        forecasts = {*moved.predictions, *later}
        told = [x.prediction_id for x in work.all(t.intake, i.case_id.in_(at)) if x.prediction_id in forecasts]
        _carry(work, back, told, case_id)  # what another merge has given back meanwhile stays where it is
        work.update(d.merges, {"id": row.id}, undone_at=work.now)
        again = {"decided_at": None, "decided_by": None, "path": None} if moved.cancelled_order else {}
        actions = (CaseAction.UNMERGE,)
        case = move_case(work, case_id, *actions, closed_at=None, merged_into=None, reason=moved.reason, **again)
        if case.kind == RequestKind.FORECAST:  # its forecasts go on deciding
            case = move_case(work, case_id, CaseAction.MONITOR, role=Role.SYSTEM)
        text = f"{actor.name} took the case {case_id} out of {row.into_id} again."
        work.record("case_unmerged", case.asset_id, case_id, text, out_of=row.into_id)
        return str(case.state)
