"""What the demo remembers of its world between starts."""

from datetime import UTC, datetime
from pathlib import Path

from forewarn.demo.facts import Facts, World
from simulators.pumps import Kind

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)


def world() -> World:
    return World(seed=1, live_from=SUNDAY, boot_ids={})


def test_a_start_that_was_cut_short_is_not_taken_for_a_loaded_world(tmp_path: Path) -> None:
    Facts(tmp_path / "demo.json").begin(world())
    again = Facts(tmp_path / "demo.json")
    assert not again.there.loaded
    again.history_is_loaded()
    assert Facts(tmp_path / "demo.json").there.loaded


def test_the_same_fact_twice_is_one_and_outlives_a_stop(tmp_path: Path) -> None:
    facts = Facts(tmp_path / "demo.json")
    facts.begin(world())
    for _ in range(2):
        facts.add("pump-01", SUNDAY, Kind.REPAIRED, "bearing")
    assert [e.kind for e in Facts(tmp_path / "demo.json").events("pump-01")] == [Kind.REPAIRED]


def test_a_story_keeps_its_first_end(tmp_path: Path) -> None:
    facts = Facts(tmp_path / "demo.json")
    facts.begin(world())
    facts.outcome("served", "running")
    facts.outcome("served", "prevented")
    facts.outcome("served", "failed")
    assert Facts(tmp_path / "demo.json").there.outcomes == {"served": "prevented"}
