"""Whether a shadow model was better than what was acted on, on what happened since it began to speak.

Both are asked at the same times of the same machines; what came is known from labels. Brier's score over the three
horizons, the mean over the machines' lives.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from anomaly.domain.layout import Array
from anomaly.service import tables as t
from anomaly.training.lives import ends_of
from anomaly.training.registry import Learned
from contracts.records import Prediction
from plumbing.sql import Database, to_us

HORIZONS = ("24h", "7d", "30d")
HOURS = np.array([24.0, 168.0, 720.0])
FEWEST_ENDS = 3
"""Failures since, below which a comparison proves nothing."""
FEWEST_SAID = 30
PATH = "degradation path"
HOLDS = timedelta(hours=24)
"""A forecast of the degradation path holds for so long at most; without one it says that nothing will fail."""
DRAWS = 500


@dataclass(frozen=True)
class Comparison:
    """How a shadow did beside what was acted on; losses are Brier's score, lower is better."""

    learned: str
    against: str
    said: int
    lives: int
    failures: int
    loss: float | None
    loss_against: float | None
    better_low: float | None
    better_high: float | None
    """95 % of the gain, by drawing lives anew."""
    better: bool
    words: str

    def plain(self) -> dict[str, object]:
        """For the record."""
        return asdict(self)


def compare(database: Database, tenant: str, shadow: Learned, live: Learned | None, now: datetime) -> Comparison:
    """Hold a shadow against the live model, or against the degradation path where none is live."""
    s = t.said.c
    with database.read() as connection:
        mine = connection.execute(
            sa.select(s.device, s.at, s.p_24h, s.p_7d, s.p_30d)
            .where(s.tenant == tenant, s.learned == shadow.id)
            .order_by(s.device, s.at)
        ).all()
        theirs = {}
        if live is not None:
            rows = connection.execute(
                sa.select(s.device, s.at, s.p_24h, s.p_7d, s.p_30d).where(s.tenant == tenant, s.learned == live.id)
            )
            theirs = {(r[0], r[1]): tuple(r[2:]) for r in rows}
    against = live.id if live is not None else PATH
    said, other, came, life = [], [], [], []
    ended: set[tuple[str, int]] = set()
    for device in sorted({r.device for r in mine}):
        ends = ends_of(database, tenant, device)
        told = acted_on(database, tenant, device) if live is None else None
        for r in (r for r in mine if r.device == device):
            there = told.at(r.at) if told is not None else theirs.get((device, r.at))
            if there is None:
                continue
            at_us = to_us(r.at)
            following = next((e for e in ends if e.at_us > at_us), None)
            left = (following.at_us - at_us) / 3.6e9 if following is not None else np.inf
            failed = following is not None and following.failed
            watched = min(left, (to_us(now) - at_us) / 3.6e9)
            happened = (left <= HOURS) & failed
            known = happened | (watched >= HOURS)
            if not known.any():
                continue
            said.append(tuple(r)[2:])
            other.append(there)
            came.append(np.where(known, happened.astype(float), np.nan))
            key = (device, following.at_us if following is not None else -1)
            life.append(key)
            if failed:
                ended.add(key)
    return judge(shadow.id, against, said, other, came, life, len(ended))


def judge(
    learned: str, against: str, said: list[tuple[float, ...]], other: list[tuple[float, ...]], came: list[Array],
    life: list[tuple[str, int]], failures: int,
) -> Comparison:  # fmt: skip
    """Which of two was better at the same times: chances within each horizon, what came (NaN = not known), and of
    which life each row is."""
    names = sorted(set(life))
    if failures < FEWEST_ENDS or len(said) < FEWEST_SAID:
        words = (
            f"{failures} failure{'' if failures == 1 else 's'} and {len(said)} forecasts with a known outcome since it"
            f" began: at least {FEWEST_ENDS} and {FEWEST_SAID} are needed to say which is better"
        )
        return Comparison(learned, against, len(said), len(names), failures, None, None, None, None, False, words)
    truth = np.array(came)
    a, b = (np.nanmean((np.array(x) - truth) ** 2, axis=1) for x in (said, other))
    which = np.array([names.index(x) for x in life])
    mine, theirs = _by_life(a, which, len(names)), _by_life(b, which, len(names))
    gain = theirs - mine
    draws = np.random.default_rng(0).integers(len(gain), size=(DRAWS, len(gain)))
    low, high = np.quantile(gain[draws].mean(1), [0.025, 0.975]).tolist()
    better = bool(gain.mean() > 0)
    words = (
        f"{'better' if better else 'not better'} than {against}: {mine.mean():.4f} against {theirs.mean():.4f}"
        f" (Brier's score, lower is better) over {len(names)} lives with {failures} failures;"
        f" gain {gain.mean():.4f}, 95 % {low:.4f} to {high:.4f}"
    )
    return Comparison(
        learned, against, len(said), len(names), failures, float(mine.mean()), float(theirs.mean()), low, high,
        better, words,
    )  # fmt: skip


def _by_life(loss: Array, which: NDArray[np.int64], n: int) -> Array:
    return np.bincount(which, loss, n) / np.maximum(np.bincount(which, minlength=n), 1)


class Acted:
    """What was acted on without a learned model: forecasts of one device."""

    def __init__(self, at: list[datetime], p: list[tuple[float, ...]]) -> None:
        self._at, self._p = at, p

    def at(self, when: datetime) -> tuple[float, ...]:
        """In force at a time: the newest forecast that still holds."""
        before = [i for i, x in enumerate(self._at) if x <= when and when - x <= HOLDS]
        return self._p[before[-1]] if before else (0.0, 0.0, 0.0)


def acted_on(database: Database, tenant: str, device: str, component: str | None = None) -> Acted:
    """Forecasts of a device, or of one of its components."""
    import msgspec

    p = t.predictions.c
    decode = msgspec.msgpack.Decoder(Prediction).decode
    with database.read() as connection:
        rows = connection.execute(
            sa.select(p.payload).where(p.tenant == tenant, p.device == device).order_by(p.measured_at)
        ).scalars()
        made = [m for m in map(decode, rows) if component is None or m.component == component]
    known = [(m.measured_at, tuple(m.p_fail[h] for h in HORIZONS)) for m in made if m.p_fail is not None]
    return Acted([at for at, _ in known], [x for _, x in known])
