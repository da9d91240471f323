"""The two halves of `make test`: tests that run beside each other on all processors, and tests that run alone.

Alone run the tests that need a real server or a browser, listen on a port, start programs, or read the machine's
clock: what they find may change with the load. They carry the mark `alone`, which few tests have to be given by hand:
the marks of servers, the folder, and what their module names tell. By hand `pytest` runs everything one by one.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest

from tests.real_servers import SERVERS

ALONE = "alone"
FOLDERS = ("deploy", "faults", "forewarn", "witness")
"""Folders below tests/ that start the product or its servers."""
MACHINE = re.compile(
    r"\btime\.(sleep|time|monotonic|perf_counter|process_time)\b|\b[cC]lock(\(\))?\.monotonic\(\)|\bsubprocess\b"
    r"|\bpsutil\b|\bfree_port\b|\bsocket\.(socket|create_server)\b|\bWebServer\b|\bmultiprocessing\b"
)
"""What a module names that depends on how busy the machine is, listens, or starts something."""
IMPORTS = re.compile(r"^from tests\.([\w.]+) import", re.MULTILINE)


def _beside(path: Path, text: str, tests: Path) -> set[Path]:
    """The modules below tests/ that a module imports or has its fixtures from."""
    imported = {tests.joinpath(*name.split(".")).with_suffix(".py") for name in IMPORTS.findall(text)}
    fixtures = {folder / "conftest.py" for folder in path.parents if folder.is_relative_to(tests) and folder != tests}
    return {other for other in imported | fixtures if other.is_file()}


@cache
def names_the_machine(path: Path, tests: Path) -> bool:
    """Whether a module, or one below tests/ that it needs, names any of it."""
    seen, waiting = set[Path](), {path}
    while waiting:
        one = waiting.pop()
        text = one.read_text()
        if MACHINE.search(text):
            return True
        seen.add(one)
        waiting |= _beside(one, text, tests) - seen
    return False


def runs_alone(path: Path, tests: Path, marks: set[str]) -> bool:
    """Whether a test with these marks in this module belongs in the half that runs alone."""
    if ALONE in marks or marks & SERVERS:
        return True
    if not path.is_relative_to(tests):
        return False
    return path.relative_to(tests).parts[0] in FOLDERS or names_the_machine(path, tests)


class Halves:
    """The pytest plugin that marks the tests, and keeps the one half out of the other.

    Parameters
    ----------
    tests
        The folder of all tests.
    beside_others
        Whether this process runs its tests while other processes run theirs.
    """

    def __init__(self, tests: Path, beside_others: bool) -> None:
        self.tests, self.beside_others = tests, beside_others

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, None, None]:
        """Mark before -m selects, after the marks of servers are set."""
        for item in items:
            if runs_alone(item.path, self.tests, {mark.name for mark in item.iter_markers()}):
                item.add_marker(ALONE)
        yield

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Fail what is in the wrong half."""
        if self.beside_others and item.get_closest_marker(ALONE) is not None:
            pytest.fail("this test runs alone: `pytest -m alone`, without -n", pytrace=False)


def keep_from_listening(patch: pytest.MonkeyPatch) -> None:
    """Let no test of this process listen on a port from now on: such a test is in the wrong half, and fails."""

    def refuse(*_: object) -> None:
        raise RuntimeError("a test that listens on a port runs alone: see tests/halves.py")

    patch.setattr(socket.socket, "listen", refuse)


def halves_for(config: pytest.Config) -> Halves:
    """Make the plugin for a run of this checkout; `pytest -n` starts workers, which have `workerinput`."""
    beside_others = hasattr(config, "workerinput")
    if beside_others:
        keep_from_listening(pytest.MonkeyPatch())
    return Halves(config.rootpath / "tests", beside_others)
