"""What an agent does by command: look, test itself, burst, set its pace, move an output."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from contracts.command_kinds import check_args
from edge_agent.domain.actions import actions, figures
from edge_agent.domain.commands import Failed


class Bench:
    """A machine whose time goes by as an action pauses."""

    def __init__(self) -> None:
        self.at = 0.0
        self.did: list[object] = []
        self.fresh = True

    def newest(self) -> Mapping[str, tuple[float | bool | None, float]]:
        return {"vibration": (2.5, 0.1), "level": (7.0, 0.2 if self.fresh else 500.0), "text": (None, 3.0)}

    def sample(self, signals: Sequence[str]) -> Mapping[str, float]:
        return {"vibration": math.sin(40 * self.at)} if "vibration" in signals else {}

    def condition(self) -> Mapping[str, Any]:
        return {"problem": {"a": "", "b": "no answer"}, "waiting": 3}

    def log_lines(self, most: int) -> Sequence[str]:
        return [f"line {n}" for n in range(300)][-most:]

    def set_sampling(self, source: str, seconds: float) -> None:
        self.did.append((source, seconds))

    def actuate(self, output: str, on: bool) -> None:
        self.did.append((output, on))

    def restart(self) -> None:
        self.did.append("restart")


def done(bench: Bench, name: str, **args: Any) -> dict[str, Any]:
    """What an action gives back."""
    action = actions(bench, lambda: bench.at)[name]
    running = action.run(check_args(action.kind, args))
    while True:
        try:
            bench.at += next(running).seconds
        except StopIteration as over:
            found: dict[str, Any] = over.value
            return found


def test_a_snapshot_has_the_newest_values_with_their_age() -> None:
    assert done(Bench(), "snapshot", signals=["level"]) == {"values": {"level": {"value": 7.0, "age_s": 0.2}}}
    assert set(done(Bench(), "snapshot")["values"]) == {"vibration", "level", "text"}


def test_a_self_test_counts_the_sources_in_trouble() -> None:
    assert done(Bench(), "self_test") == {
        "problem": {"a": "", "b": "no answer"}, "waiting": 3, "oldest_reading_s": 3.0, "faults": 1,
    }  # fmt: skip


def test_the_log_comes_by_its_last_lines() -> None:
    assert done(Bench(), "log_excerpt", lines=2) == {"lines": ["line 298", "line 299"]}


def test_a_burst_samples_as_fast_as_asked_and_says_what_it_saw() -> None:
    bench = Bench()
    found = done(bench, "burst", signals=["vibration", "level"], seconds=5, rate=100)["signals"]
    assert bench.at == pytest.approx(5, abs=0.02)
    assert found["vibration"]["n"] == pytest.approx(501, abs=1)
    assert len(found["vibration"]["points"]) <= 500
    assert found["vibration"]["rms"] == pytest.approx(math.sqrt(0.5), abs=0.02)
    assert found["vibration"]["crest"] == pytest.approx(math.sqrt(2), abs=0.05)
    assert found["vibration"]["kurtosis"] == pytest.approx(1.5, abs=0.05)  # of a sine
    assert found["level"] == {**found["level"], "mean": 7.0, "std": 0.0, "crest": None, "kurtosis": None}


def test_a_burst_of_a_signal_that_does_not_come_says_so() -> None:
    bench = Bench()
    bench.fresh = False
    with pytest.raises(Failed, match="no value came"):
        done(bench, "burst", signals=["level"], seconds=1)


def test_figures_of_one_value_stand() -> None:
    assert figures([(0.0, 3.0)])["mean"] == 3.0


def test_an_output_is_switched_off_again() -> None:
    bench = Bench()
    done(bench, "actuator_test", output="valve", seconds=2)
    assert bench.did == [("valve", True), ("valve", False)]


def test_an_output_is_switched_off_when_the_agent_ends_in_between() -> None:
    bench = Bench()
    running = actions(bench, lambda: bench.at)["actuator_test"].run({"output": "valve", "seconds": 2})
    next(running)
    running.close()
    assert bench.did == [("valve", True), ("valve", False)]


def test_pace_and_restart_reach_the_machine() -> None:
    bench = Bench()
    assert done(bench, "set_sampling", source="csv", seconds=5) == {"source": "csv", "seconds": 5.0}
    assert done(bench, "restart") == {"restart": True}
    assert bench.did == [("csv", 5.0), "restart"]
