from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts import wire
from edge_agent.adapters.outbox import Limits
from edge_agent.domain.settlement import Settlement
from tests.edge_agent.platform import Account, Fate, World

CHAOS_S = 60.0
DRAIN_S = 600.0


def settled(world: World) -> dict[int, float]:
    return world.platform.accounts.get(world.outbox.boot_id, Account()).settled


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fate=st.builds(
        Fate,
        lost=st.sampled_from([0.0, 0.05, 0.5]),
        doubled=st.sampled_from([0.0, 0.3]),
        held=st.sampled_from([0.0, 0.2, 0.8]),
        broken=st.sampled_from([0.0, 0.02, 0.1]),
        restarted=st.sampled_from([0.0, 0.02]),
    ),
    window=st.sampled_from([1, 7, 50, 1000]),
    seed=st.integers(0, 2**32),
)
@example(fate=Fate(0.5, 0.3, 0.8, 0.1, 0.02), window=50, seed=0)
def test_whatever_the_link_loses_doubles_or_reorders_everything_is_settled_once(
    fate: Fate, window: int, seed: int
) -> None:
    world = World(total=400, rate=10, window=window, seed=seed)
    world.fate = fate
    world.run(CHAOS_S)
    world.fate = Fate()
    world.drain(DRAIN_S)
    assert settled(world) == {n: float(n - 1) for n in range(1, 401)}
    assert world.outbox.dropped == []
    # no storm: one state makes a number go out once more at most, each process and connection once
    assert max(world.sent.values()) <= 1 + world.states


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), lost=st.sampled_from([0.0, 0.2]), broken=st.sampled_from([0.0, 0.05]))
def test_what_a_full_outbox_gives_up_is_accounted_for(seed: int, lost: float, broken: float) -> None:
    world = World(total=400, rate=10, window=50, seed=seed, limits=Limits(max_bytes=3000), waits=False)
    world.platform_up = False
    world.run(20)
    world.platform_up, world.fate = True, Fate(lost=lost, broken=broken)
    world.run(20)
    world.fate = Fate()
    world.drain(DRAIN_S)
    account = world.platform.accounts[world.outbox.boot_id]
    assert account.given_up
    assert account.settled.keys() | account.given_up == set(range(1, 401))
    assert not account.settled.keys() & account.given_up
    assert world.outbox.dropped == []


def test_without_a_fault_nothing_is_sent_twice() -> None:
    world = World(total=2000, rate=100, window=1000, seed=1)
    world.drain(100)
    assert set(world.sent.values()) == {1}
    assert world.states == 1


def test_a_store_that_is_down_for_ten_minutes_brings_no_repeats_and_few_questions() -> None:
    world = World(total=9000, rate=15, window=1000, seed=1)
    world.run(5)
    world.platform_up = False
    world.run(600)
    questions = world.states
    world.platform_up = True
    world.drain(100)
    assert set(world.sent.values()) == {1}
    assert questions <= 1 + 12  # 10, 20, 40, then every 60 s


def test_a_broker_that_forgets_all_in_flight_costs_one_repeat_of_the_window() -> None:
    world = World(total=3000, rate=100, window=1000, seed=1)
    world.run(5)
    world.platform_up = False
    world.run(10)
    world.up.clear()
    world.epoch = 0
    world.down.clear()
    world.platform_up = True
    world.drain(100)
    assert sum(world.sent.values()) <= 3000 + 1000
    assert max(world.sent.values()) == 2


def test_an_ask_that_answers_no_state_is_not_followed() -> None:
    settlement = Settlement(1, 100, 50)
    settlement.connected(0.0)
    settlement.state_sent(0.0)
    assert settlement.heard(0, [], [(1, 100)], 0.1).resend == ()
    settlement.sent(1, 50)
    assert settlement.heard(10, [], [(11, 50)], 0.2).resend == ()
    due = settlement.state_due()
    assert due == 10.2
    settlement.state_sent(due)
    settlement.sent(51, 60)
    assert settlement.heard(10, [(20, 30)], [(11, 19), (31, 100)], 10.3).resend == ((11, 19), (31, 50))
    assert settlement.heard(10, [(20, 30)], [(11, 19), (31, 100)], 10.4).resend == ()


def test_questions_come_after_10_20_40_60_and_60_seconds_and_after_1_where_something_above_is_settled() -> None:
    settlement = Settlement(1, 100, 50)
    settlement.connected(0.0)
    settlement.state_sent(0.0)
    settlement.heard(0, [], [(1, 100)], 0.0)
    settlement.sent(1, 50)
    asked, now = [], 0.0
    for _ in range(6):
        due = settlement.state_due()
        assert due is not None
        asked.append(due - now)
        now = due
        settlement.state_sent(now)
    assert asked == [10, 20, 40, 60, 60, 60]
    settlement.heard(5, [(8, 9)], [], now)
    assert settlement.state_due() == now + 1
    settlement.heard(100, [], [], now)
    assert settlement.state_due() is None


def test_the_second_of_patience_does_not_wait_longer_when_the_gap_shows_late() -> None:
    settlement = Settlement(1, 100, 50)
    settlement.connected(0.0)
    settlement.state_sent(0.0)
    settlement.heard(0, [], [], 0.0)
    settlement.sent(1, 50)
    settlement.heard(0, [(3, 9)], [], 5.0)
    assert settlement.state_due() == 1.0


def test_a_restarted_agent_passes_over_what_is_settled_already() -> None:
    settlement = Settlement(3, 100, 50)
    settlement.connected(0.0)
    settlement.state_sent(0.0)
    assert settlement.live_room() == 0
    settlement.heard(2, [(3, 10), (20, 30)], [(11, 19), (31, 100)], 0.1)
    assert settlement.live_run() == (11, 19)
    settlement.sent(11, 19)
    assert settlement.live_run() == (31, 100)
    assert settlement.live_room() == 50 - 9
    assert settlement.backlog_run() is None


def test_an_old_copy_of_an_outbox_takes_a_new_name_and_loses_nothing(tmp_path: Path) -> None:
    world = World(total=100, rate=50, window=50, seed=1)
    world.outbox.close()
    early = world.path.read_bytes()
    world.outbox = world.open()
    world.restart()
    world.drain(30)
    copy = World(total=120, rate=50, window=50, seed=1)
    copy.platform = world.platform
    copy.outbox.close()
    copy.path.write_bytes(early)
    copy.outbox = copy.open()
    copy.restart()
    copy.run(0.5)
    copy.drain(60)
    first, second = (copy.platform.accounts[b].settled for b in (world.outbox.boot_id, copy.outbox.boot_id))
    assert copy.outbox.boot_id != world.outbox.boot_id
    assert set(first.values()) | set(second.values()) == {float(i) for i in range(120)}


def test_what_the_platform_forgot_after_it_was_settled_is_reported_and_stops_nothing() -> None:
    world = World(total=100, rate=50, window=50, seed=1)
    world.fate = Fate(lost=0.3)
    world.run(1.5)
    account = world.platform.accounts[world.outbox.boot_id]
    world.fate = Fate()
    for n in [n for n in account.settled if n > account.through()][:5] or [1]:
        del account.settled[n]  # restored from a backup
    world.drain(DRAIN_S)
    assert account.settled.keys() | account.given_up == set(range(1, 101))


def test_a_message_of_another_outbox_changes_nothing() -> None:
    world = World(total=10, rate=50, window=50, seed=1)
    world.run(0.5)
    boot_id, extent = world.outbox.boot_id, world.outbox.extent
    other = wire.encode(wire.Stored(wire.VERSION, "0" * 16, 2**52))
    world.agent.step(world.epoch, [(world.epoch, other), (world.epoch, b"no json")], world.now)
    assert world.outbox.boot_id == boot_id
    assert world.outbox.extent >= extent
