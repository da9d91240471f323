"""What a hazard looks at: errors that went before failures, time since work, and how far readings have moved.

Every component is described by the same columns, so that one model learns from the failures of all of them; what is
special about a component (which errors announce it, which readings move) is in the fleet's tables, learned before.
"""

import math
from dataclasses import dataclass

import numpy as np

from anomaly.domain.history import HOUR_US, Events, History, Readings, Times, count_within, hours_since
from anomaly.domain.layout import Array

MEMORY_HOURS = (24.0, 72.0, 168.0)
"""An error is held against a component for so long; the rate says how often a failure followed within that time."""
TOGETHER_HOURS = 1.0
"""Errors so close to each other count as one event with several codes."""
WINDOW_HOURS = (3.0, 12.0, 24.0, 48.0)
"""Trailing means of the readings."""
FEWEST_READINGS = 3
BASE_HOURS = 48.0
"""Readings are compared with the machine's own past only once it is so long."""
DAY_HOURS = 24.0

COLUMNS = (
    *(f"followed_{h:g}h" for h in MEMORY_HOURS),
    "error_hours", "error_hour_of_day", "error_codes", "errors_24h", "errors_168h", "errors_720h",
    "replaced_hours", "visit_hours", "visit_phase_hours", "age_years", "prior_24h",
    *(f"moved_{h:g}h" for h in WINDOW_HOURS), "farthest_24h", "steady_24h",
)  # fmt: skip
"""Names of the columns of `features`."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Weibull life of a component in hours; a prior where an asset has little history."""

    shape: float
    scale: float

    def within(self, age_hours: Array, hours: float) -> Array:
        """P(failure in the next `hours` | it has reached that age); an unknown age counts as the scale's middle."""
        age = np.where(np.isfinite(age_hours), np.maximum(age_hours, 0.0), self.scale / 2)
        before, after = (age / self.scale) ** self.shape, ((age + hours) / self.scale) ** self.shape
        out: Array = -np.expm1(before - after)
        return out


@dataclass(frozen=True, slots=True)
class Tables:
    """What was learned about each component before the hazard itself."""

    followed: tuple[tuple[dict[frozenset[int], float], ...], ...]
    """By component and memory: share of times at which these codes, and no others, were followed by its failure."""
    usual: tuple[tuple[float, ...], ...]
    """By component and memory: the same for any code; for codes never seen."""
    lives: tuple[Lifetimes, ...]
    directions: Array
    """(components, windows, signals): where the readings move before a failure, unit length; zeros = not known."""
    rhythm_hours: float
    """Usual time between two visits; NaN = there is none."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Codes that were raised together, as far as known at a time."""

    at_us: int
    codes: frozenset[int]


def incidents(errors: Events) -> list[Incident]:
    """Each moment with an error, with all codes of the hour before it."""
    out = []
    times, which = errors.at_us.tolist(), errors.which.tolist()
    first = 0
    for i, t in enumerate(times):
        while t - times[first] >= TOGETHER_HOURS * HOUR_US:
            first += 1
        if i + 1 < len(times) and times[i + 1] == t:
            continue
        out.append(Incident(t, frozenset(which[first : i + 1])))
    return out


def rate_of(codes: frozenset[int], table: dict[frozenset[int], float], usual: float) -> float:
    """Share of incidents like this that a failure followed; the nearest known subset where this one is new."""
    known = table.get(codes)
    if known is not None:
        return known
    inner = [rate for part, rate in table.items() if part < codes]
    return max(inner, default=usual)


def features(history: History, component: int, at_us: Times, tables: Tables, moved: Array) -> Array:
    """The columns (n, len(COLUMNS)) of one component at times that rise; NaN = not known.

    Parameters
    ----------
    moved
        What `movements` says of these times, computed once for all components.
    """
    replaced = history.replaced.of(component)
    visits = np.unique(history.replaced.at_us)
    blamed, newest, of_day, codes = _errors(history.errors, replaced, component, at_us, tables)
    visit_hours = hours_since(visits, at_us)
    rhythm = tables.rhythm_hours
    phase = np.mod(visit_hours, rhythm) if math.isfinite(rhythm) else np.full(len(at_us), np.nan)
    replaced_hours = hours_since(replaced, at_us)
    years = history.age_years + (at_us - history.begin_us) / (HOUR_US * 24 * 365.25)
    columns = [
        *blamed, newest, of_day, codes,
        *(count_within(history.errors.at_us, at_us, h) for h in (24.0, 168.0, 720.0)),
        replaced_hours, visit_hours, phase, years, tables.lives[component].within(replaced_hours, DAY_HOURS),
        *_toward(moved, tables.directions[component]), *_apart(moved),
    ]  # fmt: skip
    return np.column_stack(columns)


def _errors(
    errors: Events, replaced: Times, component: int, at_us: Times, tables: Tables
) -> tuple[list[Array], Array, Array, Array]:
    """Per memory the highest rate of the incidents since the component was replaced; hours since the newest of the
    highest, its time of day and its number of codes."""
    n = len(at_us)
    rates = [np.zeros(n) for _ in MEMORY_HOURS]
    since, of_day, many = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n)
    best = np.zeros(n)
    for seen in incidents(errors):
        begin = int(np.searchsorted(at_us, seen.at_us))
        if begin >= n:
            break
        mended = int(np.searchsorted(replaced, seen.at_us, side="right"))
        stop = int(np.searchsorted(at_us, replaced[mended])) if mended < len(replaced) else n
        for m, memory in enumerate(MEMORY_HOURS):
            end = min(stop, int(np.searchsorted(at_us, seen.at_us + round(memory * HOUR_US))))
            rate = rate_of(seen.codes, tables.followed[component][m], tables.usual[component][m])
            part = slice(begin, max(begin, end))
            rates[m][part] = np.maximum(rates[m][part], rate)
            if m == 1:
                where = begin + np.flatnonzero(rate >= best[part])
                best[where] = rate
                since[where] = (at_us[where] - seen.at_us) / HOUR_US
                of_day[where] = seen.at_us / HOUR_US % DAY_HOURS
                many[where] = len(seen.codes)
    return rates, since, of_day, many


def movements(readings: Readings | None, at_us: Times, signals: int) -> Array:
    """(windows, n, signals): trailing means at the times, less the machine's own past, in its own spread of such means
    of independent readings; NaN = not known."""
    out = np.full((len(WINDOW_HOURS), len(at_us), signals), np.nan)
    if readings is None or not len(readings.at_us):
        return out
    known = np.isfinite(readings.values)
    filled = np.where(known, readings.values, 0.0)
    offset = filled.sum(0) / np.maximum(known.sum(0), 1)
    filled = np.where(known, readings.values - offset, 0.0)
    sums, squares, counts = _running(filled), _running(filled * filled), _running(known.astype(np.float64))
    newest = np.searchsorted(readings.at_us, at_us, side="right")
    total = counts[newest]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums[newest] / total
        spread = np.sqrt(np.maximum(squares[newest] / total - mean * mean, 0.0))
        old = (at_us - readings.at_us[0] >= BASE_HOURS * HOUR_US)[:, None] & (spread > 0)
        for w, hours in enumerate(WINDOW_HOURS):
            first = np.searchsorted(readings.at_us, at_us - round(hours * HOUR_US), side="right")
            many = total - counts[first]
            recent = (sums[newest] - sums[first]) / many
            z = (recent - mean) / spread * np.sqrt(many)
            out[w] = np.where(old & (many >= FEWEST_READINGS), z, np.nan)
    return out


def _running(values: Array) -> Array:
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])


def _toward(moved: Array, directions: Array) -> list[Array]:
    """Per window how far the readings have gone in the component's direction."""
    known = np.isfinite(moved)
    filled = np.where(known, moved, 0.0)
    out = np.einsum("wns,ws->wn", filled, directions)
    seen = (known & (directions != 0)[:, None, :]).any(2)
    return list(np.where(seen, out, np.nan))


def _apart(moved: Array) -> list[Array]:
    """The farthest signal over 24 hours, and how far the others are on the mean."""
    far = np.abs(moved[WINDOW_HOURS.index(24.0)])
    known = np.isfinite(far).any(1)
    filled = np.where(np.isfinite(far), far, 0.0)
    farthest = filled.max(1) if filled.shape[1] else np.zeros(len(filled))
    others = (filled.sum(1) - farthest) / max(1, filled.shape[1] - 1)
    return [np.where(known, farthest, np.nan), np.where(known, others, np.nan)]
