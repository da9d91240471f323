"""Turbofan engines (C-MAPSS): the files as lives, columns named by the asset model that the product ships."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from anomaly.domain.layout import Array
from anomaly.evaluation.files import BadData, content, every, finding, plain_name
from anomaly.training.remaining_life import Lived
from contracts.asset_model_text import parse

WHERE = (
    'NASA\'s Prognostics Center of Excellence publishes the set as "Turbofan Engine Degradation Simulation" '
    "(CMAPSSData.zip)."
)
SETTINGS, COLUMNS = 3, 26
MODEL = "turbofan.yaml"


@dataclass(frozen=True)
class Columns:
    """Names of the file's columns, and the width of the declared range of each setting."""

    conditions: tuple[str, ...]
    signals: tuple[str, ...]
    spans: tuple[float, ...]


@dataclass(frozen=True)
class Engines:
    """One subset: engines run to failure, and engines cut off with what was left to them."""

    train: list[Lived]
    test: list[Lived]
    files: tuple[Path, ...]


def columns() -> Columns:
    """By the asset model of a turbofan."""
    model = parse((resources.files("asset_models") / MODEL).read_text("utf-8"), MODEL, lambda code: True)
    names = tuple(model.signals)
    spans = tuple(model.signals[name].high - model.signals[name].low for name in names[:SETTINGS])
    return Columns(names[:SETTINGS], names[SETTINGS:], spans)


def subset_of(data: Path, asked: str | None) -> str:
    """The subset that is asked for, or the first that is there. Raises BadData."""
    if asked is not None:
        return asked
    found = sorted({plain_name(p).removeprefix("train_").removesuffix(".txt") for p in every(data, "train_*.txt")})
    if not found:
        raise BadData(f"{data} holds no train_FD001.txt (plain, .xz or .gz). {WHERE}")
    return found[0]


def engines(data: Path, subset: str) -> Engines:
    """Read one subset. Raises BadData."""
    paths = tuple(finding(data, [name], WHERE) for name in _names(subset))
    train, test = read(paths[0]), read(paths[1])
    left = _numbers(paths[2])
    if left.shape != (len(test), 1) or not (left >= 0).all():
        raise BadData(f"{paths[2]} must hold one number of remaining cycles for each of {len(test)} engines")
    return Engines(
        [_lived(unit, rows, 0.0) for unit, rows in train.items()],
        [_lived(unit, rows, float(n)) for (unit, rows), n in zip(test.items(), left[:, 0].tolist(), strict=True)],
        paths,
    )


def _names(subset: str) -> Sequence[str]:
    return f"train_{subset}.txt", f"test_{subset}.txt", f"RUL_{subset}.txt"


def read(path: Path) -> dict[int, Array]:
    """Rows of every engine, (cycles, 26), by its number. Raises BadData."""
    table = _numbers(path)
    if table.shape[1] != COLUMNS:
        raise BadData(f"{path} has {table.shape[1]} columns, must have {COLUMNS}")
    out = {int(unit): table[table[:, 0] == unit] for unit in np.unique(table[:, 0])}
    for unit, rows in out.items():
        if not (np.diff(rows[:, 1]) > 0).all():
            raise BadData(f"{path}: the cycles of engine {unit} do not grow")
    return out


def _numbers(path: Path) -> Array:
    try:
        rows = [[float(cell) for cell in line.split()] for line in content(path).decode("ascii").splitlines()]
        table = np.array([row for row in rows if row])
    except (ValueError, UnicodeDecodeError) as failure:
        raise BadData(f"{path} is no table of numbers: {failure}") from failure
    if table.ndim != 2:
        raise BadData(f"{path} holds no row")
    return table


def _lived(unit: int, rows: Array, left: float) -> Lived:
    end = float(rows[-1, 1]) + left
    return Lived(str(unit), rows[:, 1], rows[:, 2 + SETTINGS :], rows[:, 2 : 2 + SETTINGS], end, True)
