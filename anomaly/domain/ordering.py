"""Orders a device's samples by their number: waits for a gap, once, then goes on without it.

A device may send other signals in every message; what is held and what comes is kept in one set of columns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from contracts.wire import WINDOW

WAIT_S = 10.0
"""Wall seconds that a gap is waited for."""

Sample = tuple[int, list[float | None]]
"""Time (epoch microseconds) and values."""


@dataclass
class Ordering:
    """What one device has sent: the number that comes next, and what waits behind a gap."""

    boot_id: str = ""
    next_seq: int = 1
    signals: list[str] = field(default_factory=list)
    """Columns of every sample that is held or was given last."""
    held: dict[str, Sample] = field(default_factory=dict)
    """By number, as text (snapshots know text keys alone)."""
    waiting_since: float | None = None
    """Monotonic seconds at which the wait for a gap began; None = no gap."""

    def take(
        self, boot_id: str, signals: Sequence[str], samples: Iterable[tuple[int, Sample]], now: float
    ) -> tuple[list[Sample], list[Sample]]:
        """Numbered samples as they came; (those whose turn it is, those that come too late), columns as `signals`."""
        samples = list(samples)
        if len(samples) == 1 and not self.held and samples[0][0] == self.next_seq and boot_id == self.boot_id:
            self._in_columns(signals, ())
            self.next_seq += 1
            return [samples[0][1]], []
        samples = self._in_columns(signals, samples)
        ready: list[Sample] = []
        late: list[Sample] = []
        if boot_id != self.boot_id:
            ready += self._give_up()
            self.boot_id, self.next_seq = boot_id, 1
        for seq, sample in sorted(samples):
            if seq == 0:
                ready.append(sample)
            elif seq < self.next_seq:
                late.append(sample)
            else:
                self.held[str(seq)] = sample
        ready += self._in_turn()
        if self.held and min(map(int, self.held)) - self.next_seq > WINDOW:
            # more than can be in flight is missing: an outage's backlog, which comes after what is new
            self.next_seq = min(map(int, self.held))
            ready += self._in_turn()
        self.waiting_since = (now if self.waiting_since is None else self.waiting_since) if self.held else None
        return ready, late

    def overdue(self, now: float) -> bool:
        """Whether a gap has been waited for long enough."""
        return self.waiting_since is not None and now - self.waiting_since >= WAIT_S

    def go_on(self, now: float) -> list[Sample]:
        """Leave the gap and go on behind it; a gap behind that one is waited for anew."""
        if not self.held:
            return []
        self.next_seq = min(map(int, self.held))
        ready = self._in_turn()
        self.waiting_since = now if self.held else None
        return ready

    def _in_columns(
        self, signals: Sequence[str], samples: Iterable[tuple[int, Sample]]
    ) -> Iterable[tuple[int, Sample]]:
        """The samples in columns that hold theirs and those of what waits; these are widened with no readings."""
        if signals == self.signals:
            return samples
        if not self.held:
            self.signals = list(signals)
            return samples
        new = [name for name in signals if name not in self.signals]
        if new:
            self.signals = self.signals + new
            self.held = {seq: (t, [*values, *[None] * len(new)]) for seq, (t, values) in self.held.items()}
        at = {name: j for j, name in enumerate(signals)}
        places = [at.get(name) for name in self.signals]
        return [(seq, (t, [None if j is None else row[j] for j in places])) for seq, (t, row) in samples]

    def _in_turn(self) -> list[Sample]:
        out = []
        while (sample := self.held.pop(str(self.next_seq), None)) is not None:
            out.append(sample)
            self.next_seq += 1
        return out

    def _give_up(self) -> list[Sample]:
        out = [self.held[key] for key in sorted(self.held, key=int)]
        self.held, self.waiting_since = {}, None
        return out
