"""What a proof leaves behind for the installation: an asset model and a driver file, made of the mapping."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from anomaly.evaluation.files import BadData
from anomaly.evaluation.own_data import WHOLE, OwnData
from contracts.asset_model import AssetModel
from contracts.asset_model_text import BadAssetModel, parse

WIDER = 1.0
"""Ranges are the readings seen, wider by so many times their spread on both sides."""
USUAL_ROWS = 24
HOLD_ROWS = 4
LEAST_WINDOW_HOURS = 3.0
ADAPT_DAYS = 10.0
PATH_STEPS = 240
"""Steps of the path that forecasts are told from."""


def usual_step_hours(data: OwnData) -> float:
    """The usual time between two readings of a machine."""
    steps = [float(np.median(np.diff(m.at_us))) for m in data.machines if len(m.at_us) > 1]
    return float(np.median(steps)) / 3.6e9 if steps else 1.0


def model_text(name: str, data: OwnData, learning_hours: float, threshold: float, costs: Sequence[float]) -> str:
    """The asset model as YAML.

    Parameters
    ----------
    learning_hours
        How long a machine is watched before it is judged.
    costs
        Of a failure, a planned visit, a visit for nothing.
    """
    values = np.concatenate([m.values for m in data.machines])
    step = usual_step_hours(data)
    signals = {}
    for j, s in enumerate(data.mapping.used):
        seen = values[np.isfinite(values[:, j]), j]
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
        spare = WIDER * (high - low) or max(1.0, abs(high))
        signals[s.name] = {
            "unit": s.unit, "range": [_round(low - spare), _round(high + spare)], "role": s.role,
            "title": s.column[:80],
        }  # fmt: skip
    symptoms = {s.name: "any" for s in data.mapping.used if s.role == "symptom"}
    failure, planned, false_visit = costs
    cost = {
        kind: {"customer": float(amount), "provider": 0.0}
        for kind, amount in (("failure", failure), ("planned", planned), ("false_visit", false_visit))
    }
    components = sorted({f.component for f in data.failures} or {WHOLE})
    window = max(LEAST_WINDOW_HOURS, USUAL_ROWS * step)
    shown = {
        "name": name,
        "version": 1,
        "title": name,
        "currency": "EUR",
        "signals": signals,
        "components": {
            plain(component): {
                "title": component,
                "failure_modes": {
                    f"{plain(component)}_failure": {
                        "title": f"Failure of {component}", "code": "OTH", "symptoms": symptoms,
                        "checks": [f"Look at {component}"], "remedy": f"Repair or replace {component}",
                        "skill": "mechanical", "minutes": 120, "covered": False,
                        "consequence": "The machine stops.", "costs": cost,
                    }
                },
            }
            for component in components
        },
        "detection": {
            "window_samples": USUAL_ROWS, "window_hours": _round(window), "threshold": threshold, "clear": 0.6,
            "hold_hours": _round(HOLD_ROWS * step), "hold_samples": HOLD_ROWS, "refractory_hours": _round(window),
            "learning_hours": _round(learning_hours), "learning_samples": 100,
            "adapt_hours": 24.0 * ADAPT_DAYS, "adapt_below": 0.5, "methods": ["baseline"],
            "compensate": any(s.role == "condition" for s in data.mapping.used),
        },
        "prognosis": {"every_hours": _round(max(1.0, step)), "history_hours": _round(PATH_STEPS * max(1.0, step))},
    }  # fmt: skip
    files = ", ".join(sorted({p.name for p in data.files})[:4])
    head = f"# Made by `forewarn prove` from {files}. Correct what is wrong.\n"
    return head + yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def model_of(text: str) -> AssetModel:
    """The model in the text that `model_text` made. Raises BadData."""
    try:
        return parse(text, "the model made of the mapping")
    except BadAssetModel as bad:
        raise BadData(f"the columns make no asset model: {bad.faults[0]}") from bad


def driver_text(data: OwnData, telemetry: Path) -> str:
    """The agent's file for the first machine: the csv driver with the signals' names and units, and the machine's rows.

    Parameters
    ----------
    telemetry
        The machine's file, or the file that holds all of them.
    """
    mapping, machines = data.mapping, data.machines
    units = ", ".join(f'"{s.name}" = {_quoted(s.unit)}' for s in mapping.used)
    columns = "; ".join(s.column if s.column == s.name else f"{s.column} = {s.name}" for s in mapping.used)
    lines = [
        '# For `forewarn run agent --config agent.toml`. mqtt: the address that the page "Connect a device" shows.',
        '# mqtt = "mqtt://COMPANY%2FDEVICE:SECRET@HOST:1883"',
        *([f"# One such file a machine; this is the one of {machines[0].asset}."] if len(machines) > 1 else []),
        "[drivers.telemetry]", 'kind = "csv"', f"path = {_quoted(str(telemetry))}", f"time = {_quoted(mapping.time)}",
        f"columns = {_quoted(columns)}",
    ]  # fmt: skip
    if data.time_format:
        lines.append(f"time_format = {_quoted(data.time_format)}")
    if not data.zoned:
        lines.append('zone = "UTC"  # the file does not say; the proof took it so')
    if mapping.asset:
        lines += [f"machine_column = {_quoted(mapping.asset)}", f"machine = {_quoted(machines[0].asset)}"]
    return "\n".join([*lines, "rate = 0", f"units = {{{units}}}", ""])


def plain(text: str) -> str:
    """A name that may stand in an asset model."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in text.lower()).strip("_.-")
    return kept[:48] or WHOLE


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _round(x: float) -> float:
    return float(f"{x:.6g}")
