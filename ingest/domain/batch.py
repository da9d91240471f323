"""Many messages at once: drops repeats, sorts samples by the signals that they carry, checks each kind in one go.

Messages that `ingest.domain.plain` could read are in order already and only take their place among the others. The
rows of what was added since come out of `check`, which may be asked several times.

Nothing that is known of an account changes here: what a batch adds stands in its `Delta` until it is committed, so a
batch that could not be stored is simply forgotten.
"""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from contracts.names import MAX_SEQ
from contracts.points import DeviceRows
from contracts.wire import Reason
from ingest.domain.acceptance import Refusal, Verdict, clean_path, judge
from ingest.domain.account import Account
from ingest.domain.message import LooseSample, Message, Sample
from ingest.domain.plain import PlainMessage
from ingest.domain.ranges import RangeSet
from ingest.domain.refused_samples import Mark, Marks
from ingest.domain.signals import Plan, Signals
from ingest.domain.times import DAY_US, EPOCH, NEWEST_US, OLDEST_US

Origin = tuple[int, int]
"""Number of the message in its batch, number of the sample in its message."""


@dataclass(frozen=True, slots=True)
class Times:
    """What the tenant's clock says of a batch, epoch microseconds."""

    received_us: int
    limit_us: int
    """Later is `future`."""
    late_us: int
    """Earlier is late."""


@dataclass(slots=True, eq=False)
class Group:
    """Samples of one account that carry the same signals in the same units."""

    plan: Plan | None
    """None = checked one by one already, in the model's units."""
    names: list[str]
    seq: list[int] = field(default_factory=list)
    t_us: list[int] = field(default_factory=list)
    values: list[list[float | bool | None]] = field(default_factory=list)
    origin: list[Origin] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Delta:
    """What a batch adds to one account."""

    account: Account
    signals: Signals
    times: Times
    fresh: RangeSet = field(default_factory=RangeSet)
    groups: list[Group] = field(default_factory=list)
    open: dict[object, Group] = field(default_factory=dict)
    plain: Group | None = None
    """Where plain messages go on. What comes later is written later: this one and `open` take turns."""
    plain_plan: Plan | None = None
    seen: set[int] = field(default_factory=set)
    """Times of an unsequenced account in this batch."""
    newest_us: int = -(1 << 63)
    stored: int = 0
    quarantined: int = 0
    duplicate: int = 0
    late: int = 0
    same_time: int = 0
    bad_messages: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    rejected: list[tuple[int, Reason]] = field(default_factory=list)

    def refuse(self, reason: Reason) -> None:
        """Count one refused value."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def group(self, key: object, plan: Plan | None, names: list[str]) -> Group:
        """The open group of that kind."""
        found = self.open.get(key)
        if found is None:
            found = self.open[key] = Group(plan, names)
            self.groups.append(found)
        return found


@dataclass(slots=True, eq=False)
class Aside:
    """A message that goes to quarantine, with all that was refused of it."""

    message: int
    delta: Delta | None
    seq: int
    refusals: list[Refusal] = field(default_factory=list)
    marks: Marks = field(default_factory=dict)

    def mark(self, i: int, reason: Reason, *, whole: bool) -> None:
        """Note that sample `i` was refused, in whole or in part."""
        self.marks.setdefault(i, Mark(whole)).add(reason, whole=whole)


@dataclass(slots=True, eq=False)
class Rows:
    """Rows for the store and where they come from."""

    delta: Delta
    rows: DeviceRows
    origin: list[Origin]


class Batch:
    """Gathers messages (`add`), then `check` gives the rows for the store."""

    def __init__(self) -> None:
        self.messages: dict[int, Message | PlainMessage] = {}
        self.deltas: dict[tuple[str, str, str], Delta] = {}
        self.asides: dict[int, Aside] = {}

    def delta(self, account: Account, signals: Signals, times: Times) -> Delta:
        """The delta of an account in this batch."""
        key = (account.tenant, account.device, account.boot_id)
        found = self.deltas.get(key)
        if found is None:
            found = self.deltas[key] = Delta(account, signals, times, newest_us=account.newest_us)
        return found

    def aside(self, number: int, delta: Delta | None, refusals: list[Refusal]) -> Aside:
        """Note what was refused of a message."""
        found = self.asides.get(number)
        if found is None:
            message = self.messages.get(number)
            found = self.asides[number] = Aside(number, delta, message.seq if message else 0)
        found.refusals += refusals
        return found

    def add(self, number: int, message: Message, delta: Delta) -> None:
        """Take in a message that is of the account of `delta`; `number` is unique in this batch."""
        self.messages[number] = message
        delta.plain = None
        count, seq = message.count, message.seq
        if message.fault:
            self._add_fault(number, message, delta)
            return
        if message.typed is None:
            for i, loose in enumerate(message.loose):
                if seq and not self._is_new(delta, seq + i):
                    continue
                self._judge(number, i, loose, message, delta)
            return
        settled, fresh = delta.account.outbox.settled, delta.fresh
        each = False
        if seq and count:
            last = seq + count - 1
            if settled.overlaps(seq, last) or fresh.overlaps(seq, last):
                each = True
            else:
                fresh.add(seq, last)
        units, signals, received_us = message.units, delta.signals, delta.times.received_us
        limit_us, late_us = min(delta.times.limit_us, NEWEST_US), delta.times.late_us
        names: tuple[str, ...] | None = None
        plan: Plan | None = None
        for i, sample in enumerate(message.typed):
            if each and not self._is_new(delta, seq + i):
                continue
            t = sample.t
            if isinstance(t, datetime):
                d = t - EPOCH
                us = d.days * DAY_US + d.seconds * 1_000_000 + d.microseconds
            else:
                us = received_us if t is None else t * 1000
            values = sample.values
            found = tuple(values)
            if found != names:
                names = found
                plan = signals.plan(names, units)
            if plan is None or not OLDEST_US <= us <= limit_us:
                self._judge(number, i, sample, message, delta)
                continue
            if us < late_us:
                delta.late += 1
            if seq:
                if us == delta.newest_us:
                    delta.same_time += 1
                delta.newest_us = us
            else:
                self._note_time(delta, us)
            group = delta.open.get(id(plan))
            if group is None:
                group = delta.group(id(plan), plan, plan.names)
            group.seq.append(seq + i if seq else 0)
            group.t_us.append(us)
            group.values.append([*values.values()])
            group.origin.append((number, i))

    def add_plain(self, number: int, message: PlainMessage, plan: Plan, delta: Delta) -> bool:
        """Take in a message that the plan's decoder read; False, and nothing is taken, where it is not all new."""
        samples, seq, times = message.samples, message.seq, delta.times
        last = seq + len(samples) - 1
        if last > MAX_SEQ or delta.account.outbox.settled.overlaps(seq, last) or delta.fresh.overlaps(seq, last):
            return False
        limit_us, late_us, newest_us = min(times.limit_us, NEWEST_US), times.late_us, delta.newest_us
        late = same_time = 0
        t_us: list[int] = []
        for sample in samples:
            t = sample.t
            if isinstance(t, datetime):
                d = t - EPOCH
                us = d.days * DAY_US + d.seconds * 1_000_000 + d.microseconds
            else:
                us = times.received_us if t is None else t * 1000
            if not OLDEST_US <= us <= limit_us:
                return False
            late += us < late_us
            same_time += us == newest_us
            newest_us = us
            t_us.append(us)
        self.messages[number] = message
        delta.fresh.add(seq, last)
        delta.newest_us = newest_us
        delta.late += late
        delta.same_time += same_time
        delta.stored += len(t_us)
        group = delta.plain
        if group is None or delta.plain_plan is not plan:
            group = delta.plain = Group(None, plan.names)
            delta.plain_plan = plan
            delta.groups.append(group)
            delta.open = {}
        group.seq += range(seq, last + 1)
        group.t_us += t_us
        group.values += [[*astuple(sample.values)] for sample in samples]
        group.origin += [(number, i) for i in range(len(t_us))]
        return True

    def _is_new(self, delta: Delta, seq: int) -> bool:
        if seq in delta.account.outbox.settled or seq in delta.fresh:
            delta.duplicate += 1
            return False
        delta.fresh.add(seq, seq)
        return True

    def _note_time(self, delta: Delta, us: int) -> None:
        """Of samples without numbers the last one of a time wins: from here on in groups that are written later."""
        if us in delta.seen:
            delta.open = {}
            delta.same_time += 1
        elif us in delta.account.recent:
            delta.same_time += 1
        delta.seen.add(us)

    def _add_fault(self, number: int, message: Message, delta: Delta) -> None:
        assert message.fault is not None
        path, reason = message.fault
        fresh: list[int] = []
        for i in range(message.count):
            if message.seq and not self._is_new(delta, message.seq + i):
                continue
            fresh.append(i)
            delta.refuse(reason)
            if message.seq:
                delta.rejected.append((message.seq + i, reason))
        delta.quarantined += len(fresh)
        if not message.count:
            delta.bad_messages += 1
            delta.refuse(reason)
        if fresh or not message.count:
            aside = self.aside(number, delta, [Refusal(path, reason)])
            for i in fresh:
                aside.mark(i, reason, whole=True)

    def _judge(self, number: int, i: int, sample: Sample | LooseSample, message: Message, delta: Delta) -> None:
        """The exact way for one sample that is no repeat."""
        verdict = judge(sample, i, message.units, delta.signals, delta.times.received_us, delta.times.limit_us)
        if not verdict.quarantined:
            if verdict.t_us < delta.times.late_us:
                delta.late += 1
            if message.seq:
                if verdict.t_us == delta.newest_us:
                    delta.same_time += 1
                delta.newest_us = verdict.t_us
            else:
                self._note_time(delta, verdict.t_us)
        self._account_for(number, i, message, delta, verdict)

    def _account_for(self, number: int, i: int, message: Message, delta: Delta, verdict: Verdict) -> None:
        if verdict.refusals:
            aside = self.aside(number, delta, verdict.refusals)
            for refusal in verdict.refusals:
                delta.refuse(refusal.reason)
                aside.mark(i, refusal.reason, whole=verdict.quarantined)
        if verdict.quarantined:
            delta.quarantined += 1
            if message.seq:
                delta.rejected.append((message.seq + i, verdict.refusals[0].reason))
            return
        delta.stored += 1
        if verdict.values:
            names = [*verdict.values]
            group = delta.group(("judged", *names), None, names)
            group.seq.append(message.seq + i if message.seq else 0)
            group.t_us.append(verdict.t_us)
            group.values.append([*verdict.values.values()])
            group.origin.append((number, i))

    def check(self) -> list[Rows]:
        """Check all that was added since; the rows of one account in the order in which they must be written."""
        by_plan: dict[int, tuple[Plan, list[tuple[Delta, Group]]]] = {}
        for delta in self.deltas.values():
            for group in delta.groups:
                if group.plan is not None and group.t_us:
                    by_plan.setdefault(id(group.plan), (group.plan, []))[1].append((delta, group))
        for plan, members in by_plan.values():
            self._check_plan(plan, members)
        out: list[Rows] = []
        for delta in self.deltas.values():
            account = delta.account
            for group in delta.groups:
                if group.t_us:
                    rows = DeviceRows(
                        account.tenant, account.device, delta.signals.model, account.boot_id, group.names,
                        group.seq, group.t_us, group.values, delta.times.received_us,
                    )  # fmt: skip
                    out.append(Rows(delta, rows, group.origin))
            delta.groups, delta.open, delta.plain = [], {}, None
        return out

    def _check_plan(self, plan: Plan, members: list[tuple[Delta, Group]]) -> None:
        if not plan.names:
            for delta, group in members:
                delta.stored += len(group.t_us)
                group.t_us = []
            return
        table = np.array([row for _, group in members for row in group.values], dtype=np.float64)
        if plan.conversion is not None:
            table = table * plan.conversion[0] + plan.conversion[1]
        inside: NDArray[np.bool_] = (table >= plan.low) & (table <= plan.high)
        checked: list[list[float | bool | None]] = table.tolist()
        start = 0
        if bool(inside.all()):
            for delta, group in members:
                group.values = checked[start : start + len(group.t_us)]
                delta.stored += len(group.t_us)
                start += len(group.t_us)
            return
        absent = np.isnan(table)
        good: list[bool] = np.all(inside | absent, axis=1).tolist()
        whole: list[bool] = np.all(inside, axis=1).tolist()
        for delta, group in members:
            n = len(group.t_us)
            self._sort_out(delta, group, checked[start : start + n], good[start : start + n], whole[start : start + n])
            start += n

    def _sort_out(
        self,
        delta: Delta,
        group: Group,
        checked: list[list[float | bool | None]],
        good: list[bool],
        whole: list[bool],
    ) -> None:
        """Keep the rows that are in order, judge the others one by one (their rows follow in groups of their own)."""
        kept = Group(group.plan, group.names)
        bad: list[Origin] = []
        for row in range(len(good)):
            if not good[row]:
                bad.append(group.origin[row])
                continue
            delta.stored += 1
            values = checked[row]
            if not whole[row]:
                values = [None if x is None or x != x else x for x in values]
                if all(x is None for x in values):
                    continue
            kept.seq.append(group.seq[row])
            kept.t_us.append(group.t_us[row])
            kept.values.append(values)
            kept.origin.append(group.origin[row])
        group.seq, group.t_us, group.values, group.origin = kept.seq, kept.t_us, kept.values, kept.origin
        if not bad:
            return
        # rows judged now belong between this group and what was written later: keep the order of equal times
        behind = delta.groups[delta.groups.index(group) + 1 :]
        delta.groups = delta.groups[: len(delta.groups) - len(behind)]
        delta.open = {}
        for number, i in bad:
            message = self.messages[number]
            assert isinstance(message, Message)
            assert message.typed is not None
            times = delta.times
            verdict = judge(message.typed[i], i, message.units, delta.signals, times.received_us, times.limit_us)
            if verdict.quarantined and verdict.t_us < times.late_us:
                delta.late -= 1
            self._account_for(number, i, message, delta, verdict)
        delta.groups += behind

    def refuse_stored(self, rows: Rows, row: int, signal: str | None) -> None:
        """The store will never have this value (None: this row): it is `store_refused` after all."""
        number, i = rows.origin[row]
        message, delta = self.messages[number], rows.delta
        columns = range(len(rows.rows.signals)) if signal is None else [rows.rows.signals.index(signal)]
        refusals = [
            Refusal(clean_path(f"samples[{i}].values.{rows.rows.signals[j]}"), "store_refused")
            for j in columns
            if rows.rows.values[row][j] is not None
        ]
        for j in columns:
            rows.rows.values[row][j] = None
        if refusals:
            aside, whole = self.aside(number, delta, refusals), all(x is None for x in rows.rows.values[row])
            for _ in refusals:
                delta.refuse("store_refused")
                aside.mark(i, "store_refused", whole=whole)
            if whole:
                delta.stored -= 1
                delta.quarantined += 1
                if message.seq:
                    delta.rejected.append((message.seq + i, "store_refused"))
