"""Which commands there are, by name, and what arguments they take: declared by asset models and by devices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contracts.commands import Refusal, Risk


class ArgKind(StrEnum):
    """Kinds of argument."""

    NUMBER = "number"
    INTEGER = "integer"
    CHOICE = "choice"
    SIGNALS = "signals"
    """A list of signal names; empty = all."""
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument; `default` None = it must be given. `low` and `high` bound a number, or how many signals."""

    name: str
    kind: ArgKind
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    default: Any = None


@dataclass(frozen=True, slots=True)
class CommandKind:
    """A command that a kind of machine, or a device, knows."""

    name: str
    risk: Risk
    title: str = ""
    args: tuple[Arg, ...] = ()


class BadArgs(ValueError):
    """The arguments do not fit; `reason` is `bad_args` or `out_of_range`."""

    def __init__(self, reason: Refusal, arg: str, rule: str) -> None:
        super().__init__(f"{arg}: {rule}")
        self.reason, self.arg, self.rule = reason, arg, rule


def check_args(kind: CommandKind, given: Mapping[str, Any], signals: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments with their defaults. `signals` are those that exist (None = not checked). Raises BadArgs."""
    known = {arg.name: arg for arg in kind.args}
    for name in given:
        if name not in known:
            raise BadArgs("bad_args", str(name)[:64], f"{kind.name} takes {', '.join(known) or 'no arguments'}")
    return {name: _checked(arg, given.get(name, arg.default), signals) for name, arg in known.items()}


def _checked(arg: Arg, value: Any, signals: Sequence[str] | None) -> Any:
    if value is None:
        raise BadArgs("bad_args", arg.name, "is missing")
    match arg.kind:
        case ArgKind.NUMBER | ArgKind.INTEGER:
            return _number(arg, value)
        case ArgKind.CHOICE:
            if value not in arg.choices:
                raise BadArgs("bad_args", arg.name, f"must be one of {', '.join(arg.choices)}")
        case ArgKind.NAME:
            if not isinstance(value, str) or not 1 <= len(value) <= 64:
                raise BadArgs("bad_args", arg.name, "must be a name")
        case ArgKind.SIGNALS:
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
                raise BadArgs("bad_args", arg.name, "must be a list of signals")
            if not max(arg.low, 0) <= len(value) <= arg.high:
                raise BadArgs("out_of_range", arg.name, f"takes {max(arg.low, 0):g} to {arg.high:g} signals")
            unknown = [v for v in value if signals is not None and v not in signals]
            if unknown:
                raise BadArgs("bad_args", arg.name, f"there is no signal {unknown[0][:64]!r}")
            return list(value)
    return value


def _number(arg: Arg, value: Any) -> float | int:
    whole = arg.kind is ArgKind.INTEGER
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and value % 1 != 0):
        raise BadArgs("bad_args", arg.name, "must be a whole number" if whole else "must be a number")
    if not arg.low <= value <= arg.high:
        raise BadArgs("out_of_range", arg.name, f"must lie between {arg.low:g} and {arg.high:g}")
    return int(value) if whole else float(value)
