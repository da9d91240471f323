"""After the job: it stayed fixed, or the case opens again by itself; the customer is asked once, by nobody else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from contracts.points import DeviceRows, StoreUnreachable
from plumbing.sql import to_us
from tests.work_orders.world import CUSTOMER, DISPATCHER, STRANGER, SUNDAY, TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.domain.aftercare import Compared, Since, Verdict, judge, may_ask, promoter_score
from work_orders.domain.machine import NotPermitted
from work_orders.queries.door import undecided
from work_orders.queries.inbox import inbox
from work_orders.queries.measured import measured
from work_orders.service import aftercare_tables as f
from work_orders.service import tables as t
from work_orders.service.aftercare import answer_survey
from work_orders.service.errors import BadInput, NotFound

BACK, STUCK = Compared("vibration", "mm/s", 4.2, 2.1, 2.3), Compared("vibration", "mm/s", 4.2, 2.1, 4.0)
JUDGED = [
    (Since(0, 0, 7, 7, True), Verdict.STAYED_FIXED),
    (Since(0, 0, 7, 7, True, BACK), Verdict.STAYED_FIXED),
    (Since(0, 0, 7, 7, True, STUCK), Verdict.UNKNOWN),
    (Since(0, 0, 0, 7, False), None),
    (Since(0, 0, 1, 7, True), None),
    (Since(0, 0, 6, 7, False), None),
    (Since(0, 0, 4, 7, True), Verdict.STAYED_FIXED),
    (Since(2, 0, 7, 7, True), Verdict.CAME_BACK),
    (Since(0, 1, 0, 7, False), Verdict.CAME_BACK),
]
HOUR = timedelta(hours=1)
ASKED = [
    (HOUR, None, True),
    (timedelta(hours=24), None, True),
    (timedelta(hours=25), None, False),
    (-HOUR, None, False),
    (HOUR, SUNDAY - timedelta(days=29), False),
    (HOUR, SUNDAY - timedelta(days=31), True),
]


@pytest.mark.parametrize(("since", "verdict"), JUDGED)
def test_what_telemetry_says_of_a_repair(since: Since, verdict: Verdict | None) -> None:
    assert judge(since)[0] is verdict


@pytest.mark.parametrize(("after", "last", "may"), ASKED)
def test_when_a_survey_may_be_asked(after: timedelta, last: datetime | None, may: bool) -> None:
    assert may_ask(SUNDAY + after, SUNDAY, last) is may


def test_the_promoter_score() -> None:
    assert promoter_score([]) is None
    assert promoter_score([10, 9, 8, 7, 6, 0]) == 0.0
    assert promoter_score([10, 10, 10, 0]) == 50.0


def mended(world: World, result: str = "prevented") -> str:
    order = world.booked()
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, result, TECHNICIAN)
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)
    return order


def readings(world: World, days: int, value: float = 2.0) -> None:
    """Four a day, from now on."""
    at = [to_us(world.clock.at + n * timedelta(hours=6)) for n in range(1, 4 * days)]
    rows = DeviceRows(TENANT, "p1", "pump", "aaaaaaaa", ["vibration"], [*at], at, [[value]] * len(at), at[-1])
    world.shared.store.write([rows])


def verdicts(world: World) -> dict[int, str]:
    return {r.days: r.verdict for r in world.rows(f.verify_checks)}


def test_a_repair_that_held_is_said_to_have_held(world: World) -> None:
    mended(world)
    readings(world, 60)
    world.later(days=6)
    assert verdicts(world) == {7: "", 30: ""}
    world.later(days=2)
    assert verdicts(world) == {7: "stayed_fixed", 30: ""}
    world.later(days=30)
    assert verdicts(world) == {7: "stayed_fixed", 30: "stayed_fixed"}
    assert world.only(t.cases).state == "closed"


def test_a_silent_machine_proves_nothing(world: World) -> None:
    mended(world)
    world.later(days=8)
    assert verdicts(world)[7] == "", "it may be heard yet"
    for _ in range(7):
        world.later(days=1)
    assert verdicts(world)[7] == "unknown"


def test_one_reading_after_the_job_proves_nothing(world: World) -> None:
    mended(world)
    readings(world, 1)
    for _ in range(8):
        world.later(days=5)
    assert set(verdicts(world).values()) == {"unknown"}
    assert "heard on 1 of" in world.rows(f.verify_checks)[0].text


def test_a_machine_that_was_off_for_a_while_is_judged_once_it_is_heard_again(world: World) -> None:
    mended(world)
    readings(world, 6)
    world.later(days=8)
    assert verdicts(world)[7] == ""
    readings(world, 4)
    world.later(days=2)
    assert verdicts(world)[7] == "stayed_fixed"


def test_readings_that_are_as_before_the_repair_prove_nothing_either(world: World) -> None:
    mended(world)
    readings(world, 60, value=4.1)
    world.later(days=8)
    (check,) = (c for c in world.rows(f.verify_checks) if c.days == 7)
    assert (check.verdict, check.text) == (
        "unknown", "no alarm of the component since, but vibration 4.1 mm/s, 4.2 before the repair",
    )  # fmt: skip


def test_an_alarm_that_goes_on_past_the_repair_opens_a_case_again(world: World) -> None:
    mended(world)
    said = []
    for n in range(10, 17):  # the same alarm, on and on
        world.clock.at += timedelta(hours=20)
        said += world.take(1, p=0.9, first=n)
    assert said[0] == "suppressed", "an alarm may need a while to end"
    assert set(said[1:]) == {"linked"}
    assert sorted(r.state for r in world.rows(t.cases)) == ["closed", "proposed"]
    world.later(days=2)
    (check,) = (c for c in world.rows(f.verify_checks) if c.days == 7)
    assert (check.verdict, check.text) == (
        "came_back", "6 forecasts of the same component came in since, health 60, 60 before",
    )  # fmt: skip


def test_an_alarm_that_a_visit_for_nothing_dealt_with_stays_dealt_with(world: World) -> None:
    mended(world, "false")
    world.clock.at += timedelta(days=3)
    assert world.take(1, first=10) == ["suppressed"]


def test_what_was_not_let_in_after_the_repair_counts_as_well(world: World) -> None:
    mended(world)
    readings(world, 60)
    world.clock.at += timedelta(days=2)
    with world.database.write() as connection:
        connection.execute(t.findings.update().values(result="unknown"))  # corrected since: no repair is on record
    assert world.take(1, first=10) == ["suppressed"]
    world.later(days=6)
    assert verdicts(world)[7] == "came_back"
    assert world.only(t.cases).state == "triaging"


def test_a_store_that_does_not_answer_is_asked_again_in_an_hour(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mended(world)

    def silent(*_: object, **__: object) -> None:
        raise StoreUnreachable("nobody there")

    monkeypatch.setattr(world.shared.store, "band", silent)
    world.later(days=7, minutes=1)
    (check,) = (c for c in world.rows(f.verify_checks) if c.days == 7)
    assert (check.done_at, check.due_at) == (None, world.clock.at + HOUR)
    monkeypatch.undo()
    world.later(minutes=59)
    assert next(c for c in world.rows(f.verify_checks) if c.days == 7).done_at is None
    world.later(minutes=2)
    (check,) = (c for c in world.rows(f.verify_checks) if c.days == 7)
    assert check.due_at == world.clock.at + timedelta(days=1), "it answered, and nothing was heard"


def test_a_store_that_does_not_answer_is_asked_once_in_a_round(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mended(world)
    asked: list[object] = []

    def silent(*of: object) -> None:
        asked.append(of)
        raise StoreUnreachable("nobody there")

    monkeypatch.setattr(world.shared.store, "band", silent)
    world.later(days=31)
    assert len(asked) == 1
    assert [c.due_at for c in world.rows(f.verify_checks)] == [world.clock.at + HOUR] * 2


def test_a_repair_that_did_not_hold_opens_the_case_again(world: World) -> None:
    mended(world)
    world.clock.at += timedelta(days=1)
    world.take(1, first=10, alarm_id="again")
    world.clear(alarm="again")
    world.later(days=8)
    assert verdicts(world)[7] == "came_back"
    old = next(r for r in world.rows(t.cases) if r.outcome == "prevented")
    assert (old.state, old.closed_at) == ("triaging", None)
    assert "did not stay fixed" in old.reason
    with world.database.read() as connection:
        assert [r.case_id for r in undecided(connection, TENANT)] == [old.id]  # no forecast may come: a person decides
    world.later(days=30)
    assert verdicts(world)[30] == "superseded"


def test_the_second_visit_of_a_case_that_did_not_hold_waits_for_the_dispatcher(world: World) -> None:
    """A case has one notice: it was answered for the first visit, and nothing asks the customer about the second."""
    mended(world)
    world.clock.at += timedelta(days=1)
    world.take(1, first=10, alarm_id="again")
    world.clear(alarm="again")
    world.later(days=8)
    world.take(4, first=20, alarm_id="third")
    with world.database.read() as connection:
        waiting = inbox(connection, TENANT, world.clock.at)
    second = next(r for r in world.rows(t.orders) if r.ended_at is None)
    assert [(i.kind, i.id) for i in waiting] == [("to_book", second.id)]


def test_nobody_is_told_anew_of_a_notice_whose_visit_was_made(world: World) -> None:
    mended(world)
    world.clock.at += timedelta(days=1)
    world.take(1, first=10, alarm_id="again")
    world.clear(alarm="again")
    world.later(days=8)
    world.take(4, first=20, alarm_id="third")
    world.clear(alarm="third")
    world.later(hours=1)
    assert {r.state for r in world.rows(t.orders)} == {"closed", "cancelled"}
    assert world.only(t.notices).state == "answered"


def test_what_came_back_with_an_open_case_opens_no_second_one(world: World) -> None:
    mended(world)
    world.clock.at += timedelta(days=1)
    world.take(1, first=10, alarm_id="again")
    world.later(days=8)
    assert verdicts(world)[7] == "came_back"
    assert sorted(r.state for r in world.rows(t.cases)) == ["closed", "monitoring"]


def test_a_visit_for_nothing_is_not_verified(world: World) -> None:
    mended(world, "false")
    assert not world.rows(f.verify_checks)
    assert len(world.rows(f.surveys)) == 1


def test_the_customer_says_how_it_was_and_nobody_for_him(world: World) -> None:
    order = mended(world)
    for actor, error in ((TECHNICIAN, NotPermitted), (DISPATCHER, NotPermitted), (STRANGER, NotFound)):
        with pytest.raises(error):
            answer_survey(world.shared, TENANT, order, actor, satisfied=5)
    with pytest.raises(BadInput):
        answer_survey(world.shared, TENANT, order, CUSTOMER, satisfied=6)
    answer_survey(world.shared, TENANT, order, CUSTOMER, satisfied=4, recommends=9, effort=6, words="Friendly")
    row = world.only(f.surveys)
    assert (row.satisfied, row.recommends, row.effort, row.words, row.technician_id) == (4, 9, 6, "Friendly", "tom")
    world.clock.at += timedelta(days=15)
    with pytest.raises(BadInput, match="over"):
        answer_survey(world.shared, TENANT, order, CUSTOMER, satisfied=1)


def test_the_customer_is_asked_when_the_work_is_done_however_late_the_office_looks_at_it(world: World) -> None:
    order = world.booked()
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)
    assert world.only(f.surveys).asked_at == world.only(t.orders).finished_at
    service.record_finding(world.shared, TENANT, order, "prevented", TECHNICIAN)
    service.order_action(world.shared, TENANT, order, "reject", DISPATCHER, reason="the photo is missing")
    service.order_action(world.shared, TENANT, order, "finish", TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, "prevented", TECHNICIAN)
    world.clock.at += timedelta(hours=40)
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)
    assert len(world.rows(f.surveys)) == 1


def test_a_check_that_finds_another_case_of_the_component_open_is_done_all_the_same(world: World) -> None:
    mended(world)
    with world.database.write() as connection:  # the technician found another component than the case was about
        connection.execute(f.verify_checks.update().values(component="seal"))
    world.clock.at += timedelta(days=1)
    world.take(1, first=10, alarm_id="seal", component="seal", failure_mode="seal_leak")
    world.clear(alarm="seal")
    world.take(1, first=20, alarm_id="again")
    world.later(days=8)
    assert verdicts(world)[7] == "came_back"
    assert [r.component for r in world.rows(t.cases) if r.closed_at is None] == ["bearing"]


@pytest.mark.parametrize(("found", "kwh"), [("bearing_wear", 0.5 * 24 * 30), ("seal_leak", None)])
def test_what_a_machine_wasted_is_saved_as_long_as_its_repair_holds(
    world: World, found: str, kwh: float | None
) -> None:
    world.take(3, wasted_kw=0.5)
    world.later(hours=1)
    service.accept_notice(world.shared, TENANT, str(world.only(t.notices).id), 1, CUSTOMER)
    order = str(world.only(t.orders).id)
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, "prevented", TECHNICIAN, failure_mode=found)
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)
    readings(world, 60)
    for days in (8, 30):
        world.later(days=days)
    with world.database.read() as connection:
        saved = {m.name: m.value for m in measured(connection, TENANT, world.clock.at, months=False)}
    assert saved["kwh_saved"] == kwh
