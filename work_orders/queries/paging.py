"""Pages of a list, newest first; the cursor names the last row of the page before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from plumbing.sql import from_us, to_us

T = TypeVar("T")
LIMIT = 50
NEVER_US = 253_402_300_800_000_000
"""In a cursor: the last row had no time. So do all that follow."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows and the cursor to the next ones (None = there are none)."""

    items: tuple[T, ...]
    next: str | None


def page_of(
    connection: sa.Connection, chosen: sa.Select[Any], at: sa.Column[Any], id: sa.Column[Any], after: str | None,
    limit: int,
) -> tuple[Sequence[Any], str | None]:  # fmt: skip
    """The rows of one page, by time and id. A cursor that is none begins at the top."""
    if after:
        us, _, last = after.partition("_")
        if us.lstrip("-").isdecimal():
            when = from_us(int(us))
            chosen = chosen.where(sa.or_(at < when, sa.and_(at == when, id < last)))
    rows: Sequence[Any] = connection.execute(chosen.order_by(at.desc(), id.desc()).limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    rows = rows[:limit]
    last_row = rows[-1]._mapping
    return rows, f"{to_us(last_row[at])}_{last_row[id]}"


def soonest_of(
    connection: sa.Connection, chosen: sa.Select[Any], due: sa.ColumnElement[Any], id: sa.ColumnElement[Any],
    after: str | None, limit: int,
) -> tuple[Sequence[Any], str | None]:  # fmt: skip
    """The rows of one page, what is due next first, what has no time last. A cursor that is none begins at the top."""
    us, _, last = (after or "").partition("_")
    if us.lstrip("-").isdecimal():
        if int(us) >= NEVER_US:
            chosen = chosen.where(due.is_(None), id > last)
        else:
            when = from_us(int(us))
            chosen = chosen.where(sa.or_(due.is_(None), due > when, sa.and_(due == when, id > last)))
    rows: Sequence[Any] = connection.execute(chosen.order_by(due.is_(None), due, id).limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    rows = rows[:limit]
    end = rows[-1]._mapping
    return rows, f"{NEVER_US if end[due] is None else to_us(end[due])}_{end[id]}"
