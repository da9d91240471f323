"""Report by exception: a value goes out when it left the deadband around the one that went out last.

What was kept back is the newest value within the band; it goes out, too, just before the one that left it, so that a
step stays a step and does not become a ramp. Whatever happens, a signal goes out `at_least_every` seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from edge_agent.domain.driving import Batch, Cell, Reading
from edge_agent.domain.observed import Source

ALL_OTHERS = "*"
AT_LEAST_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class Exceptions:
    """How far signals may move unreported: by name, `*` = all others; a signal without a deadband always goes out."""

    deadbands: Mapping[str, float] = field(default_factory=dict)
    at_least_every: float = AT_LEAST_EVERY_S

    def band(self, signal: str) -> float | None:
        """The deadband of a signal; None = none."""
        return self.deadbands.get(signal, self.deadbands.get(ALL_OTHERS))


@dataclass(frozen=True, slots=True)
class _Told:
    """What went out last of a signal and when (monotonic), and what was kept back since."""

    value: Cell
    at: float
    kept: tuple[str | int, Cell] | None = None


class ByException:
    """Passes on what its source gives, less what is no news.

    A source that has a place is read again from it when the outbox could not take what it gave: then what was told
    counts as not told. The place of the next poll says so.
    """

    def __init__(self, source: Source, rule: Exceptions) -> None:
        self._source, self._rule = source, rule
        self._told: dict[str, _Told] = {}
        self._next: tuple[str, dict[str, _Told]] | None = None
        self.kept_back = 0
        """Values that did not go out, as far as this run goes."""

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """What is news."""
        if self._next is not None and (not self._next[0] or self._next[0] == position):
            self._told = self._next[1]
        self._next = None
        batch = self._source.poll(position, at, now, room)
        if not batch.readings:
            return batch
        told = dict(self._told)
        readings = [news for reading in batch.readings for news in self._news(reading, told, now)]
        self._next = (batch.position, told)
        return Batch(readings, batch.position, batch.due, batch.problem)

    def _news(self, reading: Reading, told: dict[str, _Told], now: float) -> list[Reading]:
        before: dict[str | int, dict[str, Cell]] = {}
        values: dict[str, Cell] = {}
        for name, value in reading.values.items():
            band = self._rule.band(name)
            last = told.get(name) if band is not None else None
            if band is None:
                values[name] = value
            elif last is None or _left(last.value, value, band):
                if last is not None and last.kept is not None:
                    before.setdefault(last.kept[0], {})[name] = last.kept[1]
                values[name] = value
                told[name] = _Told(value, now)
            elif now - last.at >= self._rule.at_least_every:
                values[name] = value
                told[name] = _Told(value, now)
            else:
                told[name] = _Told(last.value, last.at, (reading.t, value))
                self.kept_back += 1
        out = [Reading(t, kept) for t, kept in before.items()]
        return [*out, Reading(reading.t, values)] if values else out

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()


def _left(last: Cell, value: Cell, band: float) -> bool:
    if _is_number(last) and _is_number(value):
        return not abs(float(value or 0.0) - float(last or 0.0)) <= band
    return type(last) is not type(value) or last != value


def _is_number(value: Cell) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
