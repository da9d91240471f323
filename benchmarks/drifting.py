"""Share of the time in alarm on records without any fault in which temperatures drift and other signals go along.

    .venv/bin/python -m benchmarks.drifting --data DIR [--json FILE]

DIR holds labelled experiments of a water circuit (SKAB). Their healthy beginnings are put one after the other, steady
signals at the level of the first, temperatures each going on where the one before ended; then drift of several shapes
is laid over: the temperatures by degrees, the others by so many of their healthy spreads. `joined` is left as it was
measured: each seam is a restart of the machine at another level, which is more than drift. Judged as
`forewarn evaluate skab` judges a record without faults: pieces of 3,400 rows that learn from their first 400.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomaly.adapters.detect import detect
from anomaly.adapters.table import Table
from anomaly.evaluation.files import every, open_table
from anomaly.evaluation.skab import CHANGE, LABEL, PIECE_ROWS, PIECE_STEP, TIME, TRAIN_ROWS

Floats = NDArray[np.float64]
SAFE_ROWS = 10
"""The last rows before a fault's label are left out: it may begin before its label."""
SEAM_ROWS = 300
SLOW = ("Temperature", "Thermocouple")
DEGREES = (15.0, 3.0)
GOES_ALONG = {
    "Current": 1.0, "Volume Flow RateRMS": -0.5, "Accelerometer1RMS": 1.0, "Accelerometer2RMS": -0.7, "Voltage": 0.3,
}  # fmt: skip
"""How other signals follow the drift."""


def wandered(n: int) -> Floats:
    """A random walk, as wide as 1."""
    walk = np.cumsum(np.random.default_rng(9).normal(size=n))
    out: Floats = walk / float(np.std(walk))
    return out


SHAPES: dict[str, tuple[Callable[[Floats, int], Floats], float]] = {
    "settling": (lambda t, n: np.exp(-t / 1500.0), 4.0),
    "linear": (lambda t, n: t / n, 6.0),
    "hourly": (lambda t, n: 0.5 * np.sin(2.0 * np.pi * t / 3600.0), 6.0),
    "steps": (lambda t, n: (np.floor(t / 2000.0) + np.minimum(1.0, t % 2000.0 / 300.0)) / 5.0, 6.0),
    "wandering": (lambda t, n: wandered(n), 1.0),
}
"""Drift by row number and record length, 0 to 1 or so; spreads by which a signal with weight 1 goes along."""


def healthy(folder: Path) -> tuple[tuple[str, ...], list[Floats]]:
    """Names of the signals, and the rows before each experiment's first fault."""
    names: tuple[str, ...] = ()
    out = []
    for path in sorted(every(folder, "*.csv"), key=lambda path: (len(path.name), path.name)):
        table = open_table(path, sep=";")
        if LABEL not in table.columns:
            continue
        names = tuple(str(name) for name in table.columns if name not in (TIME, LABEL, CHANGE))
        first = int(np.flatnonzero(table[LABEL].to_numpy() > 0)[0]) - SAFE_ROWS
        out.append(table[list(names)].to_numpy(dtype=np.float64)[:first])
    return names, out


def records(names: tuple[str, ...], pieces: list[Floats]) -> dict[str, Floats]:
    """Records without faults by what drifts in them."""
    level = np.concatenate([piece - piece.mean(0) + pieces[0].mean(0) for piece in pieces])
    going_on = [pieces[0]]
    for piece in pieces[1:]:
        going_on.append(piece + going_on[-1][-60:].mean(0) - piece[:60].mean(0))
    slow = [names.index(name) for name in SLOW]
    level[:, slow] = np.concatenate(going_on)[:, slow]
    spread, n = pieces[0].std(0), len(level)
    out = {"joined": np.concatenate(pieces), "seams smoothed": smoothed(pieces), "one level": level}
    for shape, (of, spreads) in SHAPES.items():
        drift = of(np.arange(n, dtype=np.float64), n)
        out[shape] = level.copy()
        out[shape][:, slow] += np.outer(drift, DEGREES)
        for name, weight in GOES_ALONG.items():
            out[shape][:, names.index(name)] += weight * spreads * spread[names.index(name)] * drift
    return out


def smoothed(pieces: list[Floats]) -> Floats:
    """One after the other as measured, but the level of one goes over into that of the next slowly."""
    levels = np.concatenate([np.broadcast_to(piece.mean(0), piece.shape) for piece in pieces])
    ends = ((SEAM_ROWS // 2, SEAM_ROWS - 1 - SEAM_ROWS // 2), (0, 0))
    sums = np.cumsum(np.concatenate([np.zeros((1, levels.shape[1])), np.pad(levels, ends, mode="edge")]), axis=0)
    out: Floats = np.concatenate([piece - piece.mean(0) for piece in pieces])
    out += (sums[SEAM_ROWS:] - sums[:-SEAM_ROWS]) / SEAM_ROWS
    return out


def share(names: tuple[str, ...], values: Floats) -> float:
    """Mean share of the time in alarm over the pieces of a record at 1 Hz."""
    shares = []
    for at in range(0, len(values) - PIECE_ROWS + 1, PIECE_STEP):
        rows = values[at : at + PIECE_ROWS]
        t_us = np.arange(len(rows), dtype=np.int64) * 1_000_000
        shares.append(detect(Table("", [""] * len(rows), t_us, names, rows, ()), TRAIN_ROWS).alarm_share)
    return float(np.mean(shares))


def main() -> None:
    """Print one share a record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    names, pieces = healthy(given.data)
    found = {name: share(names, values) for name, values in records(names, pieces).items()}
    for name, value in found.items():
        print(f"{name:<14} {100 * value:5.1f} %")
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
