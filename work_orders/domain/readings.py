"""A reading on a checklist: understood as people write it, judged by its limits."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    """A value and whether it is within the limits; `words` says both."""

    value: float
    fine: bool
    words: str


def number_of(text: str) -> float | None:
    """The number in what somebody typed, `4.2`, `4,2` or `4.2 mm/s`; None = none."""
    first = text.strip().split(" ")[0].replace(",", ".")
    try:
        value = float(first)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def limits(low: float | None, high: float | None, unit: str) -> str:
    """Limits in words; empty = none."""
    u = f" {unit}" if unit not in ("", "1") else ""
    if low is not None and high is not None:
        return f"{low:g} to {high:g}{u}"
    if low is not None:
        return f"at least {low:g}{u}"
    return "" if high is None else f"at most {high:g}{u}"


def judge(value: float, low: float | None, high: float | None, unit: str) -> Judged:
    """Limits belong to what is fine."""
    fine = (low is None or value >= low) and (high is None or value <= high)
    u = f" {unit}" if unit not in ("", "1") else ""
    words = f"{value:g}{u}"
    if not fine:
        words += f", must be {limits(low, high, unit)}"
    return Judged(value, fine, words)
