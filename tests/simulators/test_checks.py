"""What a simulated pump answers to checks: by its physics, over the contract's handshake."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from contracts import commands as wire
from contracts.commands import Risk
from simulators.checks import vibration_waveform
from simulators.obeying import Obeying
from simulators.pump_physics import Pump
from simulators.pumps import fleet
from tests.edge_agent.commanding import KEY, command, granted

COMPANY = fleet(0, datetime(2026, 11, 22, tzinfo=UTC))


def line(pump: Pump, hours: int) -> float:
    slot = pump.first_running(COMPANY.history_end + 6 * hours)
    return float(vibration_waveform(pump, slot, (), 1.0)["bearing_line"])


def test_the_bearings_line_grows_with_its_wear_and_stays_small_without() -> None:
    worn, well = COMPANY.pump("pump-01"), COMPANY.pump("pump-05")
    assert max(line(well, h) for h in range(0, 160, 16)) < 4
    assert line(worn, 100) > 8
    assert line(worn, 150) > 2 * line(worn, 60)


def test_a_pump_that_stands_shows_no_line() -> None:
    pump = COMPANY.pump("pump-01")
    slot = next(s for s in range(COMPANY.history_end, COMPANY.history_end + 1000) if pump.sample(s)["speed"] == 0)
    assert vibration_waveform(pump, slot, (), 1.0)["bearing_line"] is None


def test_the_same_moment_gives_the_same_answer() -> None:
    pump = COMPANY.pump("pump-01")
    slot = pump.first_running(COMPANY.history_end)
    assert vibration_waveform(pump, slot, (), 1.0) == vibration_waveform(pump, slot, (), 1.0)


class Machine:
    """Counts how often it was asked."""

    asked = 0

    def check(self, name: str, args: dict[str, Any]) -> dict[str, Any] | None:
        self.asked += 1
        return {"x": 1} if name == "look" else None


def hear(of: Obeying, what: wire.Command) -> list[wire.Result]:
    return [wire.read_result(body) for body in of.hear(wire.sealed(what, KEY))]


def test_an_offer_gets_a_nonce_and_a_grant_is_done_once() -> None:
    machine = Machine()
    of = Obeying("acme/pump-1", machine)
    (ready,) = hear(of, command())
    assert ready.state == "ready"
    first = hear(of, granted(command(), ready.nonce))
    assert [r.state for r in first] == ["started", "done"]
    assert hear(of, granted(command(), ready.nonce)) == [first[-1]]
    assert machine.asked == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"to": "acme/pump-2"}, "other_device"), ({"risk": Risk.GUARDED}, "guarded_off"), ({"nonce": "x"}, "expired")],
)
def test_what_is_not_for_it_is_refused(changed: dict[str, Any], reason: str) -> None:
    of = Obeying("acme/pump-1", Machine())
    (no,) = hear(of, msgspec.structs.replace(command(), **changed))
    assert (no.state, no.reason) == ("refused", reason)
    assert of.hear(b"noise") == []
