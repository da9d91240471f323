"""What a driver gives and what it takes: readings, batches, options and their faults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

Cell = float | bool | str | None
"""A value as the source has it. None = no reading. A text is sent as it is: the platform quarantines it by its path."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All signals of the source at one time; `t` as RFC 3339 text, as epoch milliseconds, or as found."""

    t: str | int
    values: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a poll gave.

    `position` is the driver's place in its source after these readings ("" = it has none); it is kept in one
    transaction with them. `due` is the monotonic second at which polling again makes sense; `problem` says in words
    what keeps the driver from reading ("" = nothing).
    """

    readings: list[Reading]
    position: str
    due: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a driver would read: a line each for people, and the units (UCUM) of signals that its own file states."""

    lines: Sequence[str] = ()
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scaling:
    """What turns a raw number into a value: `raw * scale + offset`."""

    scale: float = 1.0
    offset: float = 0.0

    def of(self, raw: Cell) -> Cell:
        """The value; texts, truths and None stay. Raises ValueError for what is no finite number."""
        if raw is None or isinstance(raw, bool | str):
            return raw
        value = float(raw) if self == UNSCALED else float(raw) * self.scale + self.offset
        if not isfinite(value):
            raise ValueError(f"{value} is no finite number")
        return value


UNSCALED = Scaling()


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a driver. A `default` of None means that it must be given."""

    name: str
    kind: type
    what: str
    default: str | float | None = None
    lowest: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One setting that cannot be: which, what it is, and the rule that it breaks."""

    field: str
    value: object
    rule: str

    def __str__(self) -> str:
        return f"{self.field}: {self.value!r}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Options:
    """Checked options of one driver; `folder` is what relative paths start from."""

    folder: str = "."
    values: Mapping[str, str | float] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The text option of that name."""
        return str(self.values[name])

    def number(self, name: str) -> float:
        """The number option of that name."""
        return float(self.values[name])


def read_options(
    known: tuple[Option, ...], given: Mapping[str, object], folder: str, path: str
) -> tuple[Options, list[Fault]]:
    """The options with their defaults, and what is wrong with them; `path` is where they stand in the settings."""
    faults = [
        Fault(f"{path}.{name}", value, f"is not known here; known: {', '.join(o.name for o in known) or 'none'}")
        for name, value in given.items()
        if name not in {o.name for o in known}
    ]
    taken: dict[str, str | float] = {}
    for option in known:
        where = f"{path}.{option.name}"
        if option.name not in given:
            if option.default is None:
                faults.append(Fault(where, None, f"is missing: {option.what}"))
            else:
                taken[option.name] = option.default
            continue
        value = given[option.name]
        if option.kind is str:
            if isinstance(value, str) and value:
                taken[option.name] = value
            else:
                faults.append(Fault(where, value, f"must be a text: {option.what}"))
        elif isinstance(value, bool) or not isinstance(value, int | float) or not option.lowest <= value < float("inf"):
            faults.append(Fault(where, value, f"must be a number from {option.lowest:g} on: {option.what}"))
        else:
            taken[option.name] = float(value)
    return Options(folder, taken), faults
