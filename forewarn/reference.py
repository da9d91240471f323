"""Writes the reference pages that tests compare with the code: `python -m forewarn.reference` (`make docs`)."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from forewarn.arguments import parser
from work_orders.service.measures import Measure

WIDTH = "100"
FIGURES = """# Figures of service

Made by `make docs` from the code. Each figure is a SQL view `{prefix}NAME` in Forewarn's own database, with a row per
event that counts: `tenant`, `at` (epoch microseconds), `month` (UTC), `asset_id`, `unit` (a currency, else empty),
`part`, `whole`. The figure over any months, machines or customers is `sum(part) / sum(whole)`; where `whole` is null
it is `sum(part)`, and two are set against the time that machines were on record. So any report tool gives the same
figures as the page:

    SELECT month, sum(part) / sum(whole) FROM {prefix}forecast_precision WHERE tenant = 'local' GROUP BY month

They stand on the page *Figures* with their months, and for groups of customers (customer, tier, size of site,
country): a product that warns one customer well and another badly should see it. `GET
/api/v1/figures?span=month|quarter|year|all` and `GET /api/v1/figures/NAME?by=customer|tier|site_size|region` give the
same.

{table}

Saved is only what was recorded: kilometres that technicians said for the same site, power that a forecast told as
wasted and that telemetry does not see again. Repeat visits that did not come about are not counted, nobody knows of
them. A figure of which nothing has happened is none, not 0; what is counted piece by piece is 0.

## One view of a customer

*Customers* shows one customer whole: contact and consents, sites, machines with health and the chance of failure,
every open case and work order, visits, conversations, surveys, and everything that happened on one timeline, read by an
index. `GET /api/v1/customers/ID`,
and `/timeline?after=` goes on. `python -m benchmarks.customer_view` measures it with ten years of history.
"""


def commands(of: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command that can be called, in the order of the help."""
    subs = [a for a in of._actions if isinstance(a, argparse._SubParsersAction)]
    if not subs:
        yield of
    for sub in subs:
        for child in sub.choices.values():
            yield from commands(child)


def cli() -> str:
    """docs/cli.md."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        top = parser()
        parts = ["# The command line\n\nMade by `make docs` from the code.\n", _block(top.format_help())]
        parts += [f"\n## {made.prog}\n\n{_block(made.format_help())}" for made in commands(top)]
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return "\n".join(parts) + "\n"


def figures() -> str:
    """docs/figures.md."""
    from work_orders.service.measures import MEASURES, PREFIX

    rows = [f"| `{m.name}` | {m.title} | {_unit(m)} | {m.formula} | {m.clock} |" for m in MEASURES]
    table = "\n".join(["| name | figure | unit | formula | its clock |", "|---|---|---|---|---|", *rows])
    return FIGURES.format(prefix=PREFIX, table=table)


def _unit(m: Measure) -> str:
    return {"asset_month": "per machine and month", "hours_between": "hours"}.get(m.per, m.unit)


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


if __name__ == "__main__":
    docs = Path(__file__).parents[1] / "docs"
    (docs / "cli.md").write_text(cli())
    (docs / "figures.md").write_text(figures())
