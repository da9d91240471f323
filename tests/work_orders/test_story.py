"""The road from a forecast to a finding, and its side roads."""

from __future__ import annotations

import pytest

from contracts.records import FINDINGS, NOTICES, Finding, Shelve, Unshelve, decode_from_work
from tests.work_orders.world import DISPATCHER, TECHNICIAN, World
from work_orders import service
from work_orders.service import tables as t


def test_a_served_machine_goes_all_the_way(any_world: World) -> None:
    world, shared, tenant = any_world, any_world.shared, any_world.tenant
    order_id = world.booked()
    order = world.only(t.orders)
    assert (order.state, order.technician_id) == ("dispatched", "tom")
    for action in ("start", "finish"):
        service.order_action(shared, tenant, order_id, action, TECHNICIAN)
    service.record_finding(shared, tenant, order_id, "prevented", TECHNICIAN, as_found="outer race pitted")
    service.order_action(shared, tenant, order_id, "close", DISPATCHER)
    case = world.only(t.cases)
    assert (case.state, case.outcome) == ("closed", "prevented")
    assert {r.label for r in world.rows(t.intake)} == {"prevented"}
    told = [a for a in world.actions() if a in (
        "case_opened", "order_opened", "notice_queued", "notice_sent", "notice_accepted", "job_done",
        "finding_recorded", "order_closed", "case_closed",
    )]  # fmt: skip
    assert told == [
        "case_opened", "order_opened", "notice_queued", "notice_sent", "notice_accepted", "job_done",
        "finding_recorded", "order_closed", "case_closed",
    ]  # fmt: skip
    heard = [decode_from_work(e.payload) for e in world.heard(FINDINGS)]
    assert [type(h) for h in heard] == [Shelve, Unshelve, Finding]
    assert len(world.heard(NOTICES)) == 3


@pytest.mark.parametrize("autonomy", ["watch"])
def test_a_watched_machine_is_told_to_nobody(world: World, autonomy: str) -> None:
    service.set_autonomy(world.shared, world.tenant, autonomy, model="pump", customer_id="waterworks")
    world.take(5)
    world.later(days=9)
    assert world.rows(t.orders) == []
    assert world.rows(t.notices) == []
    assert world.actions().count("would_have_opened") == 1
    service.report_breakdown(world.shared, world.tenant, "p1", "bearing_wear", DISPATCHER)
    case = world.only(t.cases)
    assert (case.state, case.outcome) == ("monitoring", "failed")
    assert world.only(t.findings).result == "true"
