"""Which of the signals that carry a forecast are shown to people as its reason, and in which words.

A prediction keeps every contribution to its score, noise included. A reason is another thing: a symptom of the failure
mode that is named, gone the way that the mode drives it, and outside of what is usual.
"""

from contracts.asset_model import AssetModel, FailureMode
from contracts.records import Carrier
from contracts.units import shown

MOST = 3
FREE_DIRECTION = "any"
CAME, OLD = "came", "old"
"""Directions of carriers that are no readings: an error that came so many hours ago, a part that ran for so many."""


def evidence(carriers: list[Carrier], mode: FailureMode | None) -> list[Carrier]:
    """The strongest contributions that speak for the mode, at most three.

    Parameters
    ----------
    carriers
        Strongest first.
    mode
        None, or one without symptoms: whatever is outside of what is usual. May be empty: a score can be high though no
        signal alone is.
    """
    ways = {s.signal: s.direction for s in mode.symptoms} if mode is not None else {}
    fitting = [
        c
        for c in carriers
        if not ways or c.direction in (CAME, OLD) or ways.get(c.signal) in (FREE_DIRECTION, c.direction)
    ]
    return [c for c in fitting if _stands_out(c)][:MOST]


def _stands_out(carrier: Carrier) -> bool:
    if carrier.usual is None or carrier.value is None:
        return True
    low, high = carrier.usual
    return carrier.value > high if carrier.direction == "up" else carrier.value < low


def in_words(carrier: Carrier, model: AssetModel) -> str:
    """`vibration is higher than expected (4.2 mm/s; usual now: 2 to 2.4 mm/s)`."""
    signal = model.signals.get(carrier.signal)
    title, unit = (signal.title, shown(signal.unit)) if signal else (carrier.signal.replace("_", " "), "")
    if carrier.direction == CAME:
        return f"{_small(title)} came {_hours(carrier.value)} ago"
    if carrier.direction == OLD:
        return f"it has run for {_hours(carrier.value)} since it was new or first seen"
    words = f"{_small(title)} is {'higher' if carrier.direction == 'up' else 'lower'} than expected"
    if carrier.value is None:
        return words
    if carrier.usual is not None:
        low, high = carrier.usual
        return f"{words} ({_number(carrier.value, unit)}; usual now: {_range(low, high)}{_space(unit)})"
    if carrier.expected is not None:
        return f"{words} ({_number(carrier.value, unit)} instead of {_number(carrier.expected, unit)})"
    return words


def _hours(value: float | None) -> str:
    return "some time" if value is None else f"{value:,.0f} h"


def _small(title: str) -> str:
    return f"{title[:1].lower()}{title[1:]}"


def _number(x: float, unit: str) -> str:
    return f"{x:.3g}{_space(unit)}"


def _range(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}"


def _space(unit: str) -> str:
    return f" {unit}" if unit else ""
