"""Tells what happens, from the audit chain: a line a step in the terminal, and the events of `--json`."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from forewarn.demo.facts import Facts
from forewarn.demo.stage import TENANT
from plumbing import audit
from plumbing.runtime import Shared
from work_orders.queries import in_names, names

LOOK_S = 0.2
KINDS = (
    "ready", "history_loaded", "alarm", "prediction", "case_opened", "order_opened", "notice_queued", "notice_accepted",
    "job_done", "finding_recorded", "order_closed",
)  # fmt: skip
TOLD = (
    *KINDS, "would_have_opened", "notice_sent", "notice_declined", "notice_proposed", "notice_call_me",
    "notice_no_reply", "notice_withdrawn", "order_scheduled", "order_in_progress", "breakdown_reported",
    "sensor_faulty", "sensor_well",
)  # fmt: skip
"""What the terminal says; the rest is on the pages."""


class Story:
    """Follows the demo's tenant. `elapsed` gives wall seconds since the command began."""

    def __init__(self, shared: Shared, facts: Facts, elapsed: Callable[[], float], say: Callable[[str], None]) -> None:
        self._shared, self._facts, self._elapsed, self._say = shared, facts, elapsed, say
        self.events: list[dict[str, Any]] = []
        self._after = self._newest()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="story", daemon=True)

    def _newest(self) -> int:
        after = 0
        with self._shared.database.read() as connection:
            while page := audit.read(connection, TENANT, after):
                after = page[-1].seq
        return after

    def note(self, kind: str, text: str) -> None:
        """Add an event of the demo itself."""
        self.events.append({"seconds": self._elapsed(), "kind": kind, "asset": "", "id": "", "text": text})
        self._say(f"{self._elapsed():6.1f} s  {text}")

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the rest, then end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        with self._shared.database.read() as connection:
            page = audit.read(connection, TENANT, self._after)
            known = names(connection, TENANT) if page else {}
        for entry in page:
            self._after = entry.seq
            asset, text = entry.diff.get("asset", ""), entry.diff.get("text", "")
            if entry.action in KINDS:
                self.events.append(
                    {"seconds": round(self._elapsed(), 2), "kind": entry.action, "asset": asset,
                     "id": str(entry.diff.get("id", "")), "text": text}
                )  # fmt: skip
            if entry.action in TOLD:
                self._say(f"{self._elapsed():6.1f} s  {entry.at:%a %d %b %H:%M}  {asset:8}  {in_names(text, known)}")

    def report(self, readings: dict[str, int]) -> dict[str, Any]:
        """The content of `demo --json`."""
        stories = self._facts.fleet().stories
        outcomes = self._facts.there.outcomes
        return {
            "version": 1,
            "readings": readings,
            "stories": {name: {"asset": a, "outcome": outcomes.get(name, "running")} for name, a in stories.items()},
            "events": self.events,
        }


def write(path: Path, report: dict[str, Any]) -> None:
    """Write the report whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(report, indent=1) + "\n")
    new.replace(path)
