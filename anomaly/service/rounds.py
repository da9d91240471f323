"""Rounds: read the log, let the engine work, write what came of it and the place in the log as one.

Snapshots are written every second or so. After a restart the entries between the snapshots and the place in the log are
taken again in silence: the engine comes to the same, and what came of them was written already.
"""

import logging
from collections.abc import Callable

import msgspec

from anomaly.service.port import Behind, Moved, Results, Tables, Taken
from anomaly.service.watching import Watching
from contracts.points import Block, decode_block

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
        self._watching: Watching | None = None
        self._at = 0
        self._saved_at = monotonic()
        self._unsaved = False
        self._saving_took = 0.0

    def forget(self) -> None:
        """What is in memory may be ahead of what was written: begin again from the snapshots."""
        if self._watching is not None:
            self._watching.give_up()
        self._watching = None

    def save(self) -> None:
        """Write the snapshots now."""
        if self._watching is not None and self._unsaved:
            self._write(self._watching, Results(), self._at, None, save=True)

    def round(self) -> bool:
        """Take what came; whether there may be more."""
        watching = self._watching or self._begin()
        try:
            found = self._findings(watching)
            return self._blocks(watching) or found
        except Moved:
            self.forget()
            return True

    def _begin(self) -> Watching:
        self._tables.register()
        watching = self._make()
        saved, through, written = self._tables.load()
        watching.restore(saved)
        self._at, self._unsaved = written, False
        after, anew = through, Results()
        try:
            while after < written:
                taken = self._tables.blocks(after, REPLAY_LIMIT)
                for entry in taken:
                    if entry.position <= written:
                        self._take(watching, entry, Results(), newest=False, anew=anew)
                    after = entry.position
                if not taken:
                    break
            self._tables.blocks(written, 1)
            if anew != Results():  # nobody has heard of these: before, they were judged by another version
                self._write(watching, anew, written, None, save=True)
        except Behind as behind:
            logger.warning("%s: catching up from the telemetry store", behind)
            results = Results()
            watching.catch_up(results)
            self._write(watching, results, max(written, behind.oldest - 1), None, save=True)
        self._watching = watching
        return watching

    def _findings(self, watching: Watching) -> bool:
        heard = self._tables.findings(self._batch)
        if not heard:
            return False
        results = Results()
        for _, record in heard:
            if record is not None:
                watching.hear(record, results)
        self._write(watching, results, self._at, heard[-1][0], save=True)
        return True

    def _blocks(self, watching: Watching) -> bool:
        taken = self._tables.blocks(self._at, self._batch)
        results, now = Results(), self._monotonic()
        for i, entry in enumerate(taken):
            last = i == len(taken) - 1 and len(taken) < self._batch
            self._take(watching, entry, results, newest=last or not _again(entry, taken[i + 1 :]))
        left_a_gap = watching.go_on(results, now)
        due = now - self._saved_at >= self._save_every()
        caught_up = due and watching.settle(results)
        if not taken and not left_a_gap and not caught_up:
            if self._unsaved and due:
                self.save()
            return False
        self._write(watching, results, taken[-1].position if taken else self._at, None, save=due or left_a_gap)
        return len(taken) == self._batch

    def _save_every(self) -> float:
        """Seconds between snapshots: longer where there are so many machines that saving them takes its time."""
        return min(max(self._save_seconds, self._saving_took / SAVING_SHARE), max(LONGEST_S, self._save_seconds))

    def _take(
        self, watching: Watching, entry: Taken, results: Results, newest: bool, anew: Results | None = None
    ) -> None:
        try:
            block: Block = decode_block(entry.payload)
        except msgspec.DecodeError:
            logger.exception("block %d of %s is not understood", entry.position, entry.tenant)
            return
        watching.take(block, results, self._monotonic(), newest, anew)

    def _write(self, watching: Watching, results: Results, to: int, findings_to: int | None, save: bool) -> None:
        began = self._monotonic()
        saved = watching.snapshots() if save else None
        self._tables.write(results, blocks_from=self._at, blocks_to=to, findings_to=findings_to, saved=saved)
        self._at = to
        self._unsaved = not save
        if save:
            self._saved_at = self._monotonic()
            self._saving_took = self._saved_at - began


def _again(entry: Taken, later: list[Taken]) -> bool:
    return any(other.tenant == entry.tenant for other in later)
