"""Reads a driver's YAML file, strictly: every fault at once, each with file, field, value and rule.

A driver asks for the fields that it knows; what it did not ask for is refused. Nothing here connects to anything.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import TypeVar

import yaml

from contracts.names import NAME_RULE, is_name
from edge_agent.domain.driving import Fault, Option, Options, Scaling
from edge_agent.service import EdgeAgentError

FILE = (Option("file", str, "the YAML file that says what is read, see docs/drivers.md"),)
NOT_SHOWN = "(not shown)"
MAX_BYTES = 4_000_000
MAX_DEPTH = 12
MAX_NODES = 200_000
"""Aliases can make a small file endless."""
SHORTEST_S, LONGEST_S = 0.05, 86_400.0
_MISSING = object()
_Made = TypeVar("_Made")


class BadDriverFile(EdgeAgentError):
    """A driver's file cannot be used; `faults` names everything that is wrong."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Secret:
    """A password that no print and no error shows."""

    text: str = field(repr=False, default="")

    def __str__(self) -> str:
        return "***"


class Section:
    """One mapping of the file. Ask for its fields, then call `done`.

    Parameters
    ----------
    values
        What stands in it.
    path
        Where it stands, such as `chiller.yaml: signals.flow`.
    folder
        What relative paths start from.
    faults
        Where faults are added.
    """

    def __init__(self, values: Mapping[str, object], path: str, folder: Path, faults: list[Fault]) -> None:
        self._values, self._path, self._folder, self._faults = values, path, folder, faults
        self._known: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def fault(self, name: str, value: object, rule: str) -> None:
        """Something is wrong with a field ("" = with the section itself)."""
        self._faults.append(Fault(self._at(name) if name else self._path, value, rule))

    def text(self, name: str, what: str, default: str | None = None) -> str:
        """A text; without a default it must be there."""
        value = self._get(name, what, default)
        if value is _MISSING:
            return ""
        if not isinstance(value, str) or (not value.strip() and default is None):
            self.fault(name, value, f"must be a text: {what}")
            return default or ""
        return value.strip()

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of some words."""
        what = f"one of {', '.join(allowed)}"
        value = self._get(name, what, default)
        if value is _MISSING:
            return allowed[0]
        if not isinstance(value, str) or value not in allowed:
            self.fault(name, value, f"must be {what}")
            return default or allowed[0]
        return value

    def number(self, name: str, what: str, default: float | None = None, low: float = -inf, high: float = inf) -> float:
        """A finite number within limits."""
        value = self._get(name, what, default)
        stand_in = default if default is not None else max(low, min(high, 0.0))
        if value is _MISSING:
            return stand_in
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and low <= value <= high:
            return float(value)
        self.fault(name, value, f"must be a number{_between(low, high)}: {what}")
        return stand_in

    def whole(self, name: str, what: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number within limits."""
        value = self._get(name, what, default)
        stand_in = default if default is not None else low
        if value is _MISSING:
            return stand_in
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.fault(name, value, f"must be a whole number{_between(low, high)}: {what}")
        return stand_in

    def truth(self, name: str, what: str, default: bool) -> bool:
        """True or false."""
        value = self._get(name, what, default)
        if isinstance(value, bool):
            return value
        self.fault(name, value, f"must be true or false: {what}")
        return default

    def wholes(self, name: str, what: str) -> tuple[int, ...]:
        """A list of whole numbers; none by default."""
        value = self._get(name, what, [])
        if isinstance(value, list) and all(isinstance(item, int) and not isinstance(item, bool) for item in value):
            return tuple(value)
        self.fault(name, value, f"must be a list of whole numbers: {what}")
        return ()

    def words(self, name: str, what: str) -> Mapping[str, float | bool]:
        """Numbers or truths by the words that stand for them; none by default."""
        value = self._get(name, what, {})
        if isinstance(value, dict) and all(isinstance(item, int | float) for item in value.values()):
            return {str(word): item for word, item in value.items()}
        self.fault(name, value, f"must be words, each with a number or a truth: {what}")
        return {}

    def seconds(self, name: str, what: str, default: float | None = None) -> float:
        """A time between readings, from a twentieth of a second to a day."""
        return self.number(name, f"seconds, {what}", default, SHORTEST_S, LONGEST_S)

    def scaling(self) -> Scaling:
        """`scale` and `offset`."""
        scale = self.number("scale", "what the raw number is multiplied by", 1.0)
        if scale == 0:
            self.fault("scale", 0, "must not be 0: every reading would be the offset")
        return Scaling(scale, self.number("offset", "what is added after scaling", 0.0))

    def file(self, name: str, what: str, needed: bool = False) -> Path | None:
        """A file that is there and can be read."""
        given = self.text(name, what, None if needed else "")
        if not given:
            return None
        path = Path(self._folder, given)
        try:
            with path.open("rb"):
                return path
        except OSError as problem:
            self.fault(name, given, f"cannot be read: {problem.strerror}")
            return None

    def secret(self, name: str = "password") -> Secret:
        """A secret, in the file or in another one that `NAME_file` names; empty when there is none."""
        value = self._get(name, "a secret", "")
        if not isinstance(value, str):
            self.fault(name, NOT_SHOWN, "must be a text: quote it")
            value = ""
        path = self.file(f"{name}_file", "a file that holds the secret")
        if path is None:
            return Secret(value)
        if value:
            self.fault(name, NOT_SHOWN, f"and {name}_file are both given: give one of them")
        try:
            return Secret(path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError):
            self.fault(f"{name}_file", str(path), "is no text")
            return Secret()

    def section(self, name: str, needed: bool = False) -> "Section":
        """A section within; empty when it is not there."""
        value = self._get(name, "a section", None if needed else {})
        if value is _MISSING:
            return Section({}, self._at(name), self._folder, [])
        return self._inner(value, name)

    def named(self, name: str, what: str) -> Iterator[tuple[str, "Section"]]:
        """The sections within a section, by their names; at least one."""
        value = self._get(name, what, None)
        if value is _MISSING:
            return
        if not isinstance(value, dict) or not value:
            self.fault(name, value, f"must be a section: {what}")
            return
        for key, inner in value.items():
            yield key, self._inner({} if inner is None else inner, f"{name}.{key}")

    def signals(self, taken: set[str] | None = None) -> Iterator[tuple[str, "Section"]]:
        """The section `signals`, each name checked; `taken` are names used elsewhere in the file."""
        for name, section in self.named("signals", "the signals, by their names"):
            if not is_name(name):
                section.fault("", name, f"a signal's name is {NAME_RULE}")
            elif taken is not None and name in taken:
                section.fault("", name, "stands twice in this file")
            if taken is not None:
                taken.add(name)
            yield name, section

    def unit(self) -> str:
        """The UCUM code of a signal where it is not the asset model's; "" = it is."""
        return self.text("unit", "a UCUM code such as Cel or mm/s", "")

    def done(self) -> None:
        """Refuse what nobody asked for."""
        for name, value in self._values.items():
            if name not in self._known:
                shown = value if isinstance(value, int | float) else NOT_SHOWN  # a misspelt password, perhaps
                self.fault(name, shown, f"is not known here; known: {', '.join(self._known)}")

    def _inner(self, value: object, name: str) -> "Section":
        if isinstance(value, dict):
            return Section(value, self._at(name), self._folder, self._faults)
        self.fault(name, value, "must be a section")
        return Section({}, self._at(name), self._folder, [])

    def _get(self, name: str, what: str, default: object) -> object:
        self._known.append(name)
        value = self._values.get(name)
        if value is None:
            if default is None:
                self.fault(name, None, f"is missing: {what}")
                return _MISSING
            return default
        return value

    def _at(self, name: str) -> str:
        return f"{self._path}{'' if self._path.endswith(': ') else '.'}{name}"


def read(options: Options, read_plan: Callable[[Section], _Made]) -> _Made:
    """What `read_plan` makes of the file that the options name. Raises BadDriverFile."""
    faults: list[Fault] = []
    path = Path(options.folder, options.text("file"))
    root = Section(_load(path, faults), f"{path.name}: ", path.parent, faults)
    made = read_plan(root)
    root.done()
    if faults:
        raise BadDriverFile(faults)
    return made


def check(options: Options, path: str, read_plan: Callable[[Section], object]) -> list[Fault]:
    """What is wrong with the file; `path` is where the driver stands in the settings."""
    try:
        read(options, read_plan)
    except BadDriverFile as bad:
        return [Fault(f"{path}: {fault.field}", fault.value, fault.rule) for fault in bad.faults]
    return []


def _load(path: Path, faults: list[Fault]) -> Mapping[str, object]:
    """The file's mapping; keys that are given twice become faults. Raises BadDriverFile when there is none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise OSError(f"is larger than {MAX_BYTES} bytes")
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as problem:
        raise BadDriverFile([Fault("file", str(path), f"cannot be read: {problem}")]) from problem
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        said = getattr(problem, "problem", None) or "cannot be read"
        raise BadDriverFile([Fault("file", str(path), f"is no YAML{where}: {said}")]) from problem
    made = _Plain(path.name, faults).of(root, "") if root is not None else None
    if not isinstance(made, dict):
        raise BadDriverFile([Fault("file", str(path), "must hold a mapping")])
    return made


class _Plain:
    """Turns YAML nodes into plain values; a key that is given twice is a fault, as PyYAML takes the last in silence."""

    def __init__(self, file: str, faults: list[Fault]) -> None:
        self._file, self._faults, self._nodes = file, faults, 0
        self._loader = yaml.SafeLoader("")

    def of(self, node: yaml.Node, path: str, depth: int = 0) -> object:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            rule = "is nested too deeply, or the file holds too much"
            raise BadDriverFile([Fault(f"{self._file}: {path[:100]}", NOT_SHOWN, rule)])
        if isinstance(node, yaml.MappingNode):
            out: dict[str, object] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                inner = f"{path}.{key}" if path else key
                if key in out:
                    self._fault(inner, "is given twice")
                out[key] = self.of(value_node, inner, depth + 1)
            return out
        if isinstance(node, yaml.SequenceNode):
            return [self.of(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(node.value)]
        try:
            value: object = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self._fault(path, "cannot be read")
            return None
        return value

    def _fault(self, path: str, rule: str) -> None:
        self._faults.append(Fault(f"{self._file}: {path}", NOT_SHOWN, rule))


def _between(low: float, high: float) -> str:
    if high < inf:
        return f" from {low:g} to {high:g}"
    return f" from {low:g} on" if low > -inf else ""
