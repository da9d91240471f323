"""One view of a customer."""

from __future__ import annotations

import sqlalchemy as sa

from tests.work_orders.world import CUSTOMER, TENANT, World
from work_orders import service
from work_orders.queries.customer import CustomerView, customer_timeline, customer_view
from work_orders.service import tables as t
from work_orders.service.moment_tables import moments


def view(world: World, id: str = "waterworks") -> CustomerView:
    with world.database.read() as connection:
        found = customer_view(connection, TENANT, id)
    assert found is not None
    return found


def test_it_tells_sites_machines_and_what_is_open_at_them(world: World) -> None:
    world.booked()
    found = view(world)
    assert (found.name, found.open_cases, found.open_orders) == ("City waterworks", 1, 1)
    assert [(s.id, s.assets) for s in found.sites] == [("waterworks-site", 2)]
    one, two = found.assets
    assert (one.id, one.case_state, one.order_state) == ("p1", "work_ordered", "dispatched")
    assert one.p_horizon is not None
    assert one.visit_start is not None
    assert (two.id, two.case_id, two.order_id) == ("p2", None, None)


def test_its_timeline_tells_all_that_happened_to_him_and_nothing_of_others(world: World) -> None:
    world.booked()
    told = [(asset, moment.action) for asset, moment in view(world).timeline]
    assert ("p1", "case_opened") in told
    assert ("p1", "notice_queued") in told
    assert told[-2:] == [("", "site_added"), ("", "customer_added")]
    assert {asset for asset, _ in told} == {"", "p1", "p2"}
    others = [asset for asset, _ in view(world, "brewery").timeline]
    assert set(others) == {"", "p3"}


def test_pages_of_the_timeline_join_without_a_gap_or_a_repeat(world: World) -> None:
    world.booked()
    with world.database.read() as connection:
        whole, none = customer_timeline(connection, TENANT, "waterworks", limit=1000)
        assert none is None
        paged, after = [], None
        while True:
            page, after = customer_timeline(connection, TENANT, "waterworks", before=after, limit=3)
            paged += page
            if after is None:
                break
    assert paged == whole


def test_nobody_of_that_name_is_none(world: World) -> None:
    with world.database.read() as connection:
        assert customer_view(connection, TENANT, "nobody") is None
        assert customer_view(connection, "other", "waterworks") is None


def test_entries_from_before_the_timeline_are_taken_in(world: World) -> None:
    service.accept_notice(world.shared, TENANT, world.offered(), 1, CUSTOMER)
    from work_orders.migrations.r0008_moments import _take_in

    with world.database.write() as connection:
        kept = connection.execute(sa.select(moments).where(moments.c.asset_id != "").order_by(moments.c.seq)).all()
        connection.execute(moments.delete())
        _take_in(connection)
        again = connection.execute(sa.select(moments).order_by(moments.c.seq)).all()
    assert again == kept
    assert len(world.rows(t.cases)) == 1
