"""One view of a customer and the figures, with ten years of history: 1,000 machines, 100,000 cases.

    python -m benchmarks.customer_view [--assets 1000] [--cases 100000] [--postgres] [--json FILE]

All of it belongs to one customer, the worst case. Told are median and worst of 20 readings in milliseconds: `view`
(everything with the first page of the timeline), `page` (a page from the middle of it), `machine` (the timeline of one
machine), `figures` (all of them).
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from deploy.servers.launch import PostgreSQL
from plumbing import audit, migrate
from plumbing.sql import Database, UtcTime
from work_orders.queries.customer import customer_timeline, customer_view
from work_orders.queries.measured import measured
from work_orders.queries.timeline import timeline
from work_orders.service import message_tables as said
from work_orders.service import tables as t
from work_orders.service.moment_tables import moments

TENANT, CUSTOMER = "bench", "great"
START, NOW = datetime(2016, 11, 22, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
COSTS = '{"currency":"EUR","failure":{"customer":6500,"provider":2500},"planned":{"customer":0,"provider":1500},'
COSTS += '"false_visit":{"customer":0,"provider":500},"covered":true}'
EVENTS_PER_CASE = 8
AT_ONCE = 2000
READINGS = 20
FILLERS: dict[type, Any] = {int: 0, str: "", bool: False, float: 0.0, bytes: b""}


def filled(table: sa.Table, **values: Any) -> dict[str, Any]:
    """A row in which what nobody cares for is empty."""
    empty = {c.name: None if c.nullable else _filler(c.type) for c in table.columns}
    return empty | values | {"tenant": TENANT}


def _filler(kind: sa.types.TypeEngine[Any]) -> Any:
    return START if isinstance(kind, UtcTime) else FILLERS.get(kind.python_type, "")


def history(assets: int, cases: int) -> Iterator[tuple[sa.Table, list[dict[str, Any]]]]:
    """Rows of ten years, a portion at a time, in an order that the database's references allow."""
    some = random.Random(0)
    yield t.customers, [filled(t.customers, id=CUSTOMER, name="Great customer")]
    yield t.sites, [filled(t.sites, id=f"s{n}", customer_id=CUSTOMER, name=f"Site {n}") for n in range(50)]
    rows = [
        filled(t.assets, id=f"a{n}", customer_id=CUSTOMER, site_id=f"s{n % 50}", name=f"Pump {n}", added_at=START)
        for n in range(assets)
    ]
    yield t.assets, rows
    seq = 0
    for first in range(0, cases, AT_ONCE):
        made: dict[sa.Table, list[dict[str, Any]]] = {
            t.cases: [], t.orders: [], t.findings: [], said.conversations: [], said.messages: [], audit.entries: [],
            audit.assets: [], moments: [],
        }  # fmt: skip
        for n in range(first, min(first + AT_ONCE, cases)):
            asset, opened = f"a{n % assets}", START + (NOW - START) * n / cases
            over = None if n >= cases - assets // 5 else opened + timedelta(days=3)
            result = some.choice(("prevented", "true", "false"))
            made[t.cases].append(
                filled(
                    t.cases, id=f"c{n}", asset_id=asset, customer_id=CUSTOMER, component=f"part {n % 3}",
                    state="closed" if over else "work_ordered", opened_at=opened, closed_at=over,
                    decided_at=opened, prediction_id=f"f{n}", costs=COSTS, outcome="prevented" if over else "running",
                )
            )  # fmt: skip
            made[t.orders].append(
                filled(
                    t.orders, id=f"o{n}", case_id=f"c{n}", asset_id=asset, customer_id=CUSTOMER, opened_at=opened,
                    started_at=over and opened + timedelta(days=1), finished_at=over, ended_at=over,
                    state="closed" if over else "scheduled",
                )
            )  # fmt: skip
            if over:
                made[t.findings].append(
                    filled(t.findings, id=f"x{n}", case_id=f"c{n}", order_id=f"o{n}", asset_id=asset, result=result,
                           at=over)
                )  # fmt: skip
            made[said.conversations].append(filled(said.conversations, id=f"t{n}", case_id=f"c{n}"))
            made[said.messages].append(
                filled(said.messages, id=f"m{n}", conversation_id=f"t{n}", case_id=f"c{n}", at=opened,
                       customer_id=CUSTOMER, incoming=n % 3 == 0, text="When will you come?", due_at=None)
            )  # fmt: skip
            for k in range(EVENTS_PER_CASE):
                seq += 1
                diff = json.dumps({"asset": asset, "id": f"c{n}", "text": f"Step {k} of the case of {asset}."})
                made[audit.entries].append(
                    filled(audit.entries, seq=seq, prev_hash="", hash="", at=opened, actor="forewarn",
                           action="case_opened", diff=diff)
                )  # fmt: skip
                made[audit.assets].append({"tenant": TENANT, "asset": asset, "seq": seq})
                made[moments].append({"tenant": TENANT, "seq": seq, "asset_id": asset, "customer_id": CUSTOMER})
        yield from made.items()


def timed(read: Callable[[sa.Connection], object], database: Database) -> dict[str, float]:
    """Median and worst of some readings, milliseconds."""
    took = []
    for _ in range(READINGS):
        begun = time.perf_counter()
        with database.read() as connection:
            read(connection)
        took.append(1000 * (time.perf_counter() - begun))
    return {"median_ms": round(statistics.median(took), 1), "worst_ms": round(max(took), 1)}


def run(url: str, assets: int, cases: int) -> dict[str, Any]:
    """Fill a database and read it."""
    database = Database(url)
    migrate.upgrade(database, ("plumbing", "work_orders"))
    for table, rows in history(assets, cases):
        if rows:
            with database.write() as connection:
                connection.execute(sa.insert(table), rows)
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    middle = cases * EVENTS_PER_CASE // 2
    out: dict[str, Any] = {"database": database.dialect, "assets": assets, "cases": cases}
    out["view"] = timed(lambda c: customer_view(c, TENANT, CUSTOMER), database)
    out["page"] = timed(lambda c: customer_timeline(c, TENANT, CUSTOMER, before=middle), database)
    out["machine"] = timed(lambda c: timeline(c, TENANT, "a1"), database)
    out["figures"] = timed(lambda c: measured(c, TENANT, NOW), database)
    database.close()
    return out


def main() -> None:
    """Read the options, run, print."""
    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    given.add_argument("--assets", type=int, default=1000)
    given.add_argument("--cases", type=int, default=100_000)
    given.add_argument("--postgres", action="store_true", help="on PostgreSQL, which is started for it")
    given.add_argument("--json", type=Path)
    options = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.postgres:
            with PostgreSQL(Path(folder)) as server:
                found = run(server.create_database(), options.assets, options.cases)
        else:
            found = run(f"sqlite:///{folder}/bench.db", options.assets, options.cases)
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
