"""What comes after the job, for pages: checks of a case, surveys that wait, what customers said."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from work_orders.domain.aftercare import promoter_score
from work_orders.service import aftercare_tables as f
from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check of a repair; `verdict` "" = not yet."""

    order_id: str
    days: int
    due_at: datetime
    done_at: datetime | None
    verdict: str
    text: str


@dataclass(frozen=True, slots=True)
class SurveyRow:
    """A survey with the job that it is about."""

    order_id: str
    title: str
    asset: str
    customer_id: str
    asked_at: datetime
    until: datetime
    answered_at: datetime | None
    satisfied: int | None
    recommends: int | None
    effort: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Said:
    """What customers said: how many were asked and answered; mean satisfaction (1 to 5), NPS (-100 to 100), mean effort
    (1 to 7); None = nobody said."""

    asked: int
    answered: int
    satisfied: float | None
    promoters: float | None
    effort: float | None


def checks(connection: sa.Connection, tenant: str, case_id: str) -> list[CheckRow]:
    """The checks of a case's repairs, in the order in which they are due."""
    c = f.verify_checks.c
    rows = connection.execute(
        sa.select(c.order_id, c.days, c.due_at, c.done_at, c.verdict, c.text)
        .where(c.tenant == tenant, c.case_id == case_id)
        .order_by(c.due_at)
    )
    return [CheckRow(*r) for r in rows]


def surveys(
    connection: sa.Connection, tenant: str, *, customer_id: str | None = None, order_id: str | None = None,
    open_at: datetime | None = None, limit: int = 100,
) -> list[SurveyRow]:  # fmt: skip
    """Surveys, newest first; `open_at` leaves those that nobody has answered and that are not over then."""
    c, o, a = f.surveys.c, t.orders.c, t.assets.c
    chosen = (
        sa.select(
            c.order_id, o.title, a.name, c.customer_id, c.asked_at, c.until, c.answered_at, c.satisfied, c.recommends,
            c.effort, c.words,
        )
        .select_from(f.surveys)
        .join(t.orders, sa.and_(o.tenant == c.tenant, o.id == c.order_id))
        .join(t.assets, sa.and_(a.tenant == o.tenant, a.id == o.asset_id))
        .where(c.tenant == tenant)
        .order_by(c.asked_at.desc(), c.order_id)
        .limit(limit)
    )  # fmt: skip
    for column, value in ((c.customer_id, customer_id), (c.order_id, order_id)):
        if value is not None:
            chosen = chosen.where(column == value)
    if open_at is not None:
        chosen = chosen.where(c.answered_at.is_(None), c.until >= open_at)
    return [SurveyRow(*r) for r in connection.execute(chosen)]


def said(connection: sa.Connection, tenant: str) -> Said:
    """All of a tenant so far."""
    rows = surveys(connection, tenant, limit=100_000)
    happy = [r.satisfied for r in rows if r.satisfied is not None]
    ease = [r.effort for r in rows if r.effort is not None]
    return Said(
        len(rows), sum(r.answered_at is not None for r in rows), sum(happy) / len(happy) if happy else None,
        promoter_score([r.recommends for r in rows if r.recommends is not None]),
        sum(ease) / len(ease) if ease else None,
    )  # fmt: skip
