"""Parses the YAML of an asset model; every fault is reported at once, each with line, field and rule."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import yaml

from contracts import asset_model_checks, asset_model_plans, asset_model_steps, detection_methods
from contracts.asset_model import (
    AssetModel,
    Component,
    Cost,
    Decision,
    Detection,
    FailureMode,
    Limit,
    ModeWords,
    Prognosis,
    RemoteFix,
    Role,
    Running,
    Signal,
    Symptom,
)
from contracts.efficiency import Loss
from contracts.names import NAME_RULE, is_name

RUNNING = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*(>=|<=|>|<)\s*(-?[0-9.eE+-]+)\s*")
MAX_DEPTH = 20
MAX_NODES = 50_000
MAX_OPENING = 5000
COSTS = ("failure", "planned", "false_visit")
_Settings = TypeVar("_Settings", Detection, Prognosis, Decision)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file."""

    file: str
    line: int
    field: str
    rule: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.rule}"


class BadAssetModel(Exception):
    """The text is no asset model; `faults` names everything that is wrong."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def parse(text: str, file: str, unit_known: Callable[[str], bool] = lambda code: True) -> AssetModel:
    """The asset model in `text`. Raises BadAssetModel."""
    reader = _Reader(file, unit_known)
    try:
        root = yaml.compose(text, Loader=_loader(text))
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        said = getattr(problem, "problem", None) or "cannot be read"
        raise BadAssetModel([Fault(file, mark.line + 1 if mark else 1, "", f"is no YAML: {said}")]) from problem
    except (RecursionError, ValueError) as problem:
        raise BadAssetModel([Fault(file, 1, "", f"is no YAML: {problem}")]) from problem
    if root is None:
        raise BadAssetModel([Fault(file, 1, "", "the file is empty")])
    model = reader.model(reader.plain(root, ""))
    if reader.faults or model is None:
        raise BadAssetModel(sorted(reader.faults, key=lambda f: f.line))
    return model


def _loader(text: str) -> Any:
    """libyaml's, ten times as fast, unless the text may nest so deeply that C's stack would not hold it."""
    opening = sum(map(text.count, "[{-?:"))  # no text nests deeper
    return yaml.SafeLoader if opening > MAX_OPENING else getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reader:
    """Walks one file, remembers the line of every field, collects faults."""

    def __init__(self, file: str, unit_known: Callable[[str], bool]) -> None:
        self.file, self.unit_known = file, unit_known
        self.lines: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.nodes = 0

    def fault(self, path: str, rule: str) -> None:
        line, at = 1, path
        while at:
            if at in self.lines:
                line = self.lines[at]
                break
            at = at.rpartition(".")[0]
        self.faults.append(Fault(self.file, line, path, rule))

    def plain(self, node: yaml.Node, path: str, depth: int = 0) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:  # aliases can make a small file endless
            raise BadAssetModel(
                [Fault(self.file, line, path[:100], "is nested too deeply, or the file holds too much")]
            )
        if isinstance(node, yaml.MappingNode):
            out: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                inner = f"{path}.{key}" if path else key
                self.lines[inner] = key_node.start_mark.line + 1
                if key in out:
                    self.fault(inner, "is given twice")
                out[key] = self.plain(value_node, inner, depth + 1)
            return out
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(node.value)]
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.fault(path, f"{node.value!r} cannot be read")
            return None

    def mapping(self, value: Any, path: str, known: set[str] | None = None) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fault(path, "must be a mapping")
            return {}
        for key in value:
            if known is not None and key not in known:
                self.fault(f"{path}.{key}" if path else key, f"is not known here; known: {', '.join(sorted(known))}")
        return value

    def text(self, of: Mapping[str, Any], key: str, path: str, default: str | None = None) -> str:
        value = of.get(key, default)
        if not isinstance(value, str) or not value.strip():
            self.fault(f"{path}.{key}" if path else key, "must be a text" if key in of else "is missing: a text")
            return ""
        return value.strip()

    def number(self, value: Any, path: str, low: float = -math.inf, high: float = math.inf) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.fault(path, f"{value!r} must be a finite number")
            return 0.0
        if not low <= value <= high:
            self.fault(path, f"{value!r} must lie between {low:g} and {high:g}")
        return float(value)

    def model(self, top: Any) -> AssetModel | None:
        top = self.mapping(
            top, "", {"name", "version", "title", "currency", "signals", "running_when", "regimes", "components",
                      "detection", "prognosis", "decision", "lifetime_unit", "commands", "diagnosis", "plans"},
        )  # fmt: skip
        if not top:
            return None
        name = self.text(top, "name", "")
        if name and not is_name(name):
            self.fault("name", f"{name!r} must be {NAME_RULE}")
        version = int(self.number(top.get("version", 1), "version", 1, 1e6))
        signals = {
            key: self.signal(key, value, f"signals.{key}")
            for key, value in self.mapping(top.get("signals"), "signals").items()
        }
        components = {
            key: self.component(key, value, signals, f"components.{key}")
            for key, value in self.mapping(top.get("components", {}), "components").items()
        }
        regimes = top.get("regimes", [])
        if not isinstance(regimes, list):
            self.fault("regimes", "must be a list of operating conditions")
            regimes = []
        for i, regime in enumerate(regimes):
            if regime not in signals or signals[regime].role is not Role.CONDITION:
                self.fault(f"regimes[{i}]", f"{regime!r} must be a signal of role condition")
        commands = asset_model_checks.commands(self, top.get("commands", {}))
        modes = [mode.name for component in components.values() for mode in component.modes]
        diagnosis = asset_model_checks.diagnosis(self, top.get("diagnosis", {}), signals, modes, commands)
        unit = top.get("lifetime_unit", "h")
        if unit not in ("h", "cycles"):
            self.fault("lifetime_unit", f"{unit!r} must be h or cycles")
        made = AssetModel(
            name=name,
            version=version,
            title=self.text(top, "title", ""),
            currency=self.text(top, "currency", "", "EUR"),
            signals=signals,
            running_when=self.running(top.get("running_when"), signals),
            regimes=tuple(map(str, regimes)),
            components=components,
            detection=self.settings(Detection, top.get("detection", {}), "detection"),
            prognosis=self.settings(Prognosis, top.get("prognosis", {}), "prognosis"),
            decision=self.settings(Decision, top.get("decision", {}), "decision"),
            lifetime_unit=str(unit),
            commands=commands,
            diagnosis=diagnosis,
            plans=asset_model_plans.plans(self, top.get("plans", {})),
        )
        detection_methods.check(self, made)
        if detection_methods.methods_of(made)[0] != detection_methods.SEASONAL:
            return made
        given = top.get("detection") or {}
        alone = {key: value for key, value in detection_methods.ALONE.items() if key not in given}
        return replace(made, detection=replace(made.detection, **alone))

    def settings(self, kind: type[_Settings], value: Any, path: str) -> _Settings:
        """One settings group: numbers and switches, each with the type of its default."""
        defaults = kind()
        of = self.mapping(value, path, {f.name for f in fields(defaults)})
        taken: dict[str, Any] = {}
        for field in fields(defaults):
            if field.name not in of:
                continue
            given, default, inner = of[field.name], getattr(defaults, field.name), f"{path}.{field.name}"
            if isinstance(default, bool):
                if not isinstance(given, bool):
                    self.fault(inner, f"{given!r} must be true or false")
                taken[field.name] = given
            elif isinstance(default, tuple):
                taken[field.name] = self.methods(given, inner)
            elif isinstance(default, int):
                taken[field.name] = int(self.number(given, inner, 1, 1e6))
            else:
                taken[field.name] = self.number(given, inner, 0)
        return replace(defaults, **taken)

    def methods(self, value: Any, path: str) -> tuple[str, ...]:
        known = detection_methods.METHODS
        if not isinstance(value, list) or not value or any(v not in known for v in value):
            self.fault(path, f"must be a list of {', '.join(known)}")
            return ()
        if len(set(value)) < len(value):
            self.fault(path, "names a method twice")
        return tuple(m for m in known if m in value)

    def signal(self, name: str, value: Any, path: str) -> Signal:
        of = self.mapping(value, path, {"unit", "range", "role", "title"})
        if not is_name(name):
            self.fault(path, f"{name!r} must be {NAME_RULE}")
        unit = self.text(of, "unit", path)
        if unit and not self.unit_known(unit):
            self.fault(f"{path}.unit", f"{unit!r} is no UCUM code that is known")
        limits = of.get("range")
        low = high = 0.0
        if not isinstance(limits, list) or len(limits) != 2:
            self.fault(f"{path}.range", "must be [lowest, highest]")
        else:
            low, high = (self.number(x, f"{path}.range[{i}]") for i, x in enumerate(limits))
            if low >= high:
                self.fault(f"{path}.range", f"lowest {low:g} must be below highest {high:g}")
        role = of.get("role")
        if role not in [r.value for r in Role]:
            self.fault(f"{path}.role", f"{role!r} must be one of {', '.join(r.value for r in Role)}")
            role = Role.SYMPTOM.value
        return Signal(name, unit, low, high, Role(role), self.text(of, "title", path, name))

    def running(self, value: Any, signals: Mapping[str, Signal]) -> Running | None:
        if value is None:
            return None
        match = RUNNING.fullmatch(str(value))
        try:
            if match and match[1] in signals:
                return Running(match[1], match[2], float(match[3]))
        except ValueError:
            pass
        self.fault("running_when", f"{value!r} must read SIGNAL > NUMBER (or >=, <, <=) with a signal of this model")
        return None

    def component(self, name: str, value: Any, signals: Mapping[str, Signal], path: str) -> Component:
        of = self.mapping(value, path, {"title", "failure_modes"})
        if not is_name(name):
            self.fault(path, f"{name!r} must be {NAME_RULE}")
        modes = self.mapping(of.get("failure_modes"), f"{path}.failure_modes")
        return Component(
            name,
            self.text(of, "title", path, name),
            tuple(self.failure_mode(key, m, name, signals, f"{path}.failure_modes.{key}") for key, m in modes.items()),
        )

    def failure_mode(
        self, name: str, value: Any, component: str, signals: Mapping[str, Signal], path: str
    ) -> FailureMode:
        of = self.mapping(
            value, path, {"title", "code", "kind", "symptoms", "limit", "checks", "remedy", "part", "skill", "minutes",
                          "costs", "covered", "consequence", "loss", "checklist", "permits", "remote", "words"},
        )  # fmt: skip
        if not is_name(name):
            self.fault(path, f"{name!r} must be {NAME_RULE}")
        kind = of.get("kind", "breakdown")
        if kind not in ("breakdown", "efficiency"):
            self.fault(f"{path}.kind", f"{kind!r} must be breakdown or efficiency")
        symptoms = []
        for signal, direction in self.mapping(of.get("symptoms"), f"{path}.symptoms").items():
            if signal not in signals:
                self.fault(f"{path}.symptoms.{signal}", "is no signal of this model")
            if direction not in ("up", "down", "any"):
                self.fault(f"{path}.symptoms.{signal}", f"{direction!r} must be up, down or any")
            symptoms.append(Symptom(signal, str(direction)))
        checks = of.get("checks", [])
        if not isinstance(checks, list) or not all(isinstance(c, str) for c in checks):
            self.fault(f"{path}.checks", "must be a list of texts")
            checks = []
        part = of.get("part")
        if part is not None and not isinstance(part, str):
            self.fault(f"{path}.part", f"{part!r} must be a text")
        covered = of.get("covered", False)
        if not isinstance(covered, bool):
            self.fault(f"{path}.covered", f"{covered!r} must be true or false")
        costs = self.mapping(of.get("costs"), f"{path}.costs", set(COSTS))
        failure, planned, false_visit = (self.cost(costs.get(c), f"{path}.costs.{c}") for c in COSTS)
        return FailureMode(
            name=name,
            title=self.text(of, "title", path),
            component=component,
            code=self.text(of, "code", path, "OTH"),
            kind=str(kind),
            symptoms=tuple(symptoms),
            limit=self.limit(of.get("limit"), signals, f"{path}.limit"),
            checks=tuple(checks),
            remedy=self.text(of, "remedy", path),
            part=part,
            skill=self.text(of, "skill", path),
            minutes=int(self.number(of.get("minutes"), f"{path}.minutes", 1, 100_000)),
            failure=failure,
            planned=planned,
            false_visit=false_visit,
            covered=bool(covered),
            consequence=self.text(of, "consequence", path),
            loss=self.loss(of.get("loss"), str(kind), signals, f"{path}.loss"),
            checklist=asset_model_steps.steps(self, of.get("checklist", []), f"{path}.checklist"),
            remote=self.remote(of.get("remote"), f"{path}.remote"),
            permits=asset_model_steps.permits(self, of.get("permits", []), f"{path}.permits"),
            words=self.words(of.get("words", {}), f"{path}.words"),
        )

    def words(self, value: Any, path: str) -> dict[str, ModeWords]:
        made = {}
        for language, given in self.mapping(value, path).items():
            here = f"{path}.{language}"
            if not (isinstance(language, str) and len(language) == len("zh") and language.islower()):
                self.fault(here, "must be the code of a language, such as zh")
            of = self.mapping(given, here, {"title", "remedy", "consequence"})
            made[str(language)] = ModeWords(*(self.text(of, key, here) for key in ("title", "remedy", "consequence")))
        return made

    def remote(self, value: Any, path: str) -> RemoteFix | None:
        if value is None:
            return None
        of = self.mapping(value, path, {"remedy", "works", "cost", "hours"})
        works = self.number(of.get("works"), f"{path}.works", 0, 1)
        if works == 0:
            self.fault(f"{path}.works", "must be above 0")
        return RemoteFix(
            self.text(of, "remedy", path), works, self.cost(of.get("cost"), f"{path}.cost"),
            self.number(of.get("hours"), f"{path}.hours", 0.1, 10_000),
        )  # fmt: skip

    def loss(self, value: Any, kind: str, signals: Mapping[str, Signal], path: str) -> Loss | None:
        if value is None:
            return None
        of = self.mapping(value, path, {"power", "kw_per_unit", "output", "price"})
        if kind != "efficiency":
            self.fault(path, "is only for failure modes of kind efficiency")
        for name in ("power", "output"):
            at = of.get(name)
            if at is None and name == "output":
                continue
            if not isinstance(at, str) or at not in signals or signals[at].role is not Role.SYMPTOM:
                self.fault(f"{path}.{name}", f"{at!r} must be a signal of this model with the role symptom")
        return Loss(
            str(of.get("power")), self.number(of.get("kw_per_unit", 1.0), f"{path}.kw_per_unit", 0),
            None if of.get("output") is None else str(of["output"]),
            self.number(of.get("price"), f"{path}.price", 0),
        )  # fmt: skip

    def cost(self, value: Any, path: str) -> Cost:
        if value is None:
            self.fault(path, "is missing: {customer: MONEY, provider: MONEY}; an unknown cost is never assumed")
            return Cost(0.0, 0.0)
        of = self.mapping(value, path, {"customer", "provider"})
        for bearer in ("customer", "provider"):
            if bearer not in of:
                self.fault(f"{path}.{bearer}", "is missing: say 0 if this bearer pays nothing")
        return Cost(*(self.number(of.get(b, 0), f"{path}.{b}", 0) for b in ("customer", "provider")))

    def limit(self, value: Any, signals: Mapping[str, Signal], path: str) -> Limit | None:
        if value is None:
            return None
        of = self.mapping(value, path, {"signal", "value", "spread"})
        signal = of.get("signal")
        if signal is not None and signal not in signals:
            self.fault(f"{path}.signal", f"{signal!r} is no signal of this model")
        return Limit(
            None if signal is None else str(signal),
            self.number(of.get("value"), f"{path}.value"),
            self.number(of.get("spread", 0.2), f"{path}.spread", 0, 2),
        )
