"""The process that fits: `python -m anomaly.training.worker FOLDER` reads a job there and leaves a model and its card.

The parent is told by lines of JSON on the standard output: {"text"} while it works, at last {"done": …} or {"fault"}.
Jobs travel as plain arrays, so that nothing is unpickled on either side.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.training.card import card, sha256_text
from anomaly.training.hazard import TooLittle
from anomaly.training.hazard_card import hazard_card
from anomaly.training.hazard_files import write_hazard
from anomaly.training.hazard_job import fit_histories
from anomaly.training.life_files import write_life
from anomaly.training.remaining_life import Fitted, Lived, TooFewLives, fit, target

NICE = 10
JOB, ARRAYS, MODEL, CARD = "job.json", "job.npz", "model", "card.html"
SHORTEST_CAP_STEPS = 24
CAP_SHARE = 0.6
"""Lives are told up to this share of the median life that ended: before, a machine shows nothing of its end."""


def put_job(folder: Path, lives: Sequence[Lived], about: dict[str, Any]) -> None:
    """Write what the child needs."""
    save: Any = np.savez
    arrays = {f"{part}_{i}": getattr(x, part) for i, x in enumerate(lives) for part in ("hours", "readings", "levels")}
    save(folder / ARRAYS, **arrays)
    listed = [{"name": x.name, "end_hours": x.end_hours, "failed": x.failed} for x in lives]
    (folder / JOB).write_text(json.dumps({**about, "lives": listed}))


def read_job(folder: Path) -> tuple[list[Lived], dict[str, Any]]:
    """Read it back."""
    about = json.loads((folder / JOB).read_text())
    with np.load(folder / ARRAYS, allow_pickle=False) as opened:
        lives = [
            Lived(x["name"], opened[f"hours_{i}"], opened[f"readings_{i}"], opened[f"levels_{i}"], x["end_hours"],
                  x["failed"])
            for i, x in enumerate(about.pop("lives"))
        ]  # fmt: skip
    return lives, about


def cap_of(lives: Sequence[Lived], step_hours: float, longest_hours: float) -> float:
    """Up to where lives are told, hours."""
    ended = [x.end_hours - float(x.hours[0]) for x in lives if x.failed]
    middle = float(np.median(ended)) if ended else longest_hours
    return float(np.clip(CAP_SHARE * middle, SHORTEST_CAP_STEPS * step_hours, longest_hours))


def metrics_of(fitted: Fitted, lives: Sequence[Lived]) -> dict[str, float | None]:
    """Errors on lives that were held out, beside those of the best single number."""
    cap = fitted.model.cap_hours
    y = [target(x, cap) for x in lives]
    pairs = [(p[k], v[k]) for p, v in zip(fitted.held_out, y, strict=True) if (k := np.isfinite(v)).any()]
    middle = float(np.median(np.concatenate([v for _, v in pairs])))
    constant = float(np.sqrt(np.mean([np.mean((v - middle) ** 2) for _, v in pairs])))
    ends = fitted.model.interval.around(np.concatenate([p for p, _ in pairs]), cap)
    low, high = ends[0], ends[-1]
    told = np.concatenate([v for _, v in pairs])
    return {
        "rmse_hours": fitted.error,
        "rmse_of_a_constant_hours": constant,
        "coverage_90": float(((told >= low) & (told <= high)).mean()),
        "half_width_hours": float((high - low).mean() / 2),
        "cap_hours": cap,
    }


def work(folder: Path) -> dict[str, Any]:
    """Fit the job of a folder; what the registry keeps. Raises TooFewLives."""
    lives, about = read_job(folder)
    step, seed = float(about["step_hours"]), int(about["seed"])
    fitted = fit(
        lives, about["readings"], about["levels"], spans=tuple(about["spans"]), step_hours=step,
        cap_hours=cap_of(lives, step, float(about["longest_hours"])), seeds=(seed,),
        told=lambda done, total, what: _say(text=f"{what} ({done} of {total})"),
    )  # fmt: skip
    metrics = metrics_of(fitted, lives)
    failures = sum(x.failed for x in lives)
    facts = {
        "asset_model": about["asset_model"], "tenant": about["tenant"], "trained_at": about["trained_at"],
        "data_sha256": about["data_sha256"], "lives": len(lives), "failures": failures, "seed": seed,
        "metrics": metrics,
    }  # fmt: skip
    sha256 = write_life(folder / MODEL, fitted.model, facts)
    page = card(facts, fitted, lives, sha256)
    (folder / CARD).write_text(page)
    return {**facts, "sha256": sha256, "card_sha256": sha256_text(page)}


def work_on_events(folder: Path) -> dict[str, Any]:
    """Fit the hazard of a folder; what the registry keeps. Raises TooLittle."""
    about = json.loads((folder / JOB).read_text())
    hazard, judged, histories, metrics = fit_histories(folder, about, lambda words: _say(text=words))
    named = ("kind", "asset_model", "tenant", "trained_at", "data_sha256", "seed")
    facts = {
        **{name: about[name] for name in named}, "metrics": metrics,
        "lives": sum(len(h.replaced.at_us) for h in histories), "failures": sum(hazard.failures),
    }  # fmt: skip
    sha256 = write_hazard(folder / MODEL, hazard, facts)
    page = hazard_card(facts, hazard, judged, histories, sha256)
    (folder / CARD).write_text(page)
    return {**facts, "sha256": sha256, "card_sha256": sha256_text(page)}


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def main(folder: str) -> int:
    """Work and tell the parent; everything else on this computer comes first."""
    os.nice(NICE)
    try:
        of_events = "histories" in json.loads((Path(folder) / JOB).read_text())
        _say(done=(work_on_events if of_events else work)(Path(folder)))
    except (TooFewLives, TooLittle) as few:
        _say(fault=str(few))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
