"""The chart of a notice as a picture for mail: what the machine measured, with what was usual for it."""

import io
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from contracts.points import StoreUnreachable, TelemetryStore
from plumbing.sql import to_us
from work_orders.domain.notice_text import NoticeText

WIDTH, HEIGHT = 1200, 440  # twice the size that it is shown in
LEFT, RIGHT, TOP, BOTTOM = 110, 24, 24, 60
BUCKETS = 240
BEFORE = timedelta(hours=72)
GAP = 6
INK, LINE, USUAL, GRID = (60, 64, 72), (20, 100, 200), (230, 140, 30), (222, 226, 232)


def chart_picture(store: TelemetryStore, tenant: str, text: NoticeText, now: datetime) -> bytes | None:
    """A PNG of the signal that carries the forecast; None where there is none, or its readings cannot be had."""
    if not text.evidence:
        return None
    shown = text.evidence[0]
    start = datetime.fromisoformat(text.evidence_from) - BEFORE
    try:
        band = store.band(tenant, text.device, shown.signal, to_us(start), to_us(now), BUCKETS)
    except StoreUnreachable:
        return None
    points = [
        (int(t), float(y)) for t, y in zip(band.t_us.tolist(), band.mean.tolist(), strict=True) if math.isfinite(y)
    ]
    return _draw(points, shown.expected, shown.unit) if len(points) > 1 else None


def _draw(points: list[tuple[int, float]], usual: float | None, unit: str) -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(26)
    values = [y for _, y in points] + ([usual] if usual is not None else [])
    low, high = min(values), max(values)
    margin = (high - low or abs(high) or 1.0) * 0.08
    low, high = low - margin, high + margin
    first, last = points[0][0], points[-1][0]

    def at(t: int, y: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (t - first) / max(1, last - first)
        return x, TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)

    for n in range(4):
        y = low + (high - low) * n / 3
        draw.line([at(first, y), at(last, y)], fill=GRID, width=2)
        draw.text((LEFT - 12, at(first, y)[1]), f"{y:.3g}", fill=INK, font=font, anchor="rm")
    draw.text((12, HEIGHT - 14), unit if unit.isascii() else "", fill=INK, font=font, anchor="ls")
    for n in range(4):
        t = first + (last - first) * n // 3
        day = datetime.fromtimestamp(t / 1e6, tz=UTC)
        anchor = ("ls", "ms", "ms", "rs")[n]
        draw.text((at(t, low)[0], HEIGHT - 14), f"{day:%Y-%m-%d %H:%M}", fill=INK, font=font, anchor=anchor)
    if usual is not None:
        draw.line([at(first, usual), at(last, usual)], fill=USUAL, width=4)
    width = (last - first) / BUCKETS
    for (t0, y0), (t1, y1) in pairwise(points):
        if t1 - t0 <= GAP * width:
            draw.line([at(t0, y0), at(t1, y1)], fill=LINE, width=4)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
