"""Slow, obvious versions of what anomaly computes."""

import math
import random
from collections.abc import Sequence


def window_mean(x: Sequence[float], at: int, window: int) -> float:
    """Mean of the newest `window` values up to `at`; NaN where fewer are there."""
    if at + 1 < window:
        return math.nan
    seen = [v for v in x[at + 1 - window : at + 1] if not math.isnan(v)]
    return sum(seen) / len(seen) if len(seen) >= max(1, window // 2) else math.nan


def squared_distance(m: Sequence[float], covariance: Sequence[Sequence[float]]) -> float:
    """m' C^-1 m by Gaussian elimination."""
    n = len(m)
    rows = [[*map(float, covariance[i]), float(m[i])] for i in range(n)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, n):
            factor = rows[r][i] / rows[i][i]
            for c in range(i, n + 1):
                rows[r][c] -= factor * rows[i][c]
    solved = [0.0] * n
    for i in reversed(range(n)):
        solved[i] = (rows[i][n] - sum(rows[i][c] * solved[c] for c in range(i + 1, n))) / rows[i][i]
    return sum(a * b for a, b in zip(m, solved, strict=True))


def passage_by_sampling(
    x: Sequence[float],
    y: Sequence[float],
    variance: float,
    limit: float,
    spread: float,
    taus: Sequence[float],
    draws: int,
    seed: int,
) -> list[float]:
    """Draws of the first-passage time of c + a exp(x / tau) by importance sampling from the prior's grid: for each tau
    least squares with the prior as two more observations, then normal draws; limits already passed are drawn anew."""
    rng = random.Random(seed)
    fits = []
    for tau in taus:
        g = [math.exp(v / tau) for v in x]
        p11 = len(x) / variance + (6 / limit) ** 2
        p12 = sum(g) / variance
        p22 = sum(v * v for v in g) / variance + 1 / limit**2
        b1, b2 = sum(y) / variance, sum(a * b for a, b in zip(g, y, strict=True)) / variance
        det = p11 * p22 - p12 * p12
        c, a = (p22 * b1 - p12 * b2) / det, (p11 * b2 - p12 * b1) / det
        fits.append((0.5 * (b1 * c + b2 * a) - 0.5 * math.log(det), c, a, p11, p12, p22, det, tau))
    top = max(f[0] for f in fits)
    weights = [math.exp(f[0] - top) for f in fits]
    out: list[float] = []
    while len(out) < draws:
        _, c, a, p11, p12, _, det, tau = rng.choices(fits, weights)[0]
        a_now = a + rng.gauss(0, 1) * math.sqrt(p11 / det)
        c_now = c - p12 / p11 * (a_now - a) + rng.gauss(0, 1) / math.sqrt(p11)
        failure = limit * math.exp(spread * rng.gauss(0, 1))
        if failure <= c_now + a_now:
            continue
        out.append(tau * math.log((failure - c_now) / a_now) if a_now > 1e-3 * limit else math.inf)
    return out
