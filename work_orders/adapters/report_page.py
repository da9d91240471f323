"""The service report as a page that needs nothing else: charts and pictures stand in it."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from work_orders.domain.line_chart import day_words, line_chart
from work_orders.domain.service_record import Picture, ServiceRecord, Step, Track, local

if TYPE_CHECKING:
    import jinja2

TEMPLATE = "service_report.html"


@cache
def _templates() -> "jinja2.Environment":
    import jinja2

    folder = Path(__file__).parent / "templates"
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def page(record: ServiceRecord, pictures: Mapping[str, bytes], entries: int, key: str) -> str:
    """The HTML; `entries` and `key` as its last box tells how to check it."""
    from markupsafe import Markup

    begun, done = record.started_at, record.finished_at
    visit = (begun.timestamp(), done.timestamp()) if begun and done else None

    def when(at: datetime) -> str:
        return f"{local(at, record.time_zone):%Y-%m-%d %H:%M}"

    def day(at: float) -> str:
        return day_words(local(datetime.fromtimestamp(at, UTC), record.time_zone))

    def chart(of: Track) -> Markup:
        drawn = line_chart(
            of.t, of.mean, of.low, of.high, unit=of.unit, span=(of.start.timestamp(), of.end.timestamp()),
            visit=visit, usual=of.usual, day=day,
        )  # fmt: skip
        return Markup(drawn)

    def data(of: Picture) -> str:
        return f"data:{of.media_type};base64,{base64.b64encode(pictures[of.sha256]).decode()}"

    made = _templates().overlay()
    made.filters = {**made.filters, "when": when, "chart": chart, "data": data, "figure": lambda v: f"{v:.4g}"}
    made.tests = {**made.tests, "beyond": beyond}
    return made.get_template(TEMPLATE).render(r=record, entries=entries, key=key)


def beyond(step: Step) -> bool:
    """Whether a reading is outside its limits."""
    if step.value is None:
        return False
    return (step.low is not None and step.value < step.low) or (step.high is not None and step.value > step.high)
