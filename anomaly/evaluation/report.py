"""What an evaluation found: all figures together, with their uncertainty, and what they were measured on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

VERSION = 1


class Progress(Protocol):
    """Told how far a long piece of work is."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """`done` of `total` steps of `what` are behind us."""
        ...


def silent(done: int, total: int, what: str) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an evaluation may be told besides its data."""

    train: str | None = None
    """Part of the set that thresholds are fixed on; it is then not scored. None = every part is scored."""
    seeds: int = 3
    """Number of seeds, 0 to seeds - 1."""
    perturb: str | None = None
    """Name of one change of `anomaly.evaluation.perturbing.CHANGES` that what is judged undergoes."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing that stands alone; see `anomaly.evaluation.drawing`."""

    title: str
    svg: str


@dataclass(frozen=True)
class Report:
    """One evaluation of one set."""

    dataset: str
    subset: str
    seeds: tuple[int, ...]
    data_sha256: Mapping[str, str]
    config: Mapping[str, object]
    figures: Mapping[str, float | None]
    """Value by name; None = cannot be computed from this data."""
    ci95: Mapping[str, tuple[float, float]]
    """Bootstrap 95 % interval by name of figure, over the items that were drawn (engines, experiments, machines)."""
    per_item: list[dict[str, object]]
    plots: list[Plot] = field(default_factory=list)
    perturbed: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """Figures once more by name of a change to the data; empty = not asked for."""

    def as_json(self) -> bytes:
        """The report without its drawings; what is no finite number is null."""
        shown: dict[str, object] = {
            "version": VERSION,
            "dataset": self.dataset,
            "subset": self.subset,
            "seeds": list(self.seeds),
            "data_sha256": dict(self.data_sha256),
            "config": self.config,
            "figures": self.figures,
            "ci95": {name: list(bounds) for name, bounds in self.ci95.items()},
            "per_item": self.per_item,
        }
        if self.perturbed:
            shown["perturbed"] = self.perturbed
        return msgspec.json.format(msgspec.json.encode(_plain(shown)), indent=1) + b"\n"


def _plain(x: object) -> object:
    if isinstance(x, Mapping):
        return {str(name): _plain(value) for name, value in x.items()}
    if isinstance(x, list | tuple):
        return [_plain(value) for value in x]
    if x is None or isinstance(x, str | bool | int):
        return x
    if isinstance(x, float):
        return float(x) if math.isfinite(x) else None
    tolist = getattr(x, "tolist", None)
    return _plain(tolist()) if tolist is not None else str(x)
