"""Steps of a checklist that ask for something: a reading with limits, a photo, a signature; and permits of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contracts.asset_model_text import _Reader

NEEDS = ("", "reading", "photo", "signature")
_KNOWN = {"text", "needs", "unit", "low", "high", "required", "before"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `low` and `high` are the limits of a reading in `unit`, None = none."""

    text: str
    needs: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    required: bool = False
    """The work cannot be called done before the step is taken."""
    before: bool = False
    """Whether it comes before the remedy."""


def steps(reader: _Reader, value: Any, path: str) -> tuple[Step, ...]:
    """A checklist."""
    if not isinstance(value, list):
        reader.fault(path, "must be a list of steps")
        return ()
    return tuple(_step(reader, item, f"{path}[{i}]") for i, item in enumerate(value))


def _step(reader: _Reader, value: Any, path: str) -> Step:
    of = reader.mapping(value, path, _KNOWN)
    needs = of.get("needs", "reading" if "low" in of or "high" in of else "")
    if needs not in NEEDS:
        reader.fault(f"{path}.needs", f"{needs!r} must be reading, photo or signature")
    low, high = (
        None if of.get(name) is None else reader.number(of[name], f"{path}.{name}") for name in ("low", "high")
    )
    if low is not None and high is not None and low >= high:
        reader.fault(f"{path}.low", f"{low:g} must be below high {high:g}")
    if needs != "reading" and (low is not None or high is not None):
        reader.fault(f"{path}.needs", "limits are for a reading")
    flags = {name: _flag(reader, of, name, path) for name in ("required", "before")}
    unit = of.get("unit", "")
    if not isinstance(unit, str) or len(unit) > 32:
        reader.fault(f"{path}.unit", "must be a text of at most 32 characters")
        unit = ""
    return Step(reader.text(of, "text", path), str(needs), unit, low, high, **flags)


def _flag(reader: _Reader, of: Mapping[str, Any], name: str, path: str) -> bool:
    value = of.get(name, False)
    if not isinstance(value, bool):
        reader.fault(f"{path}.{name}", f"{value!r} must be true or false")
    return bool(value)


def permits(reader: _Reader, value: Any, path: str) -> tuple[str, ...]:
    """Names of what must be granted before a job: `lockout`, or a permit in words."""
    if not isinstance(value, list) or not all(isinstance(v, str) and 0 < len(v.strip()) <= 100 for v in value):
        reader.fault(path, "must be a list of names of at most 100 characters")
        return ()
    return tuple(v.strip() for v in value)
