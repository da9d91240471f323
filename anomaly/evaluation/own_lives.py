"""Somebody's own past as lives: the machines' histories, and the best fixed interval by them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from anomaly.domain.hazard import Fleet
from anomaly.domain.history import Events, History, Readings
from anomaly.evaluation.intervals import Lives, best_interval, paid_of
from anomaly.evaluation.own_data import Happened, OwnData
from anomaly.training.hazard import lives_of


@dataclass(frozen=True)
class Interval:
    """The best fixed interval by the first part, paid on the second."""

    days: dict[str, float | None]
    """By component; None = never early."""
    by_machine: dict[str, float]
    """What it would have cost."""
    hours_by_machine: dict[str, float] = field(default_factory=dict)
    """Hours down, planned ones too; empty = not known."""

    @property
    def cost(self) -> float | None:
        """Of all machines; None = no component's lives are known."""
        return sum(self.by_machine.values()) if self.days else None


def record(data: OwnData) -> tuple[int, int]:
    """The first and the last reading of any machine."""
    return min(int(m.at_us[0]) for m in data.machines), max(int(m.at_us[-1]) for m in data.machines)


def histories(data: OwnData, begin_us: int, end_us: int) -> tuple[list[History], Fleet]:
    """The machines as histories: a failure ends with a replacement, and so does work on a component."""
    components = tuple(sorted({h.component for h in (*data.failures, *data.work)}))
    codes = tuple(sorted({h.component for h in data.errors}))

    def rows(of: Sequence[Happened], names: Sequence[str], asset: str) -> list[tuple[int, int]]:
        return [(h.at_us, names.index(h.component)) for h in of if h.asset == asset]

    out = []
    for m in data.machines:
        failed = rows(data.failures, components, m.asset)
        replaced = _events([*failed, *rows(data.work, components, m.asset)])
        errors = _events([e for e in rows(data.errors, codes, m.asset) if begin_us <= e[0] <= end_us])
        readings = Readings(m.at_us, m.values)
        out.append(History(m.asset, begin_us, end_us, errors, replaced, _events(failed), math.nan, readings))
    return out, Fleet(components, codes, tuple(s.name for s in data.mapping.used))


def _events(rows: Sequence[tuple[int, int]]) -> Events:
    both = np.array(sorted(set(rows)), dtype=np.int64).reshape(-1, 2)
    return Events(both[:, 0], both[:, 1])


def interval_of(data: OwnData, prices: tuple[float, float], split: int) -> Interval:
    """What the best fixed interval of each component would have cost on the judged part, and its days."""
    whole, fleet = histories(data, *record(data))
    whole = [_with_beginning(h, len(fleet.components)) for h in whole]
    later = [replace(h, begin_us=split) for h in whole]
    failure, planned = prices
    cost, down = dict.fromkeys((h.asset for h in whole), 0.0), dict.fromkeys((h.asset for h in whole), 0.0)
    of_failure, of_planned = usual_hours(data)
    days: dict[str, float | None] = {}
    failing = {f.component for f in data.failures}
    for c, name in enumerate(fleet.components):
        if name not in failing:
            continue
        hours = best_interval(Lives(*lives_of([h.until(split) for h in whole], c)), failure, planned)
        all_lives = Lives(*lives_of(later, c))
        for h in later:
            mine = Lives(*lives_of([h], c))
            cost[h.asset] += paid_of(mine, all_lives, hours, failure, planned)
            if of_failure is not None and of_planned is not None:
                down[h.asset] += paid_of(mine, all_lives, hours, of_failure, of_planned)
        days[name] = None if math.isinf(hours) else round(hours / 24, 1)
    return Interval(days, cost, down if days and of_failure is not None and of_planned is not None else {})


def usual_hours(data: OwnData) -> tuple[float | None, float | None]:
    """Mean hours down of a failure and of a piece of work; None = not on record."""
    failed, worked = ([h.hours for h in rows if h.hours is not None] for rows in (data.failures, data.work))
    return (sum(failed) / len(failed) if failed else None), (sum(worked) / len(worked) if worked else None)


def _with_beginning(history: History, components: int) -> History:
    """Where nothing older is on record, lives begin with the record."""
    known = set(history.replaced.which[history.replaced.at_us <= history.begin_us].tolist())
    born = [(history.begin_us, c) for c in range(components) if c not in known]
    rows = [*born, *zip(history.replaced.at_us.tolist(), history.replaced.which.tolist(), strict=True)]
    return replace(history, replaced=_events(rows))
