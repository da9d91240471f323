"""What somebody's own words say of a fault: its symptom and how urgent it is, with the words that say so.

Character n-grams, so that word forms, mistakes in writing and Chinese need nothing of their own. The weights were
fitted elsewhere (docs/report-words.md); here is arithmetic. Below its thresholds it says nothing.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SYMPTOMS = {
    "noise": "Noise",
    "leak": "A leak",
    "heat": "Heat",
    "smell": "A smell",
    "no_start": "It does not start",
    "stops": "It stops by itself",
    "weak": "It does less than it should",
    "vibration": "It shakes",
    "display": "A message or lamp",
    "electrical": "Something electrical",
    "water_air": "Its water or air is not as it should be",
    "other": "No fault of the machine",
}
CALM = "no"
URGENCY = {
    "danger": "people may be in danger",
    "flood": "water is running out",
    "standstill": "work stands still",
}
BUCKETS = 16_384
LATIN, HAN = (3, 4), (1, 2)
"""Lengths of the n-grams within words, and of those within runs of Chinese characters."""
MOST_CHARACTERS = 4000
SHOWN = 4
_WORD = re.compile(r"[\u3400-\u9fff]+|[^\W_]+")


@dataclass(frozen=True, slots=True)
class Guess:
    """What the words say with which probability, and the words that say it most."""

    name: str
    p: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """None = not clear enough to say."""

    symptom: Guess | None
    urgent: Guess | None


@dataclass(frozen=True, slots=True)
class Head:
    """A question that is answered: names of the answers, weights (bucket x answer), their offsets, the temperature that
    makes the chances honest, and from where on one is said."""

    names: tuple[str, ...]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    temperature: float
    threshold: float

    def chances(self, features: NDArray[np.float32], at: NDArray[np.intp]) -> NDArray[np.float64]:
        """Of each answer."""
        scores = (features @ self.weights[at] + self.offsets).astype(float) / self.temperature
        grown = np.exp(scores - scores.max())
        found: NDArray[np.float64] = grown / grown.sum()
        return found


@dataclass(frozen=True, slots=True)
class Reader:
    """Both heads, how rare each bucket is, and which were seen when it was fitted: of words of which fewer than the
    share `familiar` were (another language, say) it says no symptom."""

    rarity: NDArray[np.float32]
    seen: NDArray[np.bool_]
    familiar: float
    symptom: Head
    urgency: Head

    def read(self, text: str) -> Reading:
        """What the words say."""
        pieces = list(words_of(text))
        at = np.array(sorted({b for _, buckets in pieces for b in buckets}), dtype=np.intp)
        features = self.rarity[at]
        norm = float(np.sqrt(features @ features))
        if not norm:
            return Reading(None, None)
        features = features / norm
        symptom = self.symptom.chances(features, at) * (self.seen[at].mean() >= self.familiar)
        best = int(symptom.argmax())
        calm = self.urgency.names.index(CALM)
        urgency = self.urgency.chances(features, at)
        p = 1.0 - float(urgency[calm])
        urgency[calm] = 0.0
        worst = int(urgency.argmax())
        return Reading(
            self._said(self.symptom, best, float(symptom[best]), pieces),
            self._said(self.urgency, worst, p, pieces, against=calm),
        )

    def _said(
        self, head: Head, answer: int, p: float, pieces: list[tuple[str, list[int]]], against: int | None = None
    ) -> Guess | None:
        if p < head.threshold:
            return None
        other = head.weights.mean(axis=1) if against is None else head.weights[:, against]
        gain = (head.weights[:, answer] - other) * self.rarity
        scores = {word: float(gain[buckets].sum()) for word, buckets in pieces}
        top = sorted((w for w, s in scores.items() if s > 0), key=lambda w: -scores[w])[:SHOWN]
        return Guess(head.names[answer], p, tuple(top))


def words_of(text: str) -> Iterator[tuple[str, list[int]]]:
    """Words (of Chinese: every two characters) with the buckets of their n-grams."""
    plain = unicodedata.normalize("NFKC", text[:MOST_CHARACTERS]).casefold()
    for word in _WORD.findall(plain):
        if "\u3400" <= word[0] <= "\u9fff":
            for i in range(max(1, len(word) - 1)):
                pair = word[i : i + 2]
                yield pair, [_bucket(g) for n in HAN for g in _grams(pair, n)]
        else:
            edged = f" {word} "
            yield word, [_bucket(g) for g in (*(g for n in LATIN for g in _grams(edged, n)), edged)]


def _grams(text: str, n: int) -> Iterator[str]:
    return (text[i : i + n] for i in range(len(text) - n + 1))


def _bucket(gram: str) -> int:
    return zlib.crc32(gram.encode()) % BUCKETS
