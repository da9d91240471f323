"""A remaining life in a model's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.boosted import Trees
from anomaly.domain.learned_life import Hazard, Interval, LearnedLife
from anomaly.domain.life_features import FEATURES, Scaling, count
from anomaly.domain.regimes import Regimes
from anomaly.training.files import BadModel, read, write

LIFE = "remaining-life"
TREE_ARRAYS = ("feature", "threshold", "left", "right", "missing_left", "value", "roots")


def write_life(folder: Path, model: LearnedLife, about: Mapping[str, object]) -> str:
    """Write a model into a new folder; returns the SHA-256 of its manifest. Raises FileExistsError.

    Parameters
    ----------
    about
        What a model card needs, plain values only: metrics, hash of the data, lives it was fitted on.
    """
    regimes, hazard = model.scaling.regimes, model.hazard
    arrays: dict[str, NDArray[Any]] = {
        "combinations": regimes.combinations,
        "centre": model.scaling.centre,
        "spread": model.scaling.spread,
        "weights": model.weights,
        "knots": model.interval.knots,
        "interval_low": model.interval.low,
        "interval_high": model.interval.high,
        **_arrays("middle", model.middle),
    }
    for j, (low, high) in enumerate(zip(regimes.low, regimes.high, strict=True)):
        arrays |= {f"level_low_{j}": low, f"level_high_{j}": high}
    values: dict[str, object] = {
        "features": FEATURES,
        "signals": list(model.signals),
        "conditions": list(model.conditions),
        "step_hours": model.step_hours,
        "with_age": model.with_age,
        "cap_hours": model.cap_hours,
        "middle": _plain(model.middle),
        "hazard": _plain(hazard.trees) if hazard is not None else None,
    }
    if hazard is not None:
        arrays |= {"edges": hazard.edges, "said": hazard.said, "meant": hazard.meant, **_arrays("hazard", hazard.trees)}
    return write(folder, LIFE, values, arrays, about)


def read_life(folder: Path, sha256: str | None = None) -> LearnedLife:
    """Read a model that `write_life` wrote; every part is looked at before it is used. Raises BadModel."""
    stored = read(folder, LIFE, sha256)
    a, v = stored.arrays, stored.values
    if v.get("features") != FEATURES:
        raise BadModel(f"{folder} was made for features {v.get('features')}, this product makes {FEATURES}: train anew")
    try:
        dimensions = range(sum(name.startswith("level_low_") for name in a))
        regimes = Regimes(
            tuple(_numbers(a[f"level_low_{j}"]) for j in dimensions),
            tuple(_numbers(a[f"level_high_{j}"]) for j in dimensions),
            np.asarray(a["combinations"], dtype=np.int64),
        )
        hazard = None
        if v["hazard"] is not None:
            hazard = Hazard(
                _numbers(a["edges"]), _trees("hazard", a, v["hazard"]), _numbers(a["said"]), _numbers(a["meant"])
            )
        model = LearnedLife(
            tuple(v["signals"]),
            tuple(v["conditions"]),
            float(v["step_hours"]),
            Scaling(regimes, _numbers(a["centre"]), _numbers(a["spread"])),
            _numbers(a["weights"]),
            bool(v["with_age"]),
            float(v["cap_hours"]),
            _trees("middle", a, v["middle"]),
            Interval(*(_numbers(a[n]) for n in ("knots", "interval_low", "interval_high"))),
            hazard,
        )
    except (KeyError, TypeError, ValueError) as failure:
        raise BadModel(f"{folder} lacks a part of a remaining life: {failure!r}") from failure
    fault = _fault(model)
    if fault:
        raise BadModel(f"{folder} does not fit together: {fault}")
    return model


def _fault(model: LearnedLife) -> str:
    k = len(model.signals)
    shape = (model.scaling.regimes.count, k)
    if model.scaling.centre.shape != shape or model.scaling.spread.shape != shape or model.weights.shape[:1] != (k,):
        return f"arrays are not of {k} signals and {shape[0]} regimes"
    if not (np.isfinite(model.scaling.spread).all() and (model.scaling.spread > 0).all()):
        return "a spread that is not above 0"
    features = count(*model.weights.shape, with_age=model.with_age)
    fault = model.middle.fault(features)
    if not fault and model.hazard is not None:
        fault = model.hazard.trees.fault(features + 1)
    return fault


def _arrays(name: str, trees: Trees) -> dict[str, NDArray[Any]]:
    return {f"{name}_{part}": getattr(trees, part) for part in TREE_ARRAYS}


def _plain(trees: Trees) -> dict[str, float]:
    return {"depth": trees.depth, "base": trees.base}


def _trees(name: str, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, float]) -> Trees:
    feature, threshold, left, right, missing, value, roots = (arrays[f"{name}_{part}"] for part in TREE_ARRAYS)
    return Trees(
        feature.astype(np.int32), _numbers(threshold), left.astype(np.int32), right.astype(np.int32),
        missing.astype(bool), _numbers(value), roots.astype(np.int32), int(values["depth"]), float(values["base"]),
    )  # fmt: skip


def _numbers(a: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(a, dtype=np.float64)
