"""What pages read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from contracts.records import Carrier
from tests.work_orders.world import CUSTOMER, DISPATCHER, TECHNICIAN, World
from work_orders import queries, service
from work_orders.domain.machine import Role
from work_orders.domain.slots import HalfDay
from work_orders.queries.measured import measured
from work_orders.service import tables as t


def closed(world: World, device: str, result: str) -> None:
    """A case that goes all the way, on its own day."""
    world.take(3, device=device)
    world.later(hours=1)
    (notice,) = [r for r in world.rows(t.notices) if r.asset_id == device]
    service.accept_notice(world.shared, world.tenant, notice.id, 1, DISPATCHER)
    for action in ("start", "finish"):
        service.order_action(world.shared, world.tenant, notice.order_id, action, DISPATCHER)
    service.record_finding(world.shared, world.tenant, notice.order_id, result, DISPATCHER)
    service.order_action(world.shared, world.tenant, notice.order_id, "close", DISPATCHER)


def test_a_notice_says_everything_in_plain_words(any_world: World) -> None:
    world = any_world
    id = world.offered()
    with world.database.read() as connection:
        found = queries.notice(connection, world.tenant, id, world.clock.at, customer_id="waterworks")
        assert queries.notice(connection, world.tenant, id, world.clock.at, customer_id="brewery") is None
        assert queries.notice(connection, "other", id, world.clock.at) is None
        assert queries.waiting_for_answer(connection, world.tenant) == 1
    assert found is not None
    assert found.text.reason == (
        "The bearing shows signs of bearing wear: vibration is higher than expected (4.2 mm/s instead of 2.1 mm/s)."
    )
    assert found.text.chance == "About 3 in 10 machines like this fail within 5 days."
    assert found.text.remaining == "It will most likely last between 4 and 11 days more, 7 days in the middle."
    assert found.text.cost == "The visit costs you nothing: your maintenance contract covers it."
    assert [(s.words, s.free, s.passed) for s in found.slots] == [
        ("Monday, 23 November, morning (8 to 12)", 2, False),
        ("Monday, 23 November, afternoon (13 to 17)", 2, False),
    ]
    assert (found.left, found.left_words) == (4, "4 half days are still free in time.")
    assert found.phone == "+49 30 123"
    assert len(found.waiting_words) == 4
    costs = [found.now_cost.total, *(s.if_then.total for s in found.slots if s.if_then), found.never_cost.total]
    assert costs == sorted(costs)


def test_a_notice_gives_no_reason_that_is_no_symptom_of_the_failure(world: World) -> None:
    leak = Carrier("leakage", 0.5, "down", 7.9, 8.3, (8.0, 8.6))
    hardly = Carrier("vibration", 0.4, "up", 2.2, 2.1, (1.9, 2.3))
    grown = Carrier("vibration", 0.4, "up", 4.2, 2.1, (1.9, 2.3))
    told = []
    for device, carriers in (("p1", [leak, grown]), ("p2", [leak, hardly])):
        world.take(3, device=device, carriers=carriers)
        (row,) = [r for r in world.rows(t.notices) if r.asset_id == device]
        with world.database.read() as connection:
            found = queries.notice(connection, world.tenant, row.id, world.clock.at)
        assert found is not None
        told.append(found.text.reason)
    assert told == [
        "The bearing shows signs of bearing wear: vibration is higher than expected (4.2 mm/s; usual now: 1.9 to 2.3"
        " mm/s).",
        "The bearing shows signs of bearing wear: its signals together are not as usual, though none of them alone.",
    ]


def test_a_notice_counts_what_is_left_now(world: World) -> None:
    id = world.offered()
    monday, tuesday = date(2026, 11, 23), date(2026, 11, 24)
    gone = [HalfDay(d, h) for d in (monday, tuesday) for h in ("am", "pm") if (d, h) != (tuesday, "pm")]
    for who in ("tom", "uwe"):
        service.block_half_days(world.shared, world.tenant, who, gone)
    with world.database.read() as connection:
        found = queries.notice(connection, world.tenant, id, world.clock.at)
    assert found is not None
    assert [s.free for s in found.slots] == [0, 0]
    assert (found.left, found.left_words) == (1, "Only one half day is left in time.")


def test_a_notice_that_has_not_left_is_not_shown_to_the_customer(world: World) -> None:
    world.take(3)
    with world.database.read() as connection:
        assert queries.notices(connection, world.tenant, customer_id="waterworks").items == ()
        (row,) = queries.notices(connection, world.tenant).items
        assert queries.notice(connection, world.tenant, row.id, world.clock.at, customer_id="waterworks") is None
    world.later(hours=1)
    with world.database.read() as connection:
        (row,) = queries.notices(connection, world.tenant, customer_id="waterworks").items
    assert (row.state, row.waiting) == ("sent", True)


def test_a_booked_visit_is_told_to_the_customer(world: World) -> None:
    world.booked()
    with world.database.read() as connection:
        found = queries.notice(connection, world.tenant, world.only(t.notices).id, world.clock.at)
    assert found is not None
    assert found.visit_words == "Tom comes on Monday, 23 November, morning (8 to 12)."
    assert (found.slots, [a.kind for a in found.answers]) == ((), ["accept"])


def test_a_technician_sees_his_jobs_with_what_he_needs(world: World) -> None:
    order = world.booked()
    with world.database.read() as connection:
        (job,) = queries.my_jobs(connection, world.tenant, "tom")
        assert queries.my_jobs(connection, world.tenant, "uwe") == []
        found = queries.order(connection, world.tenant, order, technician_id="tom", role=Role.TECHNICIAN)
        assert queries.order(connection, world.tenant, order, technician_id="uwe") is None
        assert queries.order(connection, world.tenant, order, customer_id="brewery") is None
        assert queries.order(connection, "other", order) is None
    assert found is not None
    assert found.order == job
    assert [task.text for task in found.tasks] == ["Listen", "Measure", "Replace both bearings"]
    assert (found.asset, found.technician, found.allowed) == ("Pump 1", "Tom", ("start", "hold", "fail"))
    assert found.why.startswith("Act: 30 % chance")


def test_lists_come_in_pages_and_end(world: World) -> None:
    for device in ("p1", "p2", "p3"):
        world.take(3, device=device)
    seen: list[str] = []
    after = None
    with world.database.read() as connection:
        while True:
            page = queries.cases(connection, world.tenant, after=after, limit=2)
            seen += [c.asset_id for c in page.items]
            after = page.next
            if after is None:
                break
        assert seen == ["p3", "p2", "p1"]
        assert [c.asset_id for c in queries.cases(connection, world.tenant, customer_id="brewery").items] == ["p3"]
        assert [o.asset_id for o in queries.orders(connection, world.tenant, asset_id="p2").items] == ["p2"]
        assert queries.orders(connection, world.tenant, state="closed").items == ()
        assert len(queries.predictions(connection, world.tenant, asset_id="p1").items) == 3
        assert queries.cases(connection, world.tenant, after="nonsense", limit=9).next is None


def test_a_case_shows_its_decisions_and_its_bill(any_world: World) -> None:
    world = any_world
    closed(world, "p1", "prevented")
    with world.database.read() as connection:
        (row,) = queries.cases(connection, world.tenant).items
        found = queries.case(connection, world.tenant, row.id, customer_id="waterworks")
        assert queries.case(connection, world.tenant, row.id, customer_id="brewery") is None
    assert found is not None
    assert [d.verdict for d in found.decisions] == ["act", "hold", "hold"]
    assert [f.result for f in found.findings] == ["prevented"]
    assert found.bill is not None
    assert (found.bill.customer, found.bill.provider) == (0, 1500)
    assert found.prediction is not None
    assert found.prediction.id == "p1-bearing-3"


def test_the_inbox_holds_what_waits_for_a_person_and_its_one_key(any_world: World) -> None:
    world, shared, tenant = any_world, any_world.shared, any_world.tenant
    service.set_autonomy(shared, tenant, "propose", customer_id="brewery", model="pump")
    world.take(3, device="p1")
    world.take(3, device="p2")
    world.take(3, device="p3")
    world.later(hours=1)
    by_asset = {r.asset_id: r for r in world.rows(t.notices)}
    service.propose_day(shared, tenant, by_asset["p1"].id, date(2026, 11, 27), CUSTOMER)
    for _ in range(50):
        world.later(hours=1)
    with world.database.read() as connection:
        items = queries.inbox(connection, tenant, world.clock.at)
    assert [(i.kind, i.asset_id, i.key) for i in items] == [
        ("decide", "p3", "approve_proposal"), ("proposed_day", "p1", "book_visit"), ("no_reply", "p2", "book_visit"),
    ]  # fmt: skip
    service.approve_proposal(shared, tenant, items[0].id, DISPATCHER)
    for item in items[1:]:
        service.book_visit(shared, tenant, item.id, date(2026, 11, 27), "am", DISPATCHER, agreed_by="by phone")
    with world.database.read() as connection:
        assert queries.inbox(connection, tenant, world.clock.at) == []


@pytest.mark.parametrize("kind", ["no_technician", "visit_overdue", "review", "call_me", "breakdown"])
def test_the_inbox_also_holds(world: World, kind: str) -> None:
    shared, tenant = world.shared, world.tenant
    if kind == "call_me":
        service.ask_for_call(shared, tenant, world.offered(), CUSTOMER)
    elif kind == "breakdown":
        world.offered()
        service.report_breakdown(shared, tenant, "p1", "bearing_wear", CUSTOMER)
    else:
        order = world.booked()
        if kind == "visit_overdue":
            world.clock.at += timedelta(days=3)
        else:
            service.order_action(shared, tenant, order, "start", TECHNICIAN)
        if kind == "no_technician":
            service.order_action(shared, tenant, order, "fail", TECHNICIAN, reason="access")
        if kind == "review":
            service.order_action(shared, tenant, order, "finish", TECHNICIAN)
            service.record_finding(shared, tenant, order, "prevented", TECHNICIAN)
    with world.database.read() as connection:
        assert [i.kind for i in queries.inbox(connection, tenant, world.clock.at)] == [kind]


def test_first_figures_count_and_say_how(any_world: World) -> None:
    world = any_world
    closed(world, "p1", "prevented")
    closed(world, "p2", "false")
    service.set_autonomy(world.shared, world.tenant, "watch", model="pump", customer_id="brewery")
    world.take(3, device="p3")
    service.report_breakdown(world.shared, world.tenant, "p3", "bearing_wear", DISPATCHER)
    service.report_breakdown(world.shared, world.tenant, "p3", "seal_leak", DISPATCHER)
    with world.database.read() as connection:
        got = {m.name: m for m in measured(connection, world.tenant, world.clock.at)}
    assert (got["forecast_precision"].value, got["forecast_precision"].events) == (0.5, 2)
    assert (got["backlog"].value, got["would_have_opened"].value) == (0, 1)
    assert (got["money_saved"].value, got["money_saved"].unit) == (9000 - 1500 - 500, "EUR")


def test_the_twin_pays_the_failure_and_the_served_machine_the_visit(world: World) -> None:
    closed(world, "p1", "prevented")
    service.set_autonomy(world.shared, world.tenant, "watch", model="pump", customer_id="brewery")
    world.take(3, device="p3")
    service.report_breakdown(world.shared, world.tenant, "p3", "bearing_wear", DISPATCHER)
    with world.database.read() as connection:
        served = queries.story_bill(connection, world.tenant, "p1")
        twin = queries.story_bill(connection, world.tenant, "p3")
        assert queries.story_bill(connection, world.tenant, "p2") is None
    assert served is not None
    assert twin is not None
    assert served.actual is not None
    assert twin.actual is not None
    assert (served.outcome, served.actual.customer, served.actual.provider) == ("prevented", 0, 1500)
    assert (twin.outcome, twin.actual.customer, twin.actual.provider) == ("failed", 6500, 2500)
    assert served.formula == "9,000 EUR (failed) - 1,500 EUR (prevented) = 7,500 EUR"


def test_the_timeline_of_an_asset_is_its_part_of_the_audit_chain(any_world: World) -> None:
    world = any_world
    closed(world, "p1", "prevented")
    world.take(2, device="p2")
    with world.database.read() as connection:
        moments = queries.timeline(connection, world.tenant, "p1")
        older = queries.timeline(connection, world.tenant, "p1", before=moments[0].seq, limit=1)
    assert moments[0].action == "case_closed"
    assert older == moments[1:2]
    assert "case_opened" in {m.action for m in moments}
    assert all(m.text for m in moments)


def test_the_installed_base_shows_what_goes_on(world: World) -> None:
    world.take(3)
    service.start_being_worked_on(
        world.shared, world.tenant, "p2", "cleaning", world.clock.at + timedelta(hours=3), DISPATCHER
    )
    with world.database.read() as connection:
        first, second, third = queries.assets(connection, world.tenant, world.clock.at)
        assert [a.id for a in queries.assets(connection, world.tenant, world.clock.at, customer_id="brewery")] == ["p3"]
        assert queries.asset(connection, "other", "p1", world.clock.at) is None
        assert queries.people(connection, world.tenant)["tom"] == "Tom"
    assert (len(first.open_cases), len(first.open_orders)) == (1, 1)
    assert (second.worked_on, third.worked_on) == ("cleaning", "")


@contextmanager
def statements(connection: sa.Connection) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    said: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        said.append(statement)

    sa.event.listen(connection, "before_cursor_execute", hear)
    yield said
    sa.event.remove(connection, "before_cursor_execute", hear)


def test_a_list_of_orders_takes_as_many_queries_as_one(world: World) -> None:
    world.booked()
    world.take(3, device="p3")
    with world.database.read() as connection:
        for rows in (1, 2):
            found = queries.orders(connection, world.tenant).items[:rows]
            assert len(found) == rows
            with statements(connection) as said:
                details = queries.order_details(connection, world.tenant, found)
            assert len(said) == 3
            assert details == [queries.order(connection, world.tenant, r.id) for r in found]


def test_a_list_of_notices_takes_as_many_queries_as_one(world: World) -> None:
    world.booked()
    world.take(3, device="p2")
    world.take(3, device="p3")
    world.later(hours=1)
    with world.database.read() as connection:
        for rows in (2, 3):
            found = queries.notices(connection, world.tenant).items[:rows]
            assert len(found) == rows
            with statements(connection) as said:
                details = queries.notice_details(connection, world.tenant, found, world.clock.at)
            assert len(said) == 6
            assert details == [queries.notice(connection, world.tenant, r.id, world.clock.at) for r in found]
            assert any(d.slots for d in details)
