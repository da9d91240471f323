"""How alike two patterns of symptoms are: what moved, how strongly and which way, whatever the size of it all."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

LEAST = 0.5
"""Below this cosine a past case is another story."""
Pattern = Mapping[str, float]
"""Signed share of each signal: above 0 = it went up or an error came, below = it went down."""
Of = TypeVar("Of")


def pattern_of(carriers: Iterable[tuple[str, float, str]]) -> dict[str, float]:
    """Of what carries a forecast: signal, share and direction."""
    return {signal: -share if direction == "down" else share for signal, share, direction in carriers}


def likeness(a: Pattern, b: Pattern) -> float:
    """The cosine between two patterns, -1 to 1; 0 where one is empty."""
    size = math.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
    return sum(x * b.get(name, 0.0) for name, x in a.items()) / size if size > 0 else 0.0


def nearest(pattern: Pattern, past: Sequence[tuple[Pattern, Of]], most: int) -> list[tuple[float, Of]]:
    """The past ones that are most alike, the best first; of equals the first given."""
    found = [(likeness(pattern, other), what) for other, what in past]
    ranked = sorted((x for x in found if x[0] >= LEAST), key=lambda x: -x[0])
    return ranked[:most]
