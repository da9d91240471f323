"""A job at a machine: readings with limits, files, permits, visits that are rejected, follow-ups, what it took."""

from __future__ import annotations

import msgspec
import pytest

from contracts.asset_model_steps import Step
from contracts.asset_model_text import BadAssetModel, parse
from tests.work_orders.world import CUSTOMER, DISPATCHER, OTHER_TECHNICIAN, PUMP, TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.domain.files import MAX_BYTES, kind_of, safe_name, why_not
from work_orders.domain.job import job_of, type_of
from work_orders.domain.machine import IllegalTransition
from work_orders.domain.readings import judge, number_of
from work_orders.domain.requests import RequestKind
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.attachments import MOST, attach_to_order, bytes_of, files_of_case, put
from work_orders.service.door import Request, take_request
from work_orders.service.errors import BadInput, CannotAssign, NotFound
from work_orders.service.merging import merge, unmerge
from work_orders.service.opening import order_visit, solve
from work_orders.service.order_steps import record_actuals, task_action, visit_action
from work_orders.service.permits import PermitMissing, give_back, grant
from work_orders.service.reports import take_report
from work_orders.service.unit import unit

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20
FILES = [
    (PNG, "photo", ""),
    (JPEG, "photo", ""),
    (b"RIFF\0\0\0\0WEBPVP8 ", "photo", ""),
    (b"%PDF-1.7", "document", ""),
    (b"%PDF-1.7", "photo", "must be a JPEG, PNG or WebP picture"),
    (JPEG, "signature", "must be a PNG picture"),
    (b"<svg onload=alert(1)>", "photo", "must be a JPEG, PNG or WebP picture"),
    (b"MZ\x90", "document", "must be a picture (JPEG, PNG, WebP) or a PDF"),
    (b"", "photo", "is empty"),
    (PNG + b"\0" * MAX_BYTES, "photo", "is larger than 8 MB"),
]
READINGS = [("4.2", 4.2), ("4,2", 4.2), ("4.2 mm/s", 4.2), ("-3", -3.0), ("", None), ("much", None), ("nan", None),
            ("inf", None)]  # fmt: skip
LIMITS = [(1.0, None, None, True), (1.0, 1.0, 2.0, True), (2.0, 1.0, 2.0, True), (0.9, 1.0, 2.0, False),
          (2.1, 1.0, 2.0, False), (5.0, None, 4.5, False), (5.0, 4.5, None, True)]  # fmt: skip


@pytest.mark.parametrize(("data", "purpose", "why"), FILES)
def test_what_a_file_is_decides_whether_it_is_taken(data: bytes, purpose: str, why: str) -> None:
    assert why_not(data, purpose) == why


def test_a_file_gets_a_harmless_name() -> None:
    assert safe_name("..\\..\\etc/pass<wd>.exe", "image/png") == "pass_wd_.png"
    assert safe_name("", "application/pdf") == "file.pdf"
    assert kind_of(b"") is None


@pytest.mark.parametrize(("text", "value"), READINGS)
def test_readings_as_people_write_them(text: str, value: float | None) -> None:
    assert number_of(text) == value


@pytest.mark.parametrize(("value", "low", "high", "fine"), LIMITS)
def test_limits_belong_to_what_is_fine(value: float, low: float | None, high: float | None, fine: bool) -> None:
    assert judge(value, low, high, "mm/s").fine is fine


def test_a_job_without_a_failure_mode_is_an_inspection() -> None:
    job = job_of(PUMP, None, "Pump 1", "", "It is  loud")
    assert (job.title, job.skill, job.minutes, job.part) == ("Pump 1: It is loud", "mechanical", 90, None)
    assert [s.text for s in job.steps] == ["Listen", "Measure", "Look", "Find the cause and put it right"]
    assert [s.text for s in job_of(PUMP, None, "Pump 1", "seal", "").steps] == [
        "Look",
        "Find the cause and put it right",
    ]


@pytest.mark.parametrize("kind", RequestKind)
def test_every_kind_has_a_maintenance_type(kind: RequestKind) -> None:
    assert type_of(kind, True) == "corrective"
    assert type_of(kind, False) in ("predictive", "preventive", "improvement", "corrective")


CHECKLIST = """
name: m
title: M
signals: {v: {unit: mm/s, range: [0, 9], role: symptom}}
components:
  c:
    failure_modes:
      f:
        title: F
        symptoms: {}
        remedy: Mend it
        skill: s
        minutes: 5
        consequence: x
        costs: {failure: {customer: 0, provider: 0}, planned: {customer: 0, provider: 0},
                false_visit: {customer: 0, provider: 0}}
        checklist: CHECKLIST
        permits: [lockout, hot work]
"""


def test_an_asset_model_says_what_a_step_needs() -> None:
    text = CHECKLIST.replace(
        "CHECKLIST", "[{text: Measure, unit: mm/s, high: 4.5, required: true}, {text: A, before: true}]"
    )
    mode = parse(text, "m.yaml").mode("f")
    assert mode is not None
    assert mode.checklist == (Step("Measure", "reading", "mm/s", None, 4.5, True), Step("A", before=True))
    assert mode.permits == ("lockout", "hot work")
    assert [s.text for s in job_of(parse(text, "m.yaml"), mode, "x", "c", "").steps] == ["A", "Mend it", "Measure"]


@pytest.mark.parametrize("wrong", ["x", "[{}]", "[{text: a, needs: wish}]", "[{text: a, low: 2, high: 1}]",
                                   "[{text: a, needs: photo, low: 1}]", "[{text: a, required: 1}]"])  # fmt: skip
def test_faults_of_a_checklist_are_named(wrong: str) -> None:
    with pytest.raises(BadAssetModel, match="checklist"):
        parse(CHECKLIST.replace("CHECKLIST", wrong), "m.yaml")


def ask_for(world: World, order: str, n: int, **values: object) -> None:
    """Let a step ask for something."""
    with world.database.write() as connection:
        connection.execute(t.tasks.update().where(t.tasks.c.order_id == order, t.tasks.c.n == n).values(**values))


def start(world: World) -> str:
    order = world.booked()
    service.order_action(world.shared, TENANT, order, "start", TECHNICIAN)
    return order


def do(world: World, order: str, n: int, result: str = "", action: str = "do") -> str:
    return task_action(world.shared, TENANT, order, n, action, TECHNICIAN, result=result)


def test_a_reading_outside_its_limits_fails_and_brings_a_follow_up(world: World) -> None:
    order = start(world)
    ask_for(world, order, 2, needs="reading", unit="mm/s", high=4.5, required=True)
    with pytest.raises(BadInput, match="a reading in mm/s"):
        do(world, order, 2, "fine")
    with pytest.raises(BadInput, match="still open: 2"):
        service.order_action(world.shared, TENANT, order, "finish", TECHNICIAN)
    assert do(world, order, 2, "7,1") == "failed"
    step = next(r for r in world.rows(t.tasks) if r.n == 2)
    assert (step.value, step.result, step.actor) == (7.1, "7.1 mm/s, must be at most 4.5 mm/s", "Tom")
    service.order_action(world.shared, TENANT, order, "finish", TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, "prevented", TECHNICIAN)
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)
    after = next(r for r in world.rows(t.orders) if r.follows == order)
    assert (after.state, after.agreed, world.only(t.cases).state) == ("approved", True, "work_ordered")


def test_a_reading_within_its_limits_closes_the_case(world: World) -> None:
    order = start(world)
    ask_for(world, order, 2, needs="reading", high=4.5, required=True)
    assert do(world, order, 2, "2.1") == "done"
    assert do(world, order, 1, "not accessible", "skip") == "skipped"
    service.order_action(world.shared, TENANT, order, "finish", TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, "prevented", TECHNICIAN)
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)
    assert (world.only(t.cases).state, len(world.rows(t.orders))) == ("closed", 1)


def test_a_step_that_needs_a_photo_takes_nothing_less(world: World) -> None:
    order = start(world)
    ask_for(world, order, 1, needs="photo")
    with pytest.raises(BadInput, match="needs a photo"):
        do(world, order, 1)
    with pytest.raises(NotFound):
        attach_to_order(world.shared, TENANT, order, PNG, "x", "photo", OTHER_TECHNICIAN, step=1)
    first = attach_to_order(world.shared, TENANT, order, PNG, "a/b.exe", "photo", TECHNICIAN, step=1)
    assert first == attach_to_order(world.shared, TENANT, order, PNG, "b", "photo", TECHNICIAN, step=1)
    assert do(world, order, 1) == "done"
    with world.database.read() as connection:
        (file,) = files_of_case(connection, TENANT, world.only(t.cases).id)
        assert (file.name, file.media_type, file.step) == ("b.png", "image/png", 1)
        found = bytes_of(connection, TENANT, file.id)
    assert found is not None
    assert found[1] == PNG


def test_files_of_a_report_are_those_of_the_case_that_it_was_merged_into(world: World) -> None:

    report = order_visit(world.shared, TENANT, str(reported(world)), DISPATCHER)
    attach_to_order(world.shared, TENANT, report, JPEG, "x.jpg", "photo", DISPATCHER)
    world.take(1)
    forecast = next(str(r.id) for r in world.rows(t.cases) if r.kind == "forecast")
    case = next(str(r.id) for r in world.rows(t.cases) if r.kind == "phone")
    service.order_action(world.shared, TENANT, report, "cancel", DISPATCHER, reason="x")
    world.take(2, first=2)
    merge(world.shared, TENANT, case, forecast, DISPATCHER)
    with world.database.read() as connection:
        assert [f.name for f in files_of_case(connection, TENANT, forecast)] == ["x.jpg"]


def test_a_photo_that_came_while_its_case_was_merged_goes_back_with_its_report(world: World) -> None:
    case = str(reported(world))
    world.take(1)
    forecast = next(str(r.id) for r in world.rows(t.cases) if r.kind == "forecast")
    said = next(r.reason for r in world.rows(t.cases) if r.id == case)
    merge(world.shared, TENANT, case, forecast, DISPATCHER)
    again = Request(RequestKind.REPORT, "p1", text="It smokes")
    assert take_report(world.shared, TENANT, again, CUSTOMER, [("smoke.jpg", JPEG)]).case == forecast
    unmerge(world.shared, TENANT, case, DISPATCHER)
    with world.database.read() as connection:
        files = {id: [f.name for f in files_of_case(connection, TENANT, id)] for id in (case, forecast)}
    assert files == {case: ["smoke.jpg"], forecast: []}
    assert next(r.reason for r in world.rows(t.cases) if r.id == case) == said == "It is loud"


def reported(world: World) -> str | None:
    asked = Request(RequestKind.PHONE, "p1", text="It is loud", who="Ida")
    return take_request(world.shared, TENANT, asked, DISPATCHER).case


def test_a_reported_fault_becomes_an_order_and_a_finding_names_it(world: World) -> None:
    case = str(reported(world))
    order = order_visit(world.shared, TENANT, case, DISPATCHER)
    assert order == order_visit(world.shared, TENANT, case, DISPATCHER)
    row = world.only(t.orders)
    assert (row.type, row.state, row.failure_mode) == ("corrective", "approved", "")
    day = world.clock.at.date().replace(day=24)
    service.book_visit(
        world.shared, TENANT, order, day, "am", DISPATCHER, technician_id="tom", agreed_by="phone", dispatch=True
    )
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)
    with pytest.raises(BadInput):
        service.record_finding(world.shared, TENANT, order, "true", TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, "true", TECHNICIAN, failure_mode="seal_leak")
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)
    done = world.only(t.cases)
    assert (done.state, done.failure_mode, done.outcome) == ("closed", "seal_leak", "failed")
    assert '"customer":900.0' in done.costs


def test_a_case_is_solved_without_a_visit(world: World) -> None:
    case = str(reported(world))
    with pytest.raises(BadInput):
        solve(world.shared, TENANT, case, " ", DISPATCHER)
    assert solve(world.shared, TENANT, case, "The valve was shut; opened by phone", DISPATCHER) == "closed"
    assert world.only(t.cases).outcome == "remote"


def needing(world: World, *names: str) -> str:
    """An order that needs permits, its half day agreed."""

    notice = world.offered()
    with world.database.write() as connection:
        connection.execute(t.orders.update().values(permits=msgspec.json.encode(names).decode()))
    service.accept_notice(world.shared, TENANT, notice, 1, CUSTOMER)
    return str(world.only(t.orders).id)


def test_permits_stand_before_ready_and_locks_before_the_start(world: World) -> None:
    order = needing(world, "hot work", "lockout")
    assert world.only(t.orders).state == "planned"
    with pytest.raises(PermitMissing, match="hot work"):
        service.order_action(world.shared, TENANT, order, "mark_ready", DISPATCHER)
    permit = grant(world.shared, TENANT, order, "hot work", DISPATCHER, note="No 12")
    assert permit == grant(world.shared, TENANT, order, "hot work", DISPATCHER)
    assert world.only(t.orders).state == "dispatched"
    with pytest.raises(PermitMissing, match="lockout"):
        service.order_action(world.shared, TENANT, order, "start", TECHNICIAN)
    lock = grant(world.shared, TENANT, order, "lockout", TECHNICIAN)
    service.order_action(world.shared, TENANT, order, "start", TECHNICIAN)
    with pytest.raises(PermitMissing, match="must take off first"):
        service.order_action(world.shared, TENANT, order, "finish", TECHNICIAN)
    assert give_back(world.shared, TENANT, order, lock, TECHNICIAN)
    assert not give_back(world.shared, TENANT, order, lock, TECHNICIAN)
    service.order_action(world.shared, TENANT, order, "finish", TECHNICIAN)
    assert [r.released_at is None for r in sorted(world.rows(t.holds), key=lambda r: r.kind)] == [False, True]


def visit(world: World, order: str, action: str, reason: str = "") -> str:
    return visit_action(world.shared, TENANT, order, action, TECHNICIAN, reason=reason)


def test_a_visit_is_accepted_set_out_for_and_begun(world: World) -> None:
    order = world.booked()
    assert [visit(world, order, a) for a in ("accept", "set_out", "arrive")] == ["accepted", "en_route", "on_site"]
    assert world.only(t.orders).state == "dispatched"
    service.order_action(world.shared, TENANT, order, "start", TECHNICIAN)
    with pytest.raises(IllegalTransition):
        visit(world, order, "accept")


def test_a_rejected_visit_goes_to_another_and_never_to_the_same_again(world: World) -> None:
    order = world.booked()
    was = world.only(t.visits)
    with pytest.raises(BadInput):
        visit(world, order, "reject")
    assert visit(world, order, "reject", "My car broke down") == "rejected"
    now = next(r for r in world.rows(t.visits) if r.ended_at is None)
    assert (now.technician_id, now.day, now.half, now.state) == ("uwe", was.day, was.half, "dispatched")
    with pytest.raises(CannotAssign, match="rejected"):
        service.assign_technician(world.shared, TENANT, order, "tom", DISPATCHER)
    visit_action(world.shared, TENANT, order, "reject", OTHER_TECHNICIAN, reason="ill")
    row = world.only(t.orders)
    assert (row.technician_id, row.agreed, len(world.rows(t.half_days))) == (None, True, 0)


@pytest.mark.parametrize(
    ("action", "reason", "state"), [("no_access", "gate shut", "no_access"), ("break_off", "storm", "incomplete")]
)
def test_a_visit_in_vain_opens_a_follow_up(world: World, action: str, reason: str, state: str) -> None:
    order = world.booked()
    assert visit(world, order, action, reason) == state
    first, second = sorted(world.rows(t.orders), key=lambda r: r.follows or "")
    assert (first.state, second.follows, second.state) == ("cannot_complete", order, "approved")


def test_what_a_job_took_is_said_between_its_start_and_its_close(world: World) -> None:
    order = world.booked()
    with pytest.raises(BadInput):
        record_actuals(world.shared, TENANT, order, TECHNICIAN, work_minutes=5)
    service.order_action(world.shared, TENANT, order, "start", TECHNICIAN)
    record_actuals(world.shared, TENANT, order, TECHNICIAN, work_minutes=95, parts_cost=40.0)
    record_actuals(world.shared, TENANT, order, TECHNICIAN, work_minutes=100, travel_minutes=30, km=42.5)
    row = world.only(w.actuals)
    assert (row.work_minutes, row.travel_minutes, row.km, row.parts_cost) == (100, 30, 42.5, None)
    with pytest.raises(BadInput):
        record_actuals(world.shared, TENANT, order, TECHNICIAN, work_minutes=-1)
    with pytest.raises(BadInput):
        record_actuals(world.shared, TENANT, order, TECHNICIAN, km=1e9)


def test_what_comes_from_a_label_takes_no_technicians_place(world: World) -> None:
    opened = take_request(world.shared, TENANT, Request(RequestKind.REPORT, "p1", text="Loud"), CUSTOMER)
    order = order_visit(world.shared, TENANT, str(opened.case), DISPATCHER)
    with unit(world.shared, TENANT, CUSTOMER) as work:
        for n in range(MOST):
            put(work, JPEG + bytes([n]), "x", "photo", "somebody", case_id=opened.case, request_id=opened.request)
        with pytest.raises(BadInput):
            put(work, JPEG + b"more", "x", "photo", "somebody", case_id=opened.case, request_id=opened.request)
        again = put(work, JPEG + b"\0", "x", "photo", "somebody", case_id=opened.case, request_id=opened.request)
    assert again in {r.id for r in world.rows(w.attachments)}
    assert attach_to_order(world.shared, TENANT, order, PNG, "x", "signature", DISPATCHER)
