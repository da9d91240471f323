"""Intervals by drawing the judged items anew (Efron's percentile bootstrap)."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
FEWEST = 2
LOW, HIGH = 0.025, 0.975


def bootstrap(
    items: Sequence[T], figure: Callable[[Sequence[T]], float | None], *, seed: int, draws: int = 1000
) -> tuple[float, float] | None:
    """The 95 % interval of a figure of the items; None = too few items, or the figure cannot be computed of most draws.

    Parameters
    ----------
    items
        What was judged, one by one and independent of each other: engines, experiments, machines.
    figure
        The figure of a sample of items; None where it cannot be computed.
    """
    if len(items) < FEWEST:
        return None
    chance = np.random.default_rng(seed)
    seen = []
    for _ in range(draws):
        drawn = [items[i] for i in chance.integers(0, len(items), len(items)).tolist()]
        value = figure(drawn)
        if value is not None and math.isfinite(value):
            seen.append(value)
    if len(seen) < draws / 2:
        return None
    low, high = np.quantile(np.array(seen), [LOW, HIGH]).tolist()
    return low, high
