"""The fit of a hazard in the process that fits: histories as plain arrays, figures on later slices of the record.

The hazard is learned from all of the record. How good it is, is said by its forerunner that knew the first part only,
calibrated on the slice after that, on the slice after both: nothing that it is judged on was seen by it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.domain.event_alarm import LEAST_FAILURES, usual
from anomaly.domain.hazard import ENDS, SPANS, Calibration, EventHazard, Fleet, curve
from anomaly.domain.history import HOUR_US, Events, History, Times, hours_to
from anomaly.domain.layout import Array
from anomaly.training.hazard import Fitted, Stage, TooLittle, calibrate, fit, rows_of

HISTORIES = "job.npz"
PARTS = ("errors", "replaced", "failed")
FEWEST_FAILURES = 5
JUDGED_EVERY_HOURS = 6.0
HORIZONS = ("24h", "7d", "30d")
FEWEST_JUDGED = 2
"""Failures in the slice that judges, below which nothing is said."""


@dataclass(frozen=True)
class Judged:
    """What the forerunner said of the later slice, by horizon: chances, those of a constant rate, what came (NaN = not
    known)."""

    said: Array
    constant: Array
    came: Array
    """(horizons, n)."""
    failures: int

    def brier(self, of: Array) -> list[float | None]:
        """Mean square of chance less outcome, by horizon; None = too few failures to say."""
        if self.failures < FEWEST_JUDGED:
            return [None] * len(HORIZONS)
        known = np.isfinite(self.came)
        return [
            float(((p[k] - y[k]) ** 2).mean()) if k.any() else None
            for p, y, k in zip(of, self.came, known, strict=True)
        ]


def put_histories(folder: Path, histories: Sequence[History]) -> list[dict[str, Any]]:
    """Write the arrays of histories; the rest of them for the job."""
    save: Any = np.savez
    arrays: dict[str, Times] = {}
    for i, h in enumerate(histories):
        for part in PARTS:
            events: Events = getattr(h, part)
            arrays |= {f"{part}_at_{i}": events.at_us, f"{part}_which_{i}": events.which}
    save(folder / HISTORIES, **arrays)
    return [{"asset": h.asset, "begin_us": h.begin_us, "end_us": h.end_us} for h in histories]


def read_histories(folder: Path, listed: Sequence[dict[str, Any]]) -> list[History]:
    """Read them back."""
    with np.load(folder / HISTORIES, allow_pickle=False) as opened:
        out = []
        for i, x in enumerate(listed):
            errors, replaced, failed = (Events(opened[f"{part}_at_{i}"], opened[f"{part}_which_{i}"]) for part in PARTS)
            out.append(History(x["asset"], x["begin_us"], x["end_us"], errors, replaced, failed, float("nan")))
    return out


def enough(histories: Sequence[History]) -> None:
    """Raises TooLittle where too few failures are on record."""
    failures = sum(len(h.failed.at_us) for h in histories)
    if failures < FEWEST_FAILURES:
        raise TooLittle(f"{failures} failures on record, at least {FEWEST_FAILURES} are needed to learn from errors")


def fit_histories(
    folder: Path, about: dict[str, Any], tell: Callable[[str], None]
) -> tuple[EventHazard, Judged | None, list[History], dict[str, Any]]:
    """Fit the job of a folder; the hazard, how its forerunner did, what it was learned from, and its figures.

    Raises TooLittle.
    """
    histories = read_histories(folder, about["histories"])
    fleet = Fleet(tuple(about["components"]), tuple(about["codes"]), ())
    enough(histories)
    until_us = max(h.end_us for h in histories)
    fitted = fit(
        histories, fleet, until_us, seed=int(about["seed"]),
        tell=lambda done, total, what: tell(f"{what} ({done} of {total})"),
    )  # fmt: skip
    judged = judge(fitted, histories)
    return no_surer_than_known(fitted.hazard), judged, histories, metrics_of(judged)


def no_surer_than_known(hazard: EventHazard) -> EventHazard:
    """A hazard of n failures gives no chance above (n + 1) / (n + 2): that a failure always followed few of them is no
    proof that it always will."""
    most = (sum(hazard.failures) + 1.0) / (sum(hazard.failures) + 2.0)
    kept = tuple(replace(line, true=np.minimum(line.true, most)) for line in hazard.calibrations)
    return replace(hazard, calibrations=kept)


def metrics_of(judged: Judged | None) -> dict[str, float | None]:
    """Brier's score by horizon beside that of each component's constant rate."""
    said = judged.brier(judged.said) if judged else [None] * len(HORIZONS)
    constant = judged.brier(judged.constant) if judged else [None] * len(HORIZONS)
    out: dict[str, float | None] = {"failures_judged": float(judged.failures) if judged else 0.0}
    for name, mine, of_constant in zip(HORIZONS, said, constant, strict=True):
        out |= {f"brier_{name}": mine, f"brier_{name}_of_a_constant": of_constant}
    return out


def better_than_a_constant(metrics: dict[str, float | None]) -> tuple[bool, str]:
    """Whether the mean of the three scores is below that of constant rates, in words."""
    pairs = [(metrics[f"brier_{name}"], metrics[f"brier_{name}_of_a_constant"]) for name in HORIZONS]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not known:
        many = metrics["failures_judged"] or 0.0
        return False, f"{many:.0f} failures in the later part of the record are too few to try it on"
    mine, constant = (float(np.mean(x)) for x in zip(*known, strict=True))
    words = f"its Brier score on the later part of the record, {mine:.4f}, is {{}} the {constant:.4f} of constant rates"
    return mine < constant, words.format("below" if mine < constant else "not below")


def judge(fitted: Fitted, histories: Sequence[History]) -> Judged | None:
    """How the forerunner that knew the first part did on the last slice; None = there is no such slice."""
    if not fitted.stages:
        return None
    stage = fitted.stages[-1]
    hazard = no_surer_than_known(replace(stage.hazard, calibrations=_calibrations(fitted.stages, histories)))
    said, constant, came, failures = [], [], [], 0
    step = round(JUDGED_EVERY_HOURS * HOUR_US)
    for h in histories:
        at = np.arange(max(stage.from_us, h.begin_us), min(stage.until_us, h.end_us), step, dtype=np.int64)
        if not len(at):
            continue
        p = curve(hazard, h, at)
        for c in range(len(hazard.fleet.components)):
            if hazard.failures[c] < LEAST_FAILURES:
                continue
            failed_us = h.failed.of(c)
            ends = np.sort(np.concatenate([h.replaced.of(c), failed_us]))
            said.append(p[c])
            rate = [usual(hazard.tables.lives[c], end) for end in ENDS]
            constant.append(np.repeat(np.array(rate)[:, None], len(at), axis=1))
            came.append(outcome(failed_us, ends, at, min(stage.until_us, h.end_us)))
            failures += int(((failed_us > stage.from_us) & (failed_us <= min(stage.until_us, h.end_us))).sum())
    if not said:
        return None
    return Judged(np.concatenate(said, 1), np.concatenate(constant, 1), np.concatenate(came, 1), failures)


def outcome(failed_us: Times, ends_us: Times, at_us: Times, until_us: int) -> Array:
    """(horizons, n): 1 = the part failed within it, 0 = it did not, NaN = nobody knows.

    Nobody knows where the time that is known ends before the horizon does: to count the failures among these alone
    would make them look frequent.
    """
    ahead = hours_to(failed_us[failed_us <= until_us], at_us)
    left = hours_to(ends_us[ends_us <= until_us], at_us)
    watched = (until_us - at_us) / HOUR_US
    out = np.full((len(ENDS), len(at_us)), np.nan)
    for i, hours in enumerate(ENDS):
        happened = (ahead <= hours) & (ahead <= left)
        out[i] = np.where(watched < hours, np.nan, np.where(happened, 1.0, np.where(left >= hours, 0.0, np.nan)))
    return out


def _calibrations(stages: Sequence[Stage], histories: Sequence[History]) -> tuple[Calibration, ...]:
    """Of the last forerunner, from the slices before its own; without one its chances are taken as they are."""
    nothing = np.zeros(0)
    if len(stages) < 2:
        return tuple(calibrate(nothing, nothing, nothing) for _ in SPANS)
    first = stages[0]
    rows = rows_of(histories, first.hazard.fleet, first.from_us, first.until_us, first.hazard.tables)
    said = [booster(rows.x) for booster in first.hazard.boosters]
    return tuple(calibrate(s, rows.hit[i], rows.weight[i]) for i, s in enumerate(said))
