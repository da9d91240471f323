"""The model card: what a learned model was made from, how good it is on lives that it had not seen; one HTML file."""

import hashlib
import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anomaly.training.files import code_version
from anomaly.training.remaining_life import Fitted, Lived, target

SIZE, EDGE = 360, 44
MOST_DOTS = 1500
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}"
    "svg{width:100%;height:auto;max-width:480px}code{overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}"
)
WORDS = {
    "rmse_hours": "Error on lives held out (root mean square, hours)",
    "rmse_of_a_constant_hours": "The same of the best single number, for comparison",
    "coverage_90": "Share of rows inside the 90 % interval, which was set on the same held-out lives",
    "half_width_hours": "Half the width of that interval, hours",
    "cap_hours": "Lives are told up to, hours",
}


def sha256_text(text: str) -> str:
    """Of the text as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def card(facts: Mapping[str, Any], fitted: Fitted, lives: Sequence[Lived], sha256: str) -> str:
    """The page; it stands alone."""
    cap = fitted.model.cap_hours
    told = [target(x, cap) for x in lives]
    metrics = "".join(
        f"<tr><td>{html.escape(WORDS.get(name, name))}</td><td>{_shown(value)}</td></tr>"
        for name, value in facts["metrics"].items()
    )
    made = {
        "Asset model": facts["asset_model"], "Tenant": facts["tenant"], "Trained at": facts["trained_at"],
        "Code": code_version(), "Seed": facts["seed"], "Data (SHA-256)": facts["data_sha256"],
        "Model (SHA-256 of the manifest)": sha256,
    }  # fmt: skip
    rows = "".join(f"<tr><td>{html.escape(k)}</td><td><code>{html.escape(str(v))}</code></td></tr>"
                   for k, v in made.items())  # fmt: skip
    each = "".join(
        f"<tr><td>{html.escape(x.name)}</td><td>{len(x.hours)}</td>"
        f"<td>{x.end_hours - float(x.hours[0]):.0f}</td><td>{'ended' if x.failed else 'goes on'}</td></tr>"
        for x in lives
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(facts['asset_model'])}: learned remaining life</title><style>{STYLE}</style>"
        f"<h1>Remaining life of {html.escape(facts['asset_model'])}</h1>"
        f"<p>Learned from {facts['lives']} lives, of which {facts['failures']} ended in a failure or with a part that"
        " was found worn. One that goes on tells how long a life was at least.</p>"
        f"<h2>How good it is</h2><table>{metrics}</table>{_scatter(fitted, told, cap)}"
        f"<h2>What it looks at</h2><p>{html.escape(', '.join(fitted.model.signals))}"
        f"{'; regimes by ' + html.escape(', '.join(fitted.model.conditions)) if fitted.model.conditions else ''}.</p>"
        "<h2>What it cannot</h2><p>It tells when the machine ends a life, not which part does; failures of a kind that"
        " is not among these lives, and machines under other conditions, it does not know.</p>"
        f"<h2>Lives</h2><table><tr><th>Life</th><th>Steps</th><th>Hours</th><th></th></tr>{each}</table>"
        f"<h2>Made from</h2><table>{rows}</table></html>"
    )


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _scatter(fitted: Fitted, told: Sequence[Any], cap: float) -> str:
    """What was said of lives held out against what came."""
    said = np.concatenate(fitted.held_out)
    true = np.concatenate(list(told))
    known = np.flatnonzero(np.isfinite(true))
    some = known[:: max(1, -(-len(known) // MOST_DOTS))]

    def place(x: float) -> float:
        return EDGE + x / cap * (SIZE - 2 * EDGE)

    dots = "".join(
        f'<circle cx="{place(float(true[i])):.1f}" cy="{SIZE - place(float(said[i])):.1f}" r="2"/>' for i in some
    )
    far, near = SIZE - EDGE, EDGE
    return (
        f'<svg viewBox="0 0 {SIZE} {SIZE}" role="img" font-size="12" fill="currentColor">'
        "<title>Hours left as said against hours left as they came</title>"
        f'<path d="M{near} {near}V{far}H{far}M{near} {far}L{far} {near}" fill="none" stroke="currentColor"'
        f' stroke-opacity=".4"/><g fill="#3b82c4" fill-opacity=".5">{dots}</g>'
        f'<text x="{SIZE / 2}" y="{SIZE - 8}" text-anchor="middle">hours left, as they came (up to {cap:.0f})</text>'
        f'<text transform="rotate(-90)" x="{-SIZE / 2}" y="16" text-anchor="middle">as said</text></svg>'
    )
