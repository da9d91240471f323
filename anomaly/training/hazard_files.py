"""A hazard from events in a model's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.boosted import Trees
from anomaly.domain.hazard import SPANS, Calibration, EventHazard, Fleet
from anomaly.domain.hazard_features import COLUMNS, MEMORY_HOURS, WINDOW_HOURS, Lifetimes, Tables
from anomaly.training.files import BadModel, read, write

HAZARD = "hazard-from-events"
PARTS = ("feature", "threshold", "left", "right", "missing_left", "value", "roots")


def write_hazard(folder: Path, hazard: EventHazard, about: Mapping[str, object]) -> str:
    """Write a hazard into a new folder; returns the SHA-256 of its manifest. Raises FileExistsError."""
    tables, fleet = hazard.tables, hazard.fleet
    arrays: dict[str, NDArray[Any]] = {"directions": tables.directions}
    for i, (trees, calibration) in enumerate(zip(hazard.boosters, hazard.calibrations, strict=True)):
        arrays |= {f"span_{i}_{part}": getattr(trees, part) for part in PARTS}
        arrays |= {f"span_{i}_said": calibration.said, f"span_{i}_true": calibration.true}
    values: dict[str, object] = {
        "columns": list(COLUMNS),
        "components": list(fleet.components),
        "codes": list(fleet.codes),
        "signals": list(fleet.signals),
        "failures": list(hazard.failures),
        "trees": [{"depth": t.depth, "base": t.base} for t in hazard.boosters],
        "followed": [
            [[[sorted(codes), rate] for codes, rate in table.items()] for table in memories]
            for memories in tables.followed
        ],
        "usual": [list(rates) for rates in tables.usual],
        "lives": [[life.shape, life.scale] for life in tables.lives],
        "rhythm_hours": tables.rhythm_hours if np.isfinite(tables.rhythm_hours) else None,
    }
    return write(folder, HAZARD, values, arrays, about)


def read_hazard(folder: Path, sha256: str | None = None) -> EventHazard:
    """Read a hazard that `write_hazard` wrote; every part is looked at before it is used. Raises BadModel."""
    stored = read(folder, HAZARD, sha256)
    a, v = stored.arrays, stored.values
    if v.get("columns") != list(COLUMNS):
        raise BadModel(f"{folder} was made for other columns than this product makes: fit it anew")
    try:
        fleet = Fleet(tuple(v["components"]), tuple(v["codes"]), tuple(v["signals"]))
        tables = Tables(
            tuple(
                tuple({frozenset(map(int, codes)): float(rate) for codes, rate in table} for table in memories)
                for memories in v["followed"]
            ),
            tuple(tuple(map(float, rates)) for rates in v["usual"]),
            tuple(Lifetimes(float(shape), float(scale)) for shape, scale in v["lives"]),
            _numbers(a["directions"]),
            float("nan") if v["rhythm_hours"] is None else float(v["rhythm_hours"]),
        )
        boosters = tuple(_trees(a, i, v["trees"][i]) for i in range(len(SPANS)))
        calibrations = tuple(
            Calibration(_numbers(a[f"span_{i}_said"]), _numbers(a[f"span_{i}_true"])) for i in range(len(SPANS))
        )
        hazard = EventHazard(fleet, tables, boosters, calibrations, tuple(map(int, v["failures"])))
    except (KeyError, TypeError, ValueError, IndexError) as failure:
        raise BadModel(f"{folder} lacks a part of a hazard: {failure!r}") from failure
    fault = _fault(hazard)
    if fault:
        raise BadModel(f"{folder} does not fit together: {fault}")
    return hazard


def _fault(hazard: EventHazard) -> str:
    fleet, tables, many = hazard.fleet, hazard.tables, len(hazard.fleet.components)
    if tables.directions.shape != (many, len(WINDOW_HOURS), len(fleet.signals)):
        return "directions of another shape"
    if not len(tables.followed) == len(tables.usual) == len(tables.lives) == len(hazard.failures) == many:
        return f"tables that are not of {many} components"
    if any(len(memories) != len(MEMORY_HOURS) for memories in (*tables.followed, *tables.usual)):
        return "tables of other memories"
    if any(life.shape <= 0 or life.scale <= 0 for life in tables.lives):
        return "a life that is not above 0"
    for calibration in hazard.calibrations:
        said, true = calibration.said, calibration.true
        if not len(said) or said.shape != true.shape or (np.diff(said) < 0).any():
            return "a calibration that does not rise"
        if not ((true >= 0) & (true <= 1)).all():
            return "a chance beyond 0 to 1"
    return next((fault for fault in (trees.fault(len(COLUMNS)) for trees in hazard.boosters) if fault), "")


def _trees(a: Mapping[str, NDArray[Any]], i: int, values: Mapping[str, float]) -> Trees:
    feature, threshold, left, right, missing, value, roots = (a[f"span_{i}_{part}"] for part in PARTS)
    return Trees(
        feature.astype(np.int32), _numbers(threshold), left.astype(np.int32), right.astype(np.int32),
        missing.astype(bool), _numbers(value), roots.astype(np.int32), int(values["depth"]), float(values["base"]),
    )  # fmt: skip


def _numbers(a: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(a, dtype=np.float64)
