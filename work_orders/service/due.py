"""What is due: a query over facts and the tenant's `now`; nothing waits in memory."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, OperationalError

from plumbing.runtime import Shared
from work_orders.domain.case_states import NOT_YET_SENT, OUT, CaseAction, CaseState
from work_orders.domain.contact_rules import HoldUntil, Purpose
from work_orders.domain.machine import SYSTEM, Role
from work_orders.domain.policy import Policy
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.aftercare import still_asked, verify_due
from work_orders.service.aftercare_tables import verify_checks
from work_orders.service.answers import renew
from work_orders.service.arrival import forget_old_arrivals
from work_orders.service.arrival_tables import arrivals
from work_orders.service.door_tables import recalls
from work_orders.service.escalating import Colleagues, nobody
from work_orders.service.letters import post_letters
from work_orders.service.moves import move_case
from work_orders.service.offers import rests_on_history, say_again, send, slots_of
from work_orders.service.one_by_one import each
from work_orders.service.outbox import post
from work_orders.service.places import tell_places, untold
from work_orders.service.plan_tables import plans
from work_orders.service.plans import open_due
from work_orders.service.recalls import go_on
from work_orders.service.sending import WEB, Channel
from work_orders.service.sla import follow_outdated, tell_due
from work_orders.service.sla_tables import clocks
from work_orders.service.telling import dispatch, due_messages, rule
from work_orders.service.trying_afar import give_up_due, tenants_trying
from work_orders.service.unit import Row, Unit, unit

AT_ONCE = 100
"""Notices of a kind, and messages, in one transaction: nobody else waits for more than that."""
logger = logging.getLogger(__name__)
_OPEN = (*NOT_YET_SENT, *OUT)


@dataclass(frozen=True, slots=True)
class Due:
    """Notices by what must happen to them, and how many messages wait for the rules."""

    send: tuple[str, ...] = ()
    renew: tuple[str, ...] = ()
    remind: tuple[str, ...] = ()
    give_up: tuple[str, ...] = ()
    messages: int = 0

    def __bool__(self) -> bool:
        return bool(self.send or self.renew or self.remind or self.give_up or self.messages)


def tenants_with_work(connection: sa.Connection) -> list[str]:
    """Tenants that have notices or messages on their way, a promise whose time runs, a plan or a check that falls
    due."""
    c, k, w, p, f = t.notices.c, clocks.c, m.messages.c, plans.c, verify_checks.c
    waiting = sa.union(
        sa.select(c.tenant).where(c.state.in_(_OPEN)),
        sa.select(w.tenant).where(w.due_at.is_not(None)),
        sa.select(k.tenant).where(k.next_at.is_not(None)),
        sa.select(p.tenant).where(p.next_at.is_not(None)),
        sa.select(f.tenant).where(f.done_at.is_(None)),
        sa.select(arrivals.c.tenant),
        untold(),
        tenants_trying(),
        sa.select(k.tenant).where(k.outdated_at.is_not(None)),
        sa.select(recalls.c.tenant).where(recalls.c.finished_at.is_(None)),
    )
    return list(connection.execute(waiting).scalars())


def due(connection: sa.Connection, tenant: str, now: datetime) -> Due:
    """What is due in a tenant."""
    c, s = t.notices.c, t.notice_slots
    body = connection.execute(sa.select(t.policies.c.body).where(t.policies.c.tenant == tenant)).scalar()
    policy = msgspec.json.decode(body, type=Policy) if body else Policy()
    out = sa.and_(c.tenant == tenant, c.state.in_(OUT))
    asked, reminded = now - timedelta(hours=policy.answer_hours), now - timedelta(hours=policy.reminder_hours)
    passed = (
        sa.select(s.c.notice_id)
        .where(s.c.tenant == tenant, s.c.notice_id == c.id, s.c.generation == c.generation, s.c.start <= now)
        .exists()
    )

    def ids(*where: sa.ColumnElement[bool]) -> tuple[str, ...]:
        return tuple(
            connection.execute(sa.select(c.id).where(*where).order_by(c.queued_at, c.id).limit(AT_ONCE)).scalars()
        )

    w = m.messages.c
    held = sa.select(w.id).where(w.tenant == tenant, w.notice_id == c.id, w.due_at.is_not(None)).exists()
    waiting = connection.execute(sa.select(sa.func.count()).where(w.tenant == tenant, w.due_at <= now)).scalar_one()
    return Due(
        ids(c.tenant == tenant, c.state.in_(NOT_YET_SENT), c.send_after <= now),
        ids(out, passed),
        ids(out, c.reminded_at.is_(None), c.asked_at <= asked),
        ids(out, c.no_reply_at.is_(None), c.reminded_at <= reminded, ~held),  # nobody is silent before he was asked
        int(waiting),
    )


def tick(
    shared: Shared, tenant: str, channels: Sequence[Channel] = (WEB,), *, handing_over: bool = True,
    colleagues: Colleagues = nobody,
) -> int:  # fmt: skip
    """Do what is due in a tenant, and hand over what may leave unless somebody else does; how many things were done."""
    steps: tuple[Callable[[Shared, str], int], ...] = (
        tell_places,
        go_on,
        partial(tell_due, colleagues=colleagues),
        follow_outdated,
        open_due,
        verify_due,
        forget_old_arrivals,
        give_up_due,
        partial(_decide, channels=channels),
    )
    done = each(lambda step: step(shared, tenant), steps)
    if handing_over and any(c.leaves for c in channels):
        done += post(shared, tenant, channels) + post_letters(shared, tenant, channels)
    return done


def _decide(shared: Shared, tenant: str, channels: Sequence[Channel]) -> int:
    now = shared.clocks.of(tenant).now()
    with shared.database.read() as connection:
        found = due(connection, tenant, now)
        if not found:
            return 0
    try:
        return _alone(shared, tenant, channels)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("what is due in %s cannot be done together: one by one", tenant)
    with unit(shared, tenant, SYSTEM) as work:
        messages = [str(r.id) for r in due_messages(work, AT_ONCE)]
    ids = dict.fromkeys((*found.send, *found.renew, *found.remind, *found.give_up, *messages))
    return each(partial(_alone, shared, tenant, channels), ids)


def _alone(shared: Shared, tenant: str, channels: Sequence[Channel], only: str = "") -> int:
    """Do what is due, in one transaction; with `only` that of one notice or message."""
    with unit(shared, tenant, SYSTEM) as work:
        found = due(work.connection, tenant, work.now)  # again, now that nobody else can change it
        acts = ((partial(send, channels=channels), found.send), (_renew, found.renew), (_remind, found.remind),
                (_give_up, found.give_up))  # fmt: skip
        done = 0
        for act, ids in acts:
            for id in ids:
                if only in ("", id):
                    act(work, work.one(t.notices, id, "notice"))
                    done += 1
        for message in due_messages(work, AT_ONCE):
            if only in ("", message.id):
                _message(work, message, channels)
                done += 1
        return done


def _message(work: Unit, message: Row, channels: Sequence[Channel]) -> None:
    """Let the rules decide on a message; what nobody waits for any more is not said."""
    notice = None if message.notice_id is None else work.one(t.notices, message.notice_id, "notice")
    past = notice is not None and message.template in ("forecast", "reminder") and notice.state not in OUT
    if past or (message.template == "survey" and not still_asked(work, message)):
        work.update(m.messages, {"id": message.id}, state="withdrawn", due_at=None)
        text = f"{message.subject}: not said any more to {message.customer_id}."
        asset = work.one(t.cases, message.case_id, "case").asset_id
        work.record("message_withdrawn", asset, message.id, text, case=message.case_id)
        return
    history = notice is not None and rests_on_history(work, notice)
    purpose = Purpose(message.purpose)
    said = rule(work, message.customer_id, message.id, purpose, channels, history=history)
    dispatch(work, message.id, message.customer_id, said)
    held = isinstance(said, HoldUntil)
    text = f"{message.subject}: {'held back for' if held else 'sent to'} {message.customer_id}."
    asset = notice.asset_id if notice is not None else work.one(t.cases, message.case_id, "case").asset_id
    work.record("message_held" if held else "message_sent", asset, message.id, text, case=message.case_id)
    if notice is not None and message.template == "reminder" and not held:
        work.update(t.notices, {"id": notice.id}, reminded_at=work.now)  # he has his time from here


def _renew(work: Unit, notice: Row) -> None:
    if any(s.start <= work.now for s in slots_of(work, notice)):
        renew(work, notice)


def _remind(work: Unit, notice: Row) -> None:
    work.update(t.notices, {"id": notice.id}, reminded_at=work.now)
    say_again(work, notice, "reminder")
    case = work.one(t.cases, notice.case_id, "case")
    if case.state == CaseState.CUSTOMER_CONTACTED:
        move_case(work, case.id, CaseAction.REMIND, role=Role.SYSTEM)
    text = f"{notice.customer_id} was reminded of the notice about {notice.asset_id}."
    work.record("notice_reminded", notice.asset_id, notice.id, text, case=notice.case_id)


def _give_up(work: Unit, notice: Row) -> None:
    work.update(t.notices, {"id": notice.id}, no_reply_at=work.now)
    case = work.one(t.cases, notice.case_id, "case")
    if case.state == CaseState.REMINDED:
        move_case(work, case.id, CaseAction.GIVE_UP_WAITING, role=Role.SYSTEM)
    text = f"{notice.customer_id} did not answer the notice about {notice.asset_id}: a dispatcher decides."
    work.record("notice_no_reply", notice.asset_id, notice.id, text, case=notice.case_id)
