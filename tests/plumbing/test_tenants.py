"""Tenants' clocks: the same everywhere, never backwards, standing still while the product is down."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from contracts.clock import Clock
from plumbing import tenants
from plumbing.sql import Database
from plumbing.tenants import AHEAD, LEASE, POLL_S, TenantClocks
from tests.plumbing.fake_clock import FakeClock

START = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def made(sqlite: Database) -> Database:
    """A database with the tenants' table."""
    with sqlite.write() as connection:
        tenants.metadata.create_all(connection)
    return sqlite


def scaled(database: Database, factor: float = 3600.0) -> tuple[FakeClock, TenantClocks, Clock]:
    """A tenant `demo` on a scaled clock."""
    system = FakeClock()
    clocks = TenantClocks(database, system)
    clocks.add_scaled("demo", START, factor)
    return system, clocks, clocks.of("demo")


def test_a_tenant_without_a_scaled_clock_lives_on_the_machines(made: Database) -> None:
    system = FakeClock()
    clocks = TenantClocks(made, system)
    clocks.add_wall("local")
    for tenant in ("local", "nobody"):
        assert clocks.of(tenant).now() == system.now()
        assert clocks.of(tenant).factor == 1.0


def test_a_scaled_clock_runs_at_its_factor(made: Database) -> None:
    system, _, clock = scaled(made)
    assert clock.now() == START
    system.pass_(2.5)
    assert clock.now() == START + timedelta(hours=2.5)
    assert clock.factor == 3600.0


def test_putting_a_tenant_on_record_again_changes_nothing(made: Database) -> None:
    system, clocks, clock = scaled(made)
    system.pass_(10)
    clocks.add_scaled("demo", START, 1.0)
    clocks.add_wall("demo")
    assert clock.now() == START + timedelta(hours=10)


@pytest.mark.parametrize("factor", [0.0, 60.0, 7200.0])
def test_a_change_announced_ahead_is_the_same_in_every_process(made: Database, factor: float) -> None:
    system, one, clock = scaled(made)
    two = TenantClocks(made, system)
    kept = two.of("demo")
    system.pass_(5)
    one.change("demo", factor)
    before = clock.now()
    for _ in range(12):
        system.pass_(POLL_S)
        assert clock.now() == kept.now() == two.of("demo").now() == TenantClocks(made, system).of("demo").now()
        assert clock.now() >= before
        assert clock.now() - before <= timedelta(seconds=POLL_S * max(3600.0, factor))
        before = clock.now()
    assert kept.factor == factor
    at_change = START + timedelta(hours=5) + AHEAD * 3600
    assert clock.now() == at_change + timedelta(seconds=12 * POLL_S - 1) * factor


def test_changes_in_quick_succession_keep_the_last(made: Database) -> None:
    system, clocks, clock = scaled(made)
    before = clock.now()
    for factor in (60.0, 0.0, 3600.0, 10.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        clocks.change("demo", factor)
        system.pass_(0.3)
        assert clock.now() >= before
        before = clock.now()
    system.pass_(2)
    assert clock.factor == 6.0


def test_two_processes_that_change_at_once_lose_no_time(made: Database) -> None:
    system, one, clock = scaled(made, 10.0)
    two = TenantClocks(made, system)
    one.change("demo", 20.0)
    two.change("demo", 30.0)
    system.pass_(1)
    assert clock.now() == START + timedelta(seconds=10)
    system.pass_(1)
    assert clock.now() == two.of("demo").now() == START + timedelta(seconds=40)


@pytest.mark.parametrize("down_s", [1.0, 60.0, 86_400.0])
def test_after_a_clean_stop_a_clock_goes_on_exactly_where_it_stood(made: Database, down_s: float) -> None:
    system, clocks, clock = scaled(made)
    system.pass_(30)
    clocks.heartbeat()
    clocks.rest()
    stood = clock.now()
    system.pass_(down_s)
    again = TenantClocks(made, system)
    again.wake()
    assert again.of("demo").now() == stood
    system.pass_(1)
    assert again.of("demo").now() == stood + timedelta(hours=1)


@pytest.mark.parametrize("after_heartbeat_s", [0.0, 0.4, 1.0, 1.9])
@pytest.mark.parametrize("down_s", [0.01, 1.0, 5.0, 3_600.0])
def test_after_a_kill_no_time_is_given_twice(made: Database, after_heartbeat_s: float, down_s: float) -> None:
    system, clocks, clock = scaled(made)
    system.pass_(30)
    clocks.heartbeat()
    system.pass_(after_heartbeat_s)
    last = clock.now()
    system.pass_(down_s)
    again = TenantClocks(made, system)
    again.wake()
    assert last <= again.of("demo").now() <= last + LEASE * 3600


def test_waking_while_another_process_runs_the_clock_changes_nothing(made: Database) -> None:
    system, clocks, clock = scaled(made)
    system.pass_(30)
    clocks.heartbeat()
    system.pass_(0.5)
    expected = clock.now()
    TenantClocks(made, system).wake()
    clocks.refresh()
    assert clock.now() == expected


def test_a_change_announced_before_a_kill_is_in_force_after_it(made: Database) -> None:
    system, clocks, _ = scaled(made)
    clocks.rest()
    clocks.change("demo", 60.0)
    system.pass_(100)
    again = TenantClocks(made, system)
    again.wake()
    assert again.of("demo").factor == 60.0


def test_a_paused_clock_stays_paused_over_a_stop(made: Database) -> None:
    system, clocks, clock = scaled(made)
    clocks.change("demo", 0.0)
    system.pass_(50)
    stood = clock.now()
    clocks.rest()
    system.pass_(50)
    again = TenantClocks(made, system)
    again.wake()
    system.pass_(50)
    assert again.of("demo").now() == stood
    assert again.of("demo").factor == 0.0


def test_clocks_run_on_while_the_database_is_away(made: Database) -> None:
    system, _, clock = scaled(made)
    with made.write() as connection:
        connection.execute(sa.text("drop table plumbing_tenants"))
    system.pass_(10)
    assert clock.now() == START + timedelta(hours=10)


def test_a_life_of_changes_and_stops_on_each_database(database: Database) -> None:
    with database.write() as connection:
        tenants.metadata.create_all(connection)
    system, clocks, clock = scaled(database, 10.0)
    clocks.change("demo", 20.0)
    system.pass_(2)
    clocks.rest()
    assert clock.now() == START + timedelta(seconds=30)
    system.pass_(100)
    again = TenantClocks(database, system)
    again.wake()
    assert again.of("demo").now() == START + timedelta(seconds=30)


def test_only_the_tenants_that_say_so_are_simulated(made: Database) -> None:
    _, clocks, _ = scaled(made)
    clocks.add_wall("local")
    clocks.add_wall("toy", simulated=True)
    assert [clocks.simulated(t) for t in ("demo", "local", "toy", "nobody")] == [True, False, True, False]
