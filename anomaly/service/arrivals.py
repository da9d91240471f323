"""From samples and snapshots to the arrivals that machines are fed with."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from anomaly.domain.machines import Arrival, Held
from anomaly.domain.ordering import Sample


def arrival_of(device: str, signals: Sequence[str], samples: Sequence[Sample]) -> Arrival:
    """Samples in time order as an arrival."""
    if len(samples) == 1:
        t, row = samples[0]
        return Arrival(device, signals, np.array([t]), np.array([row], dtype=float))
    ordered = sorted(samples, key=lambda sample: sample[0])
    values = np.array([row for _, row in ordered], dtype=float).reshape(len(ordered), len(signals))
    return Arrival(device, signals, np.array([t for t, _ in ordered], dtype=np.int64), values)


def held_of(device: str, packed: list[Any]) -> list[Held]:
    """Rows of a snapshot that wait for a fit."""
    return [Held(Arrival(device, s, t, v), hours, history) for s, t, v, hours, history in packed]


def once_each(arrivals: list[Arrival]) -> list[list[Arrival]]:
    """Groups in which each device comes at most once, in order."""
    groups: list[list[Arrival]] = []
    count: dict[str, int] = {}
    for arrival in arrivals:
        place = count.get(arrival.device, 0)
        count[arrival.device] = place + 1
        if place == len(groups):
            groups.append([])
        groups[place].append(arrival)
    return groups
