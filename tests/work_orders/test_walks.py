"""Whatever people and machines do, in any order: what must hold, holds."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from plumbing import audit
from tests.work_orders.test_sending import Mail
from tests.work_orders.world import (
    ADMIN,
    CUSTOMER,
    DISPATCHER,
    ENGINEER,
    OTHER_TECHNICIAN,
    SUNDAY,
    TECHNICIAN,
    open_world,
)
from work_orders import service
from work_orders.domain.calendars import Hours
from work_orders.domain.contact_rules import Quiet
from work_orders.domain.decision import Outcome
from work_orders.domain.machine import IllegalTransition, NotPermitted
from work_orders.domain.order_states import HOLD_REASONS, OrderAction
from work_orders.domain.plans import Spec
from work_orders.domain.requests import RequestKind
from work_orders.domain.sla import Metric, Rule, SlaPolicy, Step, Target
from work_orders.domain.slots import HalfDay
from work_orders.service import contacts, door_tables, incidents, merging, plan_tables, recalls, sla_tables
from work_orders.service import tables as t
from work_orders.service.contacts import CAP_PER_DAY
from work_orders.service.door import Request, take_request
from work_orders.service.errors import WorkOrdersError
from work_orders.service.intake import replay
from work_orders.service.message_tables import deliveries
from work_orders.service.plans import make_plan, move_plan
from work_orders.service.sending import WEB, Bounced, Message, TryLater
from work_orders.service.sla import case_clock_action, follow_all
from work_orders.service.sla_settings import set_calendar, set_sla_policy
from work_orders.service.unit import unit

REFUSALS = (WorkOrdersError, IllegalTransition, NotPermitted)
MODES = {"bearing": "bearing_wear", "seal": "seal_leak"}
ACTORS = (CUSTOMER, CUSTOMER, TECHNICIAN, OTHER_TECHNICIAN, DISPATCHER, DISPATCHER, ENGINEER)
DEVICES = ("p1", "p2")
WEIGHTS = {
    "forecasts": 5, "time_passes": 6, "alarm_clears": 1, "answer": 6, "order_moves": 4, "work_is_done": 6,
    "visit_is_booked": 2, "technician_is_named": 1, "breakdown": 1, "absence": 1, "somebody_works_on_it": 1,
    "autonomy_is_set": 1, "somebody_asks": 2, "cases_are_merged": 3, "cases_share_a_cause": 2, "order_is_held": 2,
    "somebody_plans": 1, "promises_change": 1, "the_desk_says": 1, "contact_changes": 1, "the_server_has_moods": 1,
}  # fmt: skip
STEPS = [name for name, weight in WEIGHTS.items() for _ in range(weight)]


@dataclass
class Moody(Mail):
    """A channel that sometimes takes nothing, or says that nobody is there; when it took what, and in whose night."""

    mood: str = ""
    at: list[tuple[Message, datetime]] = field(default_factory=list)
    now: Callable[[], datetime] = lambda: SUNDAY

    def send(self, message: Message) -> None:
        if self.mood == "away":
            raise TryLater("nobody answers")
        if self.mood == "unknown":
            raise Bounced("550 no such mailbox", lasting=False)
        self.at.append((message, self.now()))
        super().send(message)


class Walk:
    """A few weeks of a small company, in any order; each step draws what it needs from its own number."""

    def __init__(self, settled: Path, folder: Path) -> None:
        shutil.copy(settled, folder / "walk.db")
        self.world = open_world(f"sqlite:///{folder}/walk.db", folder, migrated=True)
        sa.event.listen(self.world.database._writer, "connect", _hasty)
        self.mail = Moody(now=lambda: self.world.clock.at)
        self.quiet = (22, 7)
        self.looked_at = 0
        self.n = Counter[str]()
        self.agreed: set[str] = set()
        self.judged: dict[str, tuple[str, datetime | None]] = {}
        for device in DEVICES:
            self._forecasts(device, "bearing", 0.3, 3)

    def step(self, name: str, number: int) -> None:
        """One thing happens."""
        getattr(self, name)(Random(number))

    def attempt(self, what: Any, *args: Any, **values: Any) -> bool:
        """Whether it was done; what is refused is refused in this package's words."""
        try:
            what(self.world.shared, self.world.tenant, *args, **values)
        except REFUSALS:
            return False
        return True

    def pick(self, rng: Random, table: sa.Table) -> Any:
        """A row, mostly one that is not over; None when there is none."""
        rows = sorted(self.world.rows(table), key=lambda r: str(r.id))
        live = [r for r in rows if r.ended_at is None]
        return rng.choice(live if live and rng.random() < 0.9 else rows) if rows else None

    def slot(self, rng: Random) -> HalfDay:
        """A half day soon."""
        return HalfDay((self.world.clock.at + timedelta(days=rng.randint(0, 6))).date(), rng.choice(("am", "pm")))

    def forecasts(self, rng: Random) -> None:
        self._forecasts(rng.choice(DEVICES), rng.choice(sorted(MODES)), rng.choice((0.01, 0.3, 0.3, 0.6)), 3)

    def _forecasts(self, device: str, component: str, p: float, count: int) -> None:
        for _ in range(count):
            self.n["forecast"] += 1
            made = self.world.forecast(
                self.n["forecast"], p, device, component=component, failure_mode=MODES[component],
                alarm_id=f"{device}-alarm-{self.n[device]}",
            )  # fmt: skip
            service.take_prediction(self.world.shared, made)
            self.world.clock.at += timedelta(hours=1)

    def time_passes(self, rng: Random) -> None:
        self.world.clock.at += timedelta(hours=rng.choice((1, 1, 5, 24, 70)))
        service.tick(self.world.shared, self.world.tenant, (self.mail, WEB))

    def alarm_clears(self, rng: Random) -> None:
        device = rng.choice(DEVICES)
        self.world.clear(device, f"{device}-alarm-{self.n[device]}")
        self.n[device] += 1

    def answer(self, rng: Random) -> None:
        notice = self.pick(rng, t.notices)
        if notice is None:
            return
        actor = rng.choice(ACTORS)
        match rng.choice(("accept", "accept", "accept", "decline", "propose", "call", "open", "stop", "again")):
            case "accept":
                if self.attempt(service.accept_notice, notice.id, rng.randint(1, 2), actor):
                    self.agreed.add(notice.order_id)
            case "decline":
                self.attempt(service.decline_notice, notice.id, "no", actor)
            case "propose":
                self.attempt(service.propose_day, notice.id, self.slot(rng).day, actor)
            case "call":
                self.attempt(service.ask_for_call, notice.id, actor)
            case "open":
                self.attempt(service.open_notice, notice.id, actor)
            case "stop":
                self.attempt(service.stop_notice, notice.id, "no", actor)
            case _:
                self.attempt(service.offer_again, notice.id, actor)

    def order_moves(self, rng: Random) -> None:
        order = self.pick(rng, t.orders)
        if order is not None:
            action, reason = rng.choice(sorted(OrderAction)), rng.choice(("", *HOLD_REASONS))
            self.attempt(service.order_action, order.id, action, rng.choice(ACTORS), reason=reason)

    def work_is_done(self, rng: Random) -> None:
        """The straight road, from wherever the order stands, perhaps not to its end."""
        order = self.pick(rng, t.orders)
        if order is None:
            return
        result = rng.choice(("true", "false", "prevented"))
        steps: list[Any] = [
            lambda: self.attempt(service.order_action, order.id, "dispatch", DISPATCHER),
            lambda: self.attempt(service.order_action, order.id, "start", DISPATCHER),
            lambda: self.attempt(service.order_action, order.id, "finish", DISPATCHER),
            lambda: self.attempt(service.record_finding, order.id, result, DISPATCHER),
            lambda: self.attempt(service.order_action, order.id, "close", rng.choice(ACTORS)),
        ]
        for do in steps[: rng.randint(2, 5)]:
            do()

    def visit_is_booked(self, rng: Random) -> None:
        order, slot, agreed = self.pick(rng, t.orders), self.slot(rng), rng.random() < 0.7
        if order is not None and self.attempt(
            service.book_visit, order.id, slot.day, slot.half, rng.choice(ACTORS),
            technician_id=rng.choice((None, "tom", "uwe")), agreed_by="by phone" if agreed else "",
        ):  # fmt: skip
            assert agreed or order.agreed
            self.agreed.add(order.id)

    def technician_is_named(self, rng: Random) -> None:
        order = self.pick(rng, t.orders)
        if order is not None and self.attempt(
            service.assign_technician, order.id, rng.choice(("tom", "uwe")), DISPATCHER
        ):
            assert order.agreed
            self.agreed.add(order.id)

    def breakdown(self, rng: Random) -> None:
        self.attempt(service.report_breakdown, rng.choice(DEVICES), rng.choice(sorted(MODES.values())), CUSTOMER)

    def absence(self, rng: Random) -> None:
        self.attempt(service.block_half_days, rng.choice(("tom", "uwe")), [self.slot(rng)])

    def somebody_works_on_it(self, rng: Random) -> None:
        until = self.world.clock.at + timedelta(hours=2)
        self.attempt(service.start_being_worked_on, rng.choice(DEVICES), "cleaning", until, ENGINEER)

    def autonomy_is_set(self, rng: Random) -> None:
        mode = rng.choice(("watch", "propose", "automatic", "automatic"))
        service.set_autonomy(self.world.shared, self.world.tenant, mode, model="pump")

    def somebody_asks(self, rng: Random) -> None:
        kind = rng.choice((RequestKind.REPORT, RequestKind.PHONE, RequestKind.COMPLAINT, RequestKind.BREAKDOWN))
        component = "" if kind is RequestKind.COMPLAINT else rng.choice(("", *MODES))
        asked = Request(kind, rng.choice(("", *DEVICES)), component, text="It hums.", cause=rng.choice(("", "storm")))
        self.attempt(take_request, asked, DISPATCHER)

    def cases_are_merged(self, rng: Random) -> None:
        """Merged, or parted again."""
        cases = sorted(self.world.rows(t.cases), key=lambda r: str(r.id))
        merged = [c.id for c in cases if c.state == "merged"]
        if merged and rng.random() < 0.5:
            self.attempt(merging.unmerge, rng.choice(merged), DISPATCHER)
            return
        device = rng.choice(DEVICES)
        live = [c for c in cases if c.closed_at is None and c.asset_id == device]
        if len(live) > 1:
            case, into = rng.sample(live, 2)
            self.attempt(merging.merge, case.id, into.id, DISPATCHER)

    def cases_share_a_cause(self, rng: Random) -> None:
        live = sorted(str(c.id) for c in self.world.rows(t.cases) if c.closed_at is None)
        known = sorted(str(r.id) for r in self.world.rows(door_tables.incidents) if r.closed_at is None)
        match rng.choice(("gather", "gather", "release", "dissolve", "recall")):
            case "gather" if len(live) > 1:
                self.attempt(incidents.gather, rng.sample(live, 2), "One site", DISPATCHER)
            case "release" if known:
                self.attempt(incidents.release, rng.choice(known), DISPATCHER)
            case "dissolve" if known:
                self.attempt(incidents.dissolve, rng.choice(known), DISPATCHER)
            case "recall":
                self.attempt(recalls.recall, rng.choice(("a", "b")), "It may leak.", DISPATCHER, model="pump")

    def order_is_held(self, rng: Random) -> None:
        """Something is missing, or has come."""
        order = self.pick(rng, t.orders)
        if order is not None:
            action = "resume" if order.state == "on_hold" else "hold"
            self.attempt(service.order_action, order.id, action, DISPATCHER, reason=rng.choice(HOLD_REASONS))

    def somebody_plans(self, rng: Random) -> None:
        device, plans = rng.choice(DEVICES), sorted(str(r.id) for r in self.world.rows(plan_tables.plans))
        if len(plans) < 2:
            days = rng.choice((3, 10))
            self.attempt(make_plan, device, Spec("Grease", ("Grease it",), days, lead_days=1), DISPATCHER)
        else:
            self.attempt(move_plan, rng.choice(plans), rng.choice(("pause", "resume")), DISPATCHER)

    def promises_change(self, rng: Random) -> None:
        if rng.random() < 0.5:
            step = Step(rng.choice(("admin", "dispatcher")), rng.choice((0.5, 1.0)))
            target = Target(rng.choice(tuple(Metric)), rng.choice((30, 240, 2880)), steps=(step,))
            self.attempt(set_sla_policy, SlaPolicy((Rule(target),)), ADMIN)
        else:
            hours = rng.choice((["08:00-12:00", "13:00-17:00"], ["00:00-24:00"], ["06:00-10:00"]))
            self.attempt(set_calendar, "standard", Hours(dict.fromkeys(("mon", "tue", "wed", "thu"), hours)), ADMIN)

    def the_desk_says(self, rng: Random) -> None:
        cases = sorted(str(c.id) for c in self.world.rows(t.cases) if c.closed_at is None)
        if cases:
            action = rng.choice(("answered", "taken", "wait", "go-on"))
            self.attempt(case_clock_action, rng.choice(cases), action, DISPATCHER, reason="parts")

    def contact_changes(self, rng: Random) -> None:
        self.quiet = rng.choice(((22, 7), (20, 9), (0, 0), (12, 14)))
        begin, end = (f"{hour:02}:00" for hour in self.quiet)
        contacts.set_contact(
            self.world.shared, self.world.tenant, "waterworks", CUSTOMER, name="Ida", language="en", time_zone="UTC",
            quiet_from=begin, quiet_to=end,
        )  # fmt: skip

    def the_server_has_moods(self, rng: Random) -> None:
        self.mail.mood = rng.choice(("", "", "away", "unknown"))

    def nothing_leaves_in_quiet_hours(self) -> None:
        quiet = Quiet(time(self.quiet[0]), time(self.quiet[1]))
        for message, at in self.mail.at[self.looked_at :]:
            assert not quiet.at(at.time()), f"{message.id} left at {at:%H:%M}"
        self.looked_at = len(self.mail.at)

    def what_is_merged_or_shared_fits(self) -> None:
        cases = {c.id: c for c in self.world.rows(t.cases)}
        assert all((c.state == "merged") == (c.merged_into is not None) for c in cases.values())
        standing = [m.case_id for m in self.world.rows(door_tables.merges) if m.undone_at is None]
        once("merge that stands", standing)
        assert {c.id for c in cases.values() if c.state == "merged"} == set(standing)
        live = {c.id for c in cases.values() if c.closed_at is None}
        members = Counter(r.incident_id for r in self.world.rows(door_tables.incident_cases) if r.case_id in live)
        for incident in self.world.rows(door_tables.incidents):
            assert incident.closed_at is not None or members[incident.id], "an incident ends with its last case"
        assert {r.case_id for r in self.world.rows(door_tables.requests)} <= {None, *cases}
        once("job of a plan", (r.plan_id for r in self.world.rows(plan_tables.jobs) if r.result == ""))

    def what_must_hold(self) -> None:
        cases, orders = self.world.rows(t.cases), self.world.rows(t.orders)
        findings = {r.order_id for r in self.world.rows(t.findings) if r.superseded_at is None}
        assert all(o.id in findings for o in orders if o.state == "closed"), "a closed order has a finding"
        assert all((o.ended_at is not None) == (o.state in ("closed", "cancelled", "cannot_complete")) for o in orders)
        assert all((c.closed_at is not None) == (c.state in ("closed", "merged")) for c in cases)
        once("open case", ((c.asset_id, c.component) for c in cases if c.closed_at is None))
        once("open order", (o.case_id for o in orders if o.ended_at is None))
        once("notice", ((n.case_id, n.purpose) for n in self.world.rows(t.notices)))
        once("told", (m.id for m in self.mail.sent))
        rows = self.world.rows(deliveries)
        once("message that arrived", (r.message_id for r in rows if r.state == "delivered"))
        at = [r.decided_at for r in rows]
        assert max((sum(a <= t < a + timedelta(days=1) for t in at) for a in at), default=0) <= CAP_PER_DAY
        self.nothing_leaves_in_quiet_hours()
        self.what_is_merged_or_shared_fits()
        self.a_promise_is_judged_once()

    def no_half_day_is_given_twice(self) -> None:
        visits = self.world.rows(t.visits)
        live = [v for v in visits if v.ended_at is None]
        once("live visit", ((v.technician_id, v.day, v.half) for v in live))
        once("visit of an order", (v.order_id for v in live))
        taken = {(h.technician_id, h.day, h.half): h.order_id for h in self.world.rows(t.half_days)}
        assert all(taken[v.technician_id, v.day, v.half] == v.order_id for v in live)
        held = [key for key, order in taken.items() if order is not None]
        assert {(v.technician_id, v.day, v.half) for v in visits} >= set(held)
        ended = {o.id for o in self.world.rows(t.orders) if o.ended_at is not None}
        assert not [v for v in live if v.order_id in ended], "an order that has ended keeps no visit"
        assert {v.order_id for v in visits} <= self.agreed, "nobody's silence is a yes"

    def a_machine_is_shelved_only_while_somebody_is_there(self) -> None:
        at_work = {o.id for o in self.world.rows(t.orders) if o.state == "in_progress"}
        for row in self.world.rows(t.asset_work):
            if row.order_id is not None and row.ended_at is None and row.until > self.world.clock.at:
                assert row.order_id in at_work

    def a_promise_is_judged_once(self) -> None:
        over = {c.id for c in self.world.rows(t.cases) if c.closed_at is not None}
        for row in self.world.rows(sla_tables.clocks):
            assert (row.decided_at is not None) == (row.state in ("met", "breached", "withdrawn"))
            assert row.stopped_at is not None or row.case_id not in over, "nobody waits for a closed case"
            judged = self.judged.setdefault(row.id, (row.state, row.decided_at))
            if judged[1] is None:
                self.judged[row.id] = (row.state, row.decided_at)
            else:
                assert judged == (row.state, row.decided_at), "met or breached, and once"
        ended = {r.id: r.answered_at or r.stopped_at for r in self.world.rows(sla_tables.clocks)}
        for told in self.world.rows(sla_tables.escalations):
            assert told.at <= (ended[told.clock_id] or told.at), "nobody is told after somebody answered"

    def promises_follow_from_their_segments(self) -> None:
        """All of them worked out anew, as after a change of policy: nothing is different."""
        before = self.world.rows(sla_tables.clocks)
        with unit(self.world.shared, self.world.tenant, DISPATCHER) as work:
            follow_all(work)
        assert self.world.rows(sla_tables.clocks) == before

    def check_the_end(self) -> None:
        service.tick(self.world.shared, self.world.tenant, (self.mail, WEB))
        self.promises_follow_from_their_segments()
        for row in self.world.rows(t.decisions):
            assert replay(row.inputs) == msgspec.json.decode(row.outcome, type=Outcome)
        with self.world.database.read() as connection:
            rows = connection.execute(sa.select(audit.entries).order_by(audit.entries.c.seq)).all()
        prev = audit.FIRST
        for n, row in enumerate(rows, 1):
            assert row.seq == n
            assert row.hash == audit.digest(prev, row.tenant, row.seq, row.at, row.actor, row.action, row.diff)
            prev = row.hash


def once(what: str, keys: Any) -> None:
    """No key comes twice."""
    twice = [key for key, n in Counter(keys).items() if n > 1]
    assert not twice, f"{what} twice: {twice}"


def _hasty(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


@settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=(Phase.generate,)
)
@given(walk=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**32)), min_size=40, max_size=60))
def test_any_order_of_doings_keeps_what_must_hold(settled_file: Path, walk: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory(dir=settled_file.parent) as folder:
        walker = Walk(settled_file, Path(folder))
        try:
            for name, number in walk:
                walker.step(name, number)
                walker.what_must_hold()
                walker.no_half_day_is_given_twice()
                walker.a_machine_is_shelved_only_while_somebody_is_there()
            walker.check_the_end()
        finally:
            walker.world.database.close()
