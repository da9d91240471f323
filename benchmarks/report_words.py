"""Fits the reader of people's words, and judges it on phrases that it never saw.

    python -m benchmarks.report_words fit [--out FOLDER]
    python -m benchmarks.report_words judge [--json FILE]

Phrases stand in `benchmarks/report_phrases`: `train` to fit on, `held_out` to judge, English and Chinese, sorted by
symptom, those that are urgent marked (!d danger, !f flood, !s standstill). Everything that is chosen (temperatures that
make chances honest, thresholds below which nothing is said) comes from five-fold cross-validation on `train`:

symptom   said where at most one in ten of the phrases that are at least as sure was wrong
urgency   said where four in five urgent phrases were found: it only ever raises, so a wrong one costs a look

fit    writes the arrays (weights in 8 bits) and their manifest beside `work_orders.service.report_reader`.
judge  prints what the shipped files do on `held_out`; docs/report-words.md has it.
"""

import argparse
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from work_orders.domain.report_reader import BUCKETS, CALM, SYMPTOMS, URGENCY, Head, Reader, words_of
from work_orders.service.report_reader import ARRAYS, MANIFEST, reader

PHRASES = Path(__file__).with_name("report_phrases")
MARKS = {"d": "danger", "f": "flood", "s": "standstill"}
RISK, RECALL = 0.1, 0.8
STRENGTH = 20.0
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Phrase:
    """What somebody might say, and what it means."""

    text: str
    symptom: str
    urgency: str
    language: str


def phrases(name: str) -> list[Phrase]:
    """Those of `train` or `held_out`, both languages."""
    found = []
    for language in ("en", "zh"):
        symptom = ""
        for line in (PHRASES / f"{name}.{language}.txt").read_text().splitlines():
            if line.startswith("# "):
                symptom = line[2:]
            elif line.strip():
                mark = re.match(r"!([dfs]) ", line)
                text, urgency = (line[3:], MARKS[mark[1]]) if mark else (line, CALM)
                found.append(Phrase(text.strip(), symptom, urgency, language))
    return found


def fit(out: Path) -> dict[str, Any]:
    """Fit both heads and write them."""
    import sklearn
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    known = phrases("train")
    rows: list[int] = []
    columns: list[int] = []
    for n, phrase in enumerate(known):
        buckets = {b for _, found in words_of(phrase.text) for b in found}
        rows += [n] * len(buckets)
        columns += buckets
    counts = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(known), BUCKETS))
    rarity = TfidfTransformer().fit(counts)
    arrays: dict[str, NDArray[Any]] = {"rarity": rarity.idf_.astype(np.float16)}  # what was never seen is rarest
    seen = np.asarray(counts.sum(axis=0)).ravel() > 0
    arrays["seen"] = np.packbits(seen)
    heads = {}
    for head in ("symptom", "urgency"):
        names = list(SYMPTOMS) if head == "symptom" else [CALM, *URGENCY]
        wanted = np.array([names.index(getattr(p, head)) for p in known])
        model = make_pipeline(TfidfTransformer(), LogisticRegression(C=STRENGTH, max_iter=500))
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        scores = cross_val_predict(model, counts, wanted, cv=folds, method="decision_function")
        temperature = cooled(scores, wanted)
        chances = softmax(scores / temperature)
        if head == "symptom":
            threshold = where_right(chances, wanted)
        else:
            urgent = wanted != names.index(CALM)
            threshold = float(np.quantile(1 - chances[urgent, names.index(CALM)], 1 - RECALL))
        fitted = LogisticRegression(C=STRENGTH, max_iter=500).fit(rarity.transform(counts), wanted)
        scale = np.abs(fitted.coef_).max() / 127
        arrays |= {
            f"{head}_weights": np.round(fitted.coef_.T / scale).astype(np.int8),
            f"{head}_scale": np.array(scale, dtype=np.float32),
            f"{head}_offsets": fitted.intercept_.astype(np.float32),
        }  # fmt: skip
        heads[head] = {"names": names, "temperature": round(temperature, 4), "threshold": round(threshold, 4)}
    with (out / ARRAYS.name).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    manifest = {
        "familiar": round(familiar(counts), 4),
        "sha256": hashlib.sha256((out / ARRAYS.name).read_bytes()).hexdigest(), "buckets": BUCKETS, "heads": heads,
        "phrases": len(known), "train_sha256": train_sha256(), "scikit_learn": sklearn.__version__,
    }  # fmt: skip
    (out / MANIFEST.name).write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def familiar(counts: Any) -> float:
    """The share of a phrase's buckets that the others have, too: all but one in twenty phrases have more."""
    of = np.asarray(counts.sum(axis=0)).ravel()
    shares = [float((of[row.indices] > 1).mean()) for row in counts]
    return float(np.quantile(shares, 0.05))


def train_sha256() -> str:
    """Of the phrases that are fitted on."""
    return hashlib.sha256(b"".join((PHRASES / f"train.{x}.txt").read_bytes() for x in ("en", "zh"))).hexdigest()


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chances of rows of scores."""
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = grown / grown.sum(axis=1, keepdims=True)
    return found


def cooled(scores: NDArray[np.float64], wanted: NDArray[np.int64]) -> float:
    """The temperature under which what came true was likeliest."""
    tried = np.geomspace(0.2, 5, 200)
    told = [np.log(softmax(scores / t)[np.arange(len(wanted)), wanted] + 1e-12).mean() for t in tried]
    return float(tried[int(np.argmax(told))])


def where_right(chances: NDArray[np.float64], wanted: NDArray[np.int64]) -> float:
    """The lowest chance from which on at most one in ten is wrong, on the risk-coverage curve."""
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == wanted
    order = np.argsort(-sure)
    risk = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    return float(sure[order[np.flatnonzero(risk <= RISK)[-1]]])


def judge(of: Reader) -> dict[str, Any]:
    """What a reader does on the held-out phrases, by language."""
    told = phrases("held_out")
    return {"all": _judged(of, told)} | {
        language: _judged(of, [p for p in told if p.language == language]) for language in ("en", "zh")
    }


def _chances(head: Head, of: Reader, text: str) -> NDArray[np.float64]:
    at = np.array(sorted({b for _, buckets in words_of(text) for b in buckets}), dtype=np.intp)
    features = of.rarity[at]
    return head.chances(features / max(float(np.sqrt(features @ features)), 1e-9), at)


def _judged(of: Reader, told: list[Phrase]) -> dict[str, Any]:
    chances = np.array([_chances(of.symptom, of, p.text) for p in told])
    wanted = np.array([of.symptom.names.index(p.symptom) for p in told])
    sure, said = chances.max(axis=1), chances.argmax(axis=1)
    read = [of.read(p.text) for p in told]  # as it is done live
    covered, right = np.array([r.symptom is not None for r in read]), said == wanted
    alarmed = np.array([r.urgent is not None for r in read])
    urgent = np.array([p.urgency != CALM for p in told])
    return {
        "phrases": len(told),
        "macro_f1": _macro_f1(said, wanted, len(of.symptom.names)),
        "macro_f1_of_those_said": _macro_f1(said[covered], wanted[covered], len(of.symptom.names)),
        "coverage": float(covered.mean()),
        "wrong_of_those_said": float((~right[covered]).mean()) if covered.any() else None,
        "wrong_if_always_said": float((~right).mean()),
        "calibration_error": _calibration(sure, right),
        "urgent": int(urgent.sum()),
        "urgent_found": float(alarmed[urgent].mean()),
        "calm_called_urgent": float(alarmed[~urgent].mean()),
        "urgent_of_those_called_so": float(urgent[alarmed].mean()) if alarmed.any() else None,
        "risk_coverage": {
            f"{share:.0%}": float((~right[np.argsort(-sure)][: max(1, round(share * len(told)))]).mean())
            for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
        },
    }


def _macro_f1(said: NDArray[np.int64], wanted: NDArray[np.int64], names: int) -> float:
    """Mean over the symptoms that there are of 2TP / (2TP + FP + FN)."""
    scores = []
    for n in range(names):
        hit, either = int(((said == n) & (wanted == n)).sum()), int((said == n).sum() + (wanted == n).sum())
        if (wanted == n).any():
            scores.append(2 * hit / either)
    return float(np.mean(scores)) if scores else 0.0


def _calibration(sure: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error: tenths of the chances, |how sure - how often right|, weighted by how many."""
    at = np.minimum((sure * bins).astype(int), bins - 1)
    return float(sum(abs(sure[at == b].sum() - right[at == b].sum()) for b in range(bins)) / len(sure))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=("fit", "judge"))
    parser.add_argument("--out", type=Path, default=ARRAYS.parent)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = fit(given.out) if given.do == "fit" else judge(reader())
    print(json.dumps(found, indent=1))
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
