"""Parses the commands and the guided diagnosis of an asset model; `contracts.asset_model_text` parses the rest."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from contracts.command_kinds import Arg, ArgKind, BadArgs, CommandKind, check_args
from contracts.commands import Risk
from contracts.diagnosis import NOTHING, Check, Diagnosis, Look, Outcome
from contracts.names import NAME_RULE, is_name

_BOUND = re.compile(r"\s*(>=|<)\s*(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")
_CHECK = {"title", "unit", "command", "args", "value", "telemetry", "outcomes", "source"}
MOST_FACTOR = 1000.0


class Reader(Protocol):
    """What reads a YAML file and collects its faults."""

    def fault(self, path: str, rule: str) -> None: ...
    def mapping(self, value: Any, path: str, known: set[str] | None = None) -> dict[str, Any]: ...
    def text(self, of: Mapping[str, Any], key: str, path: str, default: str | None = None) -> str: ...
    def number(self, value: Any, path: str, low: float = ..., high: float = ...) -> float: ...


def commands(read: Reader, value: Any) -> dict[str, CommandKind]:
    """The commands of the model by name."""
    return {
        name: _command(read, name, given, f"commands.{name}") for name, given in read.mapping(value, "commands").items()
    }


def _command(read: Reader, name: str, value: Any, path: str) -> CommandKind:
    of = read.mapping(value, path, {"risk", "title", "args", "safety_function"})
    if not is_name(name):
        read.fault(path, f"{name!r} must be {NAME_RULE}")
    risk = of.get("risk")
    if risk not in list(Risk):
        read.fault(f"{path}.risk", f"{risk!r} must be one of {', '.join(Risk)}")
        risk = Risk.GUARDED
    safety = of.get("safety_function")
    if safety is True:
        read.fault(f"{path}.safety_function", "no command may touch a safety function: it is not for remote hands")
    elif (safety is None and risk == Risk.GUARDED) or safety not in (None, False):
        read.fault(f"{path}.safety_function", "a guarded command must say: safety_function: false")
    args = read.mapping(of.get("args", {}), f"{path}.args")
    return CommandKind(
        name, Risk(risk), read.text(of, "title", path, name),
        tuple(_arg(read, key, given, f"{path}.args.{key}") for key, given in args.items()),
    )  # fmt: skip


def _arg(read: Reader, name: str, value: Any, path: str) -> Arg:
    of = read.mapping(value, path, {"kind", "range", "choices", "default"})
    kind = of.get("kind", "number")
    if kind not in list(ArgKind):
        read.fault(f"{path}.kind", f"{kind!r} must be one of {', '.join(ArgKind)}")
        kind = ArgKind.NAME
    low, high = -math.inf, math.inf
    limits = of.get("range")
    if limits is not None or kind in (ArgKind.NUMBER, ArgKind.INTEGER):
        if not isinstance(limits, list) or len(limits) != 2:
            read.fault(f"{path}.range", "must be [lowest, highest]")
        else:
            low, high = (read.number(x, f"{path}.range[{i}]") for i, x in enumerate(limits))
    choices = of.get("choices", [])
    if not isinstance(choices, list) or not all(isinstance(c, str) for c in choices):
        read.fault(f"{path}.choices", "must be a list of texts")
        choices = []
    made = Arg(
        name,
        ArgKind(kind),
        low,
        high,
        tuple(choices),
        tuple(given) if isinstance(given := of.get("default"), list) else given,
    )
    if made.default is not None:
        try:
            check_args(CommandKind(name, Risk.READ, args=(made,)), {})
        except BadArgs as no:
            read.fault(f"{path}.default", no.rule)
    return made


def diagnosis(
    read: Reader, value: Any, signals: Iterable[str], modes: Iterable[str], known: Mapping[str, CommandKind]
) -> Diagnosis:
    """The guided diagnosis of the model."""
    names, hypotheses = list(signals), {*modes, NOTHING}
    of = read.mapping(
        value, "diagnosis", {"start", "wait_seconds", "nothing", "again_hours", "cost", "checks", "modes"}
    )
    default = Diagnosis()
    checks = {
        name: _check(read, name, given, names, hypotheses, known, f"diagnosis.checks.{name}")
        for name, given in read.mapping(of.get("checks", {}), "diagnosis.checks").items()
    }
    by_mode: dict[str, tuple[str, ...]] = {}
    for mode, given in read.mapping(of.get("modes", {}), "diagnosis.modes").items():
        path = f"diagnosis.modes.{mode}"
        if mode not in hypotheses - {NOTHING}:
            read.fault(path, "is no failure mode of this model")
        if not isinstance(given, list) or not given or any(c not in checks for c in given):
            read.fault(path, f"must be a list of checks; there are {', '.join(checks) or 'none'}")
            continue
        by_mode[mode] = tuple(given)
    return Diagnosis(
        read.number(of.get("start", default.start), "diagnosis.start", 0, 1),
        read.number(of.get("wait_seconds", default.wait_s), "diagnosis.wait_seconds", 1, 30),
        read.number(of.get("nothing", default.nothing), "diagnosis.nothing", 0.001, 0.9),
        read.number(of.get("cost", default.cost), "diagnosis.cost", 0),
        read.number(of.get("again_hours", default.again_hours), "diagnosis.again_hours", 1),
        checks, by_mode,
    )  # fmt: skip


def _check(
    read: Reader, name: str, value: Any, signals: list[str], hypotheses: set[str], known: Mapping[str, CommandKind],
    path: str,
) -> Check:  # fmt: skip
    of = read.mapping(value, path, _CHECK)
    command, look = of.get("command", ""), of.get("telemetry")
    if bool(command) == (look is not None):
        read.fault(path, "must have either a command or telemetry")
    args = read.mapping(of.get("args", {}), f"{path}.args")
    if command:
        kind = known.get(command)
        if kind is None or kind.risk is not Risk.READ:
            read.fault(f"{path}.command", f"{command!r} must be a read command of this model: checks run by themselves")
        else:
            try:
                check_args(kind, args, signals)
            except BadArgs as no:
                read.fault(f"{path}.args.{no.arg}", no.rule)
        read.text(of, "value", path)
    given = of.get("outcomes")
    if not isinstance(given, list) or not given:
        read.fault(f"{path}.outcomes", "must be a list of outcomes")
        given = []
    outcomes = [_outcome(read, o, hypotheses, f"{path}.outcomes[{i}]") for i, o in enumerate(given)]
    return Check(
        name, read.text(of, "title", path), read.text(of, "unit", path, "1"), tuple(outcomes),
        read.text(of, "source", path), str(command), args, str(of.get("value", "")),
        None if look is None else _look(read, look, signals, f"{path}.telemetry"),
    )  # fmt: skip


def _look(read: Reader, value: Any, signals: list[str], path: str) -> Look:
    of = read.mapping(value, path, {"signal", "minus", "hours", "against_hours", "skip_hours"})
    for key in ("signal", "minus"):
        if (key == "signal" or key in of) and of.get(key) not in signals:
            read.fault(f"{path}.{key}", f"{of.get(key)!r} is no signal of this model")
    return Look(
        str(of.get("signal", "")), str(of.get("minus", "")),
        read.number(of.get("hours", 6), f"{path}.hours", 0.01, 10_000),
        read.number(of.get("against_hours", 0), f"{path}.against_hours", 0, 10_000),
        read.number(of.get("skip_hours", 0), f"{path}.skip_hours", 0, 10_000),
    )  # fmt: skip


def _outcome(read: Reader, value: Any, hypotheses: set[str], path: str) -> Outcome:
    of = read.mapping(value, path, {"when", "factors", "says"})
    low, high = -math.inf, math.inf
    when = of.get("when", "")
    for part in str(when).split(",") if when else []:
        match = _BOUND.fullmatch(part)
        if match is None:
            read.fault(f"{path}.when", f"{when!r} must read >= NUMBER, < NUMBER, or both with a comma")
        elif match[1] == ">=":
            low = float(match[2])
        else:
            high = float(match[2])
    if low >= high:
        read.fault(f"{path}.when", "holds for no value")
    factors = read.mapping(of.get("factors"), f"{path}.factors", hypotheses)
    return Outcome(
        low, high,
        {m: read.number(f, f"{path}.factors.{m}", 1 / MOST_FACTOR, MOST_FACTOR) for m, f in factors.items()},
        read.text(of, "says", path),
    )  # fmt: skip
