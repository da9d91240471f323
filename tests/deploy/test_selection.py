"""Tests whose server is missing are left out and named; where servers are required, the run fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

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
INI = "[pytest]\naddopts = --strict-markers\nmarkers =\n    postgres: x\n    mosquitto: x\n    influxdb: x\n"


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
