"""The card of a hazard: from what it was learned, how it did on later time, and what announces which failure."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anomaly.domain.hazard import EventHazard
from anomaly.domain.hazard_features import MEMORY_HOURS
from anomaly.domain.history import History
from anomaly.training.card import STYLE
from anomaly.training.files import code_version
from anomaly.training.hazard_job import HORIZONS, Judged

SIZE, EDGE, BINS = 360, 44, 8
WORDS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}
MOST_CODES = 5


def hazard_card(
    facts: Mapping[str, Any], hazard: EventHazard, judged: Judged | None, histories: Sequence[History], sha256: str
) -> str:
    """The page; it stands alone."""
    model, e = html.escape(str(facts["asset_model"])), html.escape
    days = sum(h.end_us - h.begin_us for h in histories) / 8.64e10
    errors = sum(len(h.errors.at_us) for h in histories)
    scores = "".join(
        f"<tr><td>{WORDS[name]}</td><td>{_shown(facts['metrics'][f'brier_{name}'])}</td>"
        f"<td>{_shown(facts['metrics'][f'brier_{name}_of_a_constant'])}</td></tr>"
        for name in HORIZONS
    )
    parts = "".join(
        f"<tr><td>{e(name)}</td><td>{hazard.failures[c]}</td><td>{_life(hazard, c)}</td>"
        f"<td>{_codes(hazard, c)}</td></tr>"
        for c, name in enumerate(hazard.fleet.components)
    )
    made = {
        "Asset model": facts["asset_model"], "Tenant": facts["tenant"], "Trained at": facts["trained_at"],
        "Code": code_version(), "Seed": facts["seed"], "Data (SHA-256)": facts["data_sha256"],
        "Model (SHA-256 of the manifest)": sha256,
    }  # fmt: skip
    rows = "".join(f"<tr><td>{e(k)}</td><td><code>{e(str(v))}</code></td></tr>" for k, v in made.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{model}: hazard from errors</title><style>{STYLE}td,th{{overflow-wrap:anywhere}}</style>"
        f"<h1>Hazard of {model} from errors</h1>"
        f"<p>P(failure) of each component within 24 hours, 7 and 30 days, by errors, work and age. Learned from"
        f" {len(histories)} machines over {days:.0f} machine-days with {errors} errors and {facts['failures']}"
        " failures (or parts found worn).</p><h2>How good it is</h2>"
        "<p>A forerunner that knew the first part of the record only, on the last part of it: Brier's score, lower is"
        f" better, {facts['metrics']['failures_judged']:.0f} failures.</p>"
        f"<table><tr><th>Within</th><th>This</th><th>Constant rate of each component</th></tr>{scores}</table>"
        f"{_reliability(judged)}<h2>Components</h2><table><tr><th>Component</th><th>Failures</th><th>Usual life</th>"
        f"<th>Errors that its failures followed within {MEMORY_HOURS[1]:g} h</th></tr>{parts}</table>"
        "<h2>What it cannot</h2><p>It looks at no readings but errors; failures that no error announces come by age"
        " alone, and components with fewer than two failures on record it does not tell of.</p>"
        f"<h2>Made from</h2><table>{rows}</table></html>"
    )


def _shown(value: float | None) -> str:
    return "–" if value is None else "below 0.0001" if value < 0.0001 else f"{value:.4f}"


def _life(hazard: EventHazard, c: int) -> str:
    life = hazard.tables.lives[c]
    return f"{life.scale:,.0f} h (shape {life.shape:.1f})" if hazard.failures[c] else "no failure on record"


def _codes(hazard: EventHazard, c: int) -> str:
    table, base = hazard.tables.followed[c][1], hazard.tables.usual[c][1]
    telling = sorted(
        ((rate, codes) for codes, rate in table.items() if rate > base), key=lambda x: (-x[0], sorted(x[1]))
    )
    said = [
        f"{html.escape(' with '.join(hazard.fleet.codes[i] for i in sorted(codes)))} {rate:.0%}"
        for rate, codes in telling[:MOST_CODES]
    ]
    return ", ".join(said) or "none"


def _reliability(judged: Judged | None) -> str:
    """How often what was said for 7 days came, by what was said."""
    if judged is None:
        return "<p>The record is too short to keep a part of it back.</p>"
    known = np.isfinite(judged.came[1])
    p, y = judged.said[1][known], judged.came[1][known]
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    low, span = EDGE, SIZE - 2 * EDGE
    dots = ""
    for b in range(BINS):
        mine = which == b
        if mine.any():
            x, at = low + float(p[mine].mean()) * span, SIZE - low - float(y[mine].mean()) * span
            dots += f'<circle cx="{x:.1f}" cy="{at:.1f}" r="{2 + min(8.0, float(mine.sum()) ** 0.25):.1f}"/>'
    far = SIZE - EDGE
    return (
        f'<svg viewBox="0 0 {SIZE} {SIZE}" role="img" font-size="12" fill="currentColor">'
        "<title>How often a failure came within 7 days, by the chance that was said</title>"
        f'<path d="M{low} {low}V{far}H{far}M{low} {far}L{far} {low}" fill="none" stroke="currentColor"'
        f' stroke-opacity=".4"/><g fill="#3b82c4" fill-opacity=".7">{dots}</g>'
        f'<text x="{SIZE / 2}" y="{SIZE - 8}" text-anchor="middle">chance said for 7 days (0 to 1)</text>'
        f'<text transform="rotate(-90)" x="{-SIZE / 2}" y="16" text-anchor="middle">how often it came</text></svg>'
    )
