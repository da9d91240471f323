"""What the limit bounds: the newest step of a path, or the mean of its window."""

import numpy as np
import pytest

from anomaly.domain.layout import Array
from anomaly.domain.passage import TAUS, first_passage

LIMIT = 3.0
SHORTEST, LONGEST = 10.0, 400.0
GRID = np.geomspace(SHORTEST, LONGEST, TAUS).tolist()
"""Between two of its e-folding times a path without noise would be forecast by the nearer one."""


def path(hours: Array, tau: float) -> Array:
    out: Array = 0.1 + 1.2 * np.exp(hours / tau)
    return out


@pytest.mark.parametrize("tau", [GRID[4], GRID[13], GRID[23]])
@pytest.mark.parametrize("window", [1, 6, 20])
def test_the_mean_of_the_window_passes_the_limit_when_forecast(tau: float, window: int) -> None:
    x = np.arange(-119.0, 1.0)
    ahead = np.arange(0.0, 3 * tau, 0.1)
    means = np.array([path(h - np.arange(window), tau).mean() for h in ahead])
    left = ahead[np.flatnonzero(means >= LIMIT)[0]]
    found = first_passage(x, path(x, tau), 1e-5, LIMIT, 0.01, SHORTEST, LONGEST, window=window)
    assert found.quantile(0.5) == pytest.approx(left, rel=0.05, abs=0.5)


def test_a_window_of_one_step_is_the_path_itself() -> None:
    x = np.arange(-119.0, 1.0)
    plain = first_passage(x, path(x, 40.0), 0.05, LIMIT, 0.2, SHORTEST, LONGEST)
    one = first_passage(x, path(x, 40.0), 0.05, LIMIT, 0.2, SHORTEST, LONGEST, window=1)
    assert np.array_equal(one.cdf, plain.cdf)
