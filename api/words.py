"""How pages write numbers, times and names of states."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from markupsafe import Markup

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def when(at: datetime | None) -> str:
    """`Tue 24 Nov, 14:05`; a dash for None."""
    return f"{day(at)}, {at:%H:%M}" if at else "–"


def day(at: datetime | None) -> str:
    """`Tue 24 Nov`."""
    return f"{DAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]}" if at else "–"


def number(x: float | None, digits: int = 1) -> str:
    """A number with so many decimals; a dash for None."""
    return "–" if x is None else f"{x:,.{digits}f}"


def euros(x: float | None, currency: str = "EUR") -> str:
    """`1,500 EUR`."""
    return "–" if x is None else f"{x:,.0f} {currency}"


def percent(p: float | None) -> str:
    """`12 %`; small chances do not become nothing, great ones not certainty."""
    if p is None:
        return "–"
    if 0 < p < 0.005:
        return "< 1 %"
    if 0.995 < p < 1:
        return "> 99 %"
    return f"{p * 100:.0f} %"


def lasting(seconds: float | None) -> str:
    """A length of time in the unit that people would take: `0.4 s`, `52 min`, `3.5 h`, `2.1 days`; a dash for None."""
    if seconds is None:
        return "–"
    length = abs(seconds)
    for unit, name, digits in ((86_400.0, "days", 1), (3_600.0, "h", 1), (60.0, "min", 0)):
        if length >= 2 * unit:
            return f"{length / unit:.{digits}f} {name}"
    return f"{length:.1f} s" if length < 10 else f"{length:.0f} s"


def plain(name: str) -> str:
    """A name of a state or mode as words: `in_progress` -> `in progress`."""
    return name.replace("_", " ")


def sentence(name: str) -> str:
    """The same, beginning with a capital."""
    words = plain(name)
    return words[:1].upper() + words[1:]


def factor(x: float) -> str:
    """A clock's factor: `x3600`, `paused`."""
    return "paused" if x == 0 else f"x{x:g}"


def spark(values: list[float]) -> str:
    """Points of a small line in a box of 100 x 28; health from 0 to 100."""
    if len(values) < 2:
        return ""
    step = 100 / (len(values) - 1)
    return " ".join(f"{i * step:.1f},{2 + (100 - min(100.0, max(0.0, v))) * 0.24:.1f}" for i, v in enumerate(values))


def trend(values: list[float]) -> str:
    """Points of a small line in a box of 100 x 28, from the least to the greatest of the values."""
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    return spark([100 * (v - low) / (high - low) if high > low else 50.0 for v in values])


def measure(value: float | None, unit: str) -> str:
    """A figure in its unit: share, hours, minutes, count, km, kWh, score, or a currency."""
    if value is None:
        return "–"
    match unit:
        case "share":
            return percent(value)
        case "hours":
            return lasting(value * 3600)
        case "minutes":
            return lasting(value * 60)
        case "count":
            return f"{value:,.0f}" if value == int(value) else f"{value:.2g}"
        case "km" | "kWh":
            return f"{value:,.0f} {unit}"
        case "score":
            return f"{value:.3g}"
        case _:
            return euros(value, unit)


def as_json(what: Any) -> Markup:
    """JSON inside a script element that holds data: nothing in it can end the element."""
    text = msgspec.json.encode(what).decode()
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


FILTERS: dict[str, Callable[..., Any]] = {
    "when": when,
    "day": day,
    "number": number,
    "euros": euros,
    "percent": percent,
    "lasting": lasting,
    "plain": plain,
    "sentence": sentence,
    "factor": factor,
    "json": as_json,
    "spark": spark,
    "trend": trend,
    "measure": measure,
}
