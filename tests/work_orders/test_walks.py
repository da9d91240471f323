"""Whatever people and machines do, in any order: what must hold, holds."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from plumbing import audit
from tests.work_orders.test_sending import Mail
from tests.work_orders.world import (
    CUSTOMER,
    DISPATCHER,
    ENGINEER,
    OTHER_TECHNICIAN,
    SUNDAY,
    TECHNICIAN,
    open_world,
)
from work_orders import service
from work_orders.domain.decision import Outcome
from work_orders.domain.machine import IllegalTransition, NotPermitted
from work_orders.domain.order_states import HOLD_REASONS, OrderAction
from work_orders.domain.slots import HalfDay
from work_orders.service import tables as t
from work_orders.service.errors import WorkOrdersError
from work_orders.service.intake import replay
from work_orders.service.sending import WEB

REFUSALS = (WorkOrdersError, IllegalTransition, NotPermitted)
MODES = {"bearing": "bearing_wear", "seal": "seal_leak"}
ACTORS = (CUSTOMER, TECHNICIAN, OTHER_TECHNICIAN, DISPATCHER, ENGINEER)
actors = st.sampled_from(ACTORS)
devices = st.sampled_from(["p1", "p2"])
components = st.sampled_from(sorted(MODES))
slots = st.builds(
    lambda n, half: HalfDay((SUNDAY + timedelta(days=n)).date(), half), st.integers(0, 12),
    st.sampled_from(["am", "pm"]),
)  # fmt: skip


class Walk(RuleBasedStateMachine):
    """A few weeks of a small company, in any order."""

    settled: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=self.settled.parent))
        shutil.copy(self.settled, self.folder / "walk.db")
        self.world = open_world(f"sqlite:///{self.folder}/walk.db", self.folder, migrated=True)
        sa.event.listen(self.world.database._writer, "connect", _hasty)
        self.mail = Mail()
        self.n = Counter[str]()
        self.agreed: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.database.close()
            shutil.rmtree(self.folder)

    def attempt(self, what: Any, *args: Any, **values: Any) -> bool:
        """Whether it was done; what is refused is refused in this package's words."""
        try:
            what(self.world.shared, self.world.tenant, *args, **values)
        except REFUSALS:
            return False
        return True

    def pick(self, data: st.DataObject, table: sa.Table) -> Any:
        rows = sorted(self.world.rows(table), key=lambda r: str(r.id))
        return data.draw(st.sampled_from(rows)) if rows else None

    @rule(device=devices, component=components, p=st.sampled_from([0.01, 0.3, 0.6]), count=st.integers(1, 4))
    def forecasts(self, device: str, component: str, p: float, count: int) -> None:
        key = f"{device}-{component}"
        for _ in range(count):
            self.n[key] += 1
            service.take_prediction(
                self.world.shared,
                self.world.forecast(
                    self.n[key], p, device, component=component, failure_mode=MODES[component],
                    alarm_id=f"{device}-alarm-{self.n[device]}",
                ),
            )  # fmt: skip
            self.world.clock.at += timedelta(hours=1)

    @rule(hours=st.sampled_from([1, 5, 24, 70]))
    def time_passes(self, hours: int) -> None:
        self.world.clock.at += timedelta(hours=hours)
        service.tick(self.world.shared, self.world.tenant, (self.mail, WEB))

    @rule(device=devices)
    def alarm_clears(self, device: str) -> None:
        self.world.clear(device, f"{device}-alarm-{self.n[device]}")
        self.n[device] += 1

    @rule(data=st.data(), kind=st.sampled_from(["accept", "decline", "propose", "call", "open", "stop", "again"]))
    def answer(self, data: st.DataObject, kind: str) -> None:
        notice = self.pick(data, t.notices)
        if notice is None:
            return
        actor = data.draw(actors)
        match kind:
            case "accept":
                if self.attempt(service.accept_notice, notice.id, data.draw(st.integers(1, 2)), actor):
                    self.agreed.add(notice.order_id)
            case "decline":
                self.attempt(service.decline_notice, notice.id, "no", actor)
            case "propose":
                self.attempt(service.propose_day, notice.id, data.draw(slots).day, actor)
            case "call":
                self.attempt(service.ask_for_call, notice.id, actor)
            case "open":
                self.attempt(service.open_notice, notice.id, actor)
            case "stop":
                self.attempt(service.stop_notice, notice.id, "no", actor)
            case _:
                self.attempt(service.offer_again, notice.id, actor)

    @rule(data=st.data(), action=st.sampled_from(sorted(OrderAction)), reason=st.sampled_from(["", *HOLD_REASONS]))
    def order_moves(self, data: st.DataObject, action: str, reason: str) -> None:
        order = self.pick(data, t.orders)
        if order is not None:
            self.attempt(service.order_action, order.id, action, data.draw(actors), reason=reason)

    @rule(data=st.data(), result=st.sampled_from(["true", "false", "prevented"]))
    def work_is_done(self, data: st.DataObject, result: str) -> None:
        """The straight road, from wherever the order stands."""
        order = self.pick(data, t.orders)
        if order is None:
            return
        for action in ("start", "finish"):
            self.attempt(service.order_action, order.id, action, DISPATCHER)
        self.attempt(service.record_finding, order.id, result, data.draw(actors))
        self.attempt(service.order_action, order.id, "close", data.draw(actors))

    @rule(data=st.data(), slot=slots, who=st.sampled_from([None, "tom", "uwe"]), agreed=st.booleans())
    def visit_is_booked(self, data: st.DataObject, slot: HalfDay, who: str | None, agreed: bool) -> None:
        order = self.pick(data, t.orders)
        if order is not None and self.attempt(
            service.book_visit, order.id, slot.day, slot.half, data.draw(actors), technician_id=who,
            agreed_by="by phone" if agreed else "",
        ):  # fmt: skip
            assert agreed or order.agreed
            self.agreed.add(order.id)

    @rule(data=st.data(), who=st.sampled_from(["tom", "uwe"]))
    def technician_is_named(self, data: st.DataObject, who: str) -> None:
        order = self.pick(data, t.orders)
        if order is not None and self.attempt(service.assign_technician, order.id, who, DISPATCHER):
            assert order.agreed
            self.agreed.add(order.id)

    @rule(device=devices, component=components)
    def breakdown(self, device: str, component: str) -> None:
        self.attempt(service.report_breakdown, device, MODES[component], CUSTOMER)

    @rule(slot=slots, who=st.sampled_from(["tom", "uwe"]))
    def absence(self, slot: HalfDay, who: str) -> None:
        self.attempt(service.block_half_days, who, [slot])

    @rule(device=devices)
    def somebody_works_on_it(self, device: str) -> None:
        until = self.world.clock.at + timedelta(hours=2)
        self.attempt(service.start_being_worked_on, device, "cleaning", until, ENGINEER)

    @rule(mode=st.sampled_from(["watch", "propose", "automatic"]))
    def autonomy_is_set(self, mode: str) -> None:
        service.set_autonomy(self.world.shared, self.world.tenant, mode, model="pump")

    @invariant()
    def what_must_hold(self) -> None:
        if not hasattr(self, "world"):
            return
        cases, orders = self.world.rows(t.cases), self.world.rows(t.orders)
        findings = {r.order_id for r in self.world.rows(t.findings) if r.superseded_at is None}
        assert all(o.id in findings for o in orders if o.state == "closed"), "a closed order has a finding"
        assert all((o.ended_at is not None) == (o.state in ("closed", "cancelled", "cannot_complete")) for o in orders)
        assert all((c.closed_at is not None) == (c.state in ("closed", "merged")) for c in cases)
        once("open case", ((c.asset_id, c.component) for c in cases if c.closed_at is None))
        once("open order", (o.case_id for o in orders if o.ended_at is None))
        once("notice", ((n.case_id, n.purpose) for n in self.world.rows(t.notices)))
        once("told", (m.id for m in self.mail.sent if not m.reminder))

    @invariant()
    def no_half_day_is_given_twice(self) -> None:
        if not hasattr(self, "world"):
            return
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

    @invariant()
    def a_machine_is_shelved_only_while_somebody_is_there(self) -> None:
        if not hasattr(self, "world"):
            return
        at_work = {o.id for o in self.world.rows(t.orders) if o.state == "in_progress"}
        for row in self.world.rows(t.asset_work):
            if row.order_id is not None and row.ended_at is None:
                assert row.order_id in at_work

    def check_the_end(self) -> None:
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


def test_any_order_of_doings_keeps_what_must_hold(settled_file: Path) -> None:
    class Settled(Walk):
        settled = settled_file

        def teardown(self) -> None:
            if hasattr(self, "world"):
                self.check_the_end()
            super().teardown()

    run_state_machine_as_test(
        Settled,
        settings=settings(
            max_examples=25, stateful_step_count=40, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
