"""The arrival time of a technician on the way: told by himself or, if he lets it, from how far his phone is.

The position is turned into times in the request that brings it and is written nowhere: not into a table, not into the
audit chain, not into a log. That sharing began and ended is on record, for it is his.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.arrival import (
    FRESH,
    MOST_MINUTES,
    Pace,
    coarse,
    km_between,
    minutes_around,
    minutes_for,
    pace_of,
    words,
)
from work_orders.domain.case_states import VisitState
from work_orders.domain.machine import SYSTEM, Actor, IllegalTransition, NotPermitted, Role
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.arrival_tables import arrivals
from work_orders.service.errors import BadInput
from work_orders.service.moves import live_visit_of
from work_orders.service.orders import seen_order
from work_orders.service.unit import Row, Unit, unit

_WORKERS = (Role.TECHNICIAN, Role.DISPATCHER, Role.ADMIN)
JOURNEYS = 50
"""So many of the newest tell how fast journeys go."""


def say_arrival(
    shared: Shared, tenant: str, order_id: str, minutes: int, actor: Actor, *, version: int | None = None
) -> str:
    """Somebody estimates the minutes until the technician arrives; how the customer reads it.

    Raises NotPermitted, NotFound, IllegalTransition, BadInput, Stale.
    """
    if actor.role not in _WORKERS:
        raise NotPermitted(actor.role, "say when a technician arrives", _WORKERS)
    if not 1 <= minutes <= MOST_MINUTES:
        raise BadInput("minutes", f"must lie between 1 and {MOST_MINUTES}")
    with unit(shared, tenant, actor) as work:
        order = _on_the_way(work, order_id)
        work.check_version(order, version)
        return _put(work, order, minutes_around(minutes), shared_by_phone=False)


def share_position(shared: Shared, tenant: str, order_id: str, position: tuple[float, float], actor: Actor) -> str:
    """The technician's phone says where it is, to about 1 km; how the customer reads when he arrives.

    Raises NotPermitted (nobody else's position can be told), NotFound, IllegalTransition, BadInput.
    """
    if actor.role is not Role.TECHNICIAN:
        raise NotPermitted(actor.role, "share a technician's position", (Role.TECHNICIAN,))
    lat, lon = (coarse(x) for x in position)
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise BadInput("position", "must be degrees of latitude and longitude")
    with unit(shared, tenant, actor) as work:
        order = _on_the_way(work, order_id)
        site = site_of(work.connection, tenant, order.asset_id)
        if site is None:
            raise BadInput("site", "its position is not on record: say the minutes")
        found = minutes_for(km_between((lat, lon), site), _pace(work))
        return _put(work, order, found, shared_by_phone=True)


def stop_arrival(shared: Shared, tenant: str, order_id: str, actor: Actor) -> bool:
    """Forget when he arrives: nothing is shown or shared any more. Whether there was anything."""
    if actor.role not in _WORKERS:
        raise NotPermitted(actor.role, "say when a technician arrives", _WORKERS)
    with unit(shared, tenant, actor) as work:
        order = seen_order(work, order_id)
        done = forget_arrival(work, order_id)
        if done:
            text = f"{actor.name} does not share any more when he arrives at {order.asset_id}."
            work.record("arrival_stopped", order.asset_id, order_id, text, case=order.case_id)
        return done


def forget_arrival(work: Unit, order_id: str) -> bool:
    """Nothing of it is left."""
    c = arrivals.c
    gone = work.connection.execute(arrivals.delete().where(c.tenant == work.tenant, c.order_id == order_id))
    return bool(gone.rowcount)


def forget_old_arrivals(shared: Shared, tenant: str) -> int:
    """Delete what is older than it may be; how many."""
    c, now = arrivals.c, shared.clocks.of(tenant).now()
    old = (c.tenant == tenant, c.until <= now)
    with shared.database.read() as connection:
        if connection.execute(sa.select(c.order_id).where(*old).limit(1)).first() is None:
            return 0
    with unit(shared, tenant, SYSTEM) as work:
        return work.connection.execute(arrivals.delete().where(*old)).rowcount


def site_of(connection: sa.Connection, tenant: str, asset_id: str) -> tuple[float, float] | None:
    """Where the site of an asset is; None = not on record."""
    a, s = t.assets.c, t.sites.c
    row = connection.execute(
        sa.select(s.latitude, s.longitude)
        .join(t.assets, sa.and_(a.tenant == s.tenant, a.site_id == s.id))
        .where(a.tenant == tenant, a.id == asset_id)
    ).first()
    return None if row is None or row.latitude is None or row.longitude is None else (row.latitude, row.longitude)


def arrival_words(
    connection: sa.Connection, tenant: str, order_id: str, now: datetime, language: str = "en"
) -> tuple[str, bool]:
    """How the customer reads it (empty = nothing is known), and whether a phone tells it."""
    c = arrivals.c
    row = connection.execute(
        sa.select(arrivals).where(c.tenant == tenant, c.order_id == order_id, c.until > now)
    ).first()
    return ("", False) if row is None else (words(row.earliest, row.latest, now, language=language), row.shared)


def _on_the_way(work: Unit, order_id: str) -> Row:
    order = seen_order(work, order_id)
    visit = live_visit_of(work, order_id)
    if visit is None or visit.state != VisitState.EN_ROUTE:
        raise IllegalTransition(visit.state if visit else "no visit", "say when he arrives", ())
    return order


def _pace(work: Unit) -> Pace:
    a, o = w.actuals.c, t.orders.c
    chosen = (
        sa.select(a.km, a.travel_minutes)
        .join(t.orders, sa.and_(o.tenant == a.tenant, o.id == a.order_id))
        .where(a.tenant == work.tenant, a.km > 0, a.travel_minutes > 0)
        .order_by(a.at.desc())
        .limit(JOURNEYS)
    )
    return pace_of([(r.km, r.travel_minutes) for r in work.connection.execute(chosen)])


def _put(work: Unit, order: Row, minutes: tuple[int, int], *, shared_by_phone: bool) -> str:
    """Write it over what was there; the chain has that it began, and nothing of what is told."""
    earliest, latest = (work.now + timedelta(minutes=m) for m in minutes)
    values = {
        "earliest": earliest, "latest": latest, "shared": shared_by_phone,
        "until": work.now + FRESH if shared_by_phone else latest,
    }  # fmt: skip
    if work.insert_new(arrivals, order_id=order.id, **values):
        text = f"{work.actor.name} lets the customer see when he arrives at {order.asset_id}."
        work.record("arrival_shared", order.asset_id, order.id, text, case=order.case_id)
    else:
        work.update(arrivals, {"order_id": order.id}, **values)
    return words(earliest, latest, work.now)
