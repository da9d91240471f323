"""Trainings that people ask for, and those that are due: rows, so that any process may ask and one works."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from anomaly.service import tables as t
from anomaly.training.lives import ENDS_A_LIFE
from anomaly.training.remaining_life import FEWEST_LIVES
from plumbing.sql import Database

WANTED, RUNNING, DONE, FAILED = "wanted", "running", "done", "failed"
SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class Training:
    """A training that was asked for."""

    tenant: str
    id: str
    asset_model: str
    state: str
    asked_at: datetime
    actor: str
    text: str
    learned: str | None
    ended_at: datetime | None


def ask(database: Database, tenant: str, asset_model: str, actor: str, now: datetime) -> Training:
    """Ask for one; where one of this asset model waits or runs already, that one."""
    c = t.trainings.c
    with database.write() as connection:
        mine = sa.and_(c.tenant == tenant, c.asset_model == asset_model)
        open_one = connection.execute(sa.select(t.trainings).where(mine, c.state.in_((WANTED, RUNNING)))).first()
        if open_one is not None:
            return Training(*tuple(open_one))
        n = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
        made = Training(tenant, f"T-{asset_model}-{n + 1}", asset_model, WANTED, now, actor, "it waits", None, None)
        connection.execute(
            t.trainings.insert().values(
                tenant=tenant, id=made.id, asset_model=asset_model, state=WANTED, asked_at=now, actor=actor,
                text=made.text,
            )
        )  # fmt: skip
        return made


def trainings(database: Database, tenant: str | None, *, states: Sequence[str] = (), limit: int = 50) -> list[Training]:
    """Trainings, newest first; `tenant` None = of all."""
    c = t.trainings.c
    query = sa.select(t.trainings)
    if tenant is not None:
        query = query.where(c.tenant == tenant)
    if states:
        query = query.where(c.state.in_(states))
    with database.read() as connection:
        rows = connection.execute(query.order_by(c.asked_at.desc(), c.id.desc()).limit(limit)).all()
    return [Training(*tuple(row)) for row in rows]


def training(database: Database, tenant: str, id: str) -> Training | None:
    """One of them; None = there is none of that name."""
    c = t.trainings.c
    with database.read() as connection:
        row = connection.execute(sa.select(t.trainings).where(c.tenant == tenant, c.id == id)).first()
    return None if row is None else Training(*tuple(row))


def note(
    database: Database, of: Training, state: str, text: str, *, learned: str | None = None, at: datetime | None = None
) -> None:
    """How it goes; `at` = it has ended."""
    c = t.trainings.c
    with database.write() as connection:
        connection.execute(
            t.trainings.update()
            .where(c.tenant == of.tenant, c.id == of.id)
            .values(state=state, text=text, learned=learned, ended_at=at)
        )


def due(database: Database, tenant: str, now: datetime, every_days: float) -> list[str]:
    """Asset models with enough failures on record, and new ones since their last training, so many days ago."""
    if every_days <= 0:
        return []
    c, s, x = t.labels.c, t.states.c, t.trainings.c
    with database.read() as connection:
        failed = connection.execute(
            sa.select(s.model, c.to_at)
            .join(t.states, sa.and_(s.tenant == c.tenant, s.device == c.device))
            .where(c.tenant == tenant, c.corrected_by.is_(None), c.verdict.in_(ENDS_A_LIFE))
        ).all()
        asked = connection.execute(
            sa.select(x.asset_model, sa.func.max(x.asked_at)).where(x.tenant == tenant).group_by(x.asset_model)
        )
        last: dict[str, datetime] = {row[0]: row[1] for row in asked}
    out = []
    for model in sorted({r.model for r in failed}):
        ends = [r.to_at for r in failed if r.model == model]
        before = last.get(model)
        waited = before is None or now - before >= timedelta(days=every_days)
        if len(ends) >= FEWEST_LIVES and waited and (before is None or max(ends) > before):
            out.append(model)
    return out
