"""Slow, obvious versions of what detectors and their scoring compute."""

import math
from collections.abc import Sequence


def page_sums(z: Sequence[float], allowance: float, most: float) -> list[float]:
    """The larger of the two sums of Page after each value, each from its definition: the best sum that ends here."""
    out = []
    up = down = 0.0
    for x in z:
        up = min(most, up + x - allowance) if up + x - allowance > 0 else 0.0
        down = min(most, down - x - allowance) if down - x - allowance > 0 else 0.0
        out.append(max(up, down))
    return out


def usual_at(history: Sequence[tuple[int, int, float]], weekday: int | None, slot: int) -> float:
    """Median of what (weekday, slot, value) a history holds at that time of the day, or of the week."""
    seen = sorted(x for day, s, x in history if s == slot and (weekday is None or day == weekday))
    middle = len(seen) // 2
    return seen[middle] if len(seen) % 2 else 0.5 * (seen[middle - 1] + seen[middle])


def followed(means: Sequence[float], begin: int, samples: float) -> float:
    """Where a mean is that followed `means` from row `begin` on: a weighted mean of them, newest heaviest."""
    share = 1.0 / samples
    rows = means[begin:]
    n = len(rows)
    total = (1.0 - share) ** n * means[begin]
    return total + sum(share * (1.0 - share) ** (n - 1 - i) * x for i, x in enumerate(rows))


def corpus_score(
    rows: int, windows: Sequence[tuple[int, int]], detections: Sequence[int], first: int, false_weight: float
) -> float:
    """One series' score, row by row: 0 nothing detected, 100 perfect; missed windows cost 1."""
    best = {window: -1.0 for window in windows if window[1] >= first}
    false = 0.0
    for row in range(first, rows):
        if row not in detections:
            continue
        mine = [(a, b) for a, b in best if max(a, first) <= row <= b]
        if mine:
            a, b = mine[0]
            place = -(b - row + 1) / (b - max(a, first) + 1)
            best[mine[0]] = max(best[mine[0]], _curve(place) / _curve(-1.0))
            continue
        behind = [(a, b) for a, b in best if b < row]
        if not behind:
            false += 1.0
        else:
            a, b = max(behind)
            place = (row - b) / (b - max(a, first))
            false += 1.0 if place > 3 else -_curve(place)
    raw = sum(best.values()) - false_weight * false
    return 100.0 * (raw + len(best)) / (2.0 * len(best))


def _curve(place: float) -> float:
    return 2.0 / (1.0 + math.exp(5.0 * place)) - 1.0
