"""What becomes of orders, visits, findings and breakdowns, one sentence each."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.records import FINDINGS, Finding, Shelve, Unshelve, decode_from_work
from tests.work_orders.world import (
    CUSTOMER,
    DISPATCHER,
    OTHER_TECHNICIAN,
    STRANGER,
    TECHNICIAN,
    World,
)
from work_orders import service
from work_orders.domain.machine import IllegalTransition
from work_orders.domain.requests import RequestKind
from work_orders.domain.slots import HalfDay
from work_orders.service import tables as t
from work_orders.service.door import Request, take_request
from work_orders.service.errors import (
    BadInput,
    CannotAssign,
    FindingMissing,
    NotFound,
    Stale,
    UnknownModel,
)


def do(world: World, order: str, *actions: str, reason: str = "") -> None:
    """Actions of the technician, and of the dispatcher where it takes one."""
    for action in actions:
        actor = DISPATCHER if action in ("close", "reject", "cancel", "dispatch") else TECHNICIAN
        service.order_action(world.shared, world.tenant, order, action, actor, reason=reason)


# orders


def test_a_stale_version_is_refused(world: World) -> None:
    order = world.booked()
    version = world.only(t.orders).version
    service.order_action(world.shared, world.tenant, order, "start", TECHNICIAN, version=version)
    with pytest.raises(Stale):
        service.order_action(world.shared, world.tenant, order, "finish", TECHNICIAN, version=version)


def test_a_technician_moves_only_his_own_orders(world: World) -> None:
    with pytest.raises(NotFound):
        service.order_action(world.shared, world.tenant, world.booked(), "start", OTHER_TECHNICIAN)


def test_an_order_is_not_closed_without_a_finding(world: World) -> None:
    order = world.booked()
    do(world, order, "start", "finish")
    with pytest.raises(IllegalTransition):
        do(world, order, "close")
    with world.database.write() as connection:
        connection.execute(t.orders.update().values(state="review"))
    with pytest.raises(FindingMissing):
        do(world, order, "close")


def test_a_finding_that_is_sent_back_counts_no_more(world: World) -> None:
    order = world.booked()
    do(world, order, "start", "finish")
    service.record_finding(world.shared, world.tenant, order, "false", TECHNICIAN)
    with pytest.raises(BadInput, match="reason"):
        do(world, order, "reject")
    do(world, order, "reject", reason="no photo")
    with pytest.raises(IllegalTransition):
        do(world, order, "close")
    do(world, order, "finish")
    service.record_finding(world.shared, world.tenant, order, "prevented", TECHNICIAN)
    do(world, order, "close")
    assert [(r.result, r.superseded_at is None) for r in world.rows(t.findings)] == [
        ("false", False),
        ("prevented", True),
    ]
    assert world.only(t.cases).outcome == "prevented"


@pytest.mark.parametrize(
    ("result", "outcome", "replaced"),
    [("true", "failed", True), ("prevented", "prevented", True), ("false", "found_nothing", False),
     ("missed", "failed", True), ("unknown", "unknown", False)],
)  # fmt: skip
def test_findings_become_labels(world: World, result: str, outcome: str, replaced: bool) -> None:
    order = world.booked()
    do(world, order, "start", "finish")
    service.record_finding(world.shared, world.tenant, order, result, TECHNICIAN)
    do(world, order, "close")
    assert world.only(t.cases).outcome == outcome
    assert {r.label for r in world.rows(t.intake)} == {result}
    found = decode_from_work(world.heard(FINDINGS)[-1].payload)
    assert isinstance(found, Finding)
    assert (found.result, found.replaced, found.work_order_id, found.device) == (result, replaced, order, "p1")


def test_a_finding_names_a_mode_and_a_result_that_exist(world: World) -> None:
    order = world.booked()
    do(world, order, "start", "finish")
    for result, mode in (("maybe", ""), ("true", "rust")):
        with pytest.raises(BadInput):
            service.record_finding(world.shared, world.tenant, order, result, TECHNICIAN, failure_mode=mode)


def test_hold_takes_a_reason_from_the_list_and_lets_alarms_through(world: World) -> None:
    order = world.booked()
    do(world, order, "start")
    with pytest.raises(BadInput, match="parts, access"):
        do(world, order, "hold", reason="lunch")
    do(world, order, "hold", reason="parts")
    do(world, order, "resume")
    do(world, order, "finish")
    heard = [type(decode_from_work(e.payload)) for e in world.heard(FINDINGS)]
    assert heard == [Shelve, Unshelve, Shelve, Unshelve]


def test_an_alarm_that_clears_leaves_the_order_of_a_case_that_is_back_during_its_review(world: World) -> None:
    order = world.booked()
    for action in ("start", "finish"):
        do(world, order, action)
    service.record_finding(world.shared, world.tenant, order, "prevented", TECHNICIAN)
    back = Request(RequestKind.REPORT, "p1", "bearing", text="it shakes again")
    take_request(world.shared, world.tenant, back, CUSTOMER)
    assert world.only(t.cases).state == "triaging"
    world.clear()
    assert (world.only(t.orders).state, world.only(t.cases).alarm_cleared_at) == ("review", world.clock.at)


def test_a_job_fails_also_while_its_customer_waits_for_another_day(world: World) -> None:
    order = world.booked()
    notice, day = str(world.only(t.notices).id), world.only(t.visits).day
    service.ask_other_day(world.shared, world.tenant, notice, day + timedelta(days=2), CUSTOMER)
    do(world, order, "fail", reason="access: the gate was shut")
    assert world.only(t.visits).state == "cancelled"
    assert {r.state for r in world.rows(t.orders)} == {"cannot_complete", "approved"}


def test_what_cannot_be_completed_gets_an_order_that_follows(world: World) -> None:
    order = world.booked()
    do(world, order, "start")
    do(world, order, "fail", reason="parts")
    first, second = sorted(world.rows(t.orders), key=lambda r: r.follows or "")
    assert (first.state, second.state, second.follows) == ("cannot_complete", "approved", order)
    service.assign_technician(world.shared, world.tenant, second.id, "tom", DISPATCHER, dispatch=True)
    for action in ("start", "finish"):
        service.order_action(world.shared, world.tenant, second.id, action, TECHNICIAN)
    service.record_finding(world.shared, world.tenant, second.id, "prevented", TECHNICIAN)
    do(world, second.id, "close")
    assert world.only(t.cases).state == "closed"


def test_a_cancelled_visit_gives_its_half_day_back_and_corrects_the_notice(world: World) -> None:
    order = world.booked()
    do(world, order, "cancel", reason="pump was sold")
    assert world.rows(t.half_days) == []
    assert (world.only(t.notices).state, world.only(t.notices).reason) == ("corrected", "pump was sold")
    assert world.only(t.cases).state == "monitoring"


def test_a_technician_who_cannot_come_is_refused_with_reasons(world: World) -> None:
    order = world.booked()
    service.add_technician(world.shared, world.tenant, "eli", "Eli", ["electrical"], weekdays=[5])
    with pytest.raises(CannotAssign) as refused:
        service.assign_technician(world.shared, world.tenant, order, "eli", DISPATCHER)
    assert refused.value.reasons == ("has no skill mechanical", "does not work on Mondays")
    service.assign_technician(world.shared, world.tenant, order, "uwe", DISPATCHER)
    assert {r.technician_id for r in world.rows(t.half_days)} == {"uwe"}
    assert world.only(t.orders).technician_id == "uwe"
    assert world.only(t.orders).state == "dispatched"
    service.order_action(world.shared, world.tenant, order, "start", OTHER_TECHNICIAN)


def test_the_checklist_is_ticked_off_while_the_work_goes_on(world: World) -> None:
    order = world.booked()
    shared, tenant = world.shared, world.tenant
    with pytest.raises(BadInput, match="in_progress"):
        service.task_action(shared, tenant, order, 1, "do", TECHNICIAN)
    do(world, order, "start")
    assert service.task_action(shared, tenant, order, 1, "do", TECHNICIAN, result="rattles") == "done"
    with pytest.raises(BadInput, match="why"):
        service.task_action(shared, tenant, order, 2, "skip", TECHNICIAN)
    with pytest.raises(IllegalTransition):
        service.task_action(shared, tenant, order, 1, "begin", TECHNICIAN)
    with pytest.raises(NotFound):
        service.task_action(shared, tenant, order, 9, "do", TECHNICIAN)
    assert [(r.n, r.state, r.result) for r in world.rows(t.tasks)][:2] == [(1, "done", "rattles"), (2, "open", "")]


# breakdowns


def test_a_breakdown_that_nobody_foresaw_is_missed(world: World) -> None:
    first = service.report_breakdown(
        world.shared, world.tenant, "p1", "bearing_wear", CUSTOMER, at=world.clock.at, replaced=True
    )
    again = service.report_breakdown(world.shared, world.tenant, "p1", "bearing_wear", CUSTOMER, at=world.clock.at)
    assert first == again
    assert (world.only(t.cases).outcome, world.only(t.findings).result) == ("failed", "missed")


def test_a_breakdown_while_it_was_only_watched_without_a_decision_is_missed(world: World) -> None:
    world.take(1, p=0.01)
    service.report_breakdown(world.shared, world.tenant, "p1", "bearing_wear", DISPATCHER)
    assert world.only(t.findings).result == "missed"
    assert world.only(t.cases).closed_at is None, "nobody was there yet"


def test_a_breakdown_before_the_visit_makes_the_order_corrective(world: World) -> None:
    order = world.booked()
    service.report_breakdown(world.shared, world.tenant, "p1", "bearing_wear", CUSTOMER)
    assert (world.only(t.orders).type, world.only(t.orders).priority) == ("corrective", "urgent")
    do(world, order, "start", "finish")
    with pytest.raises(BadInput, match="broke down"):
        service.record_finding(world.shared, world.tenant, order, "prevented", TECHNICIAN)
    service.record_finding(world.shared, world.tenant, order, "true", TECHNICIAN)
    do(world, order, "close")
    assert world.only(t.cases).outcome == "failed"


def test_a_breakdown_corrects_a_notice_that_still_offers_half_days(world: World) -> None:
    world.offered()
    service.report_breakdown(world.shared, world.tenant, "p1", "bearing_wear", CUSTOMER)
    notice = world.only(t.notices)
    assert notice.state == "corrected"
    assert "broke down" in notice.reason
    order = world.only(t.orders)
    service.assign_technician(world.shared, world.tenant, order.id, "tom", DISPATCHER, agreed_by="phone", dispatch=True)
    do(world, order.id, "start", "finish")
    service.record_finding(world.shared, world.tenant, order.id, "true", TECHNICIAN)
    do(world, order.id, "close")
    assert world.only(t.cases).outcome == "failed"


def test_a_customer_reports_only_his_own_machines(world: World) -> None:
    with pytest.raises(NotFound):
        service.report_breakdown(world.shared, world.tenant, "p1", "bearing_wear", STRANGER)


# installed base


def test_putting_things_on_record_twice_changes_nothing(world: World) -> None:
    before = world.actions()
    service.add_customer(world.shared, world.tenant, "waterworks", "Another name")
    service.add_asset(world.shared, world.tenant, "p1", "pump")
    service.add_technician(world.shared, world.tenant, "tom", "Tim", [])
    assert world.actions() == before


def test_what_is_put_on_record_is_checked(world: World) -> None:
    shared, tenant = world.shared, world.tenant
    with pytest.raises(UnknownModel):
        service.add_asset(shared, tenant, "x", "boat")
    with pytest.raises(BadInput, match="device"):
        service.add_asset(shared, tenant, "x", "pump", devices=["p1"])
    with pytest.raises(BadInput, match="another customer"):
        service.add_asset(shared, tenant, "x", "pump", customer_id="brewery", site_id="waterworks-site")
    with pytest.raises(BadInput, match="time zone"):
        service.add_site(shared, tenant, "x", "brewery", "X", time_zone="Mars/Olympus")
    with pytest.raises(BadInput):
        service.add_customer(shared, tenant, "no spaces", "X")
    with pytest.raises(BadInput, match="watch, propose, automatic"):
        service.set_autonomy(shared, tenant, "always")
    with pytest.raises(NotFound):
        service.add_site(shared, tenant, "x", "nobody", "X")


def test_a_blocked_half_day_can_be_given_back_but_not_a_booked_one(world: World) -> None:
    world.booked()
    visit = world.only(t.visits)
    slot = HalfDay(visit.day, "pm")
    assert service.block_half_days(world.shared, world.tenant, "tom", [slot, HalfDay(visit.day, "am")]) == 1
    assert service.free_half_day(world.shared, world.tenant, "tom", slot.day, slot.half)
    assert not service.free_half_day(world.shared, world.tenant, "tom", visit.day, visit.half)
