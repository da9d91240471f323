"""Preventive jobs that an asset model suggests; a person makes them plans of a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.names import NAME_RULE, is_name

if TYPE_CHECKING:
    from contracts.asset_model_text import _Reader

_NUMBERS = {"every_days": (0, 3660), "every_months": (0, 120), "every_hours": (0, 1e6), "minutes": (5, 10_000)}
_KNOWN = {"title", "tasks", "skill", *_NUMBERS}


@dataclass(frozen=True, slots=True)
class SuggestedPlan:
    """A job that comes round; 0 = not by that. Running hours count while the model's `running_when` holds."""

    name: str
    title: str
    tasks: tuple[str, ...]
    every_days: int = 0
    every_months: int = 0
    every_hours: float = 0.0
    skill: str = ""
    minutes: int = 60


def plans(reader: _Reader, value: Any) -> dict[str, SuggestedPlan]:
    """The section `plans`."""
    return {key: _plan(reader, key, item, f"plans.{key}") for key, item in reader.mapping(value, "plans").items()}


def _plan(reader: _Reader, name: str, value: Any, path: str) -> SuggestedPlan:
    of = reader.mapping(value, path, _KNOWN)
    if not is_name(name):
        reader.fault(path, f"{name!r} must be {NAME_RULE}")
    tasks = of.get("tasks")
    if not isinstance(tasks, list) or not tasks or not all(isinstance(t, str) and t.strip() for t in tasks):
        reader.fault(f"{path}.tasks", "must be a list of steps")
        tasks = []
    numbers = {
        key: reader.number(of[key], f"{path}.{key}", low, high) for key, (low, high) in _NUMBERS.items() if key in of
    }
    if not any(numbers.get(key) for key in ("every_days", "every_months", "every_hours")):
        reader.fault(path, "says every_days, every_months or every_hours")
    if numbers.get("every_days") and numbers.get("every_months"):
        reader.fault(f"{path}.every_months", "days or months, not both")
    return SuggestedPlan(
        name, reader.text(of, "title", path), tuple(str(t).strip() for t in tasks), int(numbers.get("every_days", 0)),
        int(numbers.get("every_months", 0)), numbers.get("every_hours", 0.0),
        reader.text(of, "skill", path) if "skill" in of else "", int(numbers.get("minutes", 60)),
    )  # fmt: skip
