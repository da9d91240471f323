"""What is due: a query over facts and the tenant's `now`; nothing waits in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.case_states import OUT, CaseAction, CaseState, NoticeState
from work_orders.domain.machine import SYSTEM, Role
from work_orders.domain.policy import Policy
from work_orders.service import tables as t
from work_orders.service.answers import renew
from work_orders.service.moves import move_case
from work_orders.service.offers import hand_over, send, slots_of
from work_orders.service.sending import WEB, Channel
from work_orders.service.sla import tell_due
from work_orders.service.sla_tables import clocks
from work_orders.service.unit import Row, Unit, unit

_OPEN = (NoticeState.QUEUED, *OUT)


@dataclass(frozen=True, slots=True)
class Due:
    """Notices by what must happen to them."""

    send: tuple[str, ...] = ()
    renew: tuple[str, ...] = ()
    remind: tuple[str, ...] = ()
    give_up: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.send or self.renew or self.remind or self.give_up)


def tenants_with_work(connection: sa.Connection) -> list[str]:
    """Tenants that have notices on their way, or a promise whose time runs."""
    c, k = t.notices.c, clocks.c
    waiting = sa.union(
        sa.select(c.tenant).where(c.state.in_(_OPEN)),
        sa.select(k.tenant).where(k.next_at.is_not(None)),
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
        return tuple(connection.execute(sa.select(c.id).where(*where).order_by(c.queued_at, c.id)).scalars())

    return Due(
        ids(c.tenant == tenant, c.state == NoticeState.QUEUED, c.send_after <= now),
        ids(out, passed),
        ids(out, c.reminded_at.is_(None), c.asked_at <= asked),
        ids(out, c.no_reply_at.is_(None), c.reminded_at <= reminded),
    )


def tick(shared: Shared, tenant: str, channels: Sequence[Channel] = (WEB,)) -> int:
    """Do what is due in a tenant; how many things were done."""
    told = tell_due(shared, tenant)
    now = shared.clocks.of(tenant).now()
    with shared.database.read() as connection:
        if not due(connection, tenant, now):
            return told
    with unit(shared, tenant, SYSTEM) as work:
        found = due(work.connection, tenant, work.now)  # again, now that nobody else can change it
        for id in found.send:
            send(work, work.one(t.notices, id, "notice"), channels)
        for id in found.renew:
            _renew(work, work.one(t.notices, id, "notice"))
        for id in found.remind:
            _remind(work, work.one(t.notices, id, "notice"), channels)
        for id in found.give_up:
            _give_up(work, work.one(t.notices, id, "notice"))
        return told + sum(map(len, (found.send, found.renew, found.remind, found.give_up)))


def _renew(work: Unit, notice: Row) -> None:
    if any(s.start <= work.now for s in slots_of(work, notice)):
        renew(work, notice)


def _remind(work: Unit, notice: Row, channels: Sequence[Channel]) -> None:
    work.update(t.notices, {"id": notice.id}, reminded_at=work.now)
    hand_over(work, notice, channels, reminder=True)
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
