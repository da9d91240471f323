"""A line with its band as SVG for paper: axes, a limit, and the time of the visit. Pure text, no script, no fonts."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 680, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 26
GAP = 6
"""A silence of so many usual steps is a gap in the line."""
_TICKS = (1, 2, 2.5, 5, 10)


def line_chart(
    t: Sequence[float], mean: Sequence[float], low: Sequence[float], high: Sequence[float], *, unit: str,
    span: tuple[float, float], visit: tuple[float, float] | None = None, usual: float | None = None,
    limit: float | None = None, day: Callable[[float], str],
) -> str:  # fmt: skip
    """The drawing. Times in epoch seconds; `day` names a time on the axis; `visit` is shaded."""
    known = [y for y in (*low, *high, *(x for x in (usual, limit) if x is not None)) if math.isfinite(y)]
    bottom, top = (min(known), max(known)) if known else (0.0, 1.0)
    margin = (top - bottom or abs(top) or 1.0) * 0.06
    bottom, top = bottom - margin, top + margin
    inner_w, inner_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(at: float) -> str:
        return f"{LEFT + inner_w * (at - span[0]) / max(1.0, span[1] - span[0]):.1f}"

    def y(value: float) -> str:
        return f"{TOP + inner_h * (top - value) / (top - bottom):.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="100%">']
    if visit is not None:
        begin, end = float(x(visit[0])), float(x(visit[1]))
        parts.append(
            f'<rect x="{begin}" y="{TOP}" width="{max(2.0, end - begin):.1f}" height="{inner_h}" class="visit"/>'
        )
    for value in _steps(bottom, top):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value)}" y2="{y(value)}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{float(y(value)) + 3.5:.1f}" class="side">{value:g}</text>')
    for n in range(6):
        at = span[0] + (span[1] - span[0]) * n / 5
        side = "start" if n == 0 else "end" if n == 5 else "middle"
        parts.append(f'<text x="{x(at)}" y="{HEIGHT - 8}" text-anchor="{side}" class="foot">{escape(day(at))}</text>')
    for at_level, kind in ((usual, "usual"), (limit, "limit")):
        if at_level is not None:
            level = y(at_level)
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level}" y2="{level}" class="{kind}"/>')
    for run in _runs(t, mean):
        band = [f"{x(t[i])},{y(high[i])}" for i in run] + [f"{x(t[i])},{y(low[i])}" for i in reversed(run)]
        parts.append(f'<polygon points="{" ".join(band)}" class="band"/>')
        parts.append(f'<polyline points="{" ".join(f"{x(t[i])},{y(mean[i])}" for i in run)}" class="line"/>')
    parts.append(f'<text x="{LEFT - 6}" y="{TOP - 2}" class="side">{escape(unit)}</text></svg>')
    return "".join(parts)


def _steps(bottom: float, top: float) -> list[float]:
    """Four or so round numbers between two."""
    raw = (top - bottom) / 4
    power = 10 ** math.floor(math.log10(raw))
    step = next(n * power for n in _TICKS if n * power >= raw * 0.999)
    return [round(n * step, 10) for n in range(math.ceil(bottom / step), math.floor(top / step) + 1)]


def _runs(t: Sequence[float], mean: Sequence[float]) -> list[list[int]]:
    """Indices without a gap between them."""
    there = [i for i, y in enumerate(mean) if math.isfinite(y)]
    if not there:
        return []
    steps = sorted(t[b] - t[a] for a, b in pairwise(there)) or [1.0]
    most = GAP * steps[len(steps) // 2]
    runs = [[there[0]]]
    for a, b in pairwise(there):
        if t[b] - t[a] > most:
            runs.append([])
        runs[-1].append(b)
    return runs


def day_words(at: datetime) -> str:
    """A time on the axis."""
    return f"{at.day} {at:%b %H:%M}"
