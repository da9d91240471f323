"""What an import would write, worked out in memory: every fault by row and rule, and what is new or changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from contracts.asset_model import AssetModel
from work_orders.domain.base_fields import FIELDS, Fault, Row, Sheet, degrees, id_from, parts, read
from work_orders.domain.past_jobs import YES, amount, moment
from work_orders.domain.requests import COMPLAINT, UPKEEP
from work_orders.service.base_picture import Picture
from work_orders.service.errors import BadInput
from work_orders.service.installed_base import zone
from work_orders.service.public_holidays import check_country
from work_orders.service.unit import derived_id

MOST_FAULTS = 1000
STEP = 500
"""After so many rows it is told how far it is."""
Cells = Mapping[str, str]
Progress = Callable[[int, int], None]


@dataclass
class Taken:
    """What came of it, by table. With faults, or in a dry run, nothing was written."""

    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    same: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    written: bool = False


@dataclass
class Plan:
    """What is to be written. A record is (action, machine, id, sentence, what else is said of it)."""

    picture: Picture
    models: Callable[[str], AssetModel | None]
    now: datetime
    taken: Taken = field(default_factory=Taken)
    new: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {table: {} for table in FIELDS})
    changed: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {table: {} for table in FIELDS})
    mails: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    """New devices with their machines."""
    moved: set[str] = field(default_factory=set)
    """Machines that stand at another site now."""
    records: list[tuple[str, str, str, str, dict[str, Any]]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether all is as it was."""
        return not self.taken.added and not self.taken.changed

    def add(self, table: str, id: str, values: dict[str, Any]) -> None:
        """A row that is not there yet."""
        self.picture.shelves[table].put(id, values)
        self.new[table][id] = {"id": id, **values}

    def change(self, table: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
        """Change what differs; whether anything does."""
        values = {k: v for k, v in given.items() if known[k] != v}
        if not values:
            return False
        id = known["id"]
        self.picture.shelves[table].put(id, values)
        if id in self.new[table]:  # of the same import
            self.new[table][id] |= values
        else:
            self.changed[table].setdefault(id, {}).update(values)
        return True

    def record(self, action: str, asset: str, id: str, text: str, **more: Any) -> None:
        """A line of the audit chain."""
        self.records.append((action, asset, id, text, more))

    def site_of(self, asset: str) -> str:
        """Where a machine stands when all is written; empty = at no site."""
        return self.picture.shelves["assets"].rows[asset]["site_id"] or ""


def plan(
    picture: Picture, models: Callable[[str], AssetModel | None], sheets: Sequence[Sheet], now: datetime,
    progress: Progress,
) -> Plan:  # fmt: skip
    """Work out what taking in these tables means; `progress` is told (rows, of all rows)."""
    made = Plan(picture, models, now)
    total, done = sum(len(s.cells) for s in sheets), 0
    for table in FIELDS:
        for sheet in sheets:
            if sheet.table != table:
                continue
            rows, faults = read(sheet)
            made.taken.faults += faults
            for n, row in enumerate(rows):
                if n % STEP == 0:
                    progress(done + n, total)
                _take(made, table, row)
                if len(made.taken.faults) >= MOST_FAULTS:
                    return made
            done += len(sheet.cells)
    progress(total, total)
    _record_past(made)
    return made


def _take(to: Plan, table: str, row: Row) -> None:
    try:
        kind = _TAKE[table](to, row.values)
    except BadInput as bad:
        to.taken.faults.append(Fault(table, row.number, bad.field, row.values.get(bad.field, ""), bad.rule))
    else:
        count: dict[str, int] = getattr(to.taken, kind)
        count[table] = count.get(table, 0) + 1


def _customer(to: Plan, v: Cells) -> str:
    known = _known(to, "customers", v, [("name", v["name"], {})])
    given = {k: v[k] for k in ("name", "contact", "phone", "locale", "tier") if k in v}
    if known is None:
        id = _new_id(to, "customers", v, v["name"])
        to.add("customers", id, {"contact": v["name"], "phone": "", "locale": "en", "tier": ""} | given)
        to.record("customer_added", "", id, f"{v['name']} is a customer now.", customer=id)
        _mail(to, id, v.get("email", ""))
        return "added"
    id, before = known["id"], known["contact"]
    changed = to.change("customers", known, given)
    if "email" in v:
        changed = _mail(to, id, v["email"]) or changed
    elif "@" in v.get("contact", "") and v["contact"] != before == to.picture.mails.get(id):
        _mail(to, id, v["contact"])  # a corrected contact counts where the one before was the address in use
    if changed:
        text = f"The record of {v['name']} was changed."
        to.record("customer_changed", "", id, text, customer=id, values=given)
    return "changed" if changed else "same"


def _mail(to: Plan, customer: str, address: str) -> bool:
    if not address or to.picture.mails.get(customer) == address:
        return False
    to.picture.mails[customer] = to.mails[customer] = address
    return True


def _site(to: Plan, v: Cells) -> str:
    customer = _referred(to, "customers", "customer", v["customer"])
    known = _known(to, "sites", v, [("name", v["name"], {"customer_id": customer})])
    if known is not None and known["customer_id"] != customer:
        owner = known["customer_id"]
        raise BadInput("customer", f"site {known['id']} is one of customer {owner}; a site keeps its customer")
    zone(v.get("time_zone", "UTC"))
    check_country(v.get("country", ""))
    given: dict[str, Any] = {k: v[k] for k in ("name", "address", "time_zone", "country", "access_notes") if k in v}
    given |= {k: degrees(v[k]) for k in ("latitude", "longitude") if k in v}
    if ("latitude" in v) != ("longitude" in v):
        raise BadInput("longitude" if "latitude" in v else "latitude", "a position has both")
    if known is not None:
        return _change(to, "sites", known, given, customer=customer)
    id = _new_id(to, "sites", v, v["name"])
    values = {"address": "", "time_zone": "UTC", "country": "", "access_notes": "", "calendar": ""} | given
    position = {"latitude": given.get("latitude"), "longitude": given.get("longitude")}
    to.add("sites", id, values | position | {"customer_id": customer})
    to.record("site_added", "", id, f"{v['name']} is a site of {customer} now.", customer=customer)
    return "added"


def _asset(to: Plan, v: Cells) -> str:
    if to.models(v["model"]) is None:
        raise BadInput("model", "an asset model that is installed here")
    sites = to.picture.shelves["sites"].rows
    given: dict[str, Any] = {k: v[k] for k in ("model", "name", "serial", "criticality") if k in v}
    if "customer" in v:
        given["customer_id"] = _referred(to, "customers", "customer", v["customer"])
    if "site" in v:
        given["site_id"] = _referred(to, "sites", "site", v["site"], given.get("customer_id"))
        owner = sites[given["site_id"]]["customer_id"]
        if given.setdefault("customer_id", owner) != owner:
            raise BadInput("site", f"it is a site of customer {owner}, and the machine is of {given['customer_id']}")
    serial, model = v.get("serial", ""), v["model"]
    place = {k: given[k] for k in ("customer_id", "site_id") if k in given}
    alike = ("serial", serial, {"model": model}) if serial else ("name", v.get("name", ""), {"model": model} | place)
    known = _known(to, "assets", v, [alike])
    if known is None:
        id = _new_id(to, "assets", v, v.get("name") or f"{model} {serial}")
        wanted = _devices(to, id, v)
        values = {"customer_id": None, "site_id": None, "name": id, "serial": "", "criticality": "B"} | given
        to.add("assets", id, values)
        _watch(to, id, wanted)
        to.record("asset_added", id, id, f"{values['name']} is on record now.", model=model)
        return "added"
    id = known["id"]
    if "customer_id" in given and "site_id" not in given and known["site_id"] is not None:
        owner = sites[known["site_id"]]["customer_id"]
        if given["customer_id"] != owner:
            raise BadInput(
                "customer", f"it stands at {known['site_id']}, a site of customer {owner}: name its new site, too"
            )
    more = _devices(to, id, v)
    if "site_id" in given and given["site_id"] != known["site_id"]:  # its devices' place is told anew
        to.moved.add(id)
    _watch(to, id, more)
    kind = _change(to, "assets", known, given)
    return "changed" if more else kind


def _devices(to: Plan, asset: str, v: Cells) -> list[str]:
    """Those that are not on record yet."""
    new = []
    for device in dict.fromkeys(parts(v.get("devices", ""))):
        watched = to.picture.devices.get(device)
        if watched is not None and watched != asset:
            raise BadInput("devices", f"device {device} watches {watched} already")
        if watched is None:
            new.append(device)
    return new


def _watch(to: Plan, asset: str, devices: Sequence[str]) -> None:
    for device in devices:
        to.picture.devices[device] = to.devices[device] = asset


def _technician(to: Plan, v: Cells) -> str:
    given: dict[str, Any] = {k: v[k] for k in ("name", "phone") if k in v}
    if "skills" in v:
        given["skills"] = msgspec.json.encode(sorted(set(parts(v["skills"])))).decode()
    if "weekdays" in v:
        given["weekdays"] = msgspec.json.encode(sorted({int(d) for d in parts(v["weekdays"])})).decode()
    known = _known(to, "technicians", v, [("name", v["name"], {})])
    if known is not None:
        return _change(to, "technicians", known, given)
    id = _new_id(to, "technicians", v, v["name"])
    to.add("technicians", id, {"phone": "", "skills": "[]", "weekdays": "[0,1,2,3,4]"} | given)
    to.record("technician_added", "", id, f"{v['name']} works here now.")
    return "added"


def _contact(to: Plan, v: Cells) -> str:
    customer = _referred(to, "customers", "customer", v["customer"])
    given: dict[str, Any] = {k: v[k] for k in ("name", "role", "phone", "email", "notes") if k in v}
    if "site" in v:
        given["site_id"] = _referred(to, "sites", "site", v["site"], customer)
        owner = to.picture.shelves["sites"].rows[given["site_id"]]["customer_id"]
        if owner != customer:
            raise BadInput("site", f"it is a site of customer {owner}, and the contact is of {customer}")
    known = _known(to, "contacts", v, [("name", v["name"], {"customer_id": customer})])
    if known is not None and known["customer_id"] != customer:
        raise BadInput("customer", f"contact {known['id']} is one of {known['customer_id']}; a contact stays with it")
    if known is not None:
        return _change(to, "contacts", known, given, customer=customer)
    id = _new_id(to, "contacts", v, v["name"])
    empty = {"site_id": None, "role": "", "phone": "", "email": "", "notes": ""}
    to.add("contacts", id, {"customer_id": customer} | empty | given)
    to.record("contact_added", "", id, f"{v['name']} is a contact of {customer} now.", customer=customer)
    return "added"


def _past(to: Plan, v: Cells) -> str:
    asset = _machine(to, v["asset"])
    model, at = to.models(asset["model"]), moment(v["date"])
    if model is None or at is None:
        raise BadInput("asset", f"a machine of an asset model that is installed here, and not of {asset['model']}")
    if at > to.now + timedelta(days=1):
        raise BadInput("date", "a day that has come")
    mode = model.mode(v.get("failure_mode", ""))
    if "failure_mode" in v and mode is None:
        raise BadInput("failure_mode", f"a failure mode of {model.name}, or empty")
    component = v.get("component", mode.component if mode else "")
    given: dict[str, Any] = {"asset_id": asset["id"], "at": at, "component": component}
    given |= {k: v[k] for k in ("failure_mode", "result", "found", "work", "currency", "technician") if k in v}
    given |= {k: read(v[k]) for k, read in (("cost", amount), ("minutes", int)) if k in v}
    if "replaced" in v:
        given["replaced"] = v["replaced"] in YES
    id = v.get("id") or derived_id("H", asset["id"], at.isoformat(), component, v.get("failure_mode", ""))
    ours, known = to.picture.own.get(id), to.picture.shelves["history"].rows.get(id)
    if ours is not None:
        if any(ours[k] != x for k, x in given.items()):
            raise BadInput("id", "a number of its own: this one is a finding that was made here")
        return "same"
    if component and component not in (*model.components, UPKEEP, COMPLAINT):
        raise BadInput("component", f"one of {', '.join(model.components)}, or empty")
    if mode is not None and component != mode.component:
        raise BadInput("component", f"{mode.component}, for {mode.name} is a failure mode of that")
    if known is not None:
        return "changed" if to.change("history", known, given) else "same"
    empty: dict[str, Any] = {"failure_mode": "", "result": "unknown", "found": "", "work": "", "replaced": False}
    empty |= {"cost": None, "currency": "", "technician": "", "minutes": None}
    to.add("history", id, empty | given)
    return "added"


def _machine(to: Plan, text: str) -> Mapping[str, Any]:
    """The machine of that id, serial number or name. Raises BadInput."""
    shelf = to.picture.shelves["assets"]
    found = [shelf.rows[text]] if text in shelf.rows else shelf.find("serial", text) or shelf.find("name", text)
    if not found:
        raise BadInput("asset", "the id, serial number or name of an asset on record, or of one in this import")
    if len(found) > 1:
        raise BadInput("asset", f"an id, for several are called so: {', '.join(sorted(r['id'] for r in found)[:5])}")
    return found[0]


def _record_past(to: Plan) -> None:
    """One line for each machine with jobs that are new or changed."""
    shelf, count = to.picture.shelves["history"], dict[str, int]()
    for id in (*to.new["history"], *to.changed["history"]):
        count[shelf.rows[id]["asset_id"]] = count.get(shelf.rows[id]["asset_id"], 0) + 1
    for asset, n in count.items():
        name = to.picture.shelves["assets"].rows[asset]["name"]
        jobs = "A past job" if n == 1 else f"{n} past jobs"
        to.record("history_taken", asset, asset, f"{jobs} of {name} came in from an earlier system.", jobs=n)


_TAKE: dict[str, Callable[[Plan, Cells], str]] = {
    "customers": _customer, "sites": _site, "assets": _asset, "contacts": _contact, "technicians": _technician,
    "history": _past,
}  # fmt: skip


def _known(
    to: Plan, table: str, v: Cells, otherwise: Sequence[tuple[str, str, Mapping[str, Any]]]
) -> Mapping[str, Any] | None:
    """What is on record already: by its id, where none was given by what else tells it. Raises BadInput."""
    shelf = to.picture.shelves[table]
    if "id" in v:
        return shelf.rows.get(v["id"])
    found = [row for column, value, also in otherwise for row in shelf.find(column, value, **also)]
    if len(found) > 1:
        ids = ", ".join(sorted(row["id"] for row in found)[:5])
        raise BadInput("id", f"must say which one is meant, for several are like this: {ids}")
    return found[0] if found else None


def _new_id(to: Plan, table: str, v: Cells, name: str) -> str:
    return v.get("id") or id_from(name, lambda id: id in to.picture.shelves[table].rows)


def _referred(to: Plan, table: str, field: str, text: str, customer: str | None = None) -> str:
    """The id of what a cell names, by id or name. Raises BadInput."""
    shelf = to.picture.shelves[table]
    if text in shelf.rows:
        return text
    found = shelf.find("name", text)
    if len(found) > 1 and customer is not None:
        found = [row for row in found if row["customer_id"] == customer]
    if not found:
        raise BadInput(field, f"the id or name of a {field} on record, or of one in this import")
    if len(found) > 1:
        raise BadInput(field, f"an id, for several are called so: {', '.join(sorted(r['id'] for r in found)[:5])}")
    return str(found[0]["id"])


def _change(to: Plan, table: str, known: Mapping[str, Any], given: Mapping[str, Any], customer: str = "") -> str:
    id, name = known["id"], given.get("name", known["name"])
    if not to.change(table, known, given):
        return "same"
    what = table[:-1]
    to.record(
        f"{what}_changed", id if what == "asset" else "", id, f"The record of {name} was changed.", values=dict(given),
        customer=customer,
    )  # fmt: skip
    return "changed"
