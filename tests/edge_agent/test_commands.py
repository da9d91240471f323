"""What a device refuses whatever the platform says, and that it does nothing twice and nothing too late."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts import commands as wire
from contracts.commands import Approval, Command, Risk
from edge_agent.domain.commands import CUT_SHORT, Here
from tests.edge_agent.commanding import FORGER, KEY, READY, Device, approved, command, granted

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path / "commands.sqlite")


def test_a_good_command_is_done_and_its_result_told(device: Device) -> None:
    told = device.carry_out(command(args={"level": 3}))
    assert [r.state for r in told] == ["started", "done"]
    assert told[-1].data == {"did": "look", "level": 3.0, "signals": []}
    assert device.machine == ["look"]


BAD: dict[str, tuple[Command, str]] = {
    "for another device": (command(to="acme/pump-2"), "other_device"),
    "for the same name of another tenant": (command(to="other/pump-1"), "other_device"),
    "of an unknown name": (command(name="format_disk"), "unknown_command"),
    "with an unknown argument": (command(args={"depth": 1}), "bad_args"),
    "with an argument of the wrong kind": (command(args={"level": "high"}), "bad_args"),
    "with a truth for a number": (command(args={"level": True}), "bad_args"),
    "with a signal that is not there": (command(args={"signals": ["smell"]}), "bad_args"),
    "above the range": (command(args={"level": 10.1}), "out_of_range"),
    "below the range": (command(args={"level": -1}), "out_of_range"),
    "said to be less risky than it is": (command(name="move", risk=Risk.READ), "wrong_risk"),
    "safe though it is guarded": (command(name="move", risk=Risk.SAFE), "wrong_risk"),
    "of another version": (
        Command(2, "command-1", "acme/pump-1", "look", Risk.READ, "eva", "", ""),
        "schema_version",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_device_refuses_a_command(device: Device, case: str) -> None:
    bad, reason = BAD[case]
    (no,) = device.hear(bad)
    assert (no.state, no.reason) == ("refused", reason)
    (no,) = device.hear(granted(bad, "nonce-1"))
    assert (no.state, no.reason) == ("refused", reason)
    assert device.machine == []


def test_a_forged_signature_is_refused(device: Device) -> None:
    (no,) = device.hear(command(), FORGER)
    assert no.reason == "signature"
    assert device.machine == []


def test_a_single_changed_letter_breaks_the_signature(device: Device) -> None:
    (ready,) = device.hear(command())
    body = json.loads(wire.sealed(granted(command(), ready.nonce), KEY))
    body["command"] = body["command"].replace('"valid_s":30.0', '"valid_s":29.0')
    device.commands.hear(json.dumps(body).encode())
    assert device.told[-1].reason == "signature"
    assert device.machine == []


def test_a_signature_of_the_same_key_for_something_else_is_refused(device: Device) -> None:
    import base64

    text = wire.encode(command())
    device.commands.hear(wire.encode(wire.Envelope(1, text.decode(), base64.b64encode(KEY(text)).decode())))
    assert device.told[-1].reason == "signature"


def test_a_device_without_the_platforms_key_refuses_all(tmp_path: Path) -> None:
    device = Device(tmp_path / "commands.sqlite", key=None)
    assert [r.reason for r in device.hear(command())] == ["no_key"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\xff", b"[" * 5000, b'{"v":1,"command":"{}","signature":"%%"}', b"x" * 10**5]
)
def test_noise_is_counted_and_answered_by_nothing(device: Device, body: bytes) -> None:
    device.commands.hear(body)
    assert device.told == []
    assert device.commands.refused == {"malformed": 1}


GUARDED: dict[str, tuple[Here, dict[str, Any], str]] = {
    "switched off at the device": (Here(guarded=False, enabled=True), {}, "guarded_off"),
    "without an approval": (READY, {"approvals": []}, "not_approved"),
    "approved by the issuer himself": (READY, {"approvals": [Approval("engineer:eva", "engineer")]}, "not_approved"),
    "approved by the wrong role": (READY, {"approvals": [Approval("customer:ida", "customer")]}, "not_approved"),
    "approved by nobody of a role": (READY, {"approvals": [Approval("", "admin")]}, "not_approved"),
    "without the local enable": (Here(guarded=True, enabled=False), {}, "not_enabled"),
    "while a visit is on site": (READY, {"holds": ["visit"]}, "on_hold"),
    "while a permit is open": (READY, {"holds": ["permit"]}, "on_hold"),
    "while it is locked out": (READY, {"holds": ["lockout"]}, "on_hold"),
    "while the machine's own lock-out is on": (Here(True, True, "the lock-out is on"), {}, "on_hold"),
}


@pytest.mark.parametrize("case", GUARDED)
def test_a_guarded_command_is_refused(device: Device, case: str) -> None:
    here, more, reason = GUARDED[case]
    device.here = here
    assert [r.reason for r in device.hear(approved(**more))] == [reason]
    assert device.machine == []


@pytest.mark.parametrize("case", GUARDED)
def test_a_guarded_command_is_refused_when_that_came_between_offer_and_grant(device: Device, case: str) -> None:
    device.here = READY
    (ready,) = device.hear(approved())
    here, more, reason = GUARDED[case]
    device.here = here
    assert [r.reason for r in device.hear(granted(approved(**more), ready.nonce))] == [reason]
    assert device.machine == []


def test_a_guarded_command_with_all_it_needs_is_done(device: Device) -> None:
    device.here = READY
    assert [r.state for r in device.carry_out(approved())] == ["started", "done"]


def test_a_read_command_needs_nothing_of_that(device: Device) -> None:
    device.here = Here(hold="the lock-out is on")
    assert [r.state for r in device.carry_out(command())] == ["started", "done"]


def test_nothing_begins_without_the_devices_own_nonce(device: Device) -> None:
    assert [r.reason for r in device.hear(granted(command(), "nonce-1"))] == ["expired"]
    device.hear(command())
    assert [r.reason for r in device.hear(granted(command(), "nonce-guessed"))] == ["expired"]
    assert device.machine == []


def test_a_nonce_of_one_command_opens_no_other(device: Device) -> None:
    (ready,) = device.hear(command("command-1"))
    device.hear(command("command-2"))
    assert [r.reason for r in device.hear(granted(command("command-2"), ready.nonce))] == ["expired"]
    assert device.machine == []


@pytest.mark.parametrize("late", [30.1, HOUR, DAY, 56 * 365 * DAY])
def test_what_comes_after_its_time_is_refused(device: Device, late: float) -> None:
    (ready,) = device.hear(command())
    device.seconds += late
    assert [r.reason for r in device.hear(granted(command(), ready.nonce, 1e12))] == ["expired"]
    device.seconds -= late
    assert [r.reason for r in device.hear(granted(command(), ready.nonce, 1e12))] == ["expired"]
    assert device.machine == []


def test_the_platforms_rest_of_the_lifetime_counts_from_the_nonce(device: Device) -> None:
    (ready,) = device.hear(command())
    device.seconds += 2.1
    assert [r.reason for r in device.hear(granted(command(), ready.nonce, 2.0))] == ["expired"]
    (ready,) = device.hear(command())
    device.seconds += 1.9
    assert [r.state for r in device.hear(granted(command(), ready.nonce, 2.0))] == ["started", "done"]


def test_a_clock_that_runs_backwards_lets_nothing_begin(device: Device) -> None:
    (ready,) = device.hear(command())
    device.seconds -= 10
    assert [r.reason for r in device.hear(granted(command(), ready.nonce))] == ["expired"]
    assert device.machine == []


def test_a_nonce_does_not_outlive_the_agent(device: Device) -> None:
    (ready,) = device.hear(command())
    device.journal.close()
    device.start()
    assert [r.reason for r in device.hear(granted(command(), ready.nonce))] == ["expired"]
    assert device.machine == []


def test_an_offer_that_comes_again_keeps_its_nonce_for_the_grant_on_its_way(device: Device) -> None:
    (first,) = device.hear(command())
    (again,) = device.hear(command())
    assert first.nonce == again.nonce
    device.seconds += 16
    (fresh,) = device.hear(command())
    assert fresh.nonce != first.nonce


def test_a_replayed_command_is_not_done_again_and_tells_its_result_again(device: Device) -> None:
    first = device.carry_out(command())
    (again,) = device.hear(command())
    assert again == first[-1]
    (again,) = device.hear(granted(command(), "nonce-1"))
    assert again == first[-1]
    assert device.machine == ["look"]


def test_a_replay_after_a_restart_is_not_done_again(device: Device) -> None:
    first = device.carry_out(command())
    device.journal.close()
    device.start()
    assert device.carry_out(command()) == [first[-1]]
    assert device.machine == ["look"]


def test_a_command_that_a_kill_cut_short_is_told_so_and_never_done_again(device: Device) -> None:
    device.slow = 10
    told = device.carry_out(command())
    assert [r.state for r in told] == ["started", "progress"]
    device.journal.close()  # and nothing else: as after kill -9
    device.slow = 0
    device.start()
    assert (device.told[-1].state, device.told[-1].text) == ("failed", CUT_SHORT)
    assert [r.state for r in device.carry_out(command())] == ["failed"]
    assert device.machine == ["look"]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.edge_agent.commanding import Device, command
device = Device(Path(sys.argv[1]))
kind = device.commands.actions["look"]
def run(args):
    os.kill(os.getpid(), signal.SIGKILL)
    yield
object.__setattr__(kind, "run", run)
device.carry_out(command())
"""


def test_kill_9_in_the_middle_of_a_command_leaves_its_id_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "commands.sqlite"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=Path(__file__).parents[2], timeout=60)
    assert done.returncode == -9
    device = Device(path)
    assert device.told[-1].text == CUT_SHORT
    assert [r.state for r in device.carry_out(command())] == ["failed"]
    assert device.machine == []


def test_a_journal_that_cannot_be_written_lets_nothing_begin(device: Device) -> None:
    (ready,) = device.hear(command())
    device.journal._db.execute("PRAGMA query_only=1")
    assert [r.reason for r in device.hear(granted(command(), ready.nonce))] == ["not_recorded"]
    assert device.machine == []


def test_what_the_connection_did_not_take_is_told_later_in_order(device: Device) -> None:
    (ready,) = device.hear(command())
    device.connected = False
    device.hear(granted(command(), ready.nonce))
    device.connected = True
    device.commands.step()
    assert [r.state for r in device.told] == ["ready", "started", "done"]


def test_a_long_command_tells_its_progress(device: Device) -> None:
    device.slow = 5
    assert [r.state for r in device.carry_out(command())] == ["started", "progress"]
    device.seconds += 4.9
    assert 0 < device.commands.step() < 0.2
    device.seconds += 0.2
    device.commands.step()
    assert device.told[-1].state == "done"


def test_what_cannot_be_done_is_told_in_words(device: Device) -> None:
    told = device.carry_out(command(name="break"))
    assert (told[-1].state, told[-1].text) == ("failed", "it is broken")


def test_a_fault_in_an_action_ends_that_command_alone(device: Device) -> None:
    def run(args: dict[str, Any]) -> Any:
        raise ZeroDivisionError
        yield

    object.__setattr__(device.commands.actions["look"], "run", run)
    with pytest.raises(ZeroDivisionError):
        device.carry_out(command())
    assert device.told[-1].state == "failed"
    assert [r.state for r in device.carry_out(command("command-2", "set", Risk.SAFE))] == ["started", "done"]


def test_too_many_offers_push_out_no_younger_one(device: Device) -> None:
    for n in range(32):
        assert device.hear(command(f"command-{n}"))[0].state == "ready"
    assert device.hear(command("command-more"))[0].reason == "busy"
    device.seconds += 31
    assert device.hear(command("command-more"))[0].state == "ready"


def test_every_reason_has_words() -> None:
    assert all(words for words in wire.REFUSALS.values())
