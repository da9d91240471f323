"""One view of a customer."""

from __future__ import annotations

import sqlalchemy as sa

from tests.work_orders.world import CUSTOMER, DISPATCHER, TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.domain.requests import RequestKind
from work_orders.queries.customer import CustomerView, customer_timeline, customer_view
from work_orders.service import tables as t
from work_orders.service.aftercare import answer_survey
from work_orders.service.door import Request, take_request
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
    assert (one.id, [c.state for c in one.cases], [o.state for o in one.orders]) == (
        "p1", ["work_ordered"], ["dispatched"],
    )  # fmt: skip
    assert one.p_horizon is not None
    assert [(v.asset_id, v.technician_id, v.start) for v in found.visits] == [
        ("p1", "tom", one.orders[0].visit_start)
    ]  # fmt: skip
    assert (two.id, two.cases, two.orders) == ("p2", (), ())


def test_every_open_case_of_a_machine_counts_and_is_shown_with_what_he_said_of_the_last_job(world: World) -> None:
    order = world.booked()
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)
    answer_survey(world.shared, TENANT, order, CUSTOMER, satisfied=2, words="Too late")
    for n in range(3):
        kind = (RequestKind.COMPLAINT, RequestKind.REPORT, RequestKind.PREVENTIVE)[n]
        component = ("", "seal", "preventive")[n]
        take_request(world.shared, TENANT, Request(kind, "p1", component, text="Look"), DISPATCHER)
    found = view(world)
    assert found.open_cases == len(found.assets[0].cases) == 4
    assert {c.kind for c in found.assets[0].cases} == {"forecast", "complaint", "report", "preventive"}
    assert [(s.order_id, s.satisfied, s.words) for s in found.surveys] == [(order, 2, "Too late")]
    assert [v.state for v in found.visits] == ["done"]


def test_its_timeline_tells_all_that_happened_to_him_and_nothing_of_others(world: World) -> None:
    world.booked()
    told = [(m.asset, m.event.action) for m in view(world).timeline]
    assert ("p1", "case_opened") in told
    assert ("p1", "notice_queued") in told
    assert told[-2:] == [("", "site_added"), ("", "customer_added")]
    assert {asset for asset, _ in told} == {"", "p1", "p2"}
    others = [m.asset for m in view(world, "brewery").timeline]
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
