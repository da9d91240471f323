"""What learned models say of machines: the live one for forecasts, live and shadow ones by the way, for comparison."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import numpy as np
import sqlalchemy as sa

from anomaly.domain.corrected import life as corrected_life
from anomaly.domain.corrected import wider
from anomaly.domain.following import HOUR_US
from anomaly.domain.layout import Array, layout_of
from anomaly.domain.learned_life import LearnedLife, Memory
from anomaly.domain.learned_states import Kind, LearnedState
from anomaly.domain.prognosis import Prognosis
from anomaly.service import tables as t
from anomaly.service.patience import Patience
from anomaly.training.correcting import Correction
from anomaly.training.files import BadModel
from anomaly.training.hazard_reading import HazardReader
from anomaly.training.lives import columns_of, devices_of, ends_of, steps_of
from anomaly.training.registry import Learned, learned, life_of
from contracts.asset_model import AssetModel
from plumbing.runtime import Shared
from plumbing.sql import from_us, to_us

SAID_EVERY_HOURS = 6.0
AT_ONCE = 40
"""A machine's said rows of one round, so that none waits for another's past."""
KEPT_US = round(400 * 24 * HOUR_US)
"""What was said by the way is kept for so long."""
LOOK_AGAIN_S = 2.0
logger = logging.getLogger(__name__)


@dataclass
class _Followed:
    """One machine as one learned model follows it."""

    memory: Memory
    begun_us: int
    """When its present life began; 0 = with its record."""
    through_us: int
    """Readings before this were taken."""


class Reader:
    """Follows machines through the store: each reading is looked at once. Not for several threads."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._followed: dict[tuple[str, str, str], _Followed] = {}
        self._models: dict[tuple[str, str], LearnedLife | None] = {}

    def prognose(self, tenant: str, of: Learned, model: AssetModel, device: str, at_us: int) -> Prognosis | None:
        """What a learned model says of a machine by the readings before a time; None = its files are refused."""
        life = self._life(tenant, of)
        if life is None:
            return None
        ended = [e.at_us for e in ends_of(self._shared.database, tenant, device) if e.at_us < at_us]
        begun = ended[-1] if ended else 0
        key = (tenant, of.id, device)
        mine = self._followed.get(key)
        if mine is None or mine.begun_us != begun or mine.through_us > at_us:
            mine = self._followed[key] = _Followed(life.begin(), begun, begun)
        steps = steps_of(self._shared.store, tenant, device, model, mine.through_us or None, at_us)
        step_us = round(model.prognosis.every_hours * HOUR_US)
        mine.through_us = at_us // step_us * step_us
        if len(steps.hours):
            life.feed(mine.memory, steps.hours, _columns(steps.readings, life, model), steps.levels)
        return life.prognose(mine.memory, model.decision.horizon_hours)

    def _life(self, tenant: str, of: Learned) -> LearnedLife | None:
        key = (tenant, of.id)
        if key not in self._models:
            try:
                self._models[key] = life_of(self._shared.home, tenant, of)
            except BadModel as bad:
                logger.error("learned model %s of %s is refused: %s", of.id, tenant, bad)
                self._models[key] = None
        return self._models[key]


def _columns(readings: Array, life: LearnedLife, model: AssetModel) -> Array:
    """The readings that the model knows: those that did not move in training were left out; NaN for what is gone."""
    names = columns_of(layout_of(model)).readings
    out = np.full((len(readings), len(life.signals)), np.nan)
    for j, name in enumerate(life.signals):
        if name in names:
            out[:, j] = readings[:, names.index(name)]
    return out


class Serving:
    """`anomaly.service.learned.LiveModels`: the live models of all tenants; told anew every few seconds."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._reader, self._hazards = shared, Reader(shared), HazardReader(shared)
        self._live: dict[tuple[str, str, Kind], Learned] = {}
        self._looked_at = -LOOK_AGAIN_S
        self._turn = threading.Lock()
        self._correction = Correction(shared.database)

    def prognose(self, tenant: str, model: AssetModel, device: str, at_us: int) -> tuple[str, Prognosis] | None:
        """What the live model of an asset model says, with its name; None = none is live, or it is refused."""
        with self._turn:
            of = self._of(tenant, model, Kind.LIFE)
            found = None if of is None else self._reader.prognose(tenant, of, model, device, at_us)
            return self._corrected(tenant, of, found)

    def events(
        self, tenant: str, model: AssetModel, device: str, component: str, at_us: int
    ) -> tuple[str, Prognosis] | None:
        """What the live hazard says of a component, with its name; None = none is live, or it is refused."""
        with self._turn:
            of = self._of(tenant, model, Kind.EVENTS)
            found = None if of is None else self._hazards.prognose(tenant, of, model, device, component, at_us)
            return self._corrected(tenant, of, found)

    def _corrected(self, tenant: str, of: Learned | None, found: Prognosis | None) -> tuple[str, Prognosis] | None:
        """With chances and interval corrected by what came since the model speaks."""
        if of is None or found is None:
            return None
        if found.life is None:
            return of.id, found
        now = self._shared.clocks.of(tenant).now()
        told = corrected_life(found.life, self._correction.of(tenant, of, now))
        return of.id, replace(found, life=wider(told, self._correction.width(tenant, of, now)))

    def _of(self, tenant: str, model: AssetModel, kind: Kind) -> Learned | None:
        now = self._shared.system.monotonic()
        if now - self._looked_at >= LOOK_AGAIN_S:
            self._live, self._looked_at = _live(self._shared), now
        return self._live.get((tenant, model.name, kind))


def _live(shared: Shared) -> dict[tuple[str, str, Kind], Learned]:
    return {
        (tenant, x.asset_model, x.kind): x
        for tenant in tenants(shared)
        for x in learned(shared.database, tenant, states=(LearnedState.LIVE,))
    }


def tenants(shared: Shared) -> Sequence[str]:
    """Tenants with learned models."""
    with shared.database.read() as connection:
        return list(connection.execute(sa.select(t.learned.c.tenant).distinct()).scalars())


class Speaking:
    """Lets live and shadow models say by the way what they think of every machine; nobody acts on it."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._reader, self._patience = shared, Reader(shared), Patience(shared.system.monotonic)
        self._through: dict[tuple[str, str, str], int] = {}

    def round(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Catch up with what is stored; how many rows were written. Raises StoreUnreachable."""
        wrote = 0
        for tenant in tenants(self._shared):
            speaking = (LearnedState.LIVE, LearnedState.SHADOW)
            for of in learned(self._shared.database, tenant, states=speaking, kind=Kind.LIFE):
                model = self._shared.models(of.asset_model)
                if model is None:
                    continue
                for device, newest_us in devices_of(self._shared.database, tenant, of.asset_model):
                    if stopping():
                        return wrote
                    say = partial(self._say, tenant, of, model, device, newest_us)
                    wrote += self._patience.of((tenant, of.id, device), say)
        return wrote

    def _say(self, tenant: str, of: Learned, model: AssetModel, device: str, newest_us: int) -> int:
        key = (tenant, of.id, device)
        every = round(max(SAID_EVERY_HOURS, model.prognosis.every_hours) * HOUR_US)
        if key not in self._through:
            self._through[key] = self._last(*key) or to_us(of.trained_at) // every * every
        rows = []
        times = range(self._through[key] + every, newest_us + 1, every)[:AT_ONCE]
        for at in times:
            found = self._reader.prognose(tenant, of, model, device, at)
            if found is None or found.life is None:
                continue
            p = found.life.p_fail
            rows.append(
                {
                    "tenant": tenant, "learned": of.id, "device": device, "at": from_us(at), "p_24h": p["24h"],
                    "p_7d": p["7d"], "p_30d": p["30d"], "p05": found.life.p05, "p50": found.life.p50,
                    "p95": found.life.p95,
                }
            )  # fmt: skip
        if rows:
            with self._shared.database.write() as connection:
                connection.execute(t.said.insert(), rows)
                c, before = t.said.c, from_us(times[-1] - KEPT_US)
                mine = (c.tenant == tenant, c.learned == of.id, c.device == device)
                connection.execute(t.said.delete().where(*mine, c.at < before))
        if times:
            self._through[key] = times[-1]
        return len(rows)

    def _last(self, tenant: str, id: str, device: str) -> int | None:
        c = t.said.c
        with self._shared.database.read() as connection:
            at: datetime | None = connection.execute(
                sa.select(sa.func.max(c.at)).where(c.tenant == tenant, c.learned == id, c.device == device)
            ).scalar()
        return None if at is None else to_us(at)
