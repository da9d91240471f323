"""Turbofan engines through the live watch, without servers: what `forewarn replay cmapss` judges, in seconds."""

import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.forecast import Forecast
from anomaly.domain.machines import Arrival, Machines
from contracts.asset_model import AssetModel

HOUR_US = 3_600_000_000
START_US = 1_767_225_600_000_000


@dataclass(frozen=True)
class Replayed:
    """One engine's life: cycles count from 1; forecasts by the cycle that they rest on."""

    unit: int
    cycles: int
    forecasts: dict[int, Forecast]
    order_cycle: int | None
    orders: int

    def life(self, cycle: int) -> tuple[float, float, float] | None:
        """Quantiles .05, .5, .95 of the remaining cycles as forecast at a cycle."""
        made = self.forecasts.get(cycle)
        return None if made is None or made.life is None else (made.life.p05, made.life.p50, made.life.p95)


def read_engines(path: Path) -> dict[int, NDArray[np.float64]]:
    """Rows (settings and sensors) of each engine of a C-MAPSS file, plain or .xz."""
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open() as lines:
        table = np.array([line.split() for line in lines if line.strip()], dtype=float)
    return {int(unit): table[table[:, 0] == unit][:, 2:] for unit in np.unique(table[:, 0])}


def acts(forecast: Forecast, model: AssetModel) -> bool:
    """Whether a visit is the cheaper choice."""
    mode = model.mode(forecast.mode)
    if mode is None or forecast.life is None:
        return False
    p = float(np.interp(model.decision.horizon_hours, forecast.life.risk_hours, forecast.life.risk))
    return p * (mode.failure.total - mode.planned.total) > mode.false_visit.total


def replay(engines: dict[int, NDArray[np.float64]], model: AssetModel, block: int = 1) -> list[Replayed]:
    """All engines start together, one cycle an hour; `block` cycles arrive at once."""
    machines, signals = Machines(model), list(model.signals)
    forecasts: dict[int, dict[int, Forecast]] = {unit: {} for unit in engines}
    for at in range(0, max(map(len, engines.values())), block):
        arrivals = []
        for unit, rows in engines.items():
            piece = rows[at : at + block]
            if len(piece):
                times = START_US + (at + np.arange(len(piece), dtype=np.int64)) * HOUR_US
                arrivals.append(Arrival(f"engine-{unit}", signals, times, piece))
        for outcome in machines.feed(arrivals):
            for event in outcome.events:
                if isinstance(event, Forecast):
                    cycle = (event.measured_us - START_US) // HOUR_US + 1
                    forecasts[int(outcome.device.removeprefix("engine-"))][cycle] = event
    return [_judged(unit, len(rows), forecasts[unit], model) for unit, rows in engines.items()]


def _judged(unit: int, cycles: int, forecasts: dict[int, Forecast], model: AssetModel) -> Replayed:
    in_row, order, orders, before = 0, None, 0, 0
    components: set[str] = set()
    for cycle, forecast in sorted(forecasts.items()):
        in_row = (
            in_row + 1 if acts(forecast, model) and (cycle == before + 1 or in_row == 0) else int(acts(forecast, model))
        )
        before = cycle
        if in_row >= model.decision.consecutive and forecast.component not in components:
            components.add(forecast.component)
            orders += 1
            order = order or cycle
    return Replayed(unit, cycles, forecasts, order, orders)


@dataclass(frozen=True)
class Figures:
    """What the replay reports, over some engines."""

    engines: int
    warned_10: int
    warned_15_90: int
    above_125: int
    one_order: int
    first_error: float
    first_covered: int
    first_width: float
    late_forecasts: int
    late_error: float
    late_covered: int
    late_width: float
    leads: tuple[float, float, float]


def figures(lives: Sequence[Replayed]) -> Figures:
    """The figures of the acceptance."""
    leads = np.array([r.cycles - r.order_cycle if r.order_cycle else -1 for r in lives])
    first = [(r.life(r.order_cycle), r.cycles - r.order_cycle) for r in lives if r.order_cycle]
    late = [(r.life(r.cycles - 30), 30) for r in lives]
    e1, c1, w1, _ = _judge(first)
    e2, c2, w2, n2 = _judge(late)
    p10, p50, p90 = np.percentile(leads, [10, 50, 90]).tolist()
    return Figures(
        len(lives), int((leads >= 10).sum()), int(((leads >= 15) & (leads <= 90)).sum()), int((leads > 125).sum()),
        sum(r.orders == 1 for r in lives), e1, c1, w1, n2, e2, c2, w2, (p10, p50, p90),
    )  # fmt: skip


def _judge(pairs: Sequence[tuple[tuple[float, float, float] | None, int]]) -> tuple[float, int, float, int]:
    known = [(life, left) for life, left in pairs if life is not None]
    if not known:
        return float("inf"), 0, float("inf"), 0
    errors = [abs(life[1] - left) for life, left in known]
    covered = sum(life[0] - 0.5 <= left <= life[2] + 0.5 for life, left in known)
    return float(np.median(errors)), covered, float(np.median([q[2] - q[0] for q, _ in known])), len(known)
