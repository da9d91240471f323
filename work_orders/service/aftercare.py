"""After the job: checks after 7 and 30 days that reopen the case by themselves, and one question to the customer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from contracts.asset_model import AssetModel
from contracts.points import StoreUnreachable, TelemetryStore
from contracts.records import Prediction
from plumbing.runtime import Shared
from plumbing.sql import to_us
from work_orders.domain.aftercare import (
    ANSWER_WITHIN,
    ASK_WITHIN,
    CHECK_DAYS,
    MENDED,
    PUT_OFF,
    PUT_OFF_AT_MOST,
    SETTLING,
    Compared,
    Since,
    Verdict,
    judge,
    may_ask,
)
from work_orders.domain.case_states import CaseAction, CaseState, IntakeState
from work_orders.domain.contact_rules import Purpose
from work_orders.domain.machine import SYSTEM, Actor, NotPermitted, Role
from work_orders.service import aftercare_tables as f
from work_orders.service import tables as t
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.feedback import heed_survey
from work_orders.service.moves import move_case
from work_orders.service.one_by_one import each
from work_orders.service.telling import customer_name, facts_of, message_id, say
from work_orders.service.unit import Row, Unit, unit

MOST = 50
"""Checks of one round."""
LATER = timedelta(hours=1)
"""When a store that did not answer is asked again."""
SIGNALS = 3
"""Symptoms of a component that are looked for, where no alarm says which one it was."""
_decode = msgspec.msgpack.Decoder(Prediction).decode
SCALES = {"satisfied": (1, 5), "recommends": (0, 10), "effort": (1, 7)}


def begin_care(work: Unit, order: Row, result: str) -> None:
    """An order was closed: what was mended is looked at again."""
    if result in MENDED:
        since = order.finished_at or work.now
        found = work.all(t.findings, t.findings.c.order_id == order.id, t.findings.c.superseded_at.is_(None))
        component = found[0].component if found else order.component
        wasted = _wasted(work, order, found[0].failure_mode) if found else None
        for days in CHECK_DAYS:
            work.insert_new(
                f.verify_checks, order_id=order.id, days=days, case_id=order.case_id, asset_id=order.asset_id,
                component=component, since=since, due_at=work.now + timedelta(days=days), verdict="", text="",
                wasted_kw=wasted,
            )  # fmt: skip


def _wasted(work: Unit, order: Row, mode: str) -> float | None:
    """What the failure mode that was found wasted before, kW, as the newest forecast of it told; None = nothing."""
    i = t.intake.c
    body = work.connection.execute(
        sa.select(i.body)
        .where(i.tenant == work.tenant, i.case_id == order.case_id, i.failure_mode == mode)
        .order_by(i.issued_at.desc())
        .limit(1)
    ).scalar()
    told = _decode(body).wasted_kw if body else 0.0
    return told or None


def ask_customer(work: Unit, order: Row) -> None:
    """The work is done: the customer is asked once, if not too often."""
    if order.customer_id is None or order.finished_at is None:
        return
    c = f.surveys.c
    last = work.connection.execute(
        sa.select(sa.func.max(c.asked_at)).where(c.tenant == work.tenant, c.customer_id == order.customer_id)
    ).scalar()
    if not may_ask(work.now, order.finished_at, last):
        return
    if work.insert_new(
        f.surveys, order_id=order.id, case_id=order.case_id, customer_id=order.customer_id,
        technician_id=order.technician_id, asked_at=work.now, until=work.now + ANSWER_WITHIN, words="", actor="",
    ):  # fmt: skip
        text = f"{order.customer_id} was asked how the work at {order.asset_id} was."
        work.record("survey_asked", order.asset_id, order.id, text)
        _invite(work, order)


def _invite(work: Unit, order: Row) -> None:
    """The question leaves as a message, too, where he agreed to that."""
    asset = work.one(t.assets, order.asset_id, "asset")
    facts = facts_of(work, asset.name, customer_name(work, order.customer_id), f"/surveys/{order.id}")
    id = message_id(work, "survey", order.id)
    say(work, "survey", Purpose.SURVEY, id, order.case_id, order.customer_id, facts)


def still_asked(work: Unit, message: Row) -> bool:
    """Whether an invitation may still leave: within a day of the work, and while nobody has answered."""
    c, o = f.surveys.c, t.orders.c
    rows = work.connection.execute(
        sa.select(c.order_id, c.answered_at, o.finished_at)
        .join(t.orders, sa.and_(o.tenant == c.tenant, o.id == c.order_id))
        .where(c.tenant == work.tenant, c.case_id == message.case_id)
    )
    return any(
        message_id(work, "survey", r.order_id) == message.id
        and r.answered_at is None
        and work.now <= r.finished_at + ASK_WITHIN
        for r in rows
    )


def answer_survey(
    shared: Shared, tenant: str, order_id: str, actor: Actor, *, satisfied: int, recommends: int | None = None,
    effort: int | None = None, words: str = "",
) -> None:  # fmt: skip
    """The customer says how it was; he may say it again until the survey ends. Nobody else can: no technician rates
    himself.

    Raises NotPermitted, NotFound, BadInput.
    """
    if actor.role is not Role.CUSTOMER:
        raise NotPermitted(actor.role, "answer a survey", (Role.CUSTOMER,))
    given = {"satisfied": satisfied, "recommends": recommends, "effort": effort}
    for name, value in given.items():
        low, high = SCALES[name]
        if value is not None and not low <= value <= high:
            raise BadInput(name, f"must lie between {low} and {high}")
    with unit(shared, tenant, actor) as work:
        rows = work.all(f.surveys, f.surveys.c.order_id == order_id)
        if not rows or rows[0].customer_id != actor.of:
            raise NotFound("survey", order_id)
        if work.now > rows[0].until:
            raise BadInput("survey", "is over")
        work.update(
            f.surveys, {"order_id": order_id}, answered_at=work.now, words=words.strip()[:2000], actor=actor.name,
            **given,
        )  # fmt: skip
        asset = work.one(t.orders, order_id, "work order").asset_id
        work.record("survey_answered", asset, order_id, f"{actor.name} said how the work was: {satisfied} of 5.")
        said = words.strip()[:2000]
        heed_survey(work, rows[0], asset, satisfied=satisfied, recommends=recommends, effort=effort, words=said)


def pending(connection: sa.Connection, tenant: str, now: datetime) -> list[Row]:
    """Checks that are due."""
    c = f.verify_checks.c
    return list(
        connection.execute(
            sa.select(f.verify_checks)
            .where(c.tenant == tenant, c.done_at.is_(None), c.due_at <= now)
            .order_by(c.due_at, c.order_id)
            .limit(MOST)
        )
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A check that is due, with what was known of the machine before the repair."""

    check: Row
    model: AssetModel | None
    devices: list[str]
    before: Prediction | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the store holds since the repair: on how many of the days, whether in the last one, the signal compared."""

    on: int
    days: int
    lately: bool
    compared: Compared | None


def verify_due(shared: Shared, tenant: str) -> int:
    """Judge the repairs whose check is due; how many. Each by itself, and the store is asked before the database is
    held: a slow one holds up nobody, one that does not answer is asked again in an hour."""
    now = shared.clocks.of(tenant).now()
    with shared.database.read() as connection:
        due = [_facts(shared, connection, check) for check in pending(connection, tenant, now)]
    answers = True

    def one(of: Due) -> int:
        nonlocal answers
        heard = None
        if answers:
            try:
                heard = _heard(shared.store, now, of)
            except StoreUnreachable:
                answers = False  # for the others neither: nobody waits for it once more in this round
        return _look(shared, tenant, now, of, heard)

    return each(one, due)


def _facts(shared: Shared, connection: sa.Connection, check: Row) -> Due:
    d, a, i = t.asset_devices.c, t.assets.c, t.intake.c
    devices = sa.select(d.device).where(d.tenant == check.tenant, d.asset_id == check.asset_id)
    model = sa.select(a.model).where(a.tenant == check.tenant, a.id == check.asset_id)
    body = (
        sa.select(i.body)
        .where(i.tenant == check.tenant, i.case_id == check.case_id, i.measured_at <= check.since)
        .order_by(i.issued_at.desc())
        .limit(1)
    )
    before = connection.execute(body).scalar()
    return Due(
        check, shared.models(connection.execute(model).scalar_one()), list(connection.execute(devices).scalars()),
        _decode(before) if before else None,
    )  # fmt: skip


def _look(shared: Shared, tenant: str, now: datetime, due: Due, heard: Heard | None) -> int:
    check = due.check
    keys = {"order_id": check.order_id, "days": check.days}
    if heard is None:
        with unit(shared, tenant, SYSTEM) as work:
            work.update(f.verify_checks, keys, due_at=now + LATER)
        return 0
    c = f.verify_checks.c
    with unit(shared, tenant, SYSTEM) as work:
        waiting = work.all(f.verify_checks, c.order_id == check.order_id, c.days == check.days, c.done_at.is_(None))
        for row in waiting:  # none where somebody else was first
            _verify(work, row, heard, due.before)
        return len(waiting)


def _heard(store: TelemetryStore, now: datetime, due: Due) -> Heard:
    """Day by day up to now, by the signals that would show the fault."""
    days = max(1, (now - due.check.since) // PUT_OFF)
    start, last, end = to_us(now - days * PUT_OFF), to_us(now - PUT_OFF), to_us(now)
    heard: set[int] = set()
    compared = None
    for device, signal in _showing(due):
        band = store.band(due.check.tenant, device, signal, start, end, days)
        means = dict(zip(band.t_us.tolist(), band.mean.tolist(), strict=True))
        heard |= means.keys()
        if last in means and compared is None:
            compared = _compare(due, device, signal, means[last])
    return Heard(len(heard), days, last in heard, compared)


def _showing(due: Due) -> list[tuple[str, str]]:
    """Devices and signals that would show the fault: the one that carried the alarm, else the component's symptoms."""
    if due.before is not None and due.before.carriers:
        return [(due.before.device, due.before.carriers[0].signal)]
    if due.model is None:
        return []
    part = due.model.components.get(due.check.component)
    found = {s.signal for mode in (part.modes if part else ()) for s in mode.symptoms} or due.model.signals
    return [(device, signal) for device in due.devices for signal in sorted(found)[:SIGNALS]]


def _compare(due: Due, device: str, signal: str, now: float) -> Compared | None:
    """The signal that carried the alarm, then and now; None = it is not known what it was."""
    for carrier in due.before.carriers[:1] if due.before is not None and due.before.device == device else ():
        if carrier.signal == signal and carrier.value is not None and carrier.expected is not None:
            known = due.model.signals.get(signal) if due.model else None
            title, measure = (known.title, known.unit) if known else (signal, "")
            return Compared(title.lower(), measure, carrier.value, carrier.expected, now)
    return None


def _verify(work: Unit, check: Row, heard: Heard, before: Prediction | None) -> None:
    case = work.one(t.cases, check.case_id, "case")
    if case.state != CaseState.CLOSED:
        _done(work, check, Verdict.SUPERSEDED, f"the case is {case.state} again")
        return
    c = t.cases.c
    here = (c.asset_id == check.asset_id, c.component == check.component)
    alarms = _called_since(work, check, (check.component, case.component))
    broke = len(work.all(t.cases, *here, c.broke_down_at > check.since, c.id != check.case_id))
    health = (alarms[-1].health, before.health) if alarms and before else None
    verdict, why = judge(Since(len(alarms), broke, heard.on, heard.days, heard.lately, heard.compared, health))
    if verdict is None:
        closed = work.one(t.orders, check.order_id, "work order").ended_at or check.since
        if work.now < closed + timedelta(days=check.days) + PUT_OFF_AT_MOST:
            work.update(f.verify_checks, {"order_id": check.order_id, "days": check.days}, due_at=work.now + PUT_OFF)
            text = f"The repair of {check.asset_id} ({check.component}) cannot be judged yet: {why}."
            work.record("repair_not_judged", check.asset_id, check.order_id, text, days=check.days)
            return
        verdict = Verdict.UNKNOWN
    _done(work, check, verdict, why)
    if verdict is not Verdict.CAME_BACK:
        return
    places = (check.component, case.component)  # the finding may have named another component than the case
    if not work.all(t.cases, c.asset_id == check.asset_id, c.component.in_(places), c.closed_at.is_(None)):
        again = {"closed_at": None, "decided_at": None, "decided_by": None, "path": None, "in_row": 0}
        move_case(work, case.id, CaseAction.REOPEN, role=Role.SYSTEM, reason=f"it did not stay fixed: {why}", **again)
        text = f"The case of {case.asset_id} ({case.component}) was opened again after {check.days} days: {why}."
        work.record("case_reopened", case.asset_id, case.id, text)


def _called_since(work: Unit, check: Row, components: tuple[str, ...]) -> list[Prediction]:
    """What was forecast since, the oldest first: of new alarms, and from readings that the repair should have mended,
    whatever became of it here."""
    i = t.intake.c
    chosen = sa.select(i.state, i.measured_at, i.body).where(
        i.tenant == work.tenant, i.asset_id == check.asset_id, i.component.in_(components), i.measured_at > check.since
    )
    return [
        said
        for row in work.connection.execute(chosen.order_by(i.measured_at))
        if (said := _decode(row.body)).pageable
        and (row.state == IntakeState.LINKED or row.measured_at >= check.since + SETTLING)
    ]


def _done(work: Unit, check: Row, verdict: Verdict, why: str) -> None:
    work.update(
        f.verify_checks, {"order_id": check.order_id, "days": check.days}, done_at=work.now, verdict=verdict, text=why
    )
    words = str(verdict).replace("_", " ")
    text = f"After {check.days} days the repair of {check.asset_id} ({check.component}): {words}, {why}."
    work.record("repair_verified", check.asset_id, check.order_id, text, verdict=verdict, days=check.days)
