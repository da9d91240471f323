"""Telling where devices stand: `anomaly` groups alarms by site, and offers arrive with the site.

A device is told of once, in the unit that puts it on record; those that were on record before this was so are told of
on the first round, by what is still untold.
"""

import sqlalchemy as sa

from contracts.records import FINDINGS, AssetPlaced, encode
from plumbing.runtime import Shared
from work_orders.domain.machine import SYSTEM
from work_orders.service import tables as t
from work_orders.service.unit import Unit, unit

AT_ONCE = 500
"""So many devices a transaction."""


def place(work: Unit, device: str, asset: str, site: str | None) -> bool:
    """Put a device of an asset on record and tell where it stands; False if it is there already."""
    new = work.insert_new(t.asset_devices, device=device, asset_id=asset, told_at=work.now)
    if new:
        _tell(work, device, asset, site)
    return new


def untold() -> sa.Select[tuple[str]]:
    """Tenants with devices that nobody was told of."""
    c = t.asset_devices.c
    return sa.select(c.tenant).where(c.told_at.is_(None)).distinct()


def tell_places(shared: Shared, tenant: str) -> int:
    """Tell where devices stand that nobody was told of; how many."""
    c, a = t.asset_devices.c, t.assets.c
    waiting = (
        sa.select(c.device, c.asset_id).where(c.tenant == tenant, c.told_at.is_(None)).order_by(c.device).limit(AT_ONCE)
    )
    with shared.database.read() as connection:
        if connection.execute(waiting.limit(1)).first() is None:
            return 0
    with unit(shared, tenant, SYSTEM) as work:
        rows = work.connection.execute(waiting).all()
        # no join: PostgreSQL makes a scan for each row of it while it has no statistics, as after an import
        assets = sorted({row.asset_id for row in rows})
        sites = dict(
            work.connection.execute(sa.select(a.id, a.site_id).where(a.tenant == tenant, a.id.in_(assets))).all()
        )
        told = [row.device for row in rows]
        work.connection.execute(
            t.asset_devices.update().where(c.tenant == tenant, c.device.in_(told)).values(told_at=work.now)
        )
        for row in rows:
            _tell(work, row.device, row.asset_id, sites.get(row.asset_id))
        return len(rows)


def _tell(work: Unit, device: str, asset: str, site: str | None) -> None:
    work.emit(FINDINGS, device, encode(AssetPlaced(1, work.tenant, device, asset, site or "")))
