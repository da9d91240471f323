"""Features of a signal that is too fast to be sent: what is sent of each window is how strong, how spiky, and where.

RMS, crest factor and kurtosis are of the signal less its mean (ISO 13373-1 names them for bearings); a band's energy is
the mean square of what lies between two frequencies, from the periodogram with a Hann window, so that the energies of
all bands together are the square of the RMS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from edge_agent.domain.driving import Batch, Cell, Reading
from edge_agent.domain.observed import Source

RMS, PEAK, CREST, KURTOSIS, ENERGY = "rms", "peak", "crest_factor", "kurtosis", "energy"


@dataclass(frozen=True, slots=True)
class Window:
    """How a signal is summed up.

    Attributes
    ----------
    samples
        So many make a window; windows do not overlap.
    rate
        Samples a second; 0 = not known, then there are no bands.
    bands
        By name: from and to which frequency, Hz.
    raw
        Whether the values themselves go out, too.
    """

    samples: int
    rate: float = 0.0
    bands: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    raw: bool = False


def features_of(values: Sequence[float], window: Window) -> dict[str, float | None]:
    """The features of one window. Crest factor and kurtosis of a signal that stands still are None."""
    import numpy as np  # most agents need none of it

    x = np.asarray(values, dtype=float)
    x = x - x.mean()
    power = float(np.mean(x * x))
    peak = float(np.max(np.abs(x)))
    still = power <= 1e-24 * max(1.0, float(np.max(np.abs(values))) ** 2)
    out: dict[str, float | None] = {
        RMS: power**0.5,
        PEAK: peak,
        CREST: None if still else peak / power**0.5,
        KURTOSIS: None if still else float(np.mean(x**4)) / power**2,
    }
    if window.bands:
        hann = np.hanning(len(x) + 1)[:-1]
        each = np.abs(np.fft.rfft(x * hann)) ** 2 / (len(x) * np.sum(hann * hann))
        each[1 : (len(x) + 1) // 2] *= 2
        at = np.fft.rfftfreq(len(x), 1.0 / window.rate)
        for name, (low, high) in window.bands.items():
            out[f"{ENERGY}_{name}"] = float(np.sum(each[(at >= low) & (at < high)]))
    return out


class Featured:
    """Passes on what its source gives, windows of fast signals as their features: `vibration.rms` and so on.

    A window is in memory: one that was begun goes with a restart, and begins anew after a gap (a null).
    """

    def __init__(self, source: Source, windows: Mapping[str, Window]) -> None:
        self._source, self._windows = source, windows
        self._begun: dict[str, list[float]] = {}
        self._next: tuple[str, dict[str, list[float]]] | None = None

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """What there is to send. Where the outbox could not take it, the place of the next poll says so."""
        if self._next is not None and (not self._next[0] or self._next[0] == position):
            self._begun = self._next[1]
        self._next = None
        batch = self._source.poll(position, at, now, room)
        if not batch.readings:
            return batch
        begun = {name: [*values] for name, values in self._begun.items()}
        readings = [made for r in batch.readings if (made := self._of(r, begun)) is not None]
        self._next = (batch.position, begun)
        return Batch(readings, batch.position, batch.due, batch.problem)

    def _of(self, reading: Reading, begun: dict[str, list[float]]) -> Reading | None:
        out: dict[str, Cell] = {}
        for name, value in reading.values.items():
            window = self._windows.get(name)
            if window is None or window.raw:
                out[name] = value
            if window is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                begun.pop(name, None)
                continue
            held = begun.setdefault(name, [])
            held.append(float(value))
            if len(held) >= window.samples:
                out |= {f"{name}.{what}": x for what, x in features_of(held, window).items()}
                del begun[name]
        return Reading(reading.t, out) if out else None

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()
