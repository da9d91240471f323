"""Alarms of one site within a minute are one group, the first machine first."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.adapters.sql import SqlTables
from anomaly.adapters.sql_groups import groups_of, keep_groups, keep_place
from anomaly.domain.grouping import LONGEST_US, WITHIN_US, Grouping, Rise
from anomaly.queries.groups import alarm_groups
from anomaly.service.port import Results
from contracts.records import PREDICTIONS, Alarm, AssetPlaced, Prediction, decode_from_anomaly
from plumbing import log
from plumbing.migrate import upgrade
from plumbing.sql import Database
from plumbing.system_clock import SystemClock

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
S = 1_000_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/t.sqlite")
    upgrade(made)
    yield made
    made.close()


def raised(device: str, seconds: float, tenant: str = "acme") -> Alarm:
    at = NOON + timedelta(seconds=seconds)
    return Alarm(1, f"{device}@{at:%H%M%S%f}", tenant, device, "raised", at, at)


def place(database: Database, *devices: str, site: str = "north", tenant: str = "acme") -> None:
    with database.write() as connection:
        for device in devices:
            keep_place(connection, AssetPlaced(1, tenant, device, device, site))


def keep(database: Database, *alarms: Alarm) -> None:
    with database.write() as connection:
        keep_groups(connection, alarms)


def test_alarms_within_a_minute_are_one_group_and_the_first_is_the_cause(database: Database) -> None:
    place(database, "a", "b", "c")
    keep(database, raised("b", 30), raised("a", 10), raised("c", 75))
    (group,) = alarm_groups(database, "acme")
    assert (group.cause, group.alarms, group.devices, group.site) == ("a", 3, ["a", "b", "c"], "north")
    assert (group.first_at, group.last_at) == (NOON + timedelta(seconds=10), NOON + timedelta(seconds=75))


def test_an_alarm_heard_of_later_that_rose_earlier_becomes_the_cause(database: Database) -> None:
    place(database, "a", "b")
    keep(database, raised("b", 30))
    assert alarm_groups(database, "acme") == []
    keep(database, raised("a", 10))
    (group,) = alarm_groups(database, "acme")
    assert (group.cause, group.devices) == ("a", ["a", "b"])


def test_other_sites_times_and_tenants_stay_apart(database: Database) -> None:
    place(database, "a", "b", "d")
    place(database, "c", site="south")
    place(database, "b", tenant="other")
    keep(database, raised("a", 0), raised("c", 1), raised("b", 2, "other"), raised("d", 61.5))
    assert alarm_groups(database, "acme") == []
    assert alarm_groups(database, "other") == []


def test_a_machine_of_no_known_site_is_in_no_group(database: Database) -> None:
    place(database, "a")
    keep(database, raised("a", 0), raised("nowhere", 1))
    assert alarm_groups(database, "acme") == []
    with database.read() as connection:
        assert list(groups_of(connection, "acme", [raised("a", 0).id, raised("nowhere", 1).id])) == [raised("a", 0).id]


def test_the_same_alarm_again_changes_nothing(database: Database) -> None:
    place(database, "a", "b")
    for _ in range(2):
        keep(database, raised("a", 0), raised("b", 5))
    (group,) = alarm_groups(database, "acme")
    assert group.alarms == 2


def test_a_cleared_alarm_joins_nothing(database: Database) -> None:
    place(database, "a", "b")
    keep(database, raised("a", 0), msgspec.structs.replace(raised("b", 5), change="cleared"))
    assert alarm_groups(database, "acme") == []


def test_two_thousand_machines_of_one_site_are_one_group(database: Database) -> None:
    names = [f"m{i:04d}" for i in range(2000)]
    place(database, *names)
    began = time.process_time()
    for start in range(0, 2000, 100):
        keep(database, *(raised(name, 60.0 * (start + i) / 2000) for i, name in enumerate(names[start : start + 100])))
    took = time.process_time() - began
    (group,) = alarm_groups(database, "acme")
    assert (group.alarms, group.cause, group.devices[:2]) == (2000, "m0000", ["m0000", "m0001"])
    assert took < 10.0


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from("ns")), max_size=40))
def test_every_alarm_is_near_another_of_its_group_or_alone(rises: list[tuple[int, str]]) -> None:
    grouping = Grouping()
    of: dict[str, list[int]] = {}
    for i, (seconds, site) in enumerate(sorted(rises)):
        group = grouping.place(Rise(f"x{i}", f"d{i}", site, seconds * S))
        assert group.site == site
        of.setdefault(group.id, []).append(seconds * S)
    for times in of.values():
        assert max(times) - min(times) <= LONGEST_US
        assert all(b - a <= WITHIN_US for a, b in pairwise(times))


def test_alarms_that_follow_each_other_for_hours_do_not_stay_one_group() -> None:
    grouping = Grouping()
    ids = {grouping.place(Rise(f"x{i}", f"d{i}", "n", i * 50 * S)).id for i in range(200)}
    assert len(ids) == 3


def test_predictions_name_the_group_of_their_alarm(database: Database) -> None:
    tables = SqlTables(database, SystemClock())
    tables.register()
    alarms = [raised("a", 10), raised("b", 20), raised("far", 15)]
    results = Results(
        places=[AssetPlaced(1, "acme", name, name, "north") for name in "ab"],
        alarms=[(alarm, False) for alarm in alarms],
        predictions=[forecast(alarm) for alarm in alarms],
    )
    tables.write(results, turn=0, blocks_from=0, blocks_to=0, findings_to=None, saved=None)
    with database.read() as connection:
        told = [decode_from_anomaly(e.payload) for e in log.read(connection, PREDICTIONS, 0)]
    assert {p.device: p.group for p in told if isinstance(p, Prediction)} == {
        "a": f"north/{alarms[0].id}",
        "b": f"north/{alarms[0].id}",
        "far": "",
    }


def forecast(alarm: Alarm) -> Prediction:
    return Prediction(
        v=1, id=f"{alarm.id}/x", tenant=alarm.tenant, device=alarm.device, model="m", model_version="1", component="c",
        failure_mode="f", mode_probability=1.0, issued_at=alarm.at, measured_at=alarm.at, alarm_id=alarm.id,
        alarm_since=alarm.at, score=2.0, threshold=1.0, health=50.0, p_fail=None, risk_hours=[], risk=[],
        remaining=None, evidence_from=alarm.at, carriers=[], quality="good", pageable=True,
    )  # fmt: skip
