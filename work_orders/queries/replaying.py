"""The decision log, decided again: what was logged must lead to what was stored."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from work_orders.domain.decision import Inputs, Outcome, decide
from work_orders.service import tables as t

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision that came out differently: what was stored, and what its inputs lead to now."""

    prediction_id: str
    case_id: str
    at: datetime
    stored: Outcome
    again: Outcome

    @property
    def weighs(self) -> bool:
        """Whether anything but the sentence differs."""
        a, b = self.stored, self.again
        return (a.verdict, a.path, a.brake, a.in_row, a.p, a.gain) != (
            b.verdict,
            b.path,
            b.brake,
            b.in_row,
            b.p,
            b.gain,
        )


@dataclass(frozen=True, slots=True)
class Replay:
    """All decisions again; `same` of `decisions` came out equal to the last letter."""

    decisions: int
    same: int
    differing: tuple[Replayed, ...]


def replay(connection: sa.Connection, tenant: str, *, case_id: str | None = None, most: int = 100) -> Replay:
    """Decide every logged decision of a tenant again (or those of a case); keeps the first `most` that differ."""
    count = same = 0
    differing: list[Replayed] = []
    for row in _log(connection, tenant, case_id):
        count += 1
        stored = msgspec.json.decode(row.outcome, type=Outcome)
        again = decide(msgspec.json.decode(row.inputs, type=Inputs))
        if again == stored:
            same += 1
        elif len(differing) < most:
            differing.append(Replayed(row.prediction_id, row.case_id, row.at, stored, again))
    return Replay(count, same, tuple(differing))


def _log(connection: sa.Connection, tenant: str, case_id: str | None) -> Iterator[Any]:
    c = t.decisions.c
    after: tuple[datetime, str] | None = None
    while True:
        chosen = sa.select(c.prediction_id, c.case_id, c.at, c.inputs, c.outcome).where(c.tenant == tenant)
        if case_id is not None:
            chosen = chosen.where(c.case_id == case_id)
        if after is not None:
            chosen = chosen.where(sa.or_(c.at > after[0], sa.and_(c.at == after[0], c.prediction_id > after[1])))
        rows = connection.execute(chosen.order_by(c.at, c.prediction_id).limit(BATCH)).all()
        yield from rows
        if len(rows) < BATCH:
            return
        after = (rows[-1].at, rows[-1].prediction_id)
