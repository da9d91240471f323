"""Cases, work orders, notices, findings: scoped to the principal, in the shape that pages show."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from api.language import speaker
from api.owners.language_for import language_for
from api.owners.words import actions_of, forecast_of, mode_title
from api.ports import Wanted
from api.roles import Principal, Role
from api.views import Action, Case, Chore, Line, Money, Notice, Order, Page, Promise, Slot, Task
from contracts.asset_model import AssetModel
from plumbing.runtime import Shared
from work_orders import queries
from work_orders.domain import machine
from work_orders.domain.letter import Record, forecast_letter
from work_orders.domain.money import Bill, Costs, bill
from work_orders.domain.order_states import BOOKABLE
from work_orders.queries import CaseDetail, CaseRow, NoticeDetail, OrderDetail
from work_orders.queries.sla import clocks

ANSWERS = {
    "accept": "You accepted a half day",
    "decline": "You declined",
    "propose": "You proposed another day",
    "call_me": "You asked for a call",
}
CHORES = {
    "breakdown": ("It broke down", "Book the first free half day"),
    "visit_overdue": ("A visit has not begun", "Look at it"),
    "decide": ("To decide", "Approve"),
    "call_me": ("The customer wants a call", "Agreed: book the first free half day"),
    "proposed_day": ("The customer proposes a day", "Book it"),
    "no_reply": ("No answer", "Agreed by phone: book the first free half day"),
    "no_slot": ("No half day is free", "Look at it"),
    "no_technician": ("Without a technician", "Book the first free half day"),
    "to_book": ("To book", "Agreed by phone: book the first free half day"),
    "permit": ("A permit is missing", "Look at it"),
    "review": ("Finding to review", "Close"),
}
_ONE_KEY = {"decide": "approve", "review": "close"}
_BOOKED = ("breakdown", "call_me", "no_reply", "no_technician", "to_book", "proposed_day")


def own(who: Principal) -> dict[str, Any]:
    """The filter that leaves a customer or technician what is his."""
    if who.role is Role.CUSTOMER:
        return {"customer_id": who.subject}
    return {"technician_id": who.subject} if who.role is Role.TECHNICIAN else {}


def as_money(title: str, of: Bill) -> Money:
    """A bill for people."""
    return Money(title, of.customer, of.provider, of.currency, of.formula)


def promises_of(
    connection: sa.Connection, who: Principal, now: datetime, cases: Sequence[str]
) -> dict[str, list[Promise]]:
    """SLA clocks by case; a customer or technician is not told who was alarmed inside the company."""
    made: dict[str, list[Promise]] = {}
    for c in clocks(connection, who.tenant, now, cases) if cases else ():
        inside = (c.answered_by, c.told) if who.sees_all else ("", ())
        shown = Promise(
            c.metric,
            c.state,
            c.due_at,
            c.used_minutes,
            c.target_minutes,
            c.paused,
            *inside,
            c.by_hand,
            c.stopped_at,
            c.recomputing,
        )
        made.setdefault(c.case_id, []).append(shown)
    return made


class ServiceWork:
    """Questions about service work."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def _now(self, who: Principal) -> datetime:
        return self._shared.clocks.of(who.tenant).now()

    def case(self, who: Principal, case: str) -> Case | None:
        with self._shared.database.read() as connection:
            found = queries.case(connection, who.tenant, case)
            if found is None:
                return None
            customers = queries.people(connection, who.tenant)
            asset = queries.asset(connection, who.tenant, found.case.asset_id, self._now(who))
            sla = promises_of(connection, who, self._now(who), [case])
        model = self._shared.models(asset.model) if asset else None
        row, newest = found.case, found.decisions[0] if found.decisions else None
        acting = next((d for d in found.decisions if d.verdict == "act"), newest)
        made = self._case_row(row, customers, mode_title(model, row.failure_mode))
        return Case(
            made.id, made.asset, made.asset_name, made.customer, made.component, made.mode, made.state, made.outcome,
            made.opened_at, made.closed_at, acting.sentence if acting else row.reason, row.would_have_opened_at,
            order=found.orders[-1][0] if found.orders else "", notice=found.notices[-1][0] if found.notices else "",
            decisions=[Line(d.at, d.verdict, d.sentence) for d in found.decisions], bills=bills_of(found),
            actions=case_actions(found),
            forecast=forecast_of(found.prediction, row.asset_id, model) if found.prediction else None,
            evidence_from=found.prediction.evidence_from if found.prediction else None, sla=sla.get(case, ()),
            version=row.version,
        )  # fmt: skip

    def _case_row(self, row: CaseRow, people: dict[str, str], mode: str) -> Case:
        sentence = row.reason
        if row.p_horizon is not None:
            sentence = sentence or f"P(failure) within the decision's horizon: {row.p_horizon:.0%}"
        return Case(
            row.id, row.asset_id, row.asset, people.get(row.customer_id or "", ""), row.component, mode, row.state,
            row.outcome, row.opened_at, row.closed_at, sentence, row.would_have_opened_at, version=row.version,
        )  # fmt: skip

    def cases(self, who: Principal, wanted: Wanted) -> Page:
        with self._shared.database.read() as connection:
            found = queries.cases(
                connection, who.tenant, asset_id=wanted.asset or None, state=wanted.state or None,
                after=wanted.after or None, limit=wanted.limit,
            )  # fmt: skip
            people = queries.people(connection, who.tenant)
            sla = promises_of(connection, who, self._now(who), [r.id for r in found.items])
        rows = [replace(self._case_row(r, people, r.failure_mode), sla=sla.get(r.id, ())) for r in found.items]
        return Page(rows, found.next)

    def _order(self, who: Principal, found: OrderDetail, model_name: str) -> Order:
        row = found.order
        model = self._shared.models(model_name)
        finding = next((f for f in found.findings if f.superseded_at is None), None)
        return Order(
            row.id, row.case_id, row.asset_id, found.asset, found.customer, row.customer_id or "", found.site,
            found.address, found.access_notes, row.component, row.failure_mode, row.title, found.remedy,
            found.part or "", row.skill, found.minutes, row.priority, row.type, row.state, row.reason,
            row.technician_id or "", found.technician, row.visit_start, row.visit_end, row.opened_at,
            tasks=[Task(t.n, t.text, t.state) for t in found.tasks],
            actions=actions_of(a for a in found.allowed if a not in ("schedule",)),
            finding=finding.result if finding else "", as_found=finding.as_found if finding else "",
            modes=_modes(model, row.component), version=row.version, decided_on=row.measured_at,
            bookable=row.state in BOOKABLE and who.role in (Role.DISPATCHER, Role.ADMIN),
        )  # fmt: skip

    def order(self, who: Principal, order: str) -> Order | None:
        if who.role is Role.CUSTOMER:
            return None
        with self._shared.database.read() as connection:
            return self._one_order(connection, who, order)

    def _one_order(self, connection: sa.Connection, who: Principal, order: str) -> Order | None:
        found = queries.order(connection, who.tenant, order, role=machine.Role(who.role.value), **own(who))
        if found is None:
            return None
        asset = queries.asset(connection, who.tenant, found.order.asset_id, self._now(who))
        sla = promises_of(connection, who, self._now(who), [found.order.case_id])
        return replace(self._order(who, found, asset.model if asset else ""), sla=sla.get(found.order.case_id, ()))

    def orders(self, who: Principal, wanted: Wanted) -> Page:
        if who.role is Role.CUSTOMER:
            return Page([])
        with self._shared.database.read() as connection:
            found = queries.orders(
                connection, who.tenant, asset_id=wanted.asset or None, state=wanted.state or None,
                after=wanted.after or None, limit=wanted.limit, **own(who),
            )  # fmt: skip
            details = queries.order_details(connection, who.tenant, found.items, machine.Role(who.role.value))
            seen = sorted({r.asset_id for r in found.items})
            models = {a.id: a.model for a in queries.assets(connection, who.tenant, self._now(who), ids=seen)}
            sla = promises_of(connection, who, self._now(who), [r.case_id for r in found.items])
        rows = [
            replace(self._order(who, d, models.get(d.order.asset_id, "")), sla=sla.get(d.order.case_id, ()))
            for d in details
        ]
        return Page(rows, found.next)

    def notice(self, who: Principal, notice: str) -> Notice | None:
        if who.role is Role.TECHNICIAN:
            return None
        with self._shared.database.read() as connection:
            language = language_for(connection, who)
            found = queries.notice(connection, who.tenant, notice, self._now(who), language=language, **own(who))
        return notice_of(found, language) if found else None

    def notices(self, who: Principal, wanted: Wanted) -> Page:
        if who.role is Role.TECHNICIAN:
            return Page([])
        now = self._now(who)
        with self._shared.database.read() as connection:
            found = queries.notices(
                connection, who.tenant, asset_id=wanted.asset or None, state=wanted.state or None,
                after=wanted.after or None, limit=wanted.limit, **own(who),
            )  # fmt: skip
            language = language_for(connection, who)
            details = queries.notice_details(connection, who.tenant, found.items, now, language)
        return Page([notice_of(d, language) for d in details], found.next)

    def predictions(self, who: Principal, wanted: Wanted) -> Page:
        with self._shared.database.read() as connection:
            found = queries.predictions(
                connection, who.tenant, asset_id=wanted.asset or None, state=wanted.state or None,
                after=wanted.after or None, limit=wanted.limit,
            )  # fmt: skip
        return Page(
            [
                {
                    "id": r.prediction.id, "asset": r.asset_id, "state": r.state, "reason": r.reason,
                    "case": r.case_id, "label": r.label, "taken_at": r.taken_at, "prediction": r.prediction,
                }
                for r in found.items
            ],
            found.next,
        )  # fmt: skip

    def findings(self, who: Principal, wanted: Wanted) -> Page:
        with self._shared.database.read() as connection:
            found = queries.findings(
                connection, who.tenant, asset_id=wanted.asset or None, result=wanted.state or None,
                after=wanted.after or None, limit=wanted.limit,
            )  # fmt: skip
            theirs = None
            if not who.sees_all:
                jobs = queries.orders(connection, who.tenant, limit=500, **own(who)).items
                theirs = {j.id for j in jobs}
        return Page(
            [
                {
                    "id": f.id, "case": f.case_id, "order": f.order_id, "asset": f.asset_id, "component": f.component,
                    "result": f.result, "failure_mode": f.failure_mode, "as_found": f.as_found,
                    "replaced": f.replaced, "serial": f.serial, "at": f.at, "superseded_at": f.superseded_at,
                }
                for f in found.items
                if theirs is None or f.order_id in theirs
            ],
            found.next,
        )  # fmt: skip

    def inbox(self, who: Principal) -> list[Chore]:
        with self._shared.database.read() as connection:
            found = queries.inbox(connection, who.tenant, self._now(who))
            people = queries.people(connection, who.tenant)
        out = []
        for item in found:
            title, button = CHORES.get(item.kind, (item.kind, "Look at it"))
            text = item.text
            if item.customer_id and item.customer_id in people:
                text = text.replace(item.customer_id, people[item.customer_id])
            post, fields = "", {"version": str(item.version)}
            if item.kind in _ONE_KEY:
                post = f"/orders/{item.id}/{_ONE_KEY[item.kind]}"
            elif item.kind in _BOOKED:
                post = f"/orders/{item.id}/book"
                fields = {"agreed_by": "by phone with the dispatcher"} if item.kind != "breakdown" else {}
            link = f"/cases/{item.case_id}" if item.kind == "decide" else f"/orders/{item.id}"
            out.append(
                Chore(
                    item.kind, item.id, f"{item.asset}: {_lower(title)}", text, link, post, fields, button, item.since
                )
            )
        return out


def bills_of(found: CaseDetail) -> list[Money]:
    """What happened and what else could have happened, side by side; before the end what is at stake."""
    costs: Costs = found.costs
    sides = {"prevented": "With a planned visit", "failed": "With an unplanned failure"}
    made = []
    for outcome, title in sides.items():
        of = bill(outcome, costs)
        if of is not None and (of.total or found.case.failure_mode):  # nobody knows the cost of what nobody has named
            happened = " (this happened)" if found.case.outcome == outcome else ""
            made.append(as_money(title + happened, of))
    if found.case.outcome == "found_nothing" and found.bill is not None:
        made.insert(0, as_money("A visit that found nothing (this happened)", found.bill))
    return made


def case_actions(found: CaseDetail) -> list[Action]:
    """What the dispatcher can decide on the case's order."""
    waiting = [id for id, state in found.orders if state == "awaiting_approval"]
    if not waiting:
        return []
    return [Action("approve", "Approve: ask the customer"), Action("reject", "Reject", True)]


def notice_of(found: NoticeDetail, language: str = "en") -> Notice:
    """A notice for its page."""
    row, text, say = found.notice, found.text, speaker(language)
    last = found.answers[-1] if found.answers else None
    said = ""
    if last is not None:
        said = say(ANSWERS.get(last.kind, last.kind))
        if last.day is not None:
            said += f": {last.day.isoformat()} {say(last.half or '')}".rstrip()
        if last.reason:
            said += ": " + ": ".join(say(part) for part in last.reason.split(": "))
        said += "."
    elif row.state == "answered":
        said = say("Agreed with the dispatcher.")
    choices = [s for s in found.slots if not s.passed]
    words = (text.title, text.reason, text.chance, text.remaining, text.cost)
    waiting = " ".join((text.if_waiting, text.consequence))
    if language != "en":
        mail = forecast_letter(
            text, language, asset=found.asset, slots=(), latest=None, zone=ZoneInfo("UTC"), record=Record(0, 0, 0, 0),
            now=row.queued_at,
        )  # fmt: skip
        words, waiting = (mail.title, mail.saw, mail.may_happen, mail.remaining, mail.cost), mail.waiting
    return Notice(
        row.id, row.case_id, row.order_id, row.asset_id, found.asset, row.customer_id, found.customer, row.state,
        *words, waiting, row.sent_at, row.send_after,
        said, row.waiting, slots=[
            Slot(str(s.n), s.words, s.start, s.end, s.if_then_words, f"{s.day}-{s.half}") for s in choices
        ],
        only_one_left=row.waiting and found.left == 1, stoppable=row.state in ("queued", "held"),
        booked=found.visit_words, movable=found.movable and row.state == "answered",
        left=found.left_words, company=found.company, phone=found.phone,
        gone=found.reason if row.state in ("withdrawn", "corrected") else "", given_up=row.no_reply_at is not None,
        version=row.version,
    )  # fmt: skip


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def _modes(model: AssetModel | None, first: str) -> list[tuple[str, str]]:
    """What can be found, that component's failure modes first."""
    components = sorted(model.components.values(), key=lambda c: c.name != first) if model else []
    return [(m.name, m.title) for c in components for m in c.modes]
