"""Scores of detections in labelled windows after the Numenta Anomaly Benchmark (Lavin and Ahmad, 2015, section II).

A detection early in a window earns most, one just after it costs little, one far from any window costs all; only the
first in a window counts. Written from the paper's description.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEEP = 5.0
"""Slope of the sigmoid over a window's length (equation 1 of the paper)."""
FAR_BEHIND = 3.0
"""A detection so many window lengths after a window costs all of a false one."""
PROBATION_SHARE, PROBATION_ROWS = 0.15, 750
"""Nothing is judged in the first part of a series: a share of its rows, at most so many."""


@dataclass(frozen=True)
class Profile:
    """What a hit earns, a false detection and a missed window cost."""

    hit: float
    false: float
    missed: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "low_fp": Profile(1.0, 0.22, 1.0),
    "low_fn": Profile(1.0, 0.11, 2.0),
}


@dataclass(frozen=True)
class Earned:
    """What detections in one series come to, before the profile's weights: sums of worth."""

    windows: int
    hit: int
    worth: float
    """Of the windows that were hit, at most 1 each."""
    false: float
    """Of the detections outside, at most 1 each."""
    false_runs: int
    """Detections outside any window."""

    def raw(self, profile: Profile) -> float:
        """The series' score with a profile's weights."""
        return profile.hit * self.worth - profile.false * self.false - profile.missed * (self.windows - self.hit)


def probation(rows: int) -> int:
    """Rows at the beginning that are not judged."""
    return min(int(PROBATION_SHARE * rows), PROBATION_ROWS)


def sigmoid(place: float) -> float:
    """Worth of a detection: `place` is -1 at a window's begin, 0 at its end, 1 one window length after it."""
    return -1.0 if place > FAR_BEHIND else 2.0 / (1.0 + math.exp(STEEP * place)) - 1.0


def earned(detections: NDArray[np.int64], windows: Sequence[tuple[int, int]], first: int = 0) -> Earned:
    """Judge the detections of one series.

    Parameters
    ----------
    detections
        Rows at which something was detected, in order; those before `first` do not count.
    windows
        First and last row of each window, in order, without overlap; those that end before `first` do not count.
    """
    judged = [(max(a, first), b) for a, b in windows if b >= first]
    hit: dict[int, float] = {}
    false, false_runs = 0.0, 0
    for row in detections[detections >= first].tolist():
        inside = next((i for i, (a, b) in enumerate(judged) if a <= row <= b), None)
        if inside is not None:
            a, b = judged[inside]
            hit.setdefault(inside, sigmoid(-(b - row + 1) / (b - a + 1)) / sigmoid(-1.0))
            continue
        false_runs += 1
        before = [(a, b) for a, b in judged if b < row]
        if not before:
            false += 1.0
            continue
        a, b = before[-1]
        false -= sigmoid((row - b) / max(1, b - a))
    return Earned(len(judged), len(hit), sum(hit.values()), false, false_runs)


def normalised(series: Sequence[Earned], profile: Profile) -> float | None:
    """0 = nothing was ever detected, 100 = every window at its begin and nothing else; None without windows."""
    windows = sum(one.windows for one in series)
    if windows == 0:
        return None
    none = -profile.missed * windows
    return 100.0 * (sum(one.raw(profile) for one in series) - none) / (profile.hit * windows - none)
