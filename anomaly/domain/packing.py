"""A watch's memory as plain lists, numbers, bytes and back, exactly: what a snapshot holds."""

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from anomaly.domain.alarm import AlarmMachine, Phase
from anomaly.domain.baseline import Baseline
from anomaly.domain.beside import BesideState
from anomaly.domain.cusum import CusumState
from anomaly.domain.detector import State
from anomaly.domain.following import Follower
from anomaly.domain.limits import LimitState
from anomaly.domain.memory import Memory, Path
from anomaly.domain.ordering import Ordering
from anomaly.domain.profile import Course
from anomaly.domain.quick_mean import QuickMean
from anomaly.domain.quiet import Day
from anomaly.domain.regimes import Regimes
from anomaly.domain.seasonal import SeasonalState, Single
from anomaly.domain.tail import Tail
from anomaly.domain.trail import Record, Trail

CLASSES: dict[str, type[Any]] = {
    c.__name__: c
    for c in (
        AlarmMachine, Baseline, State, Follower, Regimes, Memory, Path, Ordering, Trail, Record, QuickMean, Day,
        CusumState, LimitState, SeasonalState, Single, Course, Tail, BesideState,
    )
}  # fmt: skip
ARRAY, STACK, CLASS, TUPLE = "a", "s", "c", "t"


class OldSnapshot(Exception):
    """A snapshot of another version of this program; what it held is learned again from the stored readings."""


def pack(x: Any) -> Any:
    """Plain data: every composite becomes a list that begins with its tag."""
    if isinstance(x, Enum):
        return x.value
    if x is None or isinstance(x, bool | int | float | str | bytes):
        return x
    if isinstance(x, np.ndarray):
        return [ARRAY, x.dtype.str, list(x.shape), np.ascontiguousarray(x).tobytes()]
    if isinstance(x, Trail | Record):
        x = x.trimmed()
    if is_dataclass(x):
        return [CLASS, type(x).__name__, {f.name: pack(getattr(x, f.name)) for f in fields(x)}]
    if isinstance(x, dict):
        return {key: pack(value) for key, value in x.items()}
    if isinstance(x, list) and x and all(isinstance(e, np.ndarray) and e.shape == x[0].shape for e in x):
        return [STACK, pack(np.array(x))]
    if isinstance(x, list | tuple):
        return [TUPLE if isinstance(x, tuple) else "l", *map(pack, x)]
    raise TypeError(f"{type(x).__name__} has no place in a snapshot")


def unpack(x: Any) -> Any:
    """What `pack` was given."""
    if isinstance(x, dict):
        return {key: unpack(value) for key, value in x.items()}
    if not isinstance(x, list):
        return x
    tag, *rest = x
    if tag == ARRAY:
        dtype, shape, data = rest
        return np.frombuffer(data, dtype=dtype).reshape(shape).copy()
    if tag == STACK:
        return list(unpack(rest[0]))
    if tag == CLASS:
        name, values = rest
        made = {key: unpack(value) for key, value in values.items()}
        if name == AlarmMachine.__name__:
            made["phase"] = Phase(made["phase"])
        try:
            return CLASSES[name](**made)
        except (KeyError, TypeError) as other:
            raise OldSnapshot(str(other)) from other
    items = [unpack(e) for e in rest]
    return tuple(items) if tag == TUPLE else items
