"""One machine's failure is its own: it is set aside, the others go on as if it were not there.

A block is taken whole. Where that fails, what is in memory of its machines may be half-changed: they go back to their
snapshots, take again in silence what came since, and then the block one by one. A machine that fails alone is set
aside with its error. Its rows stay in the telemetry store; it is tried again later, and at each start, from its last
snapshot on.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from anomaly.domain.ordering import Ordering
from anomaly.service.labelling import label_of
from anomaly.service.patience import NOBODYS, SHARE, wait_s
from anomaly.service.port import Loaded, Results, Saved, Tables, Told, Trouble
from anomaly.service.watching import Key, Watching
from contracts.points import Block, decode_block
from contracts.records import AssetPlaced, Finding, FromWork, decode_from_work, encode
from plumbing import metrics

AT_ONCE = 100
logger = logging.getLogger(__name__)


class Isolation:
    """All machines, and those that are set aside. What fails for one machine is kept from the others."""

    def __init__(self, watching: Watching, tables: Tables, now: Callable[[], float]) -> None:
        self._watching, self._tables, self._now = watching, tables, now
        self._aside: dict[Key, Trouble] = {}
        self._changed: set[Key] = set()
        self._told: list[Told] = []
        self._rests_until = 0.0
        """Tries that failed took their share of the time, whichever machines they were of."""
        self.urgent = False
        """A machine was set aside or is back, or a block was taken apart: snapshots must be written with it."""

    def begin(self, loaded: Loaded) -> None:
        """Go on from snapshots. Who was set aside is tried again soon, after the others."""
        self._aside = {trouble.key: trouble for trouble in loaded.troubles}
        for trouble in loaded.troubles:
            trouble.retry_at = self._now()
        self._restore(one for one in loaded.saved if (one.tenant, one.device) not in self._aside)
        self._count()

    def take(
        self, position: int, block: Block, results: Results, newest: bool, anew: Results | None = None,
        silent: bool = False,
    ) -> None:  # fmt: skip
        """Take the block at a position of the log. `silent`: it was told already, see `Watching.take`."""
        block = self._without_those_aside(block, silent)
        if not block.devices:
            return
        mine, again = Results(), None if anew is None else Results()
        try:
            self._watching.take(block, mine, self._now(), newest, again)
        except NOBODYS:
            raise
        except Exception:
            logger.exception("block %d of %s failed, taking its machines one by one", position, block.tenant)
            self._one_by_one(position, block, results, newest, anew, silent)
            return
        results.add(mine)
        if anew is not None and again is not None:
            anew.add(again)

    def hear(self, record: FromWork, results: Results) -> None:
        """Take a record from work_orders; one about a machine that is set aside waits with its rows."""
        key = (record.tenant, record.device)
        if isinstance(record, AssetPlaced) or (isinstance(record, Finding) and record.history):
            self._watching.hear(record, results)
        elif key in self._aside or not self._alone(key, results, partial(self._watching.hear, record)):
            self._keep(self._aside[key], record, results)

    def go_on(self, results: Results, now: float) -> bool:
        """Leave gaps that were waited for long enough; whether there were any."""
        overdue = self._watching.overdue(now)
        for key in overdue:
            self._alone(key, results, partial(self._watching.go_on, key, now_monotonic=now))
        return bool(overdue)

    def settle(self, results: Results) -> bool:
        """Let machines whose fit is back catch up; whether there were any."""
        back = self._watching.back()
        for key in back:
            self._alone(key, results, partial(self._watching.settle, key))
        return bool(back)

    def catch_up(self, results: Results) -> None:
        """The log is behind us: what came meanwhile is in the store."""
        for key in self._watching.machines():
            self._alone(key, results, partial(self._watching.catch_up, key))
        for key, trouble in self._aside.items():
            store = self._watching.store
            seen = None if store is None else store.read(*key, limit=1, newest_first=True)
            if seen is not None and len(seen.t_us):
                self._note(trouble, int(seen.t_us[-1]), silent=False)

    def those_that_can_be_written(self, results: Results, heard: Sequence[FromWork] = ()) -> Results:
        """What is left of results that cannot be written: the machines whose they are were set aside.

        `heard`: they come from these records, and not from rows.
        """
        left = Results()
        for key, mine in results.by_machine().items():
            try:
                self._tables.check(mine)
            except NOBODYS:
                raise
            except Exception as wrong:
                logger.exception("what came of %s/%s cannot be written", *key)
                watching, newest = self._watching, self._watching.newest_us(key)
                self._set_aside(key, watching.model_of(key), newest, watching.comes_next(key), wrong)
                trouble, first = self._aside[key], None if heard else mine.first_us()
                trouble.told_us = newest if first is None else min(newest, first - 1)
                trouble.live_us = newest + 1 if any(history for _, history in mine.alarms) else trouble.told_us + 1
                trouble.unheard += [(newest, encode(one)) for one in heard if (one.tenant, one.device) == key]
            else:
                left.add(mine)
        return left

    def snapshots(self, results: Results) -> list[Saved]:
        """Of every machine that has changed since the last call, and in `results` of those set aside."""
        saved: list[Saved] = []
        for key in self._watching.changed():
            self._alone(key, results, partial(self._add, saved, key))
        results.told += self._told
        results.troubles += [self._aside[key] for key in sorted(self._changed) if key in self._aside]
        self._changed.clear()
        self._told = []
        self.urgent = False
        return saved

    def retry(self, results: Results) -> bool:
        """Try a machine again whose time has come; whether there was one."""
        began = self._now()
        due = [trouble for trouble in self._aside.values() if trouble.retry_at <= began]
        if not due or began < self._rests_until:
            return False
        trouble = min(due, key=lambda one: one.retry_at)
        mine = Results()
        try:
            self._again(trouble, mine)
            self._tables.check(mine)
        except NOBODYS as failure:
            logger.warning("%s/%s waits: %s", *trouble.key, failure)
            self._put_off(trouble, began)
            return False
        except Exception as wrong:
            logger.exception("%s/%s stays aside", *trouble.key)
            trouble.tries, trouble.error = trouble.tries + 1, _says(wrong)
            self._changed.add(trouble.key)
            self._put_off(trouble, began)
            return False
        del self._aside[trouble.key]
        results.add(mine)
        results.well.append(trouble.key)
        self._tell(trouble, "machine_back", "its readings are judged again, with all that came meanwhile")
        self._count()
        self.urgent = True
        return True

    def _put_off(self, trouble: Trouble, began: float) -> None:
        self._watching.forget(trouble.key)
        now = self._now()
        trouble.retry_at = now + wait_s(trouble.tries, now - began)
        self._rests_until = now + (now - began) / SHARE

    def is_aside(self, saved: Saved) -> bool:
        """Whether a snapshot is of a machine that is set aside."""
        return (saved.tenant, saved.device) in self._aside

    def give_up(self) -> None:
        """These are not used any more."""
        self._watching.give_up()

    def _one_by_one(
        self, position: int, block: Block, results: Results, newest: bool, anew: Results | None, silent: bool
    ) -> None:
        devices = list(dict.fromkeys(rows.device for rows in block.devices))
        self._roll_back(block.tenant, devices, position)
        for device in devices:
            self._take_alone(_of(block, device), results, newest, anew, silent)
        self.urgent = True  # should the next block fail too, all this is not taken again

    def _take_alone(self, block: Block, results: Results, newest: bool, anew: Results | None, silent: bool) -> None:
        key = (block.tenant, block.devices[0].device)
        if key in self._aside:
            self._without_those_aside(block, silent)
            return
        known, again = self._watching.newest_us(key), Results()
        judged = again if anew is not None else None
        if self._alone(key, results, lambda said: self._watching.take(block, said, self._now(), newest, judged)):
            if anew is not None:
                anew.add(again)
            return
        trouble = self._aside[key]
        first = min(t for rows in block.devices for t in rows.t_us)
        trouble.model, trouble.told_us, trouble.replayed = block.devices[0].model, known, silent
        trouble.live_us = known + 1 if known >= 0 else first
        self._without_those_aside(block, silent)

    def _roll_back(self, tenant: str, devices: list[str], position: int) -> None:
        """Bring machines to where they were before the block at a position."""
        for device in devices:
            self._watching.forget((tenant, device))
        saved, after = self._tables.snapshots(tenant, devices)
        self._restore(saved)
        while after < position - 1:
            taken = self._tables.blocks(after, AT_ONCE)
            for entry in taken:
                if entry.position < position and entry.tenant == tenant:
                    block = _read(entry.payload)
                    for device in dict.fromkeys(rows.device for rows in block.devices) if block is not None else ():
                        if device in devices and block is not None:
                            self._take_alone(_of(block, device), Results(), False, Results(), silent=True)
                after = entry.position
            if not taken:
                break

    def _restore(self, saved: Iterable[Saved]) -> None:
        for one in saved:
            try:
                self._watching.restore([one])
            except NOBODYS:
                raise
            except Exception:
                logger.exception("the snapshot of %s/%s cannot be read, reading its history", one.tenant, one.device)
                self._watching.judge_anew(one)

    def _alone(self, key: Key, results: Results, step: Callable[[Results], None]) -> bool:
        """Do something with one machine; where it fails the machine is set aside. Whether it was done."""
        mine, model, newest = Results(), self._watching.model_of(key), self._watching.newest_us(key)
        comes_next = self._watching.comes_next(key)
        try:
            step(mine)
        except NOBODYS:
            raise
        except Exception as wrong:
            logger.exception("%s/%s fails", *key)
            self._set_aside(key, model, newest, comes_next, wrong)
            return False
        results.add(mine)
        return True

    def _set_aside(self, key: Key, model: str, newest_us: int, comes_next: tuple[str, int], wrong: Exception) -> None:
        logger.warning("%s/%s is set aside", *key)
        self._watching.forget(key)
        since, retry_at = self._watching.clocks.of(key[0]).now(), self._now() + wait_s(0)
        trouble = Trouble(
            *key, model, since, _says(wrong), 0, newest_us, newest_us + 1, newest_us, *comes_next, [], retry_at
        )
        self._aside[key] = trouble
        self._changed.add(key)
        self._tell(trouble, "machine_set_aside", "its readings cannot be judged; they are kept and tried again later "
                   f"({trouble.error})")  # fmt: skip
        self._count()
        self.urgent = True

    def _without_those_aside(self, block: Block, silent: bool) -> Block:
        """What is left of a block; of the rest it is noted how far it went."""
        if not self._aside:
            return block
        left = []
        for rows in block.devices:
            trouble = self._aside.get((block.tenant, rows.device))
            if trouble is None:
                left.append(rows)
            elif rows.t_us:
                trouble.model, last = rows.model, max(rows.seq, default=0)
                trouble.next_seq = last + 1 if rows.boot_id != trouble.boot_id else max(trouble.next_seq, last + 1)
                trouble.boot_id = rows.boot_id
                self._note(trouble, max(rows.t_us), silent and trouble.replayed)
                if block.history:
                    trouble.live_us = max(trouble.live_us, max(rows.t_us) + 1)
        return block if len(left) == len(block.devices) else msgspec.structs.replace(block, devices=left)

    def _note(self, trouble: Trouble, newest_us: int, silent: bool) -> None:
        trouble.through_us = max(trouble.through_us, newest_us)
        if silent:
            trouble.told_us = max(trouble.told_us, newest_us)
        self._changed.add(trouble.key)

    def _keep(self, trouble: Trouble, record: FromWork, results: Results) -> None:
        trouble.unheard.append((trouble.through_us, encode(record)))
        self._changed.add(trouble.key)
        if isinstance(record, Finding):
            results.labels.append(label_of(record))

    def _add(self, saved: list[Saved], key: Key, _results: Results) -> None:
        made = self._watching.snapshot(key)
        if made is not None:
            saved.append(made)

    def _again(self, trouble: Trouble, results: Results) -> None:
        """All that a machine has missed, from its last snapshot on."""
        key, watching = trouble.key, self._watching
        watching.forget(key)
        self._restore(self._tables.snapshots(trouble.tenant, [trouble.device])[0])
        watching.settle(key, results, wait=True)
        watching.resume(key, trouble.model, Ordering(trouble.boot_id, trouble.next_seq))
        for upto, record in [*trouble.unheard, (trouble.through_us, b"")]:
            watching.feed_again(key, min(trouble.told_us, upto) + 1, None)
            watching.feed_again(key, min(trouble.live_us, upto + 1), results, history=True)
            watching.feed_again(key, upto + 1, results)
            if record:
                watching.hear(decode_from_work(record), results)

    def _tell(self, trouble: Trouble, action: str, text: str) -> None:
        now = self._watching.clocks.of(trouble.tenant).now()
        diff = {"asset": trouble.device, "error": trouble.error, "text": f"{trouble.device}: {text}."}
        self._told.append(Told(trouble.tenant, now, action, diff))

    def _count(self) -> None:
        metrics.gauge("forewarn_anomaly_machines_set_aside", "Machines whose readings could not be judged").set(
            len(self._aside)
        )


def _says(wrong: Exception) -> str:
    words = f"{type(wrong).__name__}: {wrong}"[:300]
    return "".join(letter if letter.isprintable() else "?" for letter in words)


def _of(block: Block, device: str) -> Block:
    return msgspec.structs.replace(block, devices=[rows for rows in block.devices if rows.device == device])


def _read(payload: bytes) -> Block | None:
    try:
        found: Block = decode_block(payload)
    except msgspec.DecodeError:
        return None
    return found
