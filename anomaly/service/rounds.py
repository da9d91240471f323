"""Rounds: read the log, let the engine work, write what came of it and the place in the log as one.

Snapshots are written every second or so. After a restart the entries between the snapshots and the place in the log are
taken again in silence: the engine comes to the same, and what came of them was written already.
"""

import logging
from collections.abc import Callable, Sequence

import msgspec

from anomaly.service.isolating import Isolation
from anomaly.service.patience import NOBODYS
from anomaly.service.port import Behind, Moved, Results, Saved, Tables, Taken
from anomaly.service.watching import Watching
from contracts.points import Block, decode_block
from contracts.records import FromWork

REPLAY_LIMIT = 100
SAVING_SHARE = 0.1
"""Snapshots take at most this share of the time, unless they would be further apart than LONGEST_S."""
LONGEST_S = 30.0
logger = logging.getLogger(__name__)


class Rounds:
    """One consumer of `blocks` and `findings`."""

    def __init__(
        self,
        tables: Tables,
        make: Callable[[], Watching],
        monotonic: Callable[[], float],
        save_seconds: float,
        batch: int,
    ) -> None:
        self._tables, self._make, self._monotonic = tables, make, monotonic
        self._save_seconds, self._batch = save_seconds, batch
        self._machines: Isolation | None = None
        self._at = self._turn = 0
        self._saved_at = monotonic()
        self._unsaved = False
        self._saving_took = 0.0

    def forget(self) -> None:
        """What is in memory may be ahead of what was written: begin again from the snapshots."""
        if self._machines is not None:
            self._machines.give_up()
        self._machines = None

    def save(self) -> None:
        """Write the snapshots now."""
        if self._machines is not None and self._unsaved:
            self._write(self._machines, Results(), self._at, None, save=True)

    def round(self) -> bool:
        """Take what came; whether there may be more."""
        machines = self._machines or self._begin()
        try:
            results = Results()
            if machines.retry(results):
                self._write(machines, results, self._at, None, save=True)
            found = self._findings(machines)
            return self._blocks(machines) or found
        except Moved:
            self.forget()
            return True

    def _begin(self) -> Isolation:
        self._tables.register()
        machines, loaded = Isolation(self._make(), self._tables, self._monotonic), self._tables.load()
        machines.begin(loaded)
        written = loaded.written
        self._at, self._turn, self._unsaved = written, loaded.turn, False
        after, anew = loaded.through, Results()
        try:
            while after < written:
                taken = self._tables.blocks(after, REPLAY_LIMIT)
                for entry in taken:
                    if entry.position <= written:
                        self._take(machines, entry, Results(), newest=False, anew=anew, silent=True)
                    after = entry.position
                if not taken:
                    break
            self._tables.blocks(written, 1)
            if anew != Results() or machines.urgent:
                # nobody has heard of these: before, they were judged by another version
                self._write(machines, anew, written, None, save=True)
        except Behind as behind:
            logger.warning("%s: catching up from the telemetry store", behind)
            results = Results()
            machines.catch_up(results)
            self._write(machines, results, max(written, behind.oldest - 1), None, save=True)
        self._machines = machines
        return machines

    def _findings(self, machines: Isolation) -> bool:
        heard = self._tables.findings(self._batch)
        if not heard:
            return False
        results = Results()
        records = [record for _, record in heard if record is not None]
        for record in records:
            machines.hear(record, results)
        self._write(machines, results, self._at, heard[-1][0], save=True, heard=records)
        return True

    def _blocks(self, machines: Isolation) -> bool:
        taken = self._tables.blocks(self._at, self._batch)
        results, now = Results(), self._monotonic()
        for i, entry in enumerate(taken):
            last = i == len(taken) - 1 and len(taken) < self._batch
            self._take(machines, entry, results, newest=last or not _again(entry, taken[i + 1 :]))
        left_a_gap = machines.go_on(results, now)
        due = now - self._saved_at >= self._save_every()
        caught_up = due and machines.settle(results)
        if not taken and not left_a_gap and not caught_up:
            if self._unsaved and due:
                self.save()
            return False
        self._write(machines, results, taken[-1].position if taken else self._at, None, save=due or left_a_gap)
        return len(taken) == self._batch

    def _save_every(self) -> float:
        """Seconds between snapshots: longer where there are so many machines that saving them takes its time."""
        return min(max(self._save_seconds, self._saving_took / SAVING_SHARE), max(LONGEST_S, self._save_seconds))

    def _take(
        self, machines: Isolation, entry: Taken, results: Results, newest: bool, anew: Results | None = None,
        silent: bool = False,
    ) -> None:  # fmt: skip
        try:
            block: Block = decode_block(entry.payload)
        except msgspec.DecodeError:
            logger.exception("block %d of %s is not understood", entry.position, entry.tenant)
            return
        machines.take(entry.position, block, results, newest, anew, silent)

    def _write(
        self, machines: Isolation, results: Results, to: int, findings_to: int | None, save: bool,
        heard: Sequence[FromWork] = (),
    ) -> None:  # fmt: skip
        began, save = self._monotonic(), save or machines.urgent
        saved = machines.snapshots(results) if save else None
        try:
            self._put(results, to, findings_to, saved)
        except (Moved, *NOBODYS):
            raise
        except Exception:
            logger.exception("results cannot be written, taking them apart by machine")
            left = machines.those_that_can_be_written(results, heard)
            if not machines.urgent:
                raise
            save = True
            saved = [one for one in saved or () if not machines.is_aside(one)] + machines.snapshots(left)
            self._put(left, to, findings_to, saved)
        self._unsaved = not save
        if save:
            self._saved_at = self._monotonic()
            self._saving_took = self._saved_at - began

    def _put(self, results: Results, to: int, findings_to: int | None, saved: list[Saved] | None) -> None:
        self._tables.write(
            results, turn=self._turn, blocks_from=self._at, blocks_to=to, findings_to=findings_to, saved=saved
        )
        self._at, self._turn = to, self._turn + 1


def _again(entry: Taken, later: list[Taken]) -> bool:
    return any(other.tenant == entry.tenant for other in later)
