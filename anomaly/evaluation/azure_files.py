"""Azure predictive maintenance: `PdM_*.csv` as histories, telemetry or events alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomaly.domain.hazard import Fleet
from anomaly.domain.history import HOUR_US, Events, History, Readings, Times
from anomaly.evaluation.files import BadData, every, finding, open_table
from anomaly.evaluation.perturbing import changed

if TYPE_CHECKING:
    from pandas import DataFrame, Series

SIGNALS = ("volt", "rotate", "pressure", "vibration")
WHERE = (
    "The set is 'Microsoft Azure Predictive Maintenance' (files PdM_errors, PdM_maint, PdM_failures, PdM_machines and,"
    " if wanted, PdM_telemetry; Kaggle: arnabbiswas1/microsoft-azure-predictive-maintenance)."
)
COLUMNS = {
    "errors": ("datetime", "machineID", "errorID"),
    "maint": ("datetime", "machineID", "comp"),
    "failures": ("datetime", "machineID", "failure"),
    "machines": ("machineID", "model", "age"),
    "telemetry": ("datetime", "machineID", *SIGNALS),
}
AMERICAN = "%m/%d/%Y %I:%M:%S %p"
"""How Microsoft's guide writes times; Kaggle has ISO 8601."""
FIRST_LINE = 2
"""Line of a file that holds its first row."""


@dataclass(frozen=True)
class Part:
    """What was read: machines with their history, and the files."""

    histories: list[History]
    fleet: Fleet
    begin_us: int
    end_us: int
    files: list[Path]

    @property
    def telemetry(self) -> bool:
        """Whether there are readings."""
        return bool(self.fleet.signals)


def read_part(folder: Path, events_only: bool, perturb: str | None, keep_until_us: int | None = None) -> Part:
    """The set below a folder. Raises BadData.

    Parameters
    ----------
    events_only
        Leave the telemetry out where there is some.
    perturb
        Change of `anomaly.evaluation.perturbing` to what comes after `keep_until_us`.
    """
    paths = {name: finding(folder, _names(name), WHERE) for name in ("errors", "maint", "failures", "machines")}
    if not events_only and any(every(folder, name) for name in _names("telemetry")):
        paths["telemetry"] = finding(folder, _names("telemetry"), WHERE)
    tables = {name: _table(path, COLUMNS[name]) for name, path in paths.items()}
    times = {name: _times(paths[name], table) for name, table in tables.items() if "datetime" in table}
    told = [times[name] for name in ("errors", "failures", "telemetry") if name in times and len(times[name])]
    if not len(tables["failures"]) or not told:
        raise BadData(f"{paths['failures']} holds no failure, so that nothing can be learned or judged")
    begin, end = int(min(t.min() for t in told)), int(max(t.max() for t in told))
    components = tuple(sorted({*map(str, tables["maint"]["comp"]), *map(str, tables["failures"]["failure"])}))
    codes = tuple(sorted(set(map(str, tables["errors"]["errorID"]))))
    signals = SIGNALS if "telemetry" in tables else ()
    split = begin if keep_until_us is None else keep_until_us
    errors, error_us = _worse_events(tables["errors"], times["errors"], perturb, split)
    kinds = {
        "errors": _by_machine(errors, error_us, "errorID", codes),
        "maint": _by_machine(tables["maint"], times["maint"], "comp", components),
        "failures": _by_machine(tables["failures"], times["failures"], "failure", components),
    }
    readings = _readings(tables["telemetry"], times["telemetry"], paths["telemetry"], perturb, split) if signals else {}
    histories = []
    machines = tables["machines"]
    for machine, age in zip(machines["machineID"].tolist(), machines["age"].tolist(), strict=True):
        own = {kind: found.get(machine, Events()) for kind, found in kinds.items()}
        histories.append(
            History(
                str(machine), begin, end, own["errors"], own["maint"], own["failures"], float(age),
                readings.get(machine),
            )
        )  # fmt: skip
    fleet = Fleet(components, codes, tuple(signals))
    return Part(histories, fleet, begin, end, list(paths.values()))


def _names(kind: str) -> list[str]:
    """As Kaggle calls the file, and as Microsoft's guide did."""
    return [f"PdM_{kind}.csv", f"{kind}.csv"]


def _table(path: Path, columns: Sequence[str]) -> "DataFrame":
    table = open_table(path)
    lacking = [name for name in columns if name not in table.columns]
    if lacking:
        raise BadData(f"{path}:1: column {lacking[0]!r} must be there; the columns are {', '.join(table.columns)}")
    for name in columns:
        empty = table[name].isna().to_numpy()
        if empty.any() and name not in SIGNALS:
            raise BadData(f"{path}:{int(np.argmax(empty)) + FIRST_LINE}: column {name!r} must not be empty")
    for name in ("age", *SIGNALS):
        if name in columns and table[name].dtype == object:
            raise BadData(f"{path}: column {name!r} must hold numbers")
    return table


def _times(path: Path, table: "DataFrame") -> Times:
    import pandas as pd

    stamps = pd.to_datetime(table["datetime"], errors="coerce", format="ISO8601", utc=True)
    if len(stamps) and stamps.isna().all():
        stamps = pd.to_datetime(table["datetime"], errors="coerce", format=AMERICAN, utc=True)
    wrong = stamps.isna().to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadData(
            f"{path}:{row + FIRST_LINE}: column 'datetime': {str(table['datetime'].iloc[row])!r} must be a time,"
            " e.g. 2015-01-04 06:00:00"
        )
    return microseconds(stamps)


def microseconds(stamps: "Series") -> Times:
    """Times since 1970 of a column of times in UTC."""
    out: Times = stamps.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    return out


def _by_machine(table: "DataFrame", times: Times, column: str, names: Sequence[str]) -> dict[object, Events]:
    place = {name: i for i, name in enumerate(names)}
    which = np.array([place[str(name)] for name in table[column]], dtype=np.int64)
    machine = table["machineID"].to_numpy()
    return {one: Events.sorted(times[machine == one], which[machine == one]) for one in np.unique(machine).tolist()}


def _readings(
    table: "DataFrame", times: Times, path: Path, perturb: str | None, split_us: int
) -> dict[object, Readings]:
    out: dict[object, Readings] = {}
    table = table.assign(at_us=times)
    for number, (machine, own) in enumerate(table.groupby("machineID", sort=True)):
        own = own.sort_values("at_us", kind="stable")
        keep = int((own["at_us"] < split_us).sum())
        worse = changed(perturb, own, SIGNALS, seed=number, keep=keep)
        worse = worse.sort_values("at_us", kind="stable").drop_duplicates("at_us", keep="last")
        if not len(worse):
            raise BadData(f"{path}: machine {machine} has no rows")
        out[machine] = Readings(
            worse["at_us"].to_numpy(dtype=np.int64), worse[list(SIGNALS)].to_numpy(dtype=np.float64)
        )
    return out


LOST_ERRORS, DOUBLED_ERRORS, LATE_HOURS = 0.05, 0.02, 5.0


def _worse_events(table: "DataFrame", times: Times, perturb: str | None, split_us: int) -> tuple["DataFrame", Times]:
    """Errors go missing as readings do, or are told twice, the second time late; other changes leave them."""
    chance = np.random.default_rng(0)
    after = np.flatnonzero(times >= split_us)
    if perturb == "gaps":
        lost = chance.choice(after, round(LOST_ERRORS * len(after)), replace=False)
        keep = np.setdiff1d(np.arange(len(times)), lost)
        return table.iloc[keep], times[keep]
    if perturb == "doubled and late rows":
        again = chance.choice(after, round(DOUBLED_ERRORS * len(after)), replace=False)
        rows = np.concatenate([np.arange(len(times)), again])
        late = np.concatenate([np.zeros(len(times)), np.full(len(again), LATE_HOURS * HOUR_US)]).astype(np.int64)
        return table.iloc[rows], times[rows] + late
    return table, times
