"""`forewarn evaluate ai4i`: independent rows of a milling process, five folds. A smoke test of learning, no more.

The rows have no history and no time, so nothing can be forecast from them; the classes are as `forewarn train` fits
them: boosted trees kept as flat arrays. The threshold of each fold is chosen on rows of its training part.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.boosted import Trees
from anomaly.domain.layout import Array
from anomaly.evaluation.bootstrap import bootstrap
from anomaly.evaluation.drawing import bars
from anomaly.evaluation.files import BadData, finding, open_table, sha256_of
from anomaly.evaluation.perturbing import changed
from anomaly.evaluation.report import Options, Plot, Progress, Report
from anomaly.training.flat_trees import flattened
from anomaly.training.threads import one_thread

WHERE = 'The UCI Machine Learning Repository publishes the set as "AI4I 2020 Predictive Maintenance Dataset".'
NAMES = ("ai4i2020.csv", "ai4i*.csv")
COLUMNS = {
    "type": "type", "airtemperature": "air", "processtemperature": "process", "rotationalspeed": "speed",
    "torque": "torque", "toolwear": "wear", "machinefailure": "failed",
}  # fmt: skip
MODES = ("TWF", "HDF", "PWF", "OSF", "RNF")
TYPES = {"L": 0.0, "M": 1.0, "H": 2.0}
FOLDS = 5
TREES = {"max_iter": 150, "learning_rate": 0.08, "max_leaf_nodes": 15, "min_samples_leaf": 10, "early_stopping": False}
HELD = 0.25
"""Share of a training part that the threshold is chosen on."""

Flags = NDArray[np.bool_]


def evaluate(data: Path, subset: str | None, options: Options, progress: Progress) -> Report:
    """Five folds for each seed. Raises BadData."""
    path = finding(data, NAMES, WHERE)
    x, failed, modes = read(path)
    judged_x = _worse(x, options)
    alarm = np.zeros((options.seeds, len(x)), dtype=bool)
    fold = np.random.default_rng(0).permutation(len(x)) % FOLDS
    for seed in range(options.seeds):
        for k in range(FOLDS):
            inside = fold != k
            trees, threshold = fitted(x[inside], failed[inside], seed)
            alarm[seed, ~inside] = trees(judged_x[~inside]) > threshold
            progress(seed * FOLDS + k + 1, options.seeds * FOLDS, f"seed {seed}")
    rows = [(bool(f), tuple(a)) for f, a in zip(failed.tolist(), alarm.T.tolist(), strict=True)]
    interesting = [row for row in rows if row[0] or any(row[1])]
    ci95 = {name: found for name, of in FIGURES.items() if (found := bootstrap(interesting, of, seed=0)) is not None}
    found_by = {name: alarm[:, flags].mean() if flags.any() else None for name, flags in modes.items()}
    items: list[dict[str, object]] = [
        {"mode": name, "rows": int(modes[name].sum()), "found": share} for name, share in found_by.items()
    ]
    return Report(
        "ai4i", subset or "", tuple(range(options.seeds)), sha256_of([path], data),
        {"folds": FOLDS, "rows": len(x), "failures": int(failed.sum()), "trees": str(TREES)},
        {name: of(rows) for name, of in FIGURES.items()}, ci95, items,
        [Plot("Failures found, by mode", bars(list(found_by), list(found_by.values()), y_label="share found"))],
    )  # fmt: skip


def read(path: Path) -> tuple[Array, Flags, dict[str, Flags]]:
    """Features, whether it failed, and by which mode. Raises BadData."""
    table = open_table(path)
    plain = {"".join(c for c in str(name).split("[")[0].lower() if c.isalpha()): name for name in table.columns}
    lacking = [name for name in COLUMNS if name not in plain]
    if lacking:
        raise BadData(f"{path} lacks the columns {', '.join(lacking)}")
    if not set(table[plain["type"]].unique()) <= set(TYPES):
        raise BadData(f"{path}: the type must be L, M or H")
    get = {short: table[plain[name]] for name, short in COLUMNS.items()}
    try:
        air, process, speed, torque, wear = (
            get[name].to_numpy(dtype=np.float64) for name in ("air", "process", "speed", "torque", "wear")
        )
        failed = get["failed"].to_numpy(dtype=np.float64) > 0
    except ValueError as wrong:
        raise BadData(f"{path}: {wrong}") from wrong
    quality = np.array([TYPES[str(one)] for one in get["type"]])
    modes = {m: table[m].to_numpy(dtype=np.float64) > 0 for m in MODES if m in table.columns}
    return np.column_stack([quality, air, process, speed, torque, wear]), failed, modes


def derived(x: Array) -> Array:
    """Readings with what a millwright would look at besides: power, temperature difference, strain."""
    _, air, process, speed, torque, wear = x.T
    return np.column_stack([x, torque * speed * 2 * np.pi / 60, process - air, wear * torque])


def fitted(x: Array, failed: Flags, seed: int) -> tuple[Callable[[Array], Array], float]:
    """Trees and the threshold of best F1 on rows that they were not fitted on."""
    apart = np.random.default_rng([seed, 1]).random(len(x)) < HELD
    said, true = _trees(x[~apart], failed[~apart], seed)(derived(x[apart])), failed[apart]
    threshold = max(np.unique(said).tolist(), key=lambda at: _f1(true, said >= at), default=0.0) - 1e-12
    trees = _trees(x, failed, seed)
    return lambda rows: trees(derived(rows)), threshold


def _trees(x: Array, failed: Flags, seed: int) -> Trees:
    from sklearn.ensemble import HistGradientBoostingClassifier

    with one_thread():
        return flattened(HistGradientBoostingClassifier(**TREES, random_state=seed).fit(derived(x), failed))


def _worse(x: Array, options: Options) -> Array:
    if options.perturb is None:
        return x
    import pandas as pd

    frame = pd.DataFrame(x)
    frame.columns = pd.Index([f"c{j}" for j in range(x.shape[1])])
    worse = changed(options.perturb, frame, [f"c{j}" for j in range(1, x.shape[1])], seed=0)
    return (
        worse.sort_index().loc[~worse.sort_index().index.duplicated()].reindex(frame.index).to_numpy(dtype=np.float64)
    )


def _f1(true: Flags, said: Flags) -> float:
    hits = int((true & said).sum())
    return 2 * hits / max(1, int(true.sum()) + int(said.sum()))


Row = tuple[bool, tuple[bool, ...]]
"""Whether it failed, and whether it was alarmed by each seed."""


def _counts(rows: Sequence[Row]) -> tuple[int, int, int]:
    hits = sum(sum(alarms) for failed, alarms in rows if failed)
    return hits, sum(sum(alarms) for _, alarms in rows), sum(len(alarms) for failed, alarms in rows if failed)


def _whole_f1(rows: Sequence[Row]) -> float | None:
    hits, said, true = _counts(rows)
    return 2 * hits / (said + true) if said + true else None


def _precision(rows: Sequence[Row]) -> float | None:
    hits, said, _ = _counts(rows)
    return hits / said if said else None


def _recall(rows: Sequence[Row]) -> float | None:
    hits, _, true = _counts(rows)
    return hits / true if true else None


FIGURES: dict[str, Callable[[Sequence[Row]], float | None]] = {
    "f1": _whole_f1, "precision": _precision, "recall": _recall,
}  # fmt: skip
