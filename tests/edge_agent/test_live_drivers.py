"""One suite over all drivers that read other machines, each against a real server of its protocol."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from edge_agent import __main__ as command
from edge_agent.adapters import drivers
from edge_agent.adapters.outbox import Limits, SqliteOutbox
from tests.edge_agent.live import Agent, checked, made
from tests.edge_agent.live_worlds import SECRET, WORLDS, World

LOCAL = {"csv", "host"}
"""Those that read this machine: test_drivers.py."""
OF_LIBRARIES = {"AnyIO worker thread"}
"""asyncua reads certificates in such threads, at the client and at the server. They are told to end when its loop ends,
and nobody waits for that; a server that goes on keeps its own."""


def test_every_driver_of_the_project_passes_one_of_the_two_suites() -> None:
    assert set(drivers.names()) == LOCAL | WORLDS.keys()


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A source that does not run yet."""
    running = WORLDS[request.param](tmp_path)
    yield running
    running.end()


@pytest.fixture
def threads() -> Callable[[], set[threading.Thread]]:
    """Threads that were not there at the beginning of the test, less those that libraries keep for themselves."""
    before = set(threading.enumerate())
    return lambda: {t for t in threading.enumerate() if t.is_alive() and t.name not in OF_LIBRARIES} - before


def own(found: set[threading.Thread], kind: str) -> set[str]:
    """Names of a driver's own threads."""
    return {t.name for t in found if t.name.startswith(f"{kind} ")}


def talk(world: World, agent: Agent, x: float, seconds: float = 40.0, close: bool = False) -> None:
    """Let the source say x until the agent has it."""

    def heard() -> bool:
        world.say(x)
        return x in agent.values("x")[-5:]

    agent.until(heard, seconds)
    if close:
        agent.driver.close()


def begun(world: World, tmp_path: Path) -> Agent:
    """A running source and an agent that has heard from it."""
    world.start()
    agent = Agent(made(world.kind, tmp_path, world.content()))
    talk(world, agent, 1.0)
    return agent


def test_gives_readings_that_an_outbox_takes_with_times_of_now(world: World, tmp_path: Path) -> None:
    agent = begun(world, tmp_path)
    outbox = SqliteOutbox(Path(":memory:"), Limits(), time.monotonic)
    assert outbox.append(world.kind, agent.readings, agent.position).refused == 0
    assert outbox.waiting == len(agent.readings)

    def complete() -> bool:
        world.say(1.0)
        return any(isinstance(y, float) for y in agent.values("y")) and agent.problem == ""

    agent.until(complete)
    agent.driver.close()


def test_a_source_that_is_not_there_yet_is_a_problem_in_words_and_is_found_when_it_comes(
    world: World, tmp_path: Path
) -> None:
    agent = Agent(made(world.kind, tmp_path, world.content()))
    agent.until(lambda: agent.problem not in ("", "not connected yet"))
    assert "127.0.0.1" in agent.problem
    world.start()
    talk(world, agent, 5.0)
    agent.until(lambda: agent.problem == "")
    agent.driver.close()


def test_a_source_that_dies_is_said_and_it_goes_on_when_it_is_back_time_after_time(
    world: World, tmp_path: Path
) -> None:
    agent = begun(world, tmp_path)
    for x in (2.0, 3.0):
        world.stop()
        agent.until(lambda: agent.problem != "")
        assert "Traceback" not in agent.problem
        world.start()
        talk(world, agent, x)
        agent.until(lambda: agent.problem == "")
    agent.driver.close()


def test_polling_never_waits_for_the_source(world: World, tmp_path: Path) -> None:
    agent = begun(world, tmp_path)
    world.stop()
    agent.until(lambda: agent.problem != "")
    assert agent.longest_poll_s < 2.0
    agent.driver.close()


def test_a_value_that_cannot_be_read_is_null_and_named_and_the_others_go_on(world: World, tmp_path: Path) -> None:
    agent = begun(world, tmp_path)
    world.spoil(True)

    def spoilt() -> bool:
        world.say(7.0)
        return agent.values("y")[-1:] == [None] and "y" in agent.problem and 7.0 in agent.values("x")

    agent.until(spoilt)
    world.spoil(False)

    def well() -> bool:
        world.say(8.0)
        return agent.values("y")[-1:] not in ([], [None]) and agent.problem == "" and 8.0 in agent.values("x")

    agent.until(well, 40.0)
    agent.driver.close()


def test_what_the_outbox_could_not_take_is_handed_out_again(world: World, tmp_path: Path) -> None:
    agent = begun(world, tmp_path)
    agent.broken = True
    kept = len(agent.readings)
    until = time.monotonic() + 1.0
    n = 100.0
    while time.monotonic() < until:
        world.say(n)
        agent.poll()
        n += 1.0
        time.sleep(0.1)
    agent.broken = False
    talk(world, agent, 99.0)
    agent.driver.close()
    later = [x for x in agent.values("x") if x is not None and isinstance(x, float) and 100.0 <= x < n]
    assert len(agent.readings) > kept
    assert len(set(later)) >= 3
    assert later == sorted(later)
    times = [str(r.t) for r in agent.readings]
    assert len({(t, tuple(sorted(r.values))) for t, r in zip(times, agent.readings, strict=True)}) == len(times)


def test_close_ends_its_threads_twice_is_as_good_as_once_and_it_can_begin_anew(
    world: World, tmp_path: Path, threads: Callable[[], set[threading.Thread]]
) -> None:
    idle = made(world.kind, tmp_path, world.content())
    idle.close()
    assert threads() == set()
    world.start()
    talk(world, Agent(made(world.kind, tmp_path, world.content())), 1.0, close=True)
    servers = threads()
    agent = Agent(made(world.kind, tmp_path, world.content()))
    talk(world, agent, 1.0)
    assert own(threads() - servers, world.kind)
    agent.driver.close()
    assert own(threads() - servers, world.kind) == set()
    agent.driver.close()
    assert {t.name for t in threads() - servers} == set()
    talk(world, agent, 4.0)
    agent.driver.close()
    world.end()
    until = time.monotonic() + 10
    while threads() and time.monotonic() < until:
        time.sleep(0.05)
    assert {t.name for t in threads()} == set()


def test_checking_and_making_connect_to_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    options, faults = checked(world.kind, tmp_path, world.content())
    assert faults == []
    drivers.load(world.kind)(options).close()
    (tmp_path / "agent.toml").write_text(
        f'mqtt = "mqtt://acme%2Fpump:hunter2@127.0.0.1:1"\n[drivers.line]\nkind = "{world.kind}"\n'
        f'file = "{world.kind}.yaml"\n'
    )
    assert command.main(["check", "--config", str(tmp_path / "agent.toml")]) == 0
    said = capsys.readouterr().out
    assert f"line: {world.kind} " in said
    assert "x" in said
    assert SECRET not in said
    assert "hunter2" not in said


def test_every_fault_of_a_file_is_named_at_once_with_file_field_value_and_rule(world: World, tmp_path: Path) -> None:
    content = world.content()
    content["colour"] = 3
    content.setdefault("connection", {})["speeed"] = 4.5
    content["connection"]["pasword"] = SECRET
    _, faults = checked(world.kind, tmp_path, content)
    said = {f.field: (f.value, f.rule) for f in faults}
    file = f"{world.kind}: {world.kind}.yaml: "
    assert said.keys() == {f"{file}colour", f"{file}connection.speeed", f"{file}connection.pasword"}
    assert said[f"{file}colour"][0] == 3
    assert "is not known here; known: connection" in said[f"{file}colour"][1]
    assert SECRET not in str(faults)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (None, "cannot be read"), ("", "must hold a mapping"), ("- 1\n", "must hold a mapping"),
        ("a: [1\n", "is no YAML in line 2"), ("connection: 7\n", "must be a section"),
        ("connection: {}\nconnection: {}\n", "is given twice"), ("a: &a [*a, *a]\n", "nested too deeply"),
        ("connection: !!python/object/apply:os.system ['true']\n", "must be a section"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", sorted(WORLDS))
def test_a_file_that_is_none_is_refused(kind: str, text: str | None, rule: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "d.yaml").write_text(text)
    _, faults = drivers.check(kind, {"file": "d.yaml"}, str(tmp_path), "drivers.line")
    assert any(rule in f.rule for f in faults), faults
    assert all(f.field.startswith("drivers.line") for f in faults)


def test_a_password_is_never_shown_not_even_by_the_libraries_at_debug_level(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if not world.has_password:
        assert SECRET not in yaml.safe_dump(world.content())
        return
    (tmp_path / "secret.txt").write_text(SECRET + "\n")
    content = world.content()
    del content["connection"]["password"]
    content["connection"]["password_file"] = "secret.txt"
    with caplog.at_level(logging.DEBUG):
        world.start()
        driver = made(world.kind, tmp_path, content)
        agent = Agent(driver)
        talk(world, agent, 1.0)
        world.stop()
        agent.until(lambda: agent.problem != "")
        driver.close()
    assert SECRET not in caplog.text
    assert SECRET not in "".join(agent.problems)
    content["connection"]["password"] = SECRET
    _, faults = checked(world.kind, tmp_path, content)
    assert [f.field for f in faults] == [f"{world.kind}: {world.kind}.yaml: connection.password"]
    assert SECRET not in str(faults)
