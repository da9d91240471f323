"""Half days of technicians: what is free, and booking one so that nobody else can."""

import datetime as dt
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from work_orders.domain.case_states import VisitAction, VisitState
from work_orders.domain.machine import Role
from work_orders.domain.risk import Window
from work_orders.domain.slots import FURTHEST_DAYS, Crew, FreeSlot, HalfDay, Offer, offer
from work_orders.service import tables as t
from work_orders.service.errors import CannotAssign, SlotTaken
from work_orders.service.installed_base import zone_of
from work_orders.service.moves import live_visit_of, move_visit
from work_orders.service.unit import Row, Unit, derived_id


def crew(connection: sa.Connection, tenant: str, first: dt.date) -> list[Crew]:
    """All technicians with the half days that are taken from a day on."""
    taken: dict[str, set[HalfDay]] = {}
    c = t.half_days.c
    last = first + timedelta(days=FURTHEST_DAYS + 2)  # a time zone may be a day ahead of the caller's
    for row in connection.execute(
        sa.select(c.technician_id, c.day, c.half).where(c.tenant == tenant, c.day >= first, c.day <= last)
    ):
        taken.setdefault(row.technician_id, set()).add(HalfDay(row.day, row.half))
    k = t.technicians.c
    people = connection.execute(sa.select(k.id, k.skills, k.weekdays).where(k.tenant == tenant).order_by(k.id))
    return [
        Crew(
            p.id,
            frozenset(msgspec.json.decode(p.skills, type=list[str])),
            frozenset(msgspec.json.decode(p.weekdays, type=list[int])),
            frozenset(taken.get(p.id, ())),
        )
        for p in people
    ]


def _crew(work: Unit, first: dt.date) -> list[Crew]:
    people: list[Crew] = work.once(
        ("crew", first), lambda: crew(work.connection, work.tenant, first), t.half_days, t.technicians
    )
    return people


def find_offer(work: Unit, order: Row, not_before: dt.datetime) -> Offer:
    """The half days to offer for an order."""
    zone = zone_of(work, order.asset_id)
    case = work.one(t.cases, order.case_id, "case")
    earliest = case.earliest or work.now
    window = Window(earliest, case.latest or earliest, case.at_most or earliest)
    refused = rejected_by(work, order.id)
    first = not_before.astimezone(zone).date() - timedelta(days=1)
    people = [p for p in _crew(work, first) if p.id not in refused]
    return offer(people, order.skill, zone, window, not_before)


def why_not(person: Crew, slot: HalfDay, skill: str) -> list[str]:
    """Why a technician cannot come, in words; empty when he can."""
    reasons = []
    if skill not in person.skills:
        reasons.append(f"has no skill {skill}")
    if slot.day.weekday() not in person.weekdays:
        reasons.append(f"does not work on {slot.words().split(',')[0]}s")
    if slot in person.taken:
        reasons.append(f"is taken on {slot.words()}")
    return reasons


def book(
    work: Unit, order: Row, slot: HalfDay, agreed_by: str, *, technician_id: str | None = None, role: Role | None = None
) -> Row:
    """Book a half day for an order: technician, calendar and visit. A visit it had is called off.

    Raises SlotTaken when it has passed or nobody is free, CannotAssign when the named technician cannot come.
    """
    zone = zone_of(work, order.asset_id)
    start, end = slot.bounds(zone)
    if start <= work.now:
        raise SlotTaken(slot.words(), "has passed", 0)
    refused = rejected_by(work, order.id)
    if technician_id in refused:
        raise CannotAssign(str(technician_id), ["has rejected this job"])
    call_off(work, order.id, role=role)
    people = [p for p in _crew(work, slot.day) if p.id not in refused]
    for name in _candidates(people, slot, order.skill, technician_id):
        if work.insert_new(
            t.half_days, technician_id=name, day=slot.day, half=slot.half, order_id=order.id, reason="visit"
        ):
            return _visit(work, order, slot, name, (start, end), agreed_by, role)
    raise SlotTaken(slot.words(), nobody(people, slot, order.skill), 0)


def nobody(people: Sequence[Crew], slot: HalfDay, skill: str) -> str:
    """Why no technician can come in a half day, without names: it may be a customer who reads it."""
    skilled = [p for p in people if skill in p.skills]
    if not skilled:
        return f"is not possible: no technician has the skill {skill}"
    if not any(slot.day.weekday() in p.weekdays for p in skilled):
        return f"is not possible: nobody with the skill {skill} works that day"
    return "is taken: nobody is free any more"


def rejected_by(work: Unit, order_id: str) -> set[str]:
    """Technicians who have rejected a visit of an order: it is never offered to the same one again."""
    c = t.visits.c
    rows = work.all(t.visits, c.order_id == order_id, c.state == VisitState.REJECTED)
    return {str(r.technician_id) for r in rows}


def _candidates(people: Sequence[Crew], slot: HalfDay, skill: str, technician_id: str | None) -> Sequence[str]:
    if technician_id is None:
        free = FreeSlot(slot, tuple(p.id for p in sorted(people, key=_busyness) if p.free(slot, skill)))
        return free.technicians
    person = next((p for p in people if p.id == technician_id), None)
    reasons = ["is not on record"] if person is None else why_not(person, slot, skill)
    if reasons:
        raise CannotAssign(technician_id, reasons)
    return (technician_id,)


def _busyness(person: Crew) -> tuple[int, str]:
    return len(person.taken), person.id


def _visit(
    work: Unit, order: Row, slot: HalfDay, technician: str, bounds: tuple[dt.datetime, dt.datetime], agreed_by: str,
    role: Role | None,
) -> Row:  # fmt: skip
    n = len(work.all(t.visits, t.visits.c.order_id == order.id)) + 1
    values: dict[str, Any] = {"technician_id": technician, "day": slot.day, "half": slot.half}
    id = derived_id("V", work.tenant, order.id, n)
    work.insert(
        t.visits, id=id, order_id=order.id, start=bounds[0], end=bounds[1], state=VisitState.TENTATIVE,
        agreed_by=agreed_by, **values,
    )  # fmt: skip
    move_visit(work, work.one(t.visits, id, "visit"), VisitAction.OFFER, role=Role.SYSTEM)
    move_visit(work, work.one(t.visits, id, "visit"), VisitAction.CONFIRM, role=role)
    work.update(
        t.orders, {"id": order.id}, technician_id=technician, visit_start=bounds[0], visit_end=bounds[1], agreed=True
    )
    return work.one(t.visits, id, "visit")


def call_off(work: Unit, order_id: str, *, role: Role | None = None, then: VisitAction = VisitAction.CANCEL) -> None:
    """Call off the live visit of an order, if any, and give its half day back."""
    visit = live_visit_of(work, order_id)
    if visit is None:
        return
    move_visit(work, visit, then, role=role)
    if then in (VisitAction.CANCEL, VisitAction.REJECT):
        work.forget(t.half_days)
        work.connection.execute(
            t.half_days.delete().where(t.half_days.c.tenant == work.tenant, t.half_days.c.order_id == order_id)
        )
        work.update(t.orders, {"id": order_id}, technician_id=None, visit_start=None, visit_end=None)
