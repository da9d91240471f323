"""What goes wrong with measured data in the field, done to a table on purpose: `--perturb all`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame

CHANGES: tuple[str, ...] = (
    "start shifted", "gaps", "doubled and late rows", "sensor stuck", "sensor replaced", "units changed",
    "channel missing",
)  # fmt: skip
GAP_SHARE = 0.05
GAP_ROWS = 10
DOUBLED_SHARE = 0.02
LATE_SHARE = 0.02
LATE_BY = 5
LATEST_START = 0.1
STUCK_SHARE = 0.2
REPLACED_SPREADS = 1.0
FEWEST = 30


def changed(
    name: str | None, table: "DataFrame", signals: Sequence[str], *, seed: int, keep: int = 0
) -> "DataFrame":  # fmt: skip
    """A copy of the table with one change done to it; the table itself where `name` is None.

    Parameters
    ----------
    name
        One of `CHANGES`.
    signals
        Columns that hold readings; labels and times stay with their rows.
    keep
        The first rows that stay as they are, because the protocol trains on them. "start shifted" drops rows from the
        very beginning, "units changed" holds for all rows, so that training sees the same unit.
    """
    if name is None:
        return table
    chance = np.random.default_rng([seed, CHANGES.index(name)])
    out = table.copy()
    out[list(signals)] = out[list(signals)].astype(float)
    rows = len(out)
    which = str(chance.choice(list(signals)))
    if name == "start shifted":
        return out.iloc[int(chance.integers(0, max(1, int(LATEST_START * rows)))) :]
    if name == "gaps":
        drop = np.zeros(rows, dtype=bool)
        for at in chance.integers(keep, max(keep + 1, rows), round(GAP_SHARE * (rows - keep) / GAP_ROWS)):
            drop[at : at + GAP_ROWS] = True
        return out[~drop]
    if name == "doubled and late rows":
        order = np.arange(rows, dtype=float)
        later = np.arange(keep, rows)
        late = chance.choice(later, round(LATE_SHARE * len(later)), replace=False)
        order[late] += LATE_BY + 0.5
        doubled = chance.choice(later, round(DOUBLED_SHARE * len(later)), replace=False)
        rows_at = np.concatenate([np.arange(rows), doubled])
        return out.iloc[rows_at[np.argsort(np.concatenate([order, order[doubled]]), kind="stable")]]
    values = out[which].to_numpy(dtype=np.float64, copy=True)
    begin = int(chance.integers(keep, max(keep + 1, rows)))
    if name == "sensor stuck":
        values[begin : begin + int(STUCK_SHARE * rows)] = values[min(begin, rows - 1)]
    elif name == "sensor replaced":
        values[begin:] += REPLACED_SPREADS * float(np.nanstd(values[: max(keep, FEWEST)]))
    elif name == "units changed":
        values = values * 1.8 + 32.0
    else:
        values[keep:] = np.nan
    out[which] = values
    return out
