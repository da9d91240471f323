"""The full product of states and actions of every table, against the tables as service.md puts them."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from itertools import product
from pkgutil import iter_modules
from typing import Any

import pytest

from tests.work_orders.world import DISPATCHER, World
from work_orders import domain
from work_orders.domain.autonomy_states import AUTONOMY, AutonomyAction
from work_orders.domain.case_states import (
    CASE,
    INTAKE,
    NOTICE,
    TASK,
    VISIT,
    CaseAction,
    CaseState,
    IntakeAction,
    IntakeState,
    NoticeAction,
    NoticeState,
    TaskAction,
    TaskState,
    VisitAction,
    VisitState,
)
from work_orders.domain.decision import Autonomy
from work_orders.domain.feedback import FEEDBACK, FeedbackAction, FeedbackState
from work_orders.domain.machine import IllegalTransition, Machine, NotPermitted, Role
from work_orders.domain.order_states import ORDER, OrderAction, OrderState, allowed, step_order
from work_orders.domain.plans import Spec
from work_orders.service.errors import BadInput
from work_orders.service.plans import ACTIONS, make_plan, move_plan

ORDER_TABLE = """
draft: submit awaiting_approval, approve approved, cancel cancelled
awaiting_approval: approve approved, cancel cancelled
approved: plan planned, cancel cancelled
planned: mark_ready ready, cancel cancelled
ready: schedule scheduled, hold on_hold, cancel cancelled
scheduled: dispatch dispatched, hold on_hold, cancel cancelled
dispatched: start in_progress, hold on_hold, fail cannot_complete, cancel cancelled
in_progress: finish work_done, hold on_hold, fail cannot_complete
on_hold: resume on_hold, cancel cancelled, fail cannot_complete
work_done: record_finding review
review: reject in_progress, close closed
closed:
cannot_complete:
cancelled:
"""
INTAKE_TABLE = """
issued: link linked, suppress suppressed, expire expired
linked:
suppressed:
expired:
"""
NOTICE_TABLE = """
queued: hold held, send sent, withdraw withdrawn
held: release queued, withdraw withdrawn
sent: deliver delivered, open read, answer answered, bounce bounced, correct corrected
delivered: open read, answer answered, bounce bounced, correct corrected
read: answer answered, correct corrected
answered: offer_again sent, correct corrected
bounced: next_channel queued, correct corrected
withdrawn:
corrected:
"""
VISIT_TABLE = """
tentative: offer offered, confirm confirmed, cancel cancelled
offered: confirm confirmed, cancel cancelled
confirmed: ask_reschedule reschedule_requested, dispatch dispatched, cancel cancelled
reschedule_requested: offer offered, arrive on_site, cancel cancelled
dispatched: ask_reschedule reschedule_requested, accept accepted, reject rejected, arrive on_site,\
 find_no_access no_access, break_off incomplete, cancel cancelled
accepted: ask_reschedule reschedule_requested, set_out en_route, arrive on_site,\
 find_no_access no_access, break_off incomplete, cancel cancelled
rejected:
en_route: arrive on_site, find_no_access no_access, break_off incomplete
on_site: finish done, find_no_access no_access, break_off incomplete
done:
no_access:
incomplete:
cancelled:
"""
CASE_TABLE = """
detected: triage triaging, resolve resolved, clear closed, merge merged
triaging: monitor monitoring, fix_remotely remote_fix, propose proposed, resolve resolved, clear closed, merge merged
monitoring: fix_remotely remote_fix, propose proposed, resolve resolved, clear closed, merge merged
remote_fix: monitor monitoring, propose proposed, resolve resolved, clear closed, merge merged
proposed: contact customer_contacted, order_work work_ordered, stand_down monitoring, resolve resolved, clear closed,\
 merge merged
customer_contacted: accept accepted, decline declined, remind reminded, stand_down monitoring, resolve resolved,\
 clear closed, merge merged
reminded: accept accepted, decline declined, give_up_waiting no_reply, stand_down monitoring, resolve resolved,\
 clear closed, merge merged
no_reply: accept accepted, decline declined, stand_down monitoring, resolve resolved, clear closed, merge merged
accepted: order_work work_ordered, stand_down monitoring, resolve resolved
declined: stand_down monitoring, resolve resolved, clear closed, merge merged
work_ordered: stand_down monitoring, resolve resolved
resolved: verify verifying, close closed
verifying: close closed, reopen triaging
closed: reopen triaging
merged: unmerge triaging
"""
TASK_TABLE = """
open: begin doing, do done, skip skipped, fail failed
doing: do done, skip skipped, fail failed
done:
skipped:
failed:
"""
AUTONOMY_TABLE = """
watch: promote propose
propose: promote automatic, step_back watch, stop watch
automatic: step_back propose, stop watch
"""
FEEDBACK_TABLE = """
open: give open, finish done
done: reopen open
"""
TABLES: list[tuple[Machine[Any, Any], type[StrEnum], type[StrEnum], str]] = [
    (ORDER, OrderState, OrderAction, ORDER_TABLE),
    (CASE, CaseState, CaseAction, CASE_TABLE),
    (INTAKE, IntakeState, IntakeAction, INTAKE_TABLE),
    (NOTICE, NoticeState, NoticeAction, NOTICE_TABLE),
    (VISIT, VisitState, VisitAction, VISIT_TABLE),
    (TASK, TaskState, TaskAction, TASK_TABLE),
    (AUTONOMY, Autonomy, AutonomyAction, AUTONOMY_TABLE),
    (FEEDBACK, FeedbackState, FeedbackAction, FEEDBACK_TABLE),
]
PAIRS = [
    pytest.param(machine, table, state, action, id=f"{machine.name}: {state} {action}")
    for machine, states, actions, table in TABLES
    for state, action in product(states, actions)
]


def written(table: str) -> dict[str, dict[str, str]]:
    """A table as text, read."""
    out: dict[str, dict[str, str]] = {}
    for line in table.strip().splitlines():
        state, _, rest = line.partition(":")
        out[state] = dict(pair.split() for pair in rest.split(",") if pair.strip())
    return out


def test_no_table_is_left_out() -> None:
    modules = [import_module(f"work_orders.domain.{m.name}") for m in iter_modules(domain.__path__)]
    machines = {v.name for module in modules for v in vars(module).values() if isinstance(v, Machine)}
    assert machines == {machine.name for machine, *_ in TABLES}


PLAN_TABLE = """
active: pause paused, end ended
paused: resume active, end ended
ended:
"""


def test_a_plan_is_moved_as_its_table_says(world: World) -> None:
    of = (world.shared, world.tenant)
    table, reached = written(PLAN_TABLE), {"active": (), "paused": ("pause",), "ended": ("end",)}
    for state, action in product(table, ACTIONS):
        plan = make_plan(*of, "p1", Spec("Grease", ("Grease",), 30), DISPATCHER, key=f"{state} {action}")
        for before in reached[state]:
            move_plan(*of, plan, before, DISPATCHER)
        if action in table[state]:
            assert move_plan(*of, plan, action, DISPATCHER) == table[state][action]
        else:
            with pytest.raises(BadInput, match=state):
                move_plan(*of, plan, action, DISPATCHER)


@pytest.mark.parametrize(("machine", "states", "actions", "table"), TABLES, ids=[m[0].name for m in TABLES])
def test_every_state_and_action_is_written_down(
    machine: Machine[Any, Any], states: type[StrEnum], actions: type[StrEnum], table: str
) -> None:
    expected = written(table)
    assert set(expected) == {str(s) for s in states}
    assert {a for row in expected.values() for a in row} == {str(a) for a in actions}


@pytest.mark.parametrize(("machine", "table", "state", "action"), PAIRS)
def test_an_action_leads_where_the_table_says_or_nowhere(
    machine: Machine[Any, Any], table: str, state: StrEnum, action: StrEnum
) -> None:
    row = written(table)[str(state)]
    if str(action) in row:
        roles = machine.rules[state, action].roles
        assert roles
        for role in Role:
            if role in roles:
                assert str(machine.step(state, action, role)) == row[str(action)]
            else:
                with pytest.raises(NotPermitted):
                    machine.step(state, action, role)
        return
    for role in Role:
        with pytest.raises(IllegalTransition) as refused:
            machine.step(state, action, role)
        assert (refused.value.state, refused.value.action) == (str(state), str(action))
        assert set(refused.value.allowed) == set(row)


HELD_FROM = (OrderState.READY, OrderState.SCHEDULED, OrderState.DISPATCHED, OrderState.IN_PROGRESS)


@pytest.mark.parametrize("held_from", HELD_FROM)
def test_what_was_held_goes_back_to_where_it_was(held_from: OrderState) -> None:
    held = step_order(held_from, OrderAction.HOLD, Role.TECHNICIAN)
    assert held == (OrderState.ON_HOLD, held_from)
    assert step_order(OrderState.ON_HOLD, OrderAction.RESUME, Role.TECHNICIAN, held_from) == (held_from, None)


@pytest.mark.parametrize("held_from", HELD_FROM)
def test_work_that_has_begun_can_be_failed_but_not_cancelled(held_from: OrderState) -> None:
    may_cancel = held_from is not OrderState.IN_PROGRESS
    assert (OrderAction.CANCEL in allowed(OrderState.ON_HOLD, held_from)) == may_cancel
    if may_cancel:
        assert step_order(OrderState.ON_HOLD, OrderAction.CANCEL, Role.DISPATCHER, held_from)[0] == "cancelled"
    else:
        with pytest.raises(IllegalTransition):
            step_order(OrderState.ON_HOLD, OrderAction.CANCEL, Role.DISPATCHER, held_from)
    assert step_order(OrderState.ON_HOLD, OrderAction.FAIL, Role.TECHNICIAN, held_from)[0] == "cannot_complete"


def test_a_customer_moves_no_work_order() -> None:
    assert not [key for key, rule in ORDER.rules.items() if Role.CUSTOMER in rule.roles]


def test_an_auditor_moves_nothing() -> None:
    for machine, *_ in TABLES:
        assert not [key for key, rule in machine.rules.items() if Role.AUDITOR in rule.roles]
