"""Groups of alarms in SQL: a few statements a transaction, however many alarms rise in it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import sqlalchemy as sa

from anomaly.domain.grouping import LONGEST_US, Group, Grouping, Rise
from anomaly.service.group_tables import groups, members, places
from contracts.records import Alarm, AssetPlaced
from plumbing.sql import from_us, to_us

AT_ONCE = 400
_SPAN = timedelta(microseconds=LONGEST_US)


def keep_place(connection: sa.Connection, told: AssetPlaced) -> None:
    """Where a device stands; the newest word counts."""
    where = (places.c.tenant == told.tenant, places.c.device == told.device)
    if connection.execute(places.update().where(*where).values(site=told.site)).rowcount == 0:
        connection.execute(places.insert().values(tenant=told.tenant, device=told.device, site=told.site))


def keep_groups(connection: sa.Connection, alarms: Iterable[Alarm]) -> None:
    """Put alarms that were raised into the groups of their sites; the same alarm again changes nothing."""
    of_tenant: dict[str, list[Alarm]] = {}
    for alarm in alarms:
        if alarm.change == "raised":
            of_tenant.setdefault(alarm.tenant, []).append(alarm)
    for tenant, raised in of_tenant.items():
        _keep(connection, tenant, raised)


def groups_of(connection: sa.Connection, tenant: str, alarm_ids: Sequence[str]) -> dict[str, str]:
    """The group of each alarm that has one."""
    c = members.c
    found: dict[str, str] = {}
    for part in _parts(sorted(set(alarm_ids))):
        rows = connection.execute(sa.select(c.alarm_id, c.group_id).where(c.tenant == tenant, c.alarm_id.in_(part)))
        found |= {row.alarm_id: row.group_id for row in rows}
    return found


def _keep(connection: sa.Connection, tenant: str, raised: Sequence[Alarm]) -> None:
    known = groups_of(connection, tenant, [alarm.id for alarm in raised])
    new = {alarm.id: alarm for alarm in raised if alarm.id not in known}
    site_of = _sites(connection, tenant, sorted({alarm.device for alarm in new.values()}))
    rises = sorted(
        (Rise(a.id, a.device, site_of[a.device], to_us(a.raised_at)) for a in new.values() if a.device in site_of),
        key=lambda rise: (rise.at_us, rise.device),
    )
    if not rises:
        return
    before = _recent(connection, tenant, rises)
    grouping = Grouping(before)
    joined = [(rise, grouping.place(rise)) for rise in rises]
    old = {group.id for group in before}
    for group in grouping.changed:
        values = {
            "site": group.site, "first_at": from_us(group.first_us), "last_at": from_us(group.last_us),
            "cause": group.cause, "alarms": group.alarms,
        }  # fmt: skip
        if group.id in old:
            where = (groups.c.tenant == tenant, groups.c.id == group.id)
            connection.execute(groups.update().where(*where).values(**values))
        else:
            connection.execute(groups.insert().values(tenant=tenant, id=group.id, **values))
    connection.execute(members.insert(), [
        {"tenant": tenant, "alarm_id": rise.alarm, "group_id": group.id, "device": rise.device,
         "raised_at": from_us(rise.at_us)}
        for rise, group in joined
    ])  # fmt: skip


def _sites(connection: sa.Connection, tenant: str, devices: Sequence[str]) -> dict[str, str]:
    c = places.c
    found: dict[str, str] = {}
    for part in _parts(devices):
        rows = connection.execute(sa.select(c.device, c.site).where(c.tenant == tenant, c.device.in_(part)))
        found |= {row.device: row.site for row in rows if row.site}
    return found


def _recent(connection: sa.Connection, tenant: str, rises: Sequence[Rise]) -> list[Group]:
    c, sites = groups.c, {rise.site for rise in rises}
    rows = connection.execute(
        sa.select(groups).where(
            c.tenant == tenant,
            c.last_at >= from_us(rises[0].at_us) - _SPAN,
            c.first_at <= from_us(rises[-1].at_us) + _SPAN,
        )
    )
    return [
        Group(r.id, r.site, to_us(r.first_at), to_us(r.last_at), r.cause, r.alarms) for r in rows if r.site in sites
    ]


def _parts(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE))
