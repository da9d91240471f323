"""The quick way for messages that are well, which nearly all are: one pass that reads, types and checks ranges.

A device sends the same signals time and again. `Habit` remembers what its last good message looked like and reads the
next one as if it were like it, with a decoder made for just these signals and their ranges. Whatever does not fit is
left to `ingest.domain.message` and `ingest.domain.batch`, which say what is wrong.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from types import GenericAlias
from typing import Annotated, Any, Protocol

import msgspec

from contracts.names import MAX_SEQ
from contracts.wire import MAX_BODY_BYTES, VERSION
from ingest.domain.message import Message, is_finer_than_us
from ingest.domain.signals import Plan, Signals

LONGEST_PAUSE = 256
"""After messages that did not fit, so many at most are not tried."""

_Time = Annotated[datetime, msgspec.Meta(tz=True)] | int | None


class PlainSample(Protocol):
    """A sample of which every value is a number in its range; `values` is a struct with one float a signal."""

    @property
    def t(self) -> datetime | int | None: ...
    @property
    def values(self) -> msgspec.Struct: ...


class PlainMessage(Protocol):
    """A message with numbers of its own, of which every value can be stored."""

    @property
    def boot_id(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def samples(self) -> Sequence[PlainSample]: ...
    @property
    def units(self) -> dict[str, str]: ...


def decoder(plan: Plan) -> Callable[[bytes], PlainMessage]:
    """Reads messages whose samples carry just the plan's signals, within their ranges; raises what msgspec raises."""
    fields: list[tuple[str, Any]] = []
    for i, (low, high) in enumerate(zip(plan.low.tolist(), plan.high.tolist(), strict=True)):
        limits = msgspec.Meta(ge=low if math.isfinite(low) else None, le=high if math.isfinite(high) else None)
        fields.append((f"s{i}", Annotated[float, limits]))
    values = msgspec.defstruct(
        "Values", fields, frozen=True, gc=False, forbid_unknown_fields=True,
        rename={f"s{i}": name for i, name in enumerate(plan.names)},
    )  # fmt: skip
    sample = msgspec.defstruct("PlainSample", [("values", values), ("t", _Time, None)], frozen=True, gc=False)
    message = msgspec.defstruct(
        "PlainMessage",
        [
            ("v", Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]),
            ("samples", Annotated[GenericAlias(list, (sample,)), msgspec.Meta(min_length=1)]),
            ("boot_id", str),
            ("seq", Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]),
            ("units", dict[str, str], msgspec.field(default_factory=dict)),
        ],
        frozen=True,
        gc=False,
    )
    made: msgspec.json.Decoder[Any] = msgspec.json.Decoder(message)
    return made.decode


class Decoders:
    """The decoders of plans, made when they are first needed."""

    MAX = 1000

    def __init__(self) -> None:
        self._made: dict[Plan, Callable[[bytes], PlainMessage]] = {}

    def of(self, plan: Plan) -> Callable[[bytes], PlainMessage]:
        """The decoder of a plan."""
        found = self._made.get(plan)
        if found is None:
            if len(self._made) >= self.MAX:
                self._made.clear()
            found = self._made[plan] = decoder(plan)
        return found


class Habit:
    """What the last good message of a device looked like; the next one is read as if it were like it.

    Messages that do not fit cost a little: after several in a row only some are tried.
    """

    __slots__ = ("_decode", "_misses", "_pause", "boot_id", "missed", "plan", "signals", "units")

    def __init__(
        self, boot_id: str, units: dict[str, str], signals: Signals, plan: Plan, decode: Callable[[bytes], PlainMessage]
    ) -> None:
        self.boot_id, self.units, self.signals, self.plan, self._decode = boot_id, units, signals, plan, decode
        self._misses = self._pause = 0
        self.missed = False
        """Whether the last message was tried and did not fit."""

    def read(self, body: bytes) -> PlainMessage | None:
        """The message if it is of that kind."""
        self.missed = False
        if self._pause:
            self._pause -= 1
            return None
        try:
            told = self._decode(body)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            self._miss()
            return None
        if (
            told.boot_id != self.boot_id
            or told.units != self.units
            or len(body) > MAX_BODY_BYTES
            or is_finer_than_us(body)
        ):
            self._miss()
            return None
        self._misses = 0
        return told

    def _miss(self) -> None:
        self.missed = True
        self._pause = min(1 << self._misses, LONGEST_PAUSE) - 1
        self._misses += 1

    def follow(self, other: "Habit") -> None:
        """Come after one that did not fit: a device that changes its kind all the time is tried less often."""
        self._misses, self._pause = other._misses, other._pause


def learn(message: Message, signals: Signals, decoders: Decoders) -> Habit | None:
    """The habit that a message shows; None where its kind needs the exact way."""
    if not message.seq or message.fault or not message.typed:
        return None
    values = message.typed[0].values
    plan = signals.plan(tuple(values), message.units)
    if plan is None or not plan.names or plan.conversion is not None:
        return None
    if not all(type(x) is float for x in values.values()):
        return None
    return Habit(message.boot_id, message.units, signals, plan, decoders.of(plan))
