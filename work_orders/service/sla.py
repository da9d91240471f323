"""SLA clocks of cases: begun, stopped and worked out again whenever their case moves; what is due, told once.

`follow` looks at the rows of a case as they stand and brings its clocks in line with them, in the unit that changed
them. Nothing counts down: what falls due is a query over `next_at`, which follows from the segments.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.machine import SYSTEM, Actor, NotPermitted, Role
from work_orders.domain.sla import Clock, ClockState, Metric, Step, Target, Wait
from work_orders.service import sla_tables as s
from work_orders.service import tables as t
from work_orders.service.errors import BadInput
from work_orders.service.escalating import Colleagues, mail_step, nobody
from work_orders.service.one_by_one import each
from work_orders.service.sla_book import SlaBook, book_of
from work_orders.service.sla_facts import Facts, facts_of, only_watched
from work_orders.service.unit import Row, Unit, derived_id, unit

DESK = "desk"
WAIT_REASONS = ("customer", "access", "weather", "parts", "safety")
AT_ONCE = 100
FOLLOWED_AT_ONCE = 25
"""Cases whose clocks are worked out anew in the unit that changes the settings, and in one round after it."""
_DECIDED = (ClockState.MET, ClockState.BREACHED, ClockState.WITHDRAWN)
_MAY = (Role.DISPATCHER, Role.ADMIN)


def follow(work: Unit, case_id: str, again: bool = False) -> None:
    """Bring the clocks of a case in line with its rows; `again` = it was opened, or proposed, once more."""
    case = work.one(t.cases, case_id, "case")
    clocks = _clocks(work, case_id)
    if (not clocks and only_watched(case)) or (clocks and not again and _at_rest(case, clocks)):
        return
    facts = facts_of(work, case)
    if not clocks and not facts.asked:
        return
    _bring_waits(work, facts)
    book = _book(work)
    clocks = _begin(work, facts, clocks, book, again)
    waits = waits_of(work.connection, work.tenant, case_id)
    for row in clocks:
        if row.stopped_at is None:
            _bring(work, row, facts, book, waits)


def _at_rest(case: Row, clocks: list[Row]) -> bool:
    """Whether all that was promised is given or over, and nothing more is by now."""
    newest = clocks[-1]
    broke_down = case.broke_down_at is not None and newest.kind not in ("breakdown", "complaint")
    return not broke_down and all(r.stopped_at is not None for r in clocks)


def follow_all(work: Unit, *, site: str | None = None, customer: str | None = None) -> int:
    """Have every clock that runs worked out again, after a change of settings, of the machines of a site or customer
    where one is named; how many cases there are. A few at once, the others by `follow_outdated`."""
    c, a = s.clocks.c, t.assets.c
    running = [c.tenant == work.tenant, c.stopped_at.is_(None)]
    for column, wanted in ((a.site_id, site), (a.customer_id, customer)):
        if wanted is not None:
            running.append(c.asset_id.in_(sa.select(a.id).where(a.tenant == work.tenant, column == wanted)))
    count = sa.select(sa.func.count(c.case_id.distinct())).where(*running)
    cases = work.connection.execute(count).scalar_one()
    work.connection.execute(s.clocks.update().where(*running).values(outdated_at=work.now))
    work.forget(s.clocks)
    for case_id in outdated_cases(work.connection, work.tenant):
        follow(work, case_id)
    return cases


def outdated_cases(connection: sa.Connection, tenant: str) -> list[str]:
    """Cases with clocks that have to be worked out again."""
    c = s.clocks.c
    chosen = sa.select(c.case_id).where(c.tenant == tenant, c.outdated_at.is_not(None)).distinct()
    return list(connection.execute(chosen.order_by(c.case_id).limit(FOLLOWED_AT_ONCE)).scalars())


def follow_outdated(shared: Shared, tenant: str) -> int:
    """Work out clocks again whose settings have changed, the next few, each case in a unit of its own; how many."""
    with shared.database.read() as connection:
        found = outdated_cases(connection, tenant)

    def one(case_id: str) -> int:
        with unit(shared, tenant, SYSTEM) as work:
            follow(work, case_id)
        return 1

    return each(one, found)


def _book(work: Unit) -> SlaBook:
    book: SlaBook = work.once("sla", lambda: book_of(work.connection, work.tenant), s.policies, s.calendars)
    return book


def _clocks(work: Unit, case_id: str) -> list[Row]:
    return sorted(work.those(s.clocks, case_id=case_id), key=lambda r: (r.round, r.metric))


def _begin(work: Unit, facts: Facts, clocks: list[Row], book: SlaBook, again: bool) -> list[Row]:
    """A new round where one is called for; clocks for what is promised and not yet given in the newest round."""
    if not facts.asked:
        return clocks
    newest = max((r.round for r in clocks), default=0)
    mine = [r for r in clocks if r.round == newest]
    changed = bool(mine) and facts.kind == "breakdown" and mine[0].kind != facts.kind
    if not mine or changed or (again and all(r.stopped_at is not None for r in mine)):
        newest += 1
        for row in mine:
            if row.stopped_at is None:
                _withdraw(work, row)
        started, there = work.now, set[str]()
    else:
        started, there = mine[0].started_at, {r.metric for r in mine}
    for metric in Metric:
        target = book.policy.target(metric, facts.kind, facts.tier, facts.priority)
        if target is None or metric in there or facts.stops(metric, started):
            continue
        work.insert(
            s.clocks, id=derived_id("SLA", work.tenant, facts.case.id, metric, newest), case_id=facts.case.id,
            asset_id=facts.case.asset_id, metric=metric, round=newest, kind=facts.kind, tier=facts.tier,
            priority=facts.priority, policy_version=book.version, target=msgspec.json.encode(target).decode(),
            state=ClockState.RUNNING, started_at=started, answered_by="",
        )  # fmt: skip
    return _clocks(work, facts.case.id)


def _bring(work: Unit, row: Row, facts: Facts, book: SlaBook, waits: Sequence[Wait]) -> None:
    """Work out one clock that has not stopped."""
    metric = Metric(row.metric)
    target = target_of(row)
    values: dict[str, object] = {}
    if row.decided_at is None:  # a breach stays as it was judged
        now_held = book.policy.target(metric, facts.kind, facts.tier, facts.priority)
        if now_held is None:
            _withdraw(work, row)
            return
        if now_held != target or row.priority != facts.priority or row.tier != facts.tier:
            target = now_held
            values |= {
                "target": msgspec.json.encode(target).decode(), "priority": facts.priority, "tier": facts.tier,
                "policy_version": book.version,
            }  # fmt: skip
    given = facts.stops(metric, row.started_at)
    if not given and (facts.over or not facts.asked):
        _withdraw(work, row)
        return
    clock = Clock(target, book.calendar(target.calendar, *facts.place), row.started_at, tuple(waits))
    if given:
        clock = replace(clock, stopped=work.now)
        values |= {"stopped_at": work.now, "used_minutes": clock.used(work.now).total_seconds() / 60}
    _keep(work, row, clock, values)


def _keep(work: Unit, row: Row, clock: Clock, values: dict[str, object]) -> None:
    state, due = clock.state(work.now), clock.due
    if row.decided_at is not None:  # met or breached is said once
        state = ClockState(row.state)
    elif state in _DECIDED:
        values |= {"decided_at": clock.stopped if state is ClockState.MET else due}
    values |= {"state": state, "due_at": due, "next_at": None, "outdated_at": None}
    if clock.stopped is None:
        told = _told(work, row.id)
        ahead = [at for _, step, at in clock.escalations() if key_of(step) not in told and _unanswered(row)]
        if due is not None and state not in _DECIDED:
            ahead.append(due)
        values["next_at"] = min(ahead, default=None)
    changed = {k: v for k, v in values.items() if getattr(row, k) != v}
    if changed:
        work.update(s.clocks, {"id": row.id}, **changed)
    if state is ClockState.BREACHED and row.decided_at is None:
        text = f"Promised and not kept for case {row.case_id}: {words(row.metric)} was due {due:%d %B %H:%M} UTC."
        work.record("sla_breached", row.asset_id, row.case_id, text, actor=SYSTEM, clock=row.id, metric=row.metric)


def _unanswered(row: Row) -> bool:
    """Once somebody sees to it nobody else is told, not even late what was due before."""
    return row.answered_at is None


def _withdraw(work: Unit, row: Row) -> None:
    state = row.state if row.decided_at is not None else ClockState.WITHDRAWN
    work.update(
        s.clocks, {"id": row.id}, state=state, stopped_at=work.now, decided_at=row.decided_at or work.now,
        next_at=None, outdated_at=None,
    )  # fmt: skip


def key_of(step: Step) -> str:
    """What a step of the chain is known by, whatever its place in the chain."""
    return f"{step.who[:64]} {step.share:g}+{step.after_minutes:g}"


def words(metric: str) -> str:
    """A metric for people."""
    return {"response": "an answer", "arrival": "a technician on site", "restore": "the repair"}[metric]


def target_of(row: Row) -> Target:
    """What a clock is held to."""
    return msgspec.json.decode(row.target, type=Target)


def _told(work: Unit, clock_id: str) -> set[str]:
    return {r.step for r in work.those(s.escalations, clock_id=clock_id)}


def waits_of(connection: sa.Connection, tenant: str, case_id: str) -> list[Wait]:
    """What a case waited for."""
    c = s.waits.c
    rows = connection.execute(
        sa.select(c.reason, c.start, c.end).where(c.tenant == tenant, c.case_id == case_id).order_by(c.n)
    )
    return [Wait(*r) for r in rows]


def _bring_waits(work: Unit, facts: Facts) -> None:
    kept = work.those(s.waits, case_id=facts.case.id)
    wanted = facts.waits()
    lasting = {r.source: r for r in kept if r.end is None}
    for source, row in lasting.items():
        if facts.over or (source != DESK and wanted.get(source) != row.reason):
            _end_wait(work, row)
    for source, reason in wanted.items():
        row_ = lasting.get(source)
        if not facts.over and (row_ is None or row_.reason != reason):
            _begin_wait(work, facts.case.id, source, reason)


def _begin_wait(work: Unit, case_id: str, source: str, reason: str) -> None:
    c = s.waits.c
    newest = sa.select(sa.func.max(c.n)).where(c.tenant == work.tenant, c.case_id == case_id)
    n = (work.connection.execute(newest).scalar() or 0) + 1
    work.insert(s.waits, case_id=case_id, n=n, source=source, reason=reason, start=work.now)


def _end_wait(work: Unit, row: Row) -> None:
    work.update(s.waits, {"case_id": row.case_id, "n": row.n}, end=work.now)


def due_clocks(connection: sa.Connection, tenant: str, now: datetime) -> tuple[str, ...]:
    """Clocks of which something has to be told, the earliest first."""
    c = s.clocks.c
    chosen = sa.select(c.id).where(c.tenant == tenant, c.next_at < now).order_by(c.next_at, c.id)
    return tuple(connection.execute(chosen).scalars())


def tell(work: Unit, clock_id: str, colleagues: Colleagues = nobody) -> int:
    """Tell what is due of one clock: who comes next in the chain, and that it is breached. How much was told."""
    row = work.one(s.clocks, clock_id, "clock")
    if row.outdated_at is not None:  # nobody is told by what held before
        follow(work, row.case_id)
        row = work.one(s.clocks, clock_id, "clock")
    if row.stopped_at is not None:
        return 0
    book, facts = _book(work), facts_of(work, work.one(t.cases, row.case_id, "case"))
    target = target_of(row)
    waits = waits_of(work.connection, work.tenant, row.case_id)
    clock = Clock(target, book.calendar(target.calendar, *facts.place), row.started_at, tuple(waits))
    done = 0
    told = _told(work, clock_id)
    for _, step, at in clock.escalations():
        if at < work.now and key_of(step) not in told and _unanswered(row):
            work.insert(
                s.escalations, clock_id=clock_id, step=key_of(step), case_id=row.case_id, who=step.who[:64], due_at=at,
                at=work.now,
            )  # fmt: skip
            told.add(key_of(step))
            asset = work.one(t.assets, row.asset_id, "asset")
            text = f"{asset.name}: {words(row.metric)} is promised and open; told {step.who} {step.words()}."
            mailed = mail_step(work, row, key_of(step), step.who, text, colleagues)
            more = {"clock": clock_id, "metric": row.metric, "who": step.who, "mailed": mailed}
            work.record("sla_escalated", row.asset_id, row.case_id, text, **more)
            done += 1
    _keep(work, row, clock, {})
    return done + 1


def answered(work: Unit, case_id: str) -> None:
    """A person has answered, by whatever way: what was promised as a response is given."""
    follow(work, case_id)
    book, facts = _book(work), facts_of(work, work.one(t.cases, case_id, "case"))
    waits = tuple(waits_of(work.connection, work.tenant, case_id))
    for row in _clocks(work, case_id):
        if row.stopped_at is None and row.metric == Metric.RESPONSE:
            target = target_of(row)
            clock = Clock(target, book.calendar(target.calendar, *facts.place), row.started_at, waits, work.now)
            used = clock.used(work.now).total_seconds() / 60
            _keep(work, row, clock, {"stopped_at": work.now, "used_minutes": used})


def taken(work: Unit, case_id: str) -> None:
    """Somebody sees to it: of this case nobody else is told any more, until it begins anew."""
    for row in _clocks(work, case_id):
        if row.stopped_at is None and row.answered_at is None:
            work.update(s.clocks, {"id": row.id}, answered_at=work.now, answered_by=work.actor.name)


def heard(work: Unit, case_id: str) -> None:
    """The customer said something: nobody waits for him any more."""
    c = s.waits.c
    for row in work.all(s.waits, c.case_id == case_id, c.source == DESK, c.end.is_(None), c.reason == "customer"):
        _end_wait(work, row)
    work.at_end(follow, case_id)


def case_clock_action(
    shared: Shared, tenant: str, case_id: str, action: str, actor: Actor, *, reason: str = ""
) -> None:
    """What the office says about a case's clocks: `answered`, `taken`, `wait` (with a reason), `go-on`.

    Raises NotPermitted, NotFound, BadInput.
    """
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "say that a customer was answered", _MAY)
    with unit(shared, tenant, actor) as work:
        case = work.one(t.cases, case_id, "case")
        c = s.waits.c
        lasting = work.all(s.waits, c.case_id == case_id, c.source == DESK, c.end.is_(None))
        if case.closed_at is not None:
            raise BadInput("case", "is closed")
        match action:
            case "answered":
                answered(work, case_id)
                text = f"{actor.name} has answered the customer of {case.asset_id}."
            case "taken":
                taken(work, case_id)
                text = f"{actor.name} sees to the case of {case.asset_id}."
            case "wait":
                if reason not in WAIT_REASONS:
                    raise BadInput("reason", f"must be one of {', '.join(WAIT_REASONS)}")
                for row in lasting:
                    _end_wait(work, row)
                _begin_wait(work, case_id, DESK, reason)
                text = f"The case of {case.asset_id} waits: {reason}."
            case "go-on":
                for row in lasting:
                    _end_wait(work, row)
                text = f"The case of {case.asset_id} goes on."
            case _:
                raise BadInput("action", f"{action!r} must be answered, taken, wait or go-on")
        follow(work, case_id)
        work.update(t.cases, {"id": case_id})  # another version of it
        work.record(f"sla_{action.replace('-', '_')}", case.asset_id, case_id, text, reason=reason)


def tell_due(shared: Shared, tenant: str, colleagues: Colleagues = nobody) -> int:
    """Tell what is due in a tenant, each clock in a unit of its own; how much was told."""
    with shared.database.read() as connection:
        found = due_clocks(connection, tenant, shared.clocks.of(tenant).now())

    def one(clock_id: str) -> int:
        with unit(shared, tenant, SYSTEM) as work:
            return tell(work, clock_id, colleagues)

    return each(one, found[:AT_ONCE])
