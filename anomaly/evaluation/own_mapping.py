"""Which columns of somebody's own files mean what: guessed from their names, kept in a file, corrected there."""

import re
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from anomaly.evaluation.files import BadData
from contracts.names import NAME_RULE, is_name

TIME = ("time", "timestamp", "datetime", "date", "ts", "date_time", "when", "at")
ASSET = ("asset", "machine", "machineid", "machine_id", "unit", "device", "equipment", "asset_id", "device_id", "id",
         "pump", "engine", "serial")  # fmt: skip
COMPONENT = ("component", "comp", "failure", "failure_mode", "part", "mode", "subsystem")
DOWNTIME = ("downtime", "downtime_hours", "downtime_h", "hours_down", "hours", "duration_hours", "duration")
CODE = ("code", "errorid", "error_id", "error_code", "error", "event", "event_id", "alarm", "fault", "message", "what")
ROLES = ("symptom", "condition", "device_health", "leave out")
SKIP = "leave out"

UNITS: tuple[tuple[str, str, str], ...] = (
    (r"batter|rssi|signal_strength|snr", "1", "device_health"),
    (r"ambient|outdoor|outside", "Cel", "condition"),
    (r"temp|winding|\bt\d*\b", "Cel", "symptom"),
    (r"rpm|speed|rotat|rotation", "/min", "symptom"),
    (r"setpoint|set_point|load|throttle|valve_position", "%", "condition"),
    (r"press|bar\b", "bar", "symptom"),
    (r"accel", "g", "symptom"),
    (r"vib", "mm/s", "symptom"),
    (r"current|ampere|amps", "A", "symptom"),
    (r"volt", "V", "symptom"),
    (r"power|kw\b", "kW", "symptom"),
    (r"flow", "m3/h", "symptom"),
    (r"humid", "%", "symptom"),
    (r"torque", "N.m", "symptom"),
    (r"freq", "Hz", "symptom"),
)
"""What a name says: pattern, UCUM unit, role. The first that fits is taken."""
WRITTEN_UNITS = {
    "c": "Cel", "degc": "Cel", "°c": "Cel", "f": "[degF]", "degf": "[degF]", "k": "K", "bar": "bar", "psi": "[psi]",
    "kpa": "kPa", "mm/s": "mm/s", "g": "[g]", "a": "A", "v": "V", "kw": "kW", "w": "W", "rpm": "/min", "hz": "Hz",
    "%": "%", "m3/h": "m3/h", "l/min": "L/min", "nm": "N.m",
}  # fmt: skip
IN_BRACKETS = re.compile(r"[\[(]\s*([^\])]+?)\s*[\])]")


@dataclass(frozen=True, slots=True)
class SignalColumn:
    """A column of readings: the signal it becomes, its unit (UCUM) and role."""

    column: str
    name: str
    unit: str
    role: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a file of events; empty = there is none."""

    time: str
    asset: str
    component: str = ""
    """In a log of events: the column with the code."""
    hours: str = ""


@dataclass(frozen=True, slots=True)
class Mapping:
    """What every column of the files means."""

    time: str
    asset: str
    """Column of the telemetry with the machine; empty = the file's name is the machine."""
    signals: tuple[SignalColumn, ...]
    failures: Columns
    work: Columns | None = None
    errors: Columns | None = None

    @property
    def used(self) -> tuple[SignalColumn, ...]:
        """Signals that are not left out."""
        return tuple(s for s in self.signals if s.role != SKIP)


def guess_signal(column: str) -> SignalColumn:
    """Name, unit and role that a column's name suggests."""
    written = IN_BRACKETS.search(column)
    plain = IN_BRACKETS.sub("", column).strip().lower()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-")[:64] or "signal"
    _, unit, role = next((u for u in UNITS if re.search(u[0], plain)), ("", "1", "symptom"))
    if written is not None:
        unit = WRITTEN_UNITS.get(written.group(1).lower(), unit)
    return SignalColumn(column, column if is_name(column) else name, "[g]" if unit == "g" else unit, role)


def named(header: Sequence[str], words: Sequence[str]) -> str:
    """The column whose name is one of the words, the earliest word first; empty = none."""
    lower = {name.lower().strip().replace(" ", "_"): name for name in reversed(header) if name}
    return next((lower[word] for word in words if word in lower), "")


def guess_columns(path: Path, header: Sequence[str], assets_in_rows: bool, codes: bool = False) -> Columns:
    """Columns of a file of failures or work, or of a log of events (`codes`). Raises BadData."""
    there = ", ".join(h for h in header if h)
    time = named(header, TIME)
    if not time:
        raise BadData(
            f"{path}:1: no column is named like a time ({', '.join(TIME[:4])}); rename it in the file; there: {there}"
        )
    asset = named([h for h in header if h != time], ASSET)
    if not asset and assets_in_rows:
        raise BadData(
            f"{path}:1: no column is named like a machine ({', '.join(ASSET[:4])}); rename it in the file;"
            f" there: {there}"
        )
    rest = [h for h in header if h not in (time, asset)]
    if codes:
        code = named(rest, CODE) or (rest[0] if len(rest) == 1 else "")
        if not code:
            raise BadData(
                f"{path}:1: no column is named like a code ({', '.join(CODE[:4])}); rename it in the file;"
                f" there: {there}"
            )
        return Columns(time, asset, code)
    return Columns(time, asset, named(rest, COMPONENT), named(rest, DOWNTIME))


def as_yaml(mapping: Mapping) -> str:
    """The mapping as a file that a person can correct."""

    def events(of: Columns) -> dict[str, str]:
        return {"time": of.time, "asset": of.asset, "component": of.component, "hours": of.hours}

    shown: dict[str, object] = {
        "telemetry": {
            "time": mapping.time,
            "asset": mapping.asset,
            "signals": {s.column: {"name": s.name, "unit": s.unit, "role": s.role} for s in mapping.signals},
        },
        "failures": events(mapping.failures),
    }
    if mapping.work is not None:
        shown["work"] = events(mapping.work)
    if mapping.errors is not None:
        shown["events"] = {"time": mapping.errors.time, "asset": mapping.errors.asset, "code": mapping.errors.component}
    head = (
        "# What the columns mean. Correct it and run the same command again with --mapping.\n"
        f"# unit: UCUM code, 1 = without; role: {', '.join(ROLES)}; empty asset: the file's name is the machine.\n"
    )
    return head + yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def read_mapping(path: Path) -> Mapping:
    """The mapping in a file. Raises BadData that names file, field and rule."""
    try:
        given = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as failure:
        raise BadData(f"{path}: cannot be read as YAML: {str(failure).splitlines()[0]}") from failure
    telemetry = _part(path, given, "telemetry")
    signals = _part(path, telemetry, "signals", "telemetry.")
    columns = []
    for column, said in signals.items():
        where = f"telemetry.signals.{column}"
        if not isinstance(said, dict):
            raise BadData(f"{path}: {where}: must be name, unit and role, not {said!r}")
        one = replace(guess_signal(str(column)), **_texts(path, said, ("name", "unit", "role"), where))
        if one.role not in ROLES:
            raise BadData(f"{path}: {where}.role: {one.role!r} must be one of {', '.join(ROLES)}")
        if not is_name(one.name):
            raise BadData(f"{path}: {where}.name: {one.name!r} must be {NAME_RULE}")
        columns.append(one)
    names = [c.name for c in columns if c.role != SKIP]
    if not names:
        raise BadData(f"{path}: telemetry.signals: at least one must not be left out")
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise BadData(f"{path}: telemetry.signals: the name {twice!r} is given twice")
    top = _texts(path, telemetry, ("time", "asset"), "telemetry")
    work = _events(path, given, "work") if given.get("work") is not None else None
    errors = _events(path, given, "events") if given.get("events") is not None else None
    return Mapping(
        top.get("time", ""), top.get("asset", ""), tuple(columns), _events(path, given, "failures"), work, errors
    )


def _events(path: Path, given: AnyMapping[str, Any], name: str) -> Columns:
    said = _texts(path, _part(path, given, name), ("time", "asset", "component", "hours", "code"), name)
    for field in ("time", "code") if name == "events" else ("time",):
        if not said.get(field):
            raise BadData(f"{path}: {name}.{field}: must name a column")
    component = said.get("code") or said.get("component", "")
    return Columns(said["time"], said.get("asset", ""), component, said.get("hours", ""))


def _part(path: Path, given: Any, name: str, before: str = "") -> dict[str, Any]:
    part = given.get(name) if isinstance(given, dict) else None
    if not isinstance(part, dict):
        raise BadData(f"{path}: {before}{name}: must be there, with fields below it")
    return part


def _texts(path: Path, said: dict[str, Any], fields: Sequence[str], where: str) -> dict[str, str]:
    out = {}
    for name in fields:
        value = said.get(name)
        if value is None:
            continue
        if not isinstance(value, str | int):
            raise BadData(f"{path}: {where}.{name}: {value!r} must be a text")
        out[name] = str(value)
    return out
