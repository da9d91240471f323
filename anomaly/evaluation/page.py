"""Writes docs/evaluation.md from results of `forewarn evaluate`: `python -m anomaly.evaluation.page docs/evaluation`.

The folder holds a result per run (--json) and beside it, if there is something to say, notes of the same name (.md).
No figure is written by hand.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from anomaly.evaluation.words import called, number

Figures = Mapping[str, float | None]


class Result(msgspec.Struct):
    """What `forewarn evaluate --json` wrote."""

    dataset: str
    subset: str
    seeds: list[int]
    data_sha256: dict[str, str]
    config: dict[str, object]
    figures: dict[str, float | None]
    ci95: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Bound:
    """A target: in words, and whether a value reaches it."""

    words: str
    reached: Callable[[float], bool]


def most(x: float) -> Bound:
    """At most x."""
    return Bound(f"≤ {number(x)}", lambda value: value <= x)


def least(x: float) -> Bound:
    """At least x."""
    return Bound(f"≥ {number(x)}", lambda value: value >= x)


def between(low: float, high: float) -> Bound:
    """From low to high."""
    return Bound(f"{number(low)} to {number(high)}", lambda value: low <= value <= high)


Target = tuple[Bound | None, Bound | None]
_INTERVAL: dict[str, Target] = {
    "coverage_90": (between(0.87, 0.94), between(0.88, 0.92)),
    "half_width_mean": (None, most(16)),
}
_SIX: dict[str, Target] = {
    "rmse_capped": (most(11.5), most(10.3)), "rmse_capped_no_uptime": (most(13.2), most(12.5)), **_INTERVAL,
}  # fmt: skip
TARGETS: dict[str, dict[str, Target]] = {
    "cmapss-FD001": {
        "rmse_capped": (most(11.3), most(10.6)),
        "score_capped": (None, most(160)),
        "rmse_capped_no_uptime": (most(13.3), most(12)),
        "warn30_precision": (least(0.92), least(0.93)),
        "warn30_recall": (least(0.85), least(0.90)),
        **_INTERVAL,
    },
    "cmapss-FD002": _SIX,
    "cmapss-FD003": {
        "rmse_capped": (most(10.3), most(9.5)),
        "score_capped": (None, most(165)),
        "rmse_capped_no_uptime": (most(11.5), most(11)),
        **_INTERVAL,
    },
    "cmapss-FD004": _SIX,
    "skab": {
        "f1": (least(0.80), least(0.85)),
        "far": (most(13), most(10)),
        "mar": (None, most(18)),
        "alarm_share_fault_free": (most(0.03), most(0.01)),
    },
    "nab": {
        "standard": (least(50), least(60)),
        "machine_temperature_hits": (least(3), least(4)),
        "machine_temperature_false_per_month": (most(3), most(2)),
    },
    "azure-20": {
        "event_recall": (least(0.92), least(1)),
        "order_precision": (least(0.90), least(0.95)),
        "false_orders_per_asset_month": (None, most(0.03)),
    },
    "azure-50-events": {
        "event_recall": (least(0.93), least(0.95)),
        "order_precision": (least(0.85), least(0.92)),
        "cost_saved_vs_run_to_failure_10": (least(0.82), least(0.86)),
    },
    "ims": {"healthy_false_alarms": (most(1), most(0)), "lead_hours_min": (least(24), least(24))},
}
"""By the name of the result's file: what passes and what is excellent; None = not asked for."""

HEAD = """# How well it forecasts

Made by `python -m anomaly.evaluation.page docs/evaluation` from the results in [evaluation/](evaluation/), each written
by `forewarn evaluate SET --data DIR [--subset NAME] --json FILE`. Intervals are bootstrap 95 % intervals over what was
judged one by one: engines, experiments, bearings, machines. A dash is a figure that the data cannot give. The columns
"passes" and "excellent" are the project's own targets, set before; where one was missed, it says so.
"""


def page(folder: Path) -> str:
    """The whole page. Raises msgspec.DecodeError, OSError."""
    parts = [HEAD]
    for path in sorted(folder.glob("*.json")):
        parts.append(section(path.stem, msgspec.json.decode(path.read_bytes(), type=Result)))
        notes = path.with_suffix(".md")
        if notes.exists():
            parts.append(notes.read_text(encoding="utf-8").strip() + "\n")
    return "\n".join(parts)


def section(stem: str, result: Result) -> str:
    """One set: its figures beside the targets, and what they were measured on."""
    targets = TARGETS.get(stem, TARGETS.get(result.dataset, {}))
    rows = [_row(name, value, result, targets.get(name, (None, None))) for name, value in result.figures.items()]
    files = ", ".join(f"`{name}` {sha[:12]}" for name, sha in list(result.data_sha256.items())[:6])
    more = f" and {len(result.data_sha256) - 6} more" if len(result.data_sha256) > 6 else ""
    seeds = f"Seeds {', '.join(map(str, result.seeds))}. " if result.seeds else ""
    return "\n".join(
        [
            f"## {result.dataset} {result.subset}".rstrip() + "\n",
            "| figure | value | 95 % interval | passes | excellent | reached |",
            "|---|---:|---:|---:|---:|---|",
            *rows,
            f"\n{seeds}SHA-256 begins: {files}{more}.\n",
        ]
    )


def _row(name: str, value: float | None, result: Result, target: Target) -> str:
    bounds = result.ci95.get(name)
    interval = f"{number(bounds[0])} to {number(bounds[1])}" if bounds else ""
    passes, excellent = (bound.words if bound else "" for bound in target)
    return f"| {called(name)} | {number(value)} | {interval} | {passes} | {excellent} | {_reached(value, target)} |"


def _reached(value: float | None, target: Target) -> str:
    passes, excellent = target
    if (passes is None and excellent is None) or value is None:
        return ""
    if excellent is not None and excellent.reached(value):
        return "excellent"
    if passes is None:
        return "not excellent"
    return "passes" if passes.reached(value) else "**missed**"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.with_suffix(".md").write_text(page(folder), encoding="utf-8")
