"""Taking in the installed base: customers, sites, assets and technicians, from rows of tables.

All or nothing: one transaction, and with one fault anywhere nothing is written. A dry run is the same transaction,
taken back at its end, so it finds exactly what the real one would. The same rows again change nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.base_fields import FIELDS, Fault, Sheet, degrees, id_from, parts, read
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.addresses import given as given_address
from work_orders.service.contacts import MAIL
from work_orders.service.errors import BadInput
from work_orders.service.installed_base import put_customer, put_site, put_technician, zone
from work_orders.service.places import place
from work_orders.service.public_holidays import check_country
from work_orders.service.sla import follow_all
from work_orders.service.unit import Row, Unit, unit

_MAY = (Role.DISPATCHER, Role.ADMIN, Role.INTEGRATION, Role.SYSTEM)
MOST_FAULTS = 1000
Values = Mapping[str, str]


@dataclass
class Taken:
    """What came of it, by table. With faults, or in a dry run, nothing was written."""

    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    same: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    written: bool = False


class _TakeBack(Exception):
    """Nothing of this unit is kept."""


def take_base(shared: Shared, tenant: str, sheets: Sequence[Sheet], actor: Actor, *, dry_run: bool = False) -> Taken:
    """Take in tables; of several sheets of a table each. Raises NotPermitted."""
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "change the installed base", _MAY)
    out = Taken()
    with suppress(_TakeBack), unit(shared, tenant, actor) as work:
        for table in FIELDS:
            for sheet in sheets:
                if sheet.table == table:
                    _take(work, sheet, out)
        if out.faults or dry_run:
            raise _TakeBack
        out.written = True
        follow_all(work)
    return out


def _take(work: Unit, sheet: Sheet, out: Taken) -> None:
    rows, faults = read(sheet)
    out.faults += faults
    take = _TAKE[sheet.table]
    for row in rows:
        try:
            kind = take(work, row.values)
        except BadInput as bad:
            out.faults.append(Fault(sheet.table, row.number, bad.field, row.values.get(bad.field, ""), bad.rule))
        else:
            count: dict[str, int] = getattr(out, kind)
            count[sheet.table] = count.get(sheet.table, 0) + 1
        if len(out.faults) >= MOST_FAULTS:
            raise _TakeBack


def _customer(work: Unit, v: Values) -> str:
    known = _known(work, t.customers, v, t.customers.c.name == v["name"])
    given = {k: v[k] for k in ("name", "contact", "phone", "locale", "tier") if k in v}
    if known is None:
        values = {"contact": v["name"], "phone": "", "locale": "en", "tier": ""} | given
        id = _new_id(work, t.customers, v, v["name"])
        put_customer(work, id, **values)
    else:
        id = known.id
    changed = known is not None and _changed(work, t.customers, known, given)
    if "email" in v:
        changed = _mail(work, id, v["email"]) or changed
    elif known is not None and known.contact != given.get("contact", known.contact):
        _moved(work, id, known.contact, given["contact"])
    if known is None:
        return "added"
    if changed:
        work.record("customer_changed", "", id, f"The record of {v['name']} was changed.", customer=id, values=given)
    return "changed" if changed else "same"


def _mail(work: Unit, customer: str, address: str) -> bool:
    w = m.contact_ways.c
    before = next(iter(work.all(m.contact_ways, w.customer_id == customer, w.channel == MAIL)), None)
    if before is not None and before.address == address:
        return False
    given_address(work, customer, MAIL, address)
    return True


def _moved(work: Unit, customer: str, old: str, new: str) -> None:
    """A corrected contact counts where the one before was the mail address in use, or bounced."""
    w = m.contact_ways.c
    if "@" in new and work.all(m.contact_ways, w.customer_id == customer, w.channel == MAIL, w.address == old):
        given_address(work, customer, MAIL, new)


def _site(work: Unit, v: Values) -> str:
    customer = _referred(work, t.customers, "customer", v["customer"])
    c = t.sites.c
    known = _known(work, t.sites, v, sa.and_(c.name == v["name"], c.customer_id == customer))
    if known is not None and known.customer_id != customer:
        raise BadInput("customer", f"site {known.id} is one of customer {known.customer_id}; a site keeps its customer")
    zone(v.get("time_zone", "UTC"))
    check_country(v.get("country", ""))
    given: dict[str, Any] = {k: v[k] for k in ("name", "address", "time_zone", "country", "access_notes") if k in v}
    given |= {k: degrees(v[k]) for k in ("latitude", "longitude") if k in v}
    if ("latitude" in v) != ("longitude" in v):
        raise BadInput("longitude" if "latitude" in v else "latitude", "a position has both")
    if known is not None:
        return _change(work, "site", t.sites, known, given, customer=customer)
    values = {"address": "", "time_zone": "UTC", "country": "", "access_notes": ""} | given
    id = _new_id(work, t.sites, v, v["name"])
    put_site(work, id, customer_id=customer, **values)
    return "added"


def _asset(work: Unit, v: Values) -> str:
    if work.models(v["model"]) is None:
        raise BadInput("model", "an asset model that is installed here")
    given: dict[str, Any] = {k: v[k] for k in ("model", "name", "serial", "criticality") if k in v}
    if "customer" in v:
        given["customer_id"] = _referred(work, t.customers, "customer", v["customer"])
    if "site" in v:
        given["site_id"] = _referred(work, t.sites, "site", v["site"], given.get("customer_id"))
        owner = work.one(t.sites, given["site_id"], "site").customer_id
        if given.setdefault("customer_id", owner) != owner:
            raise BadInput("site", f"it is a site of customer {owner}, and the machine is of {given['customer_id']}")
    serial = v.get("serial", "")
    c = t.assets.c
    place_of = (c[k] == given[k] for k in ("customer_id", "site_id") if k in given)
    alike = c.serial == serial if serial else sa.and_(c.name == v.get("name", ""), *place_of)
    known = _known(work, t.assets, v, sa.and_(c.model == v["model"], alike))
    if known is None:
        id = _new_id(work, t.assets, v, v.get("name") or f"{v['model']} {serial}")
        values = {"customer_id": None, "site_id": None, "name": id, "serial": "", "criticality": "B"} | given
        work.insert(t.assets, id=id, added_at=work.now, **values)
        _devices(work, id, v, values["site_id"])
        work.record("asset_added", id, id, f"{values['name']} is on record now.", model=v["model"])
        return "added"
    if "customer_id" in given and "site_id" not in given and known.site_id is not None:
        owner = work.one(t.sites, known.site_id, "site").customer_id
        if given["customer_id"] != owner:
            raise BadInput(
                "customer", f"it stands at {known.site_id}, a site of customer {owner}: name its new site, too"
            )
    if "site_id" in given and given["site_id"] != known.site_id:  # its devices' place is told anew
        work.update(t.asset_devices, {"asset_id": known.id}, told_at=None)
    more = _devices(work, known.id, v, given.get("site_id", known.site_id))
    kind = _change(work, "asset", t.assets, known, given)
    return "changed" if more else kind


def _devices(work: Unit, asset: str, v: Values, site: str | None) -> bool:
    d = t.asset_devices.c
    new = False
    for device in parts(v.get("devices", "")):
        found = work.all(t.asset_devices, d.device == device)
        if found and found[0].asset_id != asset:
            raise BadInput("devices", f"device {device} watches {found[0].asset_id} already")
        new = (not found and place(work, device, asset, site)) or new
    return new


def _technician(work: Unit, v: Values) -> str:
    given: dict[str, Any] = {k: v[k] for k in ("name", "phone") if k in v}
    if "skills" in v:
        given["skills"] = msgspec.json.encode(sorted(set(parts(v["skills"])))).decode()
    if "weekdays" in v:
        given["weekdays"] = msgspec.json.encode(sorted({int(d) for d in parts(v["weekdays"])})).decode()
    known = _known(work, t.technicians, v, t.technicians.c.name == v["name"])
    if known is not None:
        return _change(work, "technician", t.technicians, known, given)
    id = _new_id(work, t.technicians, v, v["name"])
    put_technician(work, id, **({"phone": "", "skills": "[]", "weekdays": "[0,1,2,3,4]"} | given))
    return "added"


_TAKE: dict[str, Callable[[Unit, Values], str]] = {
    "customers": _customer, "sites": _site, "assets": _asset, "technicians": _technician,
}  # fmt: skip


def _known(work: Unit, table: sa.Table, v: Values, otherwise: sa.ColumnElement[bool]) -> Row | None:
    """What is on record already: by its id, where none was given by what else tells it. Raises BadInput."""
    if "id" in v:
        return next(iter(work.all(table, table.c.id == v["id"])), None)
    found = work.all(table, otherwise)
    if len(found) > 1:
        ids = ", ".join(sorted(r.id for r in found)[:5])
        raise BadInput("id", f"must say which one is meant, for several are like this: {ids}")
    return found[0] if found else None


def _new_id(work: Unit, table: sa.Table, v: Values, name: str) -> str:
    return v.get("id") or id_from(name, lambda id: bool(work.all(table, table.c.id == id)))


def _referred(work: Unit, table: sa.Table, field: str, text: str, customer: str | None = None) -> str:
    """The id of what a cell names, by id or name. Raises BadInput."""
    c = table.c
    found = work.all(table, c.id == text) or work.all(table, c.name == text)
    if len(found) > 1 and customer is not None:
        found = [r for r in found if r.customer_id == customer]
    if not found:
        raise BadInput(field, f"the id or name of a {field} on record, or of one in this import")
    if len(found) > 1:
        raise BadInput(field, f"an id, for several are called so: {', '.join(sorted(r.id for r in found)[:5])}")
    return str(found[0].id)


def _changed(work: Unit, table: sa.Table, known: Row, given: Mapping[str, Any]) -> bool:
    new = {k: x for k, x in given.items() if getattr(known, k) != x}
    if new:
        work.update(table, {"id": known.id}, **new)
    return bool(new)


def _change(work: Unit, what: str, table: sa.Table, known: Row, given: Mapping[str, Any], customer: str = "") -> str:
    if not _changed(work, table, known, given):
        return "same"
    asset = known.id if what == "asset" else ""
    text = f"The record of {given.get('name', known.name)} was changed."
    work.record(f"{what}_changed", asset, known.id, text, values=dict(given), customer=customer)
    return "changed"
