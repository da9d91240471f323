"""The installed base: customers, sites, assets and their devices; technicians and their calendars; who may decide what.

Putting something on record that is there already changes nothing, so a start may repeat it.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from contracts.names import NAME_RULE, is_name
from plumbing.runtime import Shared
from work_orders.domain.decision import Autonomy
from work_orders.domain.machine import SYSTEM, Actor
from work_orders.domain.policy import Policy
from work_orders.domain.slots import HALVES, WORKDAYS, HalfDay
from work_orders.service import tables as t
from work_orders.service.errors import BadInput, UnknownModel
from work_orders.service.places import place
from work_orders.service.unit import Row, Unit, unit


def _checked(field: str, id: str) -> str:
    if not is_name(id):
        raise BadInput(field, f"{id!r} must be {NAME_RULE}")
    return id


def zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises BadInput."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:  # OSError: the name of a folder of zones, `Europe`
        raise BadInput("time_zone", f"{name!r} is no time zone that is known here") from problem


def put_customer(work: Unit, id: str, **values: Any) -> None:
    """Put a customer on record whose values are checked; what is there already stays."""
    if work.insert_new(t.customers, id=id, **values):
        work.record("customer_added", "", id, f"{values['name']} is a customer now.", customer=id)


def put_site(work: Unit, id: str, **values: Any) -> None:
    """The same for a site."""
    if work.insert_new(t.sites, id=id, **values):
        customer = values["customer_id"]
        work.record("site_added", "", id, f"{values['name']} is a site of {customer} now.", customer=customer)


def put_technician(work: Unit, id: str, **values: Any) -> None:
    """The same for a technician."""
    if work.insert_new(t.technicians, id=id, **values):
        work.record("technician_added", "", id, f"{values['name']} works here now.")


def add_customer(
    shared: Shared, tenant: str, id: str, name: str, *, contact: str = "", phone: str = "", locale: str = "en",
    actor: Actor = SYSTEM,
) -> None:  # fmt: skip
    """Put a customer on record."""
    _checked("customer", id)
    with unit(shared, tenant, actor) as work:
        put_customer(work, id, name=name, contact=contact or name, phone=phone, locale=locale)


def add_site(
    shared: Shared, tenant: str, id: str, customer_id: str, name: str, *, address: str = "", time_zone: str = "UTC",
    access_notes: str = "", actor: Actor = SYSTEM,
) -> None:  # fmt: skip
    """Put a customer's site on record."""
    _checked("site", id)
    zone(time_zone)
    with unit(shared, tenant, actor) as work:
        work.one(t.customers, customer_id, "customer")
        put_site(
            work, id, customer_id=customer_id, name=name, address=address, time_zone=time_zone,
            access_notes=access_notes,
        )  # fmt: skip


def add_asset(
    shared: Shared, tenant: str, id: str, model: str, *, name: str = "", customer_id: str | None = None,
    site_id: str | None = None, serial: str = "", criticality: str = "B", devices: Iterable[str] | None = None,
    actor: Actor = SYSTEM,
) -> None:  # fmt: skip
    """Put an asset on record; unless said otherwise the device of the same name watches it. Raises UnknownModel."""
    _checked("asset", id)
    if criticality not in ("A", "B", "C"):
        raise BadInput("criticality", f"{criticality!r} must be A, B or C")
    if shared.models(model) is None:
        raise UnknownModel(model)
    watching = [_checked("device", d) for d in ((id,) if devices is None else devices)]
    with unit(shared, tenant, actor) as work:
        if customer_id is not None:
            work.one(t.customers, customer_id, "customer")
        if site_id is not None:
            site = work.one(t.sites, site_id, "site")
            if customer_id is None:
                customer_id = site.customer_id
            elif site.customer_id != customer_id:
                raise BadInput("site", f"{site_id} is a site of another customer")
        if work.insert_new(
            t.assets, id=id, customer_id=customer_id, site_id=site_id, model=model, name=name or id, serial=serial,
            criticality=criticality, added_at=work.now,
        ):  # fmt: skip
            for device in watching:
                if not place(work, device, id, site_id):
                    raise BadInput("devices", f"{device} watches another asset already")
            work.record("asset_added", id, id, f"{name or id} is on record now.", devices=watching, model=model)


def add_technician(
    shared: Shared, tenant: str, id: str, name: str, skills: Iterable[str], *, phone: str = "",
    weekdays: Iterable[int] = WORKDAYS, actor: Actor = SYSTEM,
) -> None:  # fmt: skip
    """Put a technician on record; `weekdays` counts from Monday = 0."""
    _checked("technician", id)
    days = sorted(set(weekdays))
    if not all(0 <= d <= 6 for d in days):
        raise BadInput("weekdays", "must be numbers from 0 (Monday) to 6 (Sunday)")
    with unit(shared, tenant, actor) as work:
        put_technician(
            work, id, name=name, phone=phone, skills=msgspec.json.encode(sorted(set(skills))).decode(),
            weekdays=msgspec.json.encode(days).decode(),
        )  # fmt: skip


def block_half_days(
    shared: Shared, tenant: str, technician_id: str, slots: Iterable[HalfDay], *, reason: str = "absent",
    actor: Actor = SYSTEM,
) -> int:  # fmt: skip
    """Take half days out of a technician's calendar; those already taken stay as they are. Returns how many."""
    with unit(shared, tenant, actor) as work:
        work.one(t.technicians, technician_id, "technician")
        done = 0
        for slot in slots:
            if slot.half not in HALVES:
                raise BadInput("half", f"{slot.half!r} must be am or pm")
            done += work.insert_new(
                t.half_days, technician_id=technician_id, day=slot.day, half=slot.half, order_id=None, reason=reason
            )
        if done:
            work.record("half_days_blocked", "", technician_id, f"{technician_id} is {reason} for {done} half days.")
        return done


def free_half_day(
    shared: Shared, tenant: str, technician_id: str, day: dt.date, half: str, *, actor: Actor = SYSTEM
) -> bool:
    """Give a blocked half day back; a booked visit stays. Whether there was one."""
    with unit(shared, tenant, actor) as work:
        c = t.half_days.c
        done = work.connection.execute(
            t.half_days.delete().where(
                c.tenant == tenant, c.technician_id == technician_id, c.day == day, c.half == half, c.order_id.is_(None)
            )
        ).rowcount
        if done:
            work.forget(t.half_days)
            work.record(
                "half_day_freed", "", technician_id, f"{technician_id} is back on {HalfDay(day, half).words()}."
            )
        return bool(done)


def set_autonomy(
    shared: Shared, tenant: str, mode: Autonomy | str, *, model: str = "", customer_id: str = "", actor: Actor = SYSTEM
) -> None:
    """What the product may do by itself; "" stands for every model, every customer. The closest setting counts."""
    try:
        chosen = Autonomy(mode)
    except ValueError as problem:
        raise BadInput("mode", f"{mode!r} must be one of {', '.join(Autonomy)}") from problem
    with unit(shared, tenant, actor) as work:
        if not work.insert_new(t.autonomy, model=model, customer_id=customer_id, mode=chosen):
            work.update(t.autonomy, {"model": model, "customer_id": customer_id}, mode=chosen)
        who = f"{model or 'every model'} of {customer_id or 'every customer'}"
        work.record("autonomy_set", "", f"{model}/{customer_id}", f"For {who} the product may: {chosen}.", mode=chosen)


def set_policy(shared: Shared, tenant: str, policy: Policy, *, actor: Actor = SYSTEM) -> None:
    """Set how the tenant serves its customers."""
    with unit(shared, tenant, actor) as work:
        work.keep_policy(policy)
        work.record("policy_set", "", "policy", "The service policy was set.", policy=msgspec.to_builtins(policy))


def autonomy_of(work: Unit, model: str, customer_id: str | None) -> Autonomy:
    """The closest setting: this model and customer, this model, this customer, all; `watch` where nothing is set."""
    rows = work.once(
        "autonomy", lambda: {(r.model, r.customer_id): Autonomy(r.mode) for r in work.all(t.autonomy)}, t.autonomy
    )
    for key in ((model, customer_id or ""), (model, ""), ("", customer_id or ""), ("", "")):
        if key in rows:
            return Autonomy(rows[key])
    return Autonomy.WATCH


def asset_of(work: Unit, device: str) -> Row | None:
    """The asset that a device watches.

    Two looks by primary key: of a join PostgreSQL makes a scan while it has no statistics yet, as after an import.
    """
    found = work.those(t.asset_devices, device=device)
    return work.one(t.assets, found[0].asset_id, "asset") if found else None


def devices_of(work: Unit, asset_id: str) -> list[str]:
    """The devices that watch an asset."""
    c = t.asset_devices.c
    return sorted(r.device for r in work.all(t.asset_devices, c.asset_id == asset_id))


def zone_of(work: Unit, asset_id: str) -> ZoneInfo:
    """The time zone of an asset's site; UTC without a site."""
    site = work.one(t.assets, asset_id, "asset").site_id
    return ZoneInfo(work.one(t.sites, site, "site").time_zone if site else "UTC")
