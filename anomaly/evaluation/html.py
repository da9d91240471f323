"""A report as one page that stands alone: no script, nothing loaded from elsewhere."""

import html
from collections.abc import Iterable, Mapping, Sequence

from anomaly.evaluation.report import Report
from anomaly.evaluation.words import called, number

STYLE = """
:root{color-scheme:light dark;--line:#8884}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;font-size:.9rem;display:block;overflow-x:auto}
th,td{padding:.25rem .75rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
figure{margin:1.5rem 0}figcaption{font-weight:600;margin-bottom:.25rem}
code{font-size:.85em;overflow-wrap:anywhere}
"""
MOST_ITEMS = 500


def page(report: Report, title: str | None = None, lead: str = "") -> str:
    """The whole page as HTML.

    Parameters
    ----------
    title
        What it is about; the set and its part if not given.
    lead
        A sentence or two before the figures, plain text.
    """
    title = title or f"{report.dataset} {report.subset}".strip()
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{_text(title)}</h1>",
        f"<p>{_text(lead)}</p>" if lead else "",
        "<h2>Figures</h2>",
        figures(report),
        *(f"<figure><figcaption>{_text(plot.title)}</figcaption>{plot.svg}</figure>" for plot in report.plots),
        "<h2>One by one</h2>",
        table(report.per_item[:MOST_ITEMS]),
        "<h2>What it was measured on</h2>",
        f"<p>Seeds {_text(', '.join(map(str, report.seeds)) or 'none')}. Files by SHA-256 of their content:</p>",
        table([{"file": name, "SHA-256": value} for name, value in report.data_sha256.items()]),
        "<h2>How</h2>",
        table([{"setting": name, "value": value} for name, value in report.config.items()]),
        "</main></body></html>",
    ]
    return "".join(parts)


def figures(report: Report) -> str:
    """The figures with their intervals, and what changes to the data make of them."""
    rows = []
    for name, value in report.figures.items():
        bounds = report.ci95.get(name)
        row: dict[str, object] = {
            "figure": called(name),
            "value": number(value),
            "95 % interval": f"{number(bounds[0])} to {number(bounds[1])}" if bounds else "",
        }
        rows.append(row | {change: number(of.get(name)) for change, of in report.perturbed.items()})
    return table(rows)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a table; columns in the order in which they first appear."""
    if not rows:
        return "<p>Nothing.</p>"
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = _cells("th", names)
    body = "".join(f"<tr>{_cells('td', (_shown(row.get(name)) for name in names))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(kind: str, values: Iterable[str]) -> str:
    return "".join(f"<{kind}>{_text(value)}</{kind}>" for value in values)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, float):
        return number(value)
    return str(value)


def _text(value: str) -> str:
    return html.escape(value)
