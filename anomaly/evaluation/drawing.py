"""Charts as inline SVG that stand alone: text in the colour of the page, lines that read on light and dark."""

import html
import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 40
COLOURS = ("#3b82c4", "#d9822b", "#3d9a6c", "#b5558c", "#8a7d3a")
ALARM = "#d0483e"
MOST_POINTS = 1500
TICKS = 5
LEGEND_ROOM = 0.12
DIGITS = 5

Numbers = Sequence[float | None]


class _Frame:
    """Axes with a scale from data to the drawing."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], x_label: str, y_label: str) -> None:
        self.x, self.y = _wide(x), _wide(y)
        self.parts = [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" style="width:100%;height:auto;max-width:{WIDTH}px" '
            'font-family="system-ui,sans-serif" font-size="12" fill="currentColor">'
            f"<title>{html.escape(f'{y_label} by {x_label}' if x_label else y_label)}</title>"
        ]
        self._axes(x_label, y_label)

    def across(self, x: float) -> float:
        low, high = self.x
        return LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def down(self, y: float) -> float:
        low, high = self.y
        return HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def add(self, part: str) -> None:
        self.parts.append(part)

    def text(self, x: float, y: float, words: str, anchor: str = "middle", extra: str = "") -> None:
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{html.escape(words)}</text>')

    def rule(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        self.add(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>')

    def _axes(self, x_label: str, y_label: str) -> None:
        faint = 'stroke="currentColor" stroke-opacity="0.15"'
        for at in ticks(*self.y):
            self.rule(LEFT, self.down(at), WIDTH - RIGHT, self.down(at), faint)
            self.text(LEFT - 6, self.down(at) + 4, _short(at), "end")
        if x_label:
            for at in ticks(*self.x):
                self.rule(self.across(at), HEIGHT - BOTTOM, self.across(at), HEIGHT - BOTTOM + 4, faint)
                self.text(self.across(at), HEIGHT - BOTTOM + 16, _short(at))
            self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label)
        middle = (TOP + HEIGHT - BOTTOM) / 2
        self.text(14, middle, y_label, extra=f' transform="rotate(-90 14 {middle:.0f})"')

    def legend(self, names: Sequence[str]) -> None:
        at = float(LEFT + 8)
        for i, name in enumerate(names):
            self.add(f'<rect x="{at:.0f}" y="{TOP}" width="10" height="10" fill="{colour(i)}"/>')
            self.text(at + 14, TOP + 9, name, "start")
            at += 30 + 7 * len(name)

    def svg(self) -> str:
        return "".join([*self.parts, "</svg>"])


def line(
    x: Numbers,
    lines: Mapping[str, Numbers],
    *,
    x_label: str,
    y_label: str,
    limits: Sequence[float] = (),
    spans: Sequence[tuple[float, float]] = (),
    alarms: Sequence[float] = (),
) -> str:
    """Lines over one x; None makes a gap.

    Parameters
    ----------
    limits
        Levels drawn as dashed lines across.
    spans
        Stretches of x shaded behind the lines, such as a labelled fault.
    alarms
        Values of x marked by an upright line.
    """
    flat = [*finite(limits), *(y for values in lines.values() for y in finite(values))]
    low_y, high_y = _ends(flat)
    room = (LEGEND_ROOM if len(lines) > 1 else 0.0) * (high_y - low_y)
    across = _ends([*finite(x), *(e for span in spans for e in span)])
    frame = _Frame(across, (low_y, high_y + room), x_label, y_label)
    for low, high in spans:
        left, right = frame.across(low), frame.across(high)
        frame.add(
            f'<rect x="{left:.1f}" y="{TOP}" width="{max(1.0, right - left):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}" fill="{ALARM}" fill-opacity="0.12"/>'
        )
    for limit in finite(limits):
        frame.rule(
            LEFT, frame.down(limit), WIDTH - RIGHT, frame.down(limit), f'stroke="{ALARM}" stroke-dasharray="5 4"'
        )
    for at in finite(alarms):
        frame.rule(frame.across(at), TOP, frame.across(at), HEIGHT - BOTTOM, f'stroke="{ALARM}" stroke-width="1.5"')
    for i, values in enumerate(lines.values()):
        for piece in _pieces(*_thinned(x, values)):
            points = " ".join(f"{frame.across(a):.1f},{frame.down(b):.1f}" for a, b in piece)
            frame.add(f'<polyline points="{points}" fill="none" stroke="{colour(i)}" stroke-width="1.5"/>')
    if len(lines) > 1:
        frame.legend(list(lines))
    return frame.svg()


def scatter(
    x: Numbers, y: Numbers, *, x_label: str, y_label: str, diagonal: bool = False,
    low: Numbers | None = None, high: Numbers | None = None,
) -> str:  # fmt: skip
    """Points, with the line y = x if asked for, and an upright bar from `low` to `high` through each point."""
    ys = [*finite(y), *finite(low or ()), *finite(high or ())]
    xs = _ends(finite(x))
    frame = _Frame(xs, _ends([*ys, *xs] if diagonal else ys), x_label, y_label)
    if diagonal:
        frame.rule(frame.across(xs[0]), frame.down(xs[0]), frame.across(xs[1]), frame.down(xs[1]),
                   'stroke="currentColor" stroke-opacity="0.5" stroke-dasharray="5 4"')  # fmt: skip
    bars = zip(x, low, high, strict=True) if low is not None and high is not None else ()
    for a, b, c in bars:
        if a is not None and b is not None and c is not None:
            frame.rule(frame.across(a), frame.down(b), frame.across(a), frame.down(c),
                       f'stroke="{COLOURS[0]}" stroke-opacity="0.35"')  # fmt: skip
    for one, two in zip(x, y, strict=True):
        if one is not None and two is not None and math.isfinite(one + two):
            frame.add(f'<circle cx="{frame.across(one):.1f}" cy="{frame.down(two):.1f}" r="3" fill="{COLOURS[0]}"/>')
    return frame.svg()


def bars(names: Sequence[str], values: Numbers, *, y_label: str, limits: Sequence[float] = ()) -> str:
    """A bar per name, from zero; None = no bar."""
    frame = _Frame((0.0, float(max(1, len(names)))), _ends([0.0, *finite(values), *finite(limits)]), "", y_label)
    zero = frame.down(0.0)
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        left, right = frame.across(i + 0.15), frame.across(i + 0.85)
        if value is not None and math.isfinite(value):
            top = min(frame.down(value), zero)
            frame.add(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
                f'height="{max(0.5, abs(frame.down(value) - zero)):.1f}" fill="{COLOURS[0]}">'
                f"<title>{html.escape(name)}: {_short(value)}</title></rect>"
            )
        if len(names) <= 40 or i % (1 + len(names) // 40) == 0:
            frame.text((left + right) / 2, HEIGHT - BOTTOM + 16, name)
    for limit in finite(limits):
        frame.rule(
            LEFT, frame.down(limit), WIDTH - RIGHT, frame.down(limit), f'stroke="{ALARM}" stroke-dasharray="5 4"'
        )
    return frame.svg()


def colour(i: int) -> str:
    """Colour of the i-th line."""
    return COLOURS[i % len(COLOURS)]


def finite(values: Numbers) -> list[float]:
    """Those that can be drawn."""
    return [float(v) for v in values if v is not None and math.isfinite(v)]


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between low and high."""
    raw = (high - low) / TICKS
    size: float = 10.0 ** math.floor(math.log10(raw))
    step = next((size * k for k in (1, 2, 5) if size * k >= raw), size * 10)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return (min(values), max(values)) if values else (0.0, 1.0)


def _wide(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    if high - low > 1e-12 * max(abs(low), abs(high)):
        return low, high
    pad = max(abs(high) / 2, 0.5)
    return low - pad, high + pad


def _short(x: float) -> str:
    return f"{x:.{DIGITS}g}" if x else "0"


def _thinned(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """Of a long line, the lowest and the highest of each stretch."""
    if len(x) <= MOST_POINTS:
        return x, y
    size = -(-2 * len(x) // MOST_POINTS)
    keep: list[int] = []
    for start in range(0, len(x), size):
        seen = [(v, i) for i in range(start, min(start + size, len(x))) if (v := y[i]) is not None and math.isfinite(v)]
        keep += sorted({min(seen)[1], max(seen)[1]}) if seen else [start]
    return [x[i] for i in keep], [y[i] for i in keep]


def _pieces(x: Numbers, y: Numbers) -> list[list[tuple[float, float]]]:
    """Runs of points without a gap."""
    out: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(x, y, strict=True):
        if a is None or b is None or not math.isfinite(a + b):
            out.append([])
        else:
            out[-1].append((float(a), float(b)))
    return [piece for piece in out if piece]
