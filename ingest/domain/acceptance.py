"""Accept or refuse each value of a sample: the slow and exact way, which names every fault.

`ingest.domain.batch` checks many samples at once; what is not in order there comes here.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from contracts.asset_model import Signal
from contracts.names import is_name
from contracts.wire import Reason
from ingest.domain.message import LooseSample, Sample
from ingest.domain.signals import Signals
from ingest.domain.times import sample_us

MAX_PATH = 200


@dataclass(frozen=True, slots=True)
class Refusal:
    """Where a message was refused, and why."""

    path: str
    reason: Reason


@dataclass(slots=True)
class Verdict:
    """What becomes of one sample: the values to store (in the model's units), and what was refused of it."""

    t_us: int = 0
    values: dict[str, float] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def quarantined(self) -> bool:
        """Nothing can be stored, and something was refused."""
        return bool(self.refusals) and not self.values


def clean_path(path: str) -> str:
    """The path as every database takes it: bounded, without NUL and lone surrogates."""
    if path.isascii() and len(path) <= MAX_PATH and "\x00" not in path:
        return path
    return path[:MAX_PATH].encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def judge(
    sample: Sample | LooseSample, index: int, units: dict[str, Any], signals: Signals, received_us: int, limit_us: int
) -> Verdict:
    """Judge one sample. Never raises."""
    at = f"samples[{index}]"
    out = Verdict()
    if isinstance(sample, LooseSample) and not sample.is_object:
        out.refusals.append(Refusal(at, "malformed"))
        return out
    if not isinstance(sample.values, dict):
        out.refusals.append(Refusal(f"{at}.values", "malformed"))
        return out
    t = sample_us(sample.t, received_us, limit_us)
    if isinstance(t, str):
        out.refusals.append(Refusal(f"{at}.t", t))
        return out
    out.t_us = t
    for name, value in sample.values.items():
        checked = _value(name, value, units, signals)
        if isinstance(checked, str):
            out.refusals.append(Refusal(clean_path(f"{at}.values.{name}"), checked))
        elif checked is not None:
            out.values[name] = checked
    return out


def _value(name: str, value: object, units: dict[str, Any], signals: Signals) -> float | Reason | None:
    signal = signals.get(name)
    if signal is None:
        return "unknown_signal" if is_name(name) else "malformed"
    if value is None:
        return None
    conversion = signals.conversion(signal, units.get(name))
    if isinstance(conversion, str):
        return conversion
    if not isinstance(value, int | float):
        return "wrong_type"
    try:
        x = float(value)
    except OverflowError:
        return "not_finite"
    if not math.isfinite(x):
        return "not_finite"
    return _in_range(x, conversion, signal)


def _in_range(x: float, conversion: tuple[float, float], signal: Signal) -> float | Reason:
    scale, shift = conversion
    if scale != 1.0 or shift != 0.0:
        x = x * scale + shift
    return x if signal.low <= x <= signal.high else "out_of_range"
