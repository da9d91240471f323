"""Which component of a machine somebody's words are about: by the asset model's own words, and by the company's own
closed cases of that model where there are enough of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.asset_model import AssetModel, Component
from work_orders.domain.report_reader import Reader, words_of

_SHAKING = frozenset({"mm/s", "m/s2", "um"})
OF_UNITS = {
    "heat": frozenset({"Cel", "K"}),
    "vibration": _SHAKING,
    "noise": _SHAKING,
    "leak": frozenset({"mL/h", "L/h"}),
    "weak": frozenset({"m3/h", "L/min", "bar", "kPa", "Pa", "psi"}),
}
"""Symptoms that a signal of such a unit shows."""
STEM = 4
"""Of two words of at least so many letters that begin alike one is a form of the other: seal, seals."""
AT_MOST = 3
"""More components than this that would show a symptom say nothing of which one it is."""
ENOUGH, NEIGHBOURS, RISK, COVERED = 30, 3, 0.1, 10
"""Own cases: how many there must be; how many of the most alike are asked; how often they may be wrong, and of how many
of the cases themselves, each asked of all the others, that must hold."""


def components_meant(model: AssetModel, text: str, symptom: str) -> tuple[tuple[str, str], ...]:
    """Components that the words may be about, each with why: those that their titles or their failure modes' titles
    name; else those whose failure modes show the symptom in their signals. Empty = it cannot be said."""
    said = {word for word, _ in words_of(text) if len(word) >= STEM}
    found = [(len(hit), name, hit) for name, c in model.components.items() if (hit := _named(c, said))]
    if found:
        most = max(n for n, *_ in found)
        best = tuple((name, f"he says {', '.join(hit)}") for n, name, hit in found if n == most)
        return best if len(best) < max(2, len(model.components)) else ()
    units = OF_UNITS.get(symptom, frozenset())
    shown = tuple((name, f"it shows in {signals}") for name, c in model.components.items()
                  if (signals := _shown(model, c, units)))  # fmt: skip
    return shown if len(shown) <= AT_MOST else ()


def _named(component: Component, said: set[str]) -> list[str]:
    titles = (component.title, *(m.title for m in component.modes))
    own = {word for title in titles for word, _ in words_of(title) if len(word) >= STEM}
    return sorted(word for word in own if any(word.startswith(s) or s.startswith(word) for s in said))


def _shown(model: AssetModel, component: Component, units: frozenset[str]) -> str:
    signals = {s.signal for mode in component.modes for s in mode.symptoms}
    titles = (model.signals[s].title for s in sorted(signals) if s in model.signals and model.signals[s].unit in units)
    return ", ".join(titles)


@dataclass(frozen=True, slots=True)
class PastReport:
    """What somebody said of a fault, and the component that the finding named."""

    case_id: str
    text: str
    component: str


@dataclass(frozen=True, slots=True)
class Alike:
    """The component of the past reports that are most alike, how often that was right among the company's own cases,
    and the case that is most alike."""

    component: str
    right: float
    case_id: str
    text: str


class OwnCases:
    """Past reports of a company about one asset model. It says nothing below the likeness above which its own cases,
    each asked of all the others, were right nine times of ten."""

    def __init__(self, reader: Reader, past: Sequence[PastReport]) -> None:
        self._reader, self._past = reader, past
        self._names = sorted({p.component for p in past})
        self._threshold, self._right = np.inf, 0.0
        if len(past) < ENOUGH or len(self._names) < 2:
            return
        vectors = [_vector(reader, p.text) for p in past]
        self._at = np.unique(np.concatenate([at for at, _ in vectors]))
        self._rows = np.zeros((len(past), len(self._at)), dtype=np.float32)
        for row, (at, values) in zip(self._rows, vectors, strict=True):
            row[np.searchsorted(self._at, at)] = values
        self._of = np.array([self._names.index(p.component) for p in past])
        self._learn()

    def _learn(self) -> None:
        alike = self._rows @ self._rows.T
        np.fill_diagonal(alike, -1.0)
        asked = [self._vote(row) for row in alike]
        sure = np.array([s for s, _ in asked])
        right = np.array([name == of for (_, name), of in zip(asked, self._of, strict=True)])
        order = np.argsort(-sure)
        share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
        fine = np.flatnonzero((1 - share <= RISK) & (np.arange(1, len(order) + 1) >= COVERED))
        if len(fine):
            self._threshold, self._right = float(sure[order[fine[-1]]]), float(share[fine[-1]])

    def _vote(self, alike: NDArray[np.float32]) -> tuple[float, int]:
        """The component with the most likeness among the neighbours, and how much of it it has."""
        sums = np.zeros(len(self._names))
        for n in np.argsort(-alike)[:NEIGHBOURS]:
            sums[self._of[n]] += max(0.0, float(alike[n]))
        return float(sums.max()), int(sums.argmax())

    def read(self, text: str) -> Alike | None:
        """None = too few cases, or none that is alike enough."""
        if not np.isfinite(self._threshold):
            return None
        at, values = _vector(self._reader, text)
        known = np.isin(at, self._at)
        alike = self._rows[:, np.searchsorted(self._at, at[known])] @ values[known]
        sure, name = self._vote(alike)
        if sure < self._threshold:
            return None
        first = next(int(n) for n in np.argsort(-alike) if self._of[n] == name)
        return Alike(self._names[name], self._right, self._past[first].case_id, self._past[first].text)


def _vector(reader: Reader, text: str) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    at = np.array(sorted({b for _, buckets in words_of(text) for b in buckets}), dtype=np.intp)
    values = reader.rarity[at]
    return at, values / max(float(np.sqrt(values @ values)), 1e-9)
