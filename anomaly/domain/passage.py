"""Remaining life: an exponential path through the health index, and when it first passes the failure limit.

The path is c + a exp(x / tau), x in running hours and 0 now, with noise of known variance. For each e-folding time tau
of a grid (log-uniform prior) the posterior of (c, a) is normal in closed form; its mass is integrated by Gauss-Hermite
nodes, and the limit is lognormal about its stated value. The first-passage distribution is that of Gebraeel et al.,
2005 ("Residual-life distributions from component degradation signals", IIE Transactions 37), on a grid of tau instead
of a stochastic one. The machine still runs, so limits that the path has passed already are ruled out. A limit that
bounds a window mean is passed later than by the path itself: the mean of a growth exp(x / tau) over the newest steps is
the same growth, smaller by a factor of tau.
"""

from dataclasses import dataclass

import numpy as np

from anomaly.domain.layout import Array

TAUS = 36
LEVEL_PRIOR = 1 / 6
"""Prior spread of the level c, as a share of the limit."""
GROWTH_PRIOR = 1.0
"""Prior spread of the growth a, as a share of the limit."""
LEAST_GROWTH = 1e-3
"""Growth below this share of the limit is none."""
NODES = 5
BEYOND = 1.25
"""Horizon of the forecast, as a multiple of the longest e-folding time."""
STEPS = 80
NEGLIGIBLE = 5e-4


@dataclass(frozen=True)
class Passage:
    """Distribution of the running hours until the limit is passed: cdf[i] = P(within hours[i])."""

    hours: Array
    cdf: Array
    level: float
    """The path now (its window mean where the limit bounds that)."""
    grows: float
    """Probability that the path grows at all."""

    def within(self, hours: float) -> float:
        """P(passage within so many running hours)."""
        return float(np.interp(hours, self.hours, self.cdf))

    def quantile(self, q: float) -> float:
        """Running hours that hold with probability q; the end of the horizon where it lies beyond."""
        at = int(np.searchsorted(self.cdf, q))
        if at == 0:
            return float(self.hours[0])
        if at == len(self.cdf):
            return float(self.hours[-1])
        low, high = self.cdf[at - 1], self.cdf[at]
        share = (q - low) / (high - low) if high > low else 1.0
        return float(self.hours[at - 1] + share * (self.hours[at] - self.hours[at - 1]))


def first_passage(
    x: Array,
    y: Array,
    variance: float,
    limit: float,
    spread: float,
    shortest: float,
    longest: float,
    base: float = 0.0,
    window: int = 1,
) -> Passage:
    """Fit the path and integrate.

    Parameters
    ----------
    x, y
        Running hours (0 = now, the past negative) and index, (n,).
    variance
        Of one y about the path.
    limit, spread
        Failure level in the unit of y, and its relative spread.
    shortest, longest
        Bounds of the e-folding time, running hours.
    base
        What the healthy machine shows of the quantity that `limit` bounds; the path adds to it.
    window
        The limit bounds the mean of so many of the newest steps, not the newest one alone.
    """
    tau = np.geomspace(shortest, longest, TAUS)
    c, a, e, weight = _scenarios(x, y, variance, limit - base, tau)
    a = a * np.exp(x[None, -window:] / tau[:, None]).mean(1)[np.searchsorted(tau, e)]
    hours = np.concatenate([[0.0], np.geomspace(shortest / 40, BEYOND * longest, STEPS)])
    grows = a > LEAST_GROWTH * (limit - base)
    level = c + a
    with np.errstate(over="ignore"):
        path = c[:, None] + a[:, None] * np.exp(np.minimum(hours[None] / e[:, None], 60.0))
    path = np.where(grows[:, None], path, level[:, None])
    passed = normal_cdf(np.log(np.maximum(base + path, 1e-9 * limit) / limit) / max(spread, 1e-3))
    alive = (weight * (1.0 - passed[:, 0])).sum()
    cdf = (weight[:, None] * (passed - passed[:, :1])).sum(0) / max(alive, 1e-12)
    return Passage(
        hours, np.clip(np.maximum.accumulate(cdf), 0.0, 1.0), float((weight * level).sum()), float(weight[grows].sum())
    )


def _scenarios(x: Array, y: Array, variance: float, limit: float, tau: Array) -> tuple[Array, Array, Array, Array]:
    """Levels c, growths a, their tau and weights: the posterior as a finite mixture."""
    growth = np.exp(x[None] / tau[:, None])
    p11 = len(y) / variance + 1 / (LEVEL_PRIOR * limit) ** 2
    p12 = growth.sum(1) / variance
    p22 = (growth * growth).sum(1) / variance + 1 / (GROWTH_PRIOR * limit) ** 2
    b1, b2 = y.sum() / variance, (growth * y[None]).sum(1) / variance
    det = p11 * p22 - p12 * p12
    c, a = (p22 * b1 - p12 * b2) / det, (p11 * b2 - p12 * b1) / det
    log_weight = -0.5 * np.log(det) + 0.5 * (b1 * c + b2 * a)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    keep = weight > NEGLIGIBLE
    node, share = np.polynomial.hermite_e.hermegauss(NODES)
    share = share / share.sum()
    move_a = node[None, :] * np.sqrt(p11 / det[keep])[:, None]
    a_node = a[keep][:, None] + move_a
    c_node = c[keep][:, None] - (p12[keep] / p11)[:, None] * move_a
    c_all = c_node[:, :, None] + (node / np.sqrt(p11))[None, None, :]
    shape = c_all.shape
    mass = weight[keep][:, None, None] * share[None, :, None] * share[None, None, :]
    return (
        c_all.ravel(),
        np.broadcast_to(a_node[:, :, None], shape).ravel(),
        np.broadcast_to(tau[keep][:, None, None], shape).ravel(),
        (mass / mass.sum()).ravel(),
    )


def normal_cdf(x: Array) -> Array:
    """Standard normal distribution function, to 1e-7 (Abramowitz and Stegun 26.2.17)."""
    t = 1.0 / (1.0 + 0.2316419 * np.abs(x))
    poly = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    upper = np.exp(-0.5 * np.minimum(x * x, 1400.0)) / np.sqrt(2 * np.pi) * poly
    out: Array = np.where(x >= 0, 1.0 - upper, upper)
    return out
