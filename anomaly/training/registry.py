"""The registry of learned models: rows in SQL, files below the home folder, every move with its reason.

HOME/learned/TENANT/ID/model/   manifest.json, arrays.npz
HOME/learned/TENANT/ID/card.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from anomaly.domain.hazard import EventHazard
from anomaly.domain.learned_life import LearnedLife
from anomaly.domain.learned_states import Kind, LearnedAction, LearnedState, step
from anomaly.service import tables as t
from anomaly.training.card import sha256_text
from anomaly.training.files import BadModel
from anomaly.training.hazard_files import read_hazard
from anomaly.training.life_files import read_life
from anomaly.training.worker import CARD, MODEL
from plumbing import audit
from plumbing.sql import Database, lock


class NoSuchModel(Exception):
    """There is no learned model of this name."""


class NotBetter(Exception):
    """It was not better on what happened since; `comparison` says by what."""

    def __init__(self, words: str, comparison: Mapping[str, Any]) -> None:
        super().__init__(words)
        self.comparison = dict(comparison)


class NothingBefore(Exception):
    """No earlier model was live."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A learned model on record."""

    id: str
    asset_model: str
    kind: Kind
    state: LearnedState
    sha256: str
    card_sha256: str
    data_sha256: str
    code: str
    trained_at: datetime
    lives: int
    failures: int
    metrics: dict[str, float | None]
    live_from: datetime | None
    changed_at: datetime
    why: str
    """Of the newest move."""


@dataclass(frozen=True, slots=True)
class Move:
    """What became of a learned model."""

    id: str
    n: int
    action: str
    state: str
    at: datetime
    actor: str
    why: str
    comparison: dict[str, Any] | None


def folder_of(home: Path, tenant: str, id: str) -> Path:
    """Where its files lie."""
    return home / "learned" / tenant / id


def learned(
    database: Database, tenant: str, *, asset_model: str | None = None, states: tuple[LearnedState, ...] = (),
    kind: Kind | None = None,
) -> list[Learned]:  # fmt: skip
    """Learned models, newest first."""
    c, m, inner = t.learned.c, t.learned_moves.c, t.learned_moves.alias().c
    last = sa.select(sa.func.max(inner.n)).where(inner.tenant == c.tenant, inner.id == c.id).scalar_subquery()
    query = (
        sa.select(t.learned, m.why)
        .select_from(t.learned)
        .outerjoin(t.learned_moves, sa.and_(m.tenant == c.tenant, m.id == c.id, m.n == last))
        .where(c.tenant == tenant)
    )
    if asset_model is not None:
        query = query.where(c.asset_model == asset_model)
    if states:
        query = query.where(c.state.in_(states))
    if kind is not None:
        query = query.where(c.kind == kind)
    with database.read() as connection:
        rows = connection.execute(query.order_by(c.trained_at.desc(), c.id.desc())).all()
    return [
        Learned(
            r.id, r.asset_model, Kind(r.kind), LearnedState(r.state), r.sha256, r.card_sha256, r.data_sha256, r.code,
            r.trained_at, r.lives, r.failures, msgspec.json.decode(r.metrics), r.live_from, r.changed_at, r.why or "",
        )
        for r in rows
    ]  # fmt: skip


def one(database: Database, tenant: str, id: str) -> Learned:
    """One of them. Raises NoSuchModel."""
    found = next((x for x in learned(database, tenant) if x.id == id), None)
    if found is None:
        raise NoSuchModel(f"tenant {tenant!r} has no learned model {id!r}")
    return found


def moves(database: Database, tenant: str, id: str) -> list[Move]:
    """What became of one, oldest first."""
    c = t.learned_moves.c
    with database.read() as connection:
        rows = connection.execute(sa.select(t.learned_moves).where(c.tenant == tenant, c.id == id).order_by(c.n)).all()
    return [
        Move(
            r.id, r.n, r.action, r.state, r.at, r.actor, r.why,
            None if r.comparison is None else msgspec.json.decode(r.comparison),
        )
        for r in rows
    ]  # fmt: skip


def next_id(database: Database, tenant: str, asset_model: str) -> str:
    """The name of the next one of an asset model."""
    n = len(learned(database, tenant, asset_model=asset_model)) + 1
    return f"{asset_model}-{n}"


def enter(
    database: Database, tenant: str, id: str, facts: Mapping[str, Any], code: str, at: datetime, actor: str
) -> None:
    """Put a candidate on record; its files are there already. `facts`: of kind life where they name none."""
    with database.write() as connection:
        connection.execute(
            t.learned.insert().values(
                tenant=tenant, id=id, asset_model=facts["asset_model"], state=LearnedState.CANDIDATE,
                sha256=facts["sha256"], card_sha256=facts["card_sha256"], data_sha256=facts["data_sha256"], code=code,
                trained_at=at, lives=facts["lives"], failures=facts["failures"],
                metrics=msgspec.json.encode(facts["metrics"]).decode(), live_from=None, changed_at=at,
                kind=facts.get("kind", Kind.LIFE),
            )
        )  # fmt: skip
        _note(
            connection, tenant, id, "train", LearnedState.CANDIDATE, at, actor, f"learned from {facts['lives']} lives"
        )


def move(
    database: Database, tenant: str, id: str, action: LearnedAction, at: datetime, actor: str, why: str,
    comparison: Mapping[str, Any] | None = None,
) -> LearnedState:  # fmt: skip
    """Take one step; a promoted or restored model takes the place of the live one in the same transaction.

    Raises NoSuchModel, IllegalMove.
    """
    with database.write() as connection:
        lock(connection, f"learned:{tenant}")
        return _move(connection, tenant, id, action, at, actor, why, comparison)


def rollback(
    database: Database, tenant: str, asset_model: str, at: datetime, actor: str, kind: Kind | None = None
) -> tuple[str, str | None]:
    """The live model goes, the one of its kind that was live before it comes back, where there was one; (gone, back).

    Raises NothingBefore.

    Parameters
    ----------
    kind
        None = of whichever kind was made live last.
    """
    c = t.learned.c
    mine = sa.and_(c.tenant == tenant, c.asset_model == asset_model)
    with database.write() as connection:
        lock(connection, f"learned:{tenant}")
        wanted = sa.select(c.id, c.live_from, c.kind).where(mine, c.state == LearnedState.LIVE)
        if kind is not None:
            wanted = wanted.where(c.kind == kind)
        live = connection.execute(wanted.order_by(c.live_from.desc())).first()
        if live is None:
            raise NothingBefore(f"no learned model of {asset_model} is live: what acts is its degradation path")
        before = connection.execute(
            sa.select(c.id)
            .where(mine, c.kind == live.kind, c.state == LearnedState.RETIRED)
            .where(c.live_from.is_not(None), c.live_from < live.live_from)
            .order_by(c.live_from.desc())
            .limit(1)
        ).scalar()
        why = f"rolled back to {before}" if before else "rolled back to the degradation path"
        if before:
            _move(connection, tenant, before, LearnedAction.RESTORE, at, actor, f"rolled back from {live.id}", None)
        else:
            _move(connection, tenant, live.id, LearnedAction.WITHDRAW, at, actor, why, None)
        return str(live.id), before


def _move(
    connection: sa.Connection, tenant: str, id: str, action: LearnedAction, at: datetime, actor: str, why: str,
    comparison: Mapping[str, Any] | None,
) -> LearnedState:  # fmt: skip
    c = t.learned.c
    row = connection.execute(sa.select(c.state, c.asset_model, c.kind).where(c.tenant == tenant, c.id == id)).first()
    if row is None:
        raise NoSuchModel(f"tenant {tenant!r} has no learned model {id!r}")
    state = step(LearnedState(row.state), action)
    if state is LearnedState.LIVE:
        others = sa.select(c.id).where(
            c.tenant == tenant, c.asset_model == row.asset_model, c.kind == row.kind, c.state == LearnedState.LIVE
        )
        for other in connection.execute(others).scalars().all():
            _move(connection, tenant, other, LearnedAction.REPLACE, at, actor, f"{id} took its place", None)
    values: dict[str, Any] = {"state": state, "changed_at": at}
    if action is LearnedAction.PROMOTE:
        values["live_from"] = at
    connection.execute(t.learned.update().where(c.tenant == tenant, c.id == id).values(**values))
    _note(connection, tenant, id, action, state, at, actor, why, comparison)
    return state


def _note(
    connection: sa.Connection, tenant: str, id: str, action: str, state: LearnedState, at: datetime, actor: str,
    why: str, comparison: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    c = t.learned_moves.c
    n = connection.execute(sa.select(sa.func.count()).where(c.tenant == tenant, c.id == id)).scalar_one()
    connection.execute(
        t.learned_moves.insert().values(
            tenant=tenant, id=id, n=n + 1, action=action, state=state, at=at, actor=actor, why=why,
            comparison=None if comparison is None else msgspec.json.encode(comparison).decode(),
        )
    )  # fmt: skip
    text = f"Learned model {id} is {state} now: {why}."
    audit.append(connection, tenant, at, actor, "learned_model", {"asset": "", "id": id, "state": state, "text": text})


def life_of(home: Path, tenant: str, of: Learned) -> LearnedLife:
    """The model itself. Raises BadModel where a file was altered or is gone."""
    return read_life(folder_of(home, tenant, of.id) / MODEL, of.sha256)


def hazard_of(home: Path, tenant: str, of: Learned) -> EventHazard:
    """The hazard itself. Raises BadModel where a file was altered or is gone."""
    return read_hazard(folder_of(home, tenant, of.id) / MODEL, of.sha256)


def check(home: Path, tenant: str, of: Learned) -> None:
    """Whether the model's own files are as they were. Raises BadModel."""
    if of.kind is Kind.EVENTS:
        hazard_of(home, tenant, of)
    else:
        life_of(home, tenant, of)


def card_of(home: Path, tenant: str, of: Learned) -> str:
    """Its card. Raises BadModel where the file was altered or is gone."""
    path = folder_of(home, tenant, of.id) / CARD
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as failure:
        raise BadModel(f"{path} cannot be read: {failure}") from failure
    if sha256_text(text) != of.card_sha256:
        raise BadModel(f"{path} was altered: its SHA-256 is not the one on record")
    return text
