"""Tests whose server is missing are left out and named; tests that run alone are never run beside others."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.halves import Halves, keep_from_listening, names_the_machine
from tests.real_servers import Selection

pytest_plugins = ["pytester"]

SUITE = """
import pytest

@pytest.fixture
def postgres_server():
    return None

@pytest.fixture
def url(postgres_server):
    return "postgresql://"

def test_of_the_database(url):
    assert url

@pytest.mark.mosquitto
def test_of_the_broker():
    assert True

def test_of_nothing():
    assert True
"""
MARKS = ("postgres", "mosquitto", "influxdb", "alone")
INI = "[pytest]\naddopts = --strict-markers\nmarkers =\n" + "".join(f"    {mark}: x\n" for mark in MARKS)


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each small run would load them anew, for a second and more."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def no_postgresql(marks: Iterable[str]) -> Mapping[str, str]:
    """Stand for a machine without PostgreSQL."""
    return {mark: "no PostgreSQL server here" for mark in marks if mark == "postgres"}


def run(pytester: pytest.Pytester, plugin: Selection, *options: str) -> tuple[object, str]:
    """Run the small suite in this process; gives exit code and output."""
    pytester.makeini(INI)
    pytester.makepyfile(SUITE)
    result = pytester.inline_run(*options, plugins=[plugin])
    return result.ret, f"{[len(outcome) for outcome in result.listoutcomes()]}"


def test_a_test_without_its_server_is_left_out_and_named(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    code, outcomes = run(pytester, Selection(required=False, find=no_postgresql))

    assert (code, outcomes) == (0, "[2, 0, 0]")
    printed = capsys.readouterr().out
    assert "1 tests need postgres: no PostgreSQL server here" in printed
    assert "1 deselected" in printed


def test_where_servers_are_required_a_missing_one_fails_the_run_before_its_first_test(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    code, outcomes = run(pytester, Selection(required=True, find=no_postgresql))

    assert (code, outcomes) == (pytest.ExitCode.USAGE_ERROR, "[0, 0, 0]")
    captured = capsys.readouterr()
    assert "1 tests need postgres: no PostgreSQL server here" in captured.out + captured.err


def test_a_server_that_no_selected_test_needs_is_not_required(pytester: pytest.Pytester) -> None:
    plugin = Selection(required=True, find=no_postgresql)

    assert run(pytester, plugin, "-m", "not postgres") == (0, "[2, 0, 0]")


def halves(pytester: pytest.Pytester, beside_others: bool, *options: str) -> tuple[object, list[int]]:
    """Run the small suite, and a module that waits, with both plugins; gives exit code and outcomes."""
    pytester.makeini(INI)
    pytester.makepyfile(SUITE, test_waits="import time\ndef test_waits():\n    time.sleep(0)\n")
    servers = Selection(required=True, find=lambda marks: {})
    result = pytester.inline_run(*options, plugins=[Halves(pytester.path, beside_others), servers])
    return result.ret, [len(outcome) for outcome in result.listoutcomes()]


def test_each_test_is_in_one_of_the_halves(pytester: pytest.Pytester) -> None:
    assert halves(pytester, False) == (0, [4, 0, 0])
    assert halves(pytester, False, "-m", "alone") == (0, [3, 0, 0])
    assert halves(pytester, True, "-m", "not alone") == (0, [1, 0, 0])


def test_a_test_that_runs_alone_fails_beside_others(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    assert halves(pytester, True) == (pytest.ExitCode.TESTS_FAILED, [1, 0, 3])
    assert "this test runs alone" in capsys.readouterr().out


def test_no_test_beside_others_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_from_listening(monkeypatch)
    with pytest.raises(RuntimeError, match="runs alone"):
        socket.create_server(("127.0.0.1", 0))


def test_a_module_reads_the_machines_clock_through_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far/clock.py").write_text("import time\nbegan = time.monotonic()\n")
    (tmp_path / "far/conftest.py").write_text("from tests.far.test_it import x\n")
    (tmp_path / "far/test_it.py").write_text("x = bench.monotonic + 1\n")
    (tmp_path / "test_near.py").write_text("from tests.far.clock import began\n")
    assert names_the_machine(tmp_path / "test_near.py", tmp_path)
    assert not names_the_machine(tmp_path / "far/test_it.py", tmp_path)
