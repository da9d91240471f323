"""Taking in the installed base from rows of tables, all or nothing.

Everything is checked first, in memory and without keeping anybody from writing; a dry run ends there. What is written
is one short transaction. It looks again whether anything on record has changed since, and then works it out anew.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from contracts.records import FINDINGS, AssetPlaced, Finding, encode
from plumbing.runtime import Shared
from work_orders.domain.base_fields import Sheet
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.addresses import given as given_address
from work_orders.service.base_picture import LOOKED_UP, Picture
from work_orders.service.base_plan import Plan, Progress, Taken, plan
from work_orders.service.contacts import MAIL
from work_orders.service.sla import follow_all
from work_orders.service.unit import Unit, unit

_MAY = (Role.DISPATCHER, Role.ADMIN, Role.INTEGRATION, Role.SYSTEM)


def _untold(done: int, total: int) -> None:
    """Nobody waits for it."""


def take_base(
    shared: Shared, tenant: str, sheets: Sequence[Sheet], actor: Actor, *, dry_run: bool = False,
    progress: Progress = _untold,
) -> Taken:  # fmt: skip
    """Take in tables; of several sheets of a table each. `progress` is told rows checked, of all. Raises
    NotPermitted."""
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "change the installed base", _MAY)
    history = any(sheet.table == "history" for sheet in sheets)
    with shared.database.read() as connection:
        seen = Picture.of(connection, tenant, history=history)
    now = shared.clocks.of(tenant).now()
    made = plan(seen, shared.models, sheets, now, progress)
    if made.taken.faults or dry_run:
        return made.taken
    if not made.empty:
        with unit(shared, tenant, actor) as work:
            again = Picture.of(work.connection, tenant, history=history)
            if again.read != seen.read:
                made = plan(again, shared.models, sheets, now, _untold)
                if made.taken.faults:
                    return made.taken
            _write(work, made)
    made.taken.written = True
    return made.taken


def _write(work: Unit, made: Plan) -> None:
    for name, (table, _) in LOOKED_UP.items():
        since = {"added_at": work.now} if name == "assets" else {}
        _insert(work, table, [row | since for row in made.new[name].values()])
        _update(work, table, "id", made.changed[name])
    _update(work, t.asset_devices, "asset_id", {asset: {"told_at": None} for asset in made.moved})
    now = {"told_at": work.now}
    _insert(work, t.asset_devices, [{"device": d, "asset_id": a} | now for d, a in made.devices.items()])
    for device, asset in made.devices.items():
        work.emit(FINDINGS, device, encode(AssetPlaced(1, work.tenant, device, asset, made.site_of(asset))))
    _tell_past(work, made)
    first = {"channel": MAIL, "n": 0, "bounced": "", "bounced_at": None}
    new = made.new["customers"]
    _insert(work, m.contact_ways, [{"customer_id": c, "address": a} | first for c, a in made.mails.items() if c in new])
    for customer, address in made.mails.items():
        if customer not in new:
            given_address(work, customer, MAIL, address)
    work.owners |= {id: row["customer_id"] or "" for id, row in made.picture.shelves["assets"].rows.items()}
    for action, asset, id, text, more in made.records:
        work.record(action, asset, id, text, **more)
    if any(made.changed[table] for table in ("customers", "sites", "assets")):
        follow_all(work)


def _tell_past(work: Unit, made: Plan) -> None:
    """What was found before is a label of the machine's readings, if any are stored."""
    devices: dict[str, list[str]] = {}
    for device, asset in made.picture.devices.items():
        devices.setdefault(asset, []).append(device)
    for id in (*made.new["history"], *made.changed["history"]):
        row = made.picture.shelves["history"].rows[id]
        for device in devices.get(row["asset_id"], ()) if row["component"] else ():
            found = Finding(
                1, id, work.tenant, device, row["component"], id, "", row["result"], row["failure_mode"], row["found"],
                row["replaced"], row["at"], row["asset_id"], history=True,
            )  # fmt: skip
            work.emit(FINDINGS, device, encode(found))


def _insert(work: Unit, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows that all have the same columns."""
    if rows:
        work.forget(table)
        work.connection.execute(table.insert(), [{"tenant": work.tenant, **row} for row in rows])


def _update(work: Unit, table: sa.Table, key: str, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Change rows by their key; a statement for each set of columns."""
    c = table.c
    work.forget(table)
    for names, those in groupby(sorted((tuple(v), k) for k, v in changes.items()), key=lambda pair: pair[0]):
        values: dict[str, Any] = {n: sa.bindparam(f"to_{n}", type_=c[n].type) for n in names}
        statement = table.update().where(c.tenant == work.tenant, c[key] == sa.bindparam("of_key")).values(values)
        rows = [{"of_key": k, **{f"to_{n}": changes[k][n] for n in names}} for _, k in those]
        work.connection.execute(statement, rows)
