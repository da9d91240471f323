"""Mends messages: another name for a signal, another unit, a factor. Rules of a device go before those of its model.

A rule names a signal as it is sent. First the factor is applied to the value, then the unit is set in which it is, then
the signal gets its new name, and acceptance judges what comes out like any other message.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.domain.message import LooseSample, Message, Sample

SIGNAL, UNIT, FACTOR = "signal", "unit", "factor"
KINDS = (SIGNAL, UNIT, FACTOR)
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `to` is the signal (empty = leave it out), the UCUM code, or `FACTOR[,OFFSET]`."""

    kind: str
    name: str
    to: str


class BadFactor(ValueError):
    """No `FACTOR[,OFFSET]`."""


def read_factor(text: str) -> tuple[float, float]:
    """(factor, offset) of `FACTOR[,OFFSET]`; a value becomes value * factor + offset. Raises BadFactor."""
    first, _, second = text.partition(",")
    try:
        factor, offset = float(first), float(second or 0)
    except ValueError as fault:
        raise BadFactor(text) from fault
    if not (math.isfinite(factor) and math.isfinite(offset)) or factor == 0:
        raise BadFactor(text)
    return factor, offset


@dataclass(frozen=True, slots=True)
class Mapping:
    """Rules that belong together."""

    signals: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    factors: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> "Mapping":
        """Later rules win."""
        made = cls()
        for rule in rules:
            if rule.kind == SIGNAL:
                made.signals[rule.name] = rule.to
            elif rule.kind == UNIT:
                made.units[rule.name] = rule.to
            else:
                made.factors[rule.name] = read_factor(rule.to)
        return made

    def __bool__(self) -> bool:
        return bool(self.signals or self.units or self.factors)

    def apply(self, message: Message) -> Message:
        """The message with the rules applied; itself where none applies.

        A sample that carries the new name, too, is left alone by that rule, and so is a message in which the two are in
        different units: which of them would count is not for us to say.
        """
        if message.fault:
            return message
        samples: list[Sample | LooseSample] = [*(message.typed if message.typed is not None else message.loose)]
        sent = {name for s in samples if isinstance(s.values, dict) for name in s.values}
        if not sent & (self.signals.keys() | self.units.keys() | self.factors.keys()):
            return message
        codes = {**message.units, **{name: code for name, code in self.units.items() if name in sent}}
        renames = {a: b for a, b in self.signals.items() if a in sent}
        same: dict[str, list[str]] = {}
        for name in sent:
            same.setdefault(renames.get(name, name), []).append(name)
        for target, names in same.items():
            if target and any(codes.get(name) != codes.get(names[0]) for name in names):
                for name in names:
                    renames.pop(name, None)
        units = {new: code for name, code in codes.items() if (new := renames.get(name, name))}
        if message.typed is not None:
            typed = [Sample(self._values(s.values, renames), s.t) for s in message.typed]
            return replace(message, typed=typed, units=units)
        loose = [
            LooseSample(self._values(s.values, renames), s.t, s.is_object) if isinstance(s.values, dict) else s
            for s in message.loose
        ]
        return replace(message, loose=loose, units=units)

    def _values(self, values: dict[str, Any], renames: dict[str, str]) -> dict[str, Any]:
        new = [renames.get(name, name) for name in values]
        if len(set(new)) < len(new):
            # two of one name: each keeps its own, unless it is left out
            new = [name if n and new.count(n) > 1 else n for name, n in zip(values, new, strict=True)]
            if len(set(left := [n for n in new if n])) < len(left):
                new = [*values]
        return {n: self._scaled(name, value) for (name, value), n in zip(values.items(), new, strict=True) if n}

    def _scaled(self, name: str, value: object) -> object:
        found = self.factors.get(name)
        if found is None or not isinstance(value, int | float) or isinstance(value, bool):
            return value
        try:
            return float(value) * found[0] + found[1]
        except OverflowError:
            return value


NONE = Mapping()
