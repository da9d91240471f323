"""A device's states: the whole product of states and actions, and who moved them."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.domain.lifecycle import LET_IN, TRANSITIONS, Action, IllegalTransition, State, after
from ingest.service.access import Access
from ingest.service.registry import (
    UnknownDevice,
    add_device,
    find_device,
    resume_device,
    revoke_device,
    suspend_device,
)
from plumbing import audit
from plumbing.sql import Database
from tests.ingest.conftest import NOW, HandClock, World, batch

LEGAL = {
    ("created", "claim"): "claimed",
    ("created", "hear"): "active",
    ("created", "suspend"): "suspended",
    ("created", "revoke"): "revoked",
    ("claimed", "claim"): "claimed",
    ("claimed", "hear"): "active",
    ("claimed", "suspend"): "suspended",
    ("claimed", "revoke"): "revoked",
    ("active", "claim"): "claimed",
    ("active", "hear"): "active",
    ("active", "suspend"): "suspended",
    ("active", "revoke"): "revoked",
    ("suspended", "hear"): "suspended",
    ("suspended", "resume"): "created",
    ("suspended", "revoke"): "revoked",
    ("revoked", "hear"): "revoked",
}


@pytest.mark.parametrize(("state", "action"), list(product(State, Action)))
def test_every_action_in_every_state(state: State, action: Action) -> None:
    wanted = LEGAL.get((str(state), str(action)))
    if wanted:
        assert after(state, action) == wanted
        return
    with pytest.raises(IllegalTransition) as said:
        after(state, action)
    assert said.value.state is state
    assert set(said.value.allowed) == {a for s, a in LEGAL if s == state and a != "hear"}


@given(st.lists(st.sampled_from(Action)))
def test_whatever_happens_a_revoked_device_stays_out(actions: list[Action]) -> None:
    state, revoked = State.CREATED, False
    for action in actions:
        if action not in TRANSITIONS[state]:
            continue
        state = after(state, action)
        revoked = revoked or action is Action.REVOKE
        assert (state is State.REVOKED) == revoked
        assert not (revoked and state in LET_IN)


def test_a_suspended_device_is_kept_out_and_comes_back_with_the_same_secret(database: Database) -> None:
    made = add_device(database, "acme", "pump-1", "pump", now=NOW)
    access = Access(database, HandClock())
    assert access.refresh() == set()
    assert access.verify(made.username, made.password)
    suspend_device(database, "acme", "pump-1", now=NOW + timedelta(hours=1), actor="ann")
    assert access.refresh() == {"acme/pump-1"}, "its connection ends"
    assert not access.verify(made.username, made.password)
    assert not access.may_publish(made.username, "forewarn/v1/acme/pump-1/telemetry")
    device = find_device(database, "acme", "pump-1")
    assert device is not None
    assert (device.state, device.state_at, device.state_by) == ("suspended", NOW + timedelta(hours=1), "ann")
    with pytest.raises(IllegalTransition, match="can take: resume, revoke"):
        suspend_device(database, "acme", "pump-1", now=NOW)
    resume_device(database, "acme", "pump-1", now=NOW + timedelta(hours=2), actor="bob")
    access.refresh()
    assert access.verify(made.username, made.password)


def test_who_moved_a_device_and_when_is_on_record(database: Database) -> None:
    add_device(database, "acme", "pump-1", "pump", now=NOW, actor="ann")
    suspend_device(database, "acme", "pump-1", now=NOW + timedelta(1), actor="bob")
    resume_device(database, "acme", "pump-1", now=NOW + timedelta(2), actor="cy")
    revoke_device(database, "acme", "pump-1", now=NOW + timedelta(3), actor="di")
    with database.read() as connection:
        entries = audit.read(connection, "acme")
    assert [(e.action, e.actor, e.diff.get("before"), e.diff.get("state")) for e in entries] == [
        ("device_added", "ann", None, None),
        ("device_suspended", "bob", "created", "suspended"),
        ("device_resumed", "cy", "suspended", "created"),
        ("device_revoked", "di", "created", "revoked"),
    ]
    assert [e.at for e in entries] == [NOW + timedelta(n) for n in range(4)]


def test_what_was_on_its_way_is_stored_and_wakes_no_suspended_device(world: World) -> None:
    world.take(batch(1, 1))
    suspend_device(world.database, "acme", "pump-1", now=NOW)
    world.clock.pass_(2)
    world.take(batch(2, 1))
    device = find_device(world.database, "acme", "pump-1")
    assert device is not None
    assert device.state == "suspended"
    assert world.entry().stored == 2
    resume_device(world.database, "acme", "pump-1", now=NOW)
    world.clock.pass_(2)
    world.take(batch(3, 1))
    device = find_device(world.database, "acme", "pump-1")
    assert device is not None
    assert device.state == "active"


def test_nobody_moves_a_device_that_is_not_there(database: Database) -> None:
    for move in (suspend_device, resume_device, revoke_device):
        with pytest.raises(UnknownDevice):
            move(database, "acme", "pump-9", now=NOW)
