"""Names where texts on record hold identifiers: people read who and what, programs read the identifier beside it."""

import re

import sqlalchemy as sa

from work_orders.queries.assets import people
from work_orders.service import tables as t


def names(connection: sa.Connection, tenant: str) -> dict[str, str]:
    """Names of machines (by their own and their devices' identifiers), customers, sites and technicians."""
    a, s, d = t.assets.c, t.sites.c, t.asset_devices.c
    out = people(connection, tenant)
    out |= {r.id: r.name for r in connection.execute(sa.select(s.id, s.name).where(s.tenant == tenant))}
    assets = {r.id: r.name for r in connection.execute(sa.select(a.id, a.name).where(a.tenant == tenant))}
    for r in connection.execute(sa.select(d.device, d.asset_id).where(d.tenant == tenant)):
        out[r.device] = assets.get(r.asset_id, "")
    out |= assets
    return {id: name for id, name in out.items() if name and id != name}


def in_names(text: str, known: dict[str, str]) -> str:
    """The text with names for whole identifiers. `Device pump-01` stays: there the identifier is meant."""
    if not known:
        return text
    ids = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    return re.sub(rf"(?<!Device )(?<![\w./-])({ids})(?![\w/-])", lambda found: known[found[0]], text)
