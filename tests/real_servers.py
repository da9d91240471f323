"""Which tests need what this machine may lack, and what happens to them then.

A test that needs a missing server is deselected, and the end of the run says which and why. With
FOREWARN_REQUIRE_SERVERS=1 the run fails before its first test instead.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.servers import foreign_programs
from deploy.servers.launch import available

REQUIRE = "FOREWARN_REQUIRE_SERVERS"

SERVER_OF_MARK = {
    "mosquitto": "mosquitto", "influxdb": "influxdb", "postgres": "postgresql", "browser": "chromium",
    "telegraf": "telegraf", "faketime": "faketime",
}  # fmt: skip

PROGRAM_OF_MARK = {
    "sparkplug_python": "sparkplug-python",
    "foreign_node": "foreign-node",
    "thingsboard_gateway": "thingsboard-gateway",
}

SERVERS = frozenset({*SERVER_OF_MARK, *PROGRAM_OF_MARK})
"""The marks of what runs beside the tests."""

MARK_OF_FIXTURE = {
    "mosquitto_factory": "mosquitto",
    "influxdb_factory": "influxdb",
    "influxdb_server": "influxdb",
    "postgres_factory": "postgres",
    "postgres_server": "postgres",
    "chromium_path": "browser",
    "shared_data": "shared_data",
}


def shared_data_folder(checkout: Path) -> Path:
    """Return where the real data sets lie, if they are there: beside the checkout, never in it."""
    return checkout.parent / "shared" / "data"


def lacking(marks: Iterable[str], checkout: Path) -> dict[str, str]:
    """Return those of the marks whose server or data are missing here, each with the reason."""
    reasons = {}
    for mark in marks:
        if mark == "shared_data":
            folder = shared_data_folder(checkout)
            if not folder.is_dir():
                reasons[mark] = f"no folder {folder}"
        elif mark in PROGRAM_OF_MARK:
            program = foreign_programs.find(PROGRAM_OF_MARK[mark])
            if program.path is None:
                reasons[mark] = program.detail
        else:
            server = SERVER_OF_MARK[mark]
            state = available()[server]
            if state.path is None:
                reasons[mark] = f"{state.detail}; try deploy/servers/install.sh {server}"
    return reasons


@dataclass
class Selection:
    """The pytest plugin that leaves out what cannot run here.

    Parameters
    ----------
    required
        True fails the run instead.
    find
        Tells which of some marks lack their server, and why.
    """

    required: bool
    find: Callable[[Iterable[str]], Mapping[str, str]]
    left_out: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Mark by fixture, let -m and -k select, then leave out what lacks its server."""
        for item in items:
            for name in getattr(item, "fixturenames", ()):
                if name in MARK_OF_FIXTURE:
                    item.add_marker(MARK_OF_FIXTURE[name])
        yield
        needs = {item: self._needs(item) for item in items}
        self.reasons.update(self.find(sorted(set().union(*needs.values()))))
        out = [item for item in items if needs[item] & self.reasons.keys()]
        if not out:
            return
        for item in out:
            self.left_out.update(needs[item] & self.reasons.keys())
        if self.required:
            raise pytest.UsageError(f"{REQUIRE} is set, but servers are missing:", *self._lines())
        items[:] = [item for item in items if not needs[item] & self.reasons.keys()]
        config.hook.pytest_deselected(items=out)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say at the end what was left out and why."""
        if self.left_out and not self.required:
            terminalreporter.section("left out on this machine")
            for line in self._lines():
                terminalreporter.write_line(line)

    def _lines(self) -> list[str]:
        return [f"{count} tests need {mark}: {self.reasons[mark]}" for mark, count in sorted(self.left_out.items())]

    @staticmethod
    def _needs(item: pytest.Item) -> frozenset[str]:
        return frozenset(mark.name for mark in item.iter_markers()) & {*SERVERS, "shared_data"}


def selection_for(config: pytest.Config) -> Selection:
    """Make the plugin for a run of this checkout."""
    required = os.environ.get(REQUIRE, "") not in ("", "0")
    return Selection(required, lambda marks: lacking(marks, config.rootpath))
