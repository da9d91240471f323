"""Numbers in words that a customer can follow."""

from datetime import date

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip


def percent(p: float) -> str:
    """`12 %`; small chances are not rounded to nothing, large ones not to certainty."""
    if 0 < p < 0.005:
        return "less than 1 %"
    if 0.995 < p < 1:
        return "more than 99 %"
    return f"{p * 100:.0f} %"


def chance(p: float) -> str:
    """A probability as people say it: `about 7 in 10`."""
    if p < 0.01:
        return "less than 1 in 100"
    if p < 0.075:
        return f"about 1 in {max(20, round(1 / p / 10) * 10)}"
    if p > 0.95:
        return "more than 19 in 20"
    return f"about {max(1, round(p * 10))} in 10"


def duration(hours: float, unit: str = "h") -> str:
    """A length of time in the unit that people use for it: `5 days`, `36 hours`, `30 cycles`."""
    if unit == "cycles":
        n = round(hours)
        return f"{n} cycle" if n == 1 else f"{n} cycles"
    if hours < 1:
        n, word = max(1, round(hours * 60)), "minute"
    elif hours < 48:
        n, word = round(hours), "hour"
    elif hours < 24 * 21:
        n, word = round(hours / 24), "day"
    else:
        n, word = round(hours / 168), "week"
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def span(low: float, high: float, unit: str = "h") -> str:
    """An interval: `between 4 and 9 days`."""
    if unit == "cycles" or low >= 24 * 21:
        return f"between {duration(low, unit)} and {duration(high, unit)}"
    first, last = duration(low), duration(high)
    if first == last:
        return f"about {first}"
    if first.split()[1].rstrip("s") == last.split()[1].rstrip("s"):
        return f"between {first.split()[0]} and {last}"
    return f"between {first} and {last}"


def day_words(day: date) -> str:
    """`Tuesday, 24 November`."""
    return f"{DAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]}"


def listed(items: list[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
