"""What a proof leaves behind for the installation: an asset model and a driver file, made of the mapping."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from anomaly.evaluation.files import BadData
from anomaly.evaluation.own_data import WHOLE, OwnData
from anomaly.evaluation.own_mapping import Mapping
from contracts.asset_model import AssetModel
from contracts.asset_model_text import BadAssetModel, parse

WIDER = 1.0
"""Ranges are the readings seen, wider by so many times their spread on both sides."""
USUAL_ROWS = 24
HOLD_ROWS = 4
LEAST_WINDOW_HOURS = 3.0
ADAPT_DAYS = 10.0
RATIO = 10.0


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
            "adapt_hours": 24.0 * ADAPT_DAYS, "adapt_below": 0.5,
            "compensate": any(s.role == "condition" for s in data.mapping.used),
        },
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


def driver_text(mapping: Mapping, telemetry: Path) -> str:
    """The agent's file: the csv driver on the first machine's file."""
    units = ", ".join(f'"{s.name}" = "{s.unit}"' for s in mapping.used)
    renamed = [f"{s.column!r} as {s.name!r}" for s in mapping.used if s.column != s.name]
    notes = [
        "# One agent and one file a machine: give each its own path.",
        *([f"# The file holds several machines: write one file a machine, without column {mapping.asset!r}."]
          if mapping.asset else []),
        *([f"# Name in the file's header: {', '.join(renamed)}."] if renamed else []),
    ]  # fmt: skip
    return "\n".join(
        [*notes, "[drivers.telemetry]", 'kind = "csv"', f"path = {_quoted(str(telemetry))}",
         f"time = {_quoted(mapping.time)}", "rate = 0", f"units = {{{units}}}", ""]
    )  # fmt: skip


def plain(text: str) -> str:
    """A name that may stand in an asset model."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in text.lower()).strip("_.-")
    return kept[:48] or WHOLE


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _round(x: float) -> float:
    return float(f"{x:.6g}")
