"""The settings of the SLA clock as they hold now, read once for a unit or a question."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from work_orders.domain.calendars import BUILT_IN, STANDARD, Calendar, Hours
from work_orders.domain.sla import DEFAULT_POLICY, SlaPolicy
from work_orders.service import sla_tables as s
from work_orders.service.public_holidays import holidays_of


@dataclass(frozen=True, slots=True)
class SlaBook:
    """The policy with its version (0 = the default) and all calendars by name."""

    version: int
    policy: SlaPolicy
    hours: dict[str, Hours]

    def calendar(self, name: str, time_zone: str, country: str, own: str) -> Calendar:
        """The calendar of that name at a site with this time zone, country and own calendar; "" = the site's."""
        hours = self.hours.get(name or own or STANDARD) or self.hours[STANDARD]
        return hours.calendar(ZoneInfo(hours.time_zone or time_zone or "UTC"), holidays_of(hours.country or country))


def book_of(connection: sa.Connection, tenant: str) -> SlaBook:
    """The settings of a tenant."""
    p, c = s.policies.c, s.calendars.c
    newest = connection.execute(
        sa.select(p.version, p.body).where(p.tenant == tenant).order_by(p.version.desc()).limit(1)
    ).first()
    kept = connection.execute(sa.select(c.name, c.body).where(c.tenant == tenant))
    hours = BUILT_IN | {r.name: msgspec.json.decode(r.body, type=Hours) for r in kept}
    if newest is None:
        return SlaBook(0, DEFAULT_POLICY, hours)
    return SlaBook(newest.version, msgspec.json.decode(newest.body, type=SlaPolicy), hours)
