"""State detection: one promise that every detector keeps, and the family of those that earn their place.

What each of them sees and what it cannot, its paper and its cost: `docs/detectors.md`.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.adapting import Judge
from anomaly.domain.layout import Array, Layout


class Found(Protocol):
    """What became of n rows; k symptoms."""

    @property
    def t_us(self) -> NDArray[np.int64]:
        """(n,), epoch microseconds."""
        ...

    @property
    def score(self) -> Array:
        """(n,); NaN = not enough seen yet, or nothing to judge."""
        ...

    @property
    def parts(self) -> Array:
        """(n, k): what each symptom adds; sums to the score."""
        ...


class StateDetector(Protocol):
    """What every detector promises.

    Rows are not changed; what they are cut into does not matter; the order of signals does not matter; missing and
    constant signals are survived; the same rows give the same scores; `packing.pack(state)` and back goes on with the
    same scores; while it warms up there is no score.
    """

    layout: Layout

    @property
    def state(self) -> object:
        """All that it remembers; `packing` keeps it."""
        ...

    def feed(self, t_us: NDArray[np.int64], values: Array, judge: Judge | None = None) -> Found:
        """Take rows in time order (columns as `layout.signals`, NaN = no reading); learns and moves on.

        `judge` hears every score as it is made and says whether an alarm stands, in which nothing adapts.
        """
        ...

    def score(self, t_us: int, values: Array) -> float | None:
        """What one more row would score; changes nothing. None = not enough seen yet."""
        ...
