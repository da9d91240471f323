"""Reads the body of a telemetry message: typed first, and leniently what the typed decoder refuses."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import msgspec

from contracts.names import MAX_SEQ, is_boot_id
from contracts.wire import MAX_BODY_BYTES, VERSION, Reason, Value

_SPACE = b" \t\r\n"
_DIGITS = 400
"""An integer with more digits than this is beyond every double; Python refuses to read one beyond 4,300."""


class Sample(msgspec.Struct, frozen=True, gc=False):
    """contracts.wire.Sample with its time parsed on the way."""

    values: dict[str, Value]
    t: Annotated[datetime, msgspec.Meta(tz=True)] | int | None = None


class _Telemetry(msgspec.Struct, frozen=True, gc=False):
    v: int
    samples: list[Sample]
    boot_id: str | None = None
    seq: int | None = None
    units: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class LooseSample:
    """A sample of a message that the typed decoder refused: anything may stand anywhere."""

    values: object
    t: object
    is_object: bool = True


@dataclass(slots=True)
class Message:
    """A message as far as it could be read.

    `seq` is 0 where the sender gives no numbers, then `boot_id` is "". `fault` (path, reason) refuses the message as a
    whole; `count` samples are known even so, and settle when there is a seq.
    """

    boot_id: str = ""
    seq: int = 0
    count: int = 0
    typed: list[Sample] | None = None
    loose: Sequence[LooseSample] = ()
    units: dict[str, Any] = field(default_factory=dict)
    fault: tuple[str, Reason] | None = None


_decode = msgspec.json.Decoder(_Telemetry).decode
# the typed decoder rounds what is finer than a microsecond; the contract cuts it
is_finer_than_us = re.compile(rb":..:..\.\d{7}").search


def read(body: bytes) -> Message:
    """The message in `body`. Never raises."""
    if len(body) > MAX_BODY_BYTES:
        return Message(fault=("", "too_large"))
    try:
        told = _decode(body)
    except RecursionError:
        return Message(fault=("", "malformed"))
    except (msgspec.MsgspecError, ValueError):
        return _read_loosely(body)
    if is_finer_than_us(body):
        return _read_loosely(body)
    samples = told.samples
    if told.v == VERSION and (told.seq is None or told.boot_id is None):
        return Message("", 0, len(samples), samples, (), told.units)
    fault = _identity_fault(told.boot_id, told.seq, len(samples))
    if fault:
        return Message(count=len(samples), fault=fault)
    if told.v != VERSION:
        return Message(told.boot_id or "", told.seq or 0, len(samples), fault=("v", "schema_version"))
    return Message(told.boot_id or "", told.seq or 0, len(samples), samples, (), told.units)


def _identity_fault(boot_id: object, seq: object, count: int) -> tuple[str, Reason] | None:
    if boot_id is not None and not (isinstance(boot_id, str) and is_boot_id(boot_id)):
        return "boot_id", "malformed"
    if seq is not None and (type(seq) is not int or not 1 <= seq <= MAX_SEQ - max(count - 1, 0)):
        return "seq", "malformed"
    return None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


_lenient = json.JSONDecoder(parse_int=_integer)


def _read_loosely(body: bytes) -> Message:
    if body.lstrip(_SPACE)[:1] != b"{":
        return Message(fault=("", "malformed"))
    try:
        raw: Any = _lenient.decode(body.decode())
    except (ValueError, RecursionError):
        return Message(fault=("", "malformed"))
    if not isinstance(raw, dict):
        return Message(fault=("", "malformed"))
    samples, boot_id, seq, v = raw.get("samples"), raw.get("boot_id"), raw.get("seq"), raw.get("v")
    known = isinstance(samples, list)
    count = len(samples) if isinstance(samples, list) else 0
    fault = _identity_fault(boot_id, seq, count)
    if fault:
        return Message(count=count, fault=fault)
    out = Message(count=count)
    if boot_id is not None and seq is not None:
        out.boot_id, out.seq = boot_id, seq
    units = raw.get("units", {})
    if type(v) is not int:
        out.fault = ("v", "malformed")
    elif v != VERSION:
        out.fault = ("v", "schema_version")
    elif not known:
        out.fault = ("samples", "malformed")
    elif not isinstance(units, dict):
        out.fault = ("units", "malformed")
    else:
        out.units = units
        out.loose = [
            LooseSample(s.get("values"), s.get("t")) if isinstance(s, dict) else LooseSample(None, None, False)
            for s in samples or ()
        ]
    return out
