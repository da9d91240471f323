"""Solving from afar, before somebody is sent: begun by a decision, ended by a person, by time, or with its case."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from contracts.asset_model import FailureMode, RemoteFix
from plumbing.runtime import Shared
from work_orders.domain.case_states import CaseAction, CaseState
from work_orders.domain.decision import Afar
from work_orders.domain.machine import SYSTEM, Actor, NotPermitted, Role
from work_orders.service import tables as t
from work_orders.service.errors import BadInput
from work_orders.service.moves import move_case
from work_orders.service.one_by_one import each
from work_orders.service.remote_tables import remote_fixes
from work_orders.service.unit import Row, Unit, unit

HOUR = timedelta(hours=1)
AT_ONCE = 100
_MAY = (Role.ENGINEER, Role.DISPATCHER, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Trying:
    """What is being tried now."""

    case: str
    asset: str
    remedy: str
    begun_at: datetime
    until: datetime
    version: int
    """Of the case."""


def afar_of(work: Unit, case: Row, mode: FailureMode) -> Afar | None:
    """What may still be tried from afar for a case; None = nothing is known, or it was tried."""
    fix = mode.remote
    if fix is None:
        return None
    kept = work.those(remote_fixes, case_id=case.id)
    if not kept:
        return Afar(fix.remedy, fix.works, fix.cost, fix.hours)
    if kept[0].ended_at is not None or case.state != CaseState.REMOTE_FIX:
        return None
    return Afar(fix.remedy, fix.works, fix.cost, max(0.0, (kept[0].until - work.now) / HOUR), True)


def try_from_afar(work: Unit, case: Row, asset: Row, fix: RemoteFix, why: str) -> None:
    """Have an engineer try it; the case waits for him."""
    until = work.now + fix.hours * HOUR
    work.insert(remote_fixes, case_id=case.id, remedy=fix.remedy, begun_at=work.now, until=until, how="")
    move_case(work, case.id, CaseAction.FIX_REMOTELY, role=Role.SYSTEM)
    text = f"{asset.name}: {fix.remedy}, from afar, until {until:%d %B %H:%M} UTC, before anybody goes there. {why}"
    work.record("case_remote_fix_begun", asset.id, case.id, text, until=until)


def end_try(work: Unit, case_id: str, how: str) -> None:
    """What was tried for a case is over: `worked`, `failed`, `late`, `cleared` (the readings went back)."""
    for row in work.those(remote_fixes, case_id=case_id, ended_at=None):
        work.update(remote_fixes, {"case_id": row.case_id}, ended_at=work.now, how=how)


def did_not_work(shared: Shared, tenant: str, case_id: str, actor: Actor, *, reason: str = "",
                 version: int | None = None) -> str:  # fmt: skip
    """A person says that it did not help: the next forecast decides about a visit. Returns the case's state.

    Raises NotPermitted, NotFound, Stale, BadInput.
    """
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "say that it was not solved from afar", _MAY)
    with unit(shared, tenant, actor) as work:
        case = work.one(t.cases, case_id, "case")
        work.check_version(case, version)
        if case.state != CaseState.REMOTE_FIX:
            raise BadInput("case", f"is {case.state}: nothing is being tried from afar")
        return _give_up(work, case, "failed", f"{actor.name} could not solve it from afar{_because(reason)}")


def _because(reason: str) -> str:
    return f": {reason.strip()[:300]}" if reason.strip() else ""


def _give_up(work: Unit, case: Row, how: str, text: str) -> str:
    end_try(work, case.id, how)
    work.record("case_remote_fix_ended", case.asset_id, case.id, f"{text}.", how=how)
    return str(move_case(work, case.id, CaseAction.MONITOR, role=Role.SYSTEM).state)


def _live() -> sa.Select[tuple[str, str]]:
    f, c = remote_fixes.c, t.cases.c
    return (
        sa.select(f.tenant, f.case_id)
        .join(t.cases, sa.and_(c.tenant == f.tenant, c.id == f.case_id))
        .where(f.ended_at.is_(None), c.state == CaseState.REMOTE_FIX)
    )


def tenants_trying() -> sa.Select[tuple[str]]:
    """Tenants for which something is being tried."""
    return sa.select(_live().subquery().c.tenant).distinct()


def give_up_due(shared: Shared, tenant: str) -> int:
    """End what was tried for long enough; how much."""
    now = shared.clocks.of(tenant).now()
    f = remote_fixes.c
    with shared.database.read() as connection:
        found = connection.execute(_live().where(f.tenant == tenant, f.until <= now).limit(AT_ONCE)).all()

    def one(case_id: str) -> int:
        with unit(shared, tenant, SYSTEM) as work:
            case = work.one(t.cases, case_id, "case")
            if case.state == CaseState.REMOTE_FIX:
                _give_up(work, case, "late", f"{case.asset_id} was not solved from afar in time")
        return 1

    return each(one, [str(row.case_id) for row in found])


def trying(connection: sa.Connection, tenant: str) -> Sequence[Trying]:
    """What is being tried, the most urgent first."""
    f, c, a = remote_fixes.c, t.cases.c, t.assets.c
    rows = connection.execute(
        sa.select(f.case_id, a.name, f.remedy, f.begun_at, f.until, c.version)
        .join(t.cases, sa.and_(c.tenant == f.tenant, c.id == f.case_id))
        .join(t.assets, sa.and_(a.tenant == c.tenant, a.id == c.asset_id))
        .where(f.tenant == tenant, f.ended_at.is_(None), c.state == CaseState.REMOTE_FIX)
        .order_by(f.until)
        .limit(AT_ONCE)
    )
    return [Trying(*row) for row in rows]
