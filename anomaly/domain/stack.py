"""The live path of machines of one layout: a tick brings one row of each of many, scored together.

What happens seldom (an alarm changes, a forecast or a point is due, a baseline is to be fitted) is done machine by
machine by its `Watch`, so that a tick and a long record come to the same.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomaly.domain import ticking
from anomaly.domain.beside import Beside
from anomaly.domain.beside_many import joint
from anomaly.domain.chart_points import Due, chart_points
from anomaly.domain.fits import Pending, Submit
from anomaly.domain.following import EARLY, HOUR_US, Why
from anomaly.domain.layout import Array, Layout
from anomaly.domain.memory import closed
from anomaly.domain.quiet import DAY_US, ODD, SILENT
from anomaly.domain.sensing import sense
from anomaly.domain.sensor_faults import rules_of
from anomaly.domain.slots import Ints, Slots, all_of
from anomaly.domain.ticking import Emitted, Scored
from anomaly.domain.watch import Event, Watch
from contracts.asset_model import AssetModel
from contracts.detection_methods import METHODS


@dataclass(frozen=True)
class Advanced:
    """What became of a tick's rows before anybody judged it: machines with a baseline, machines that learn."""

    scored: Scored | None
    learning: Emitted | None


class Stack:
    """Machines of one model side by side. A machine that is in the stack must be asked for by `watch` or `take_out`."""

    def __init__(self, model: AssetModel, layout: Layout, submit: Submit) -> None:
        self.model, self.slots, self._submit = model, Slots(layout, Beside(model, layout)), submit
        self.fits: dict[int, Pending] = {}
        """Slots of machines that the newest tick left waiting for a fit; they are to be taken out."""
        self._rules = rules_of(model, layout)
        self.slot_of: dict[str, int] = {}

    def fits_in(self, watch: Watch) -> bool:
        """Whether a machine can be followed here: not one whose mean adapts, whose part was replaced, or that waits
        for its fleet's pool."""
        detector = watch.detector
        if detector.adapts or detector.state.relearn:
            return False
        return detector.baseline is not None or not self.slots.layout.settings.fleet

    def put_in(self, device: str, watch: Watch) -> int:
        """Take a machine in; its slot."""
        slot = self.slot_of.get(device)
        if slot is None:
            slot = self.slot_of[device] = self.slots.load(watch)
        return slot

    def take_out(self, device: str) -> None:
        """Give a machine back to its watch, if it is here."""
        slot = self.slot_of.pop(device, None)
        if slot is not None:
            self.slots.drop(slot)

    def forget(self, device: str) -> None:
        """Drop a machine without a look at what its slot holds."""
        slot = self.slot_of.pop(device, None)
        if slot is not None:
            fit = self.fits.pop(slot, None)
            if fit is not None:
                fit.cancel()
            self.slots.clear(slot)

    def look_at(self, device: str) -> None:
        """Bring a machine's watch up to date, to be read; it stays here."""
        slot = self.slot_of.get(device)
        if slot is not None:
            self.slots.store(slot)

    def advance(self, slots: Ints, t_us: Ints, values: Array) -> Advanced:
        """Follow and score one row of each machine (columns as `layout.signals`)."""
        s = self.slots
        rows = ticking.follow(s, slots, t_us, values)
        learned = s.learned[all_of(rows.slots)]
        if learned.all():
            return Advanced(ticking.score(s, rows) if len(rows.slots) else None, None)
        if not learned.any():
            return Advanced(None, rows)
        return Advanced(ticking.score(s, _some(rows, learned)), _some(rows, ~learned))

    def tick(self, slots: Ints, t_us: Ints, values: Array, point_hours: float) -> dict[int, list[Event]]:
        """Take one row of each machine; what happened, by slot."""
        values, events = self._believe(slots, t_us, values)
        done = self.advance(slots, t_us, values)
        if done.scored is not None:
            judged = self._with_others(self._without_lone(done.scored))
            for slot, happened in self._note_day(judged.slots, judged.t_us, judged.why, judged.score).items():
                events.setdefault(slot, []).extend(happened)
            self._keep(judged)
            for slot, happened in self._judge(judged, point_hours).items():
                events.setdefault(slot, []).extend(happened)
            self._grow(done.scored)
        if done.learning is not None:
            for slot, happened in self._learn(done.learning, point_hours).items():
                events.setdefault(slot, []).extend(happened)
        return events

    def _with_others(self, rows: Scored) -> Scored:
        """What counts where other methods than the baseline are judged."""
        if not self.slots.beside.any:
            return rows
        return replace(
            rows, score=joint(self.slots, rows.slots, rows.t_us, rows.symptoms, rows.residual, rows.why, rows.score)
        )

    def _believe(self, slots: Ints, t_us: Ints, values: Array) -> tuple[Array, dict[int, list[Event]]]:
        """The readings of sensors that are well, and what became of the others, by slot."""
        s, at = self.slots, all_of(slots)
        marks = s.sensors[:, at]
        believed, turns = sense(marks, self._rules, t_us, values)
        if not isinstance(at, slice):
            s.sensors[:, at] = marks
        events: dict[int, list[Event]] = {}
        for row in dict.fromkeys(turn.row for turn in turns):
            i = int(slots[row])
            watch = s.store(i)
            events[i] = watch.turned([turn for turn in turns if turn.row == row], int(t_us[row]))
            s.load_window(i, watch)
            s.heed(i, watch)
        return believed, events

    def _without_lone(self, rows: Scored) -> Scored:
        """What counts where a signal that moved alone is not judged."""
        s = self.slots
        places = np.flatnonzero(s.apart[all_of(rows.slots)] & (rows.why == Why.SCORED))
        if not len(places):
            return rows
        score, means, why = rows.score.copy(), rows.means.copy(), rows.why.copy()
        for place in places.tolist():
            watch = s.watches[int(rows.slots[place])]
            assert watch is not None
            left, means[place] = watch.without_lone(means[place])
            score[place] = np.nan if left is None else left
            why[place] = Why.NO_SIGNAL if left is None else Why.SCORED
        return replace(rows, score=score, means=means, why=why)

    def _note_day(self, slots: Ints, t_us: Ints, why: NDArray[np.int8], score: Array) -> dict[int, list[Event]]:
        """The quiet log: hours in each state, scores worth a word, and what a day that is over brought, by slot."""
        s, at, settings = self.slots, all_of(slots), self.slots.layout.settings
        events: dict[int, list[Event]] = {}
        for place in np.flatnonzero(t_us // DAY_US != s.day[at]).tolist():
            i = int(slots[place])
            watch = s.watches[i]
            assert watch is not None
            watch.memory.quiet.hours = s.spent[i].tolist()
            happened = watch.new_day(int(t_us[place]))
            if happened:
                events[i] = happened
            s.day[i], s.spent[i] = watch.memory.quiet.day, 0.0
        before = s.newest_us[at].copy()
        lasted = np.where(s.first_us[at] >= 0, (t_us - before) / HOUR_US, 0.0)
        state = np.where(lasted > self._rules.gap_us / HOUR_US, SILENT, why)
        s.spent[slots, state] += np.maximum(lasted, 0.0)
        for place in np.flatnonzero(score > ODD * settings.threshold).tolist():
            one = s.watches[int(slots[place])]
            assert one is not None
            one.memory.beside.by = METHODS[s.by[slots[place]]]
            one.note_odd(int(t_us[place]), int(before[place]), float(lasted[place]), float(score[place]))
        return events

    def _keep(self, rows: Scored) -> None:
        """Write down time, score and path."""
        s, at = self.slots, all_of(rows.slots)
        ticking.note_times(s, rows.slots, rows.t_us, rows.why)
        s.score[at] = rows.score
        good = (rows.why == Why.SCORED) | (rows.why == Why.FILLING) | (rows.why == Why.NO_SIGNAL)
        judged = rows.why == Why.SCORED
        mine = slice(None) if judged.all() else judged
        where = all_of(rows.slots[mine])
        s.means[where], s.judged[where] = rows.means[mine], True
        kept = rows if good.all() else rows.those(good)
        ticking.remember(s, kept)
        slots, z = kept.slots, kept.residual
        where, ok = all_of(slots), z == z
        s.open_sum[where] += np.where(ok, z, 0.0)
        s.open_count[where] += ok
        every = EARLY * self.model.prognosis.every_hours
        self._close_steps(slots[s.hours[where] - s.path_hours[where] >= every])

    def _close_steps(self, slots: Ints) -> None:
        """End the open steps of machines' paths."""
        s = self.slots
        steps = closed(s.hours[slots], s.open_sum[slots], s.open_count[slots])
        for i, step in zip(slots.tolist(), steps, strict=True):
            watch = s.watches[i]
            assert watch is not None
            watch.memory.path.append(step)
        s.open_sum[slots] = s.open_count[slots] = 0.0
        s.path_hours[slots] = s.hours[slots]

    def _judge(self, rows: Scored, point_hours: float) -> dict[int, list[Event]]:
        s, at, settings = self.slots, all_of(rows.slots), self.slots.layout.settings
        events: dict[int, list[Event]] = {}
        attention, scored = s.attention[at], rows.score == rows.score
        for i in rows.slots[attention & ~scored & (rows.why == Why.FILLING)].tolist():
            watch = s.watches[i]
            assert watch is not None
            watch.memory.alarm.interrupted()
            s.heed(i, watch)
        newest = s.point_us[at]
        due = scored & ((newest < 0) | (rows.t_us - newest >= EARLY * point_hours * HOUR_US))
        heard = scored & (attention | (rows.score > settings.threshold))
        quick = due & ~heard
        for place in np.flatnonzero(heard).tolist():
            i = int(rows.slots[place])
            watch = s.watches[i]
            assert watch is not None
            t, score, alarm = int(rows.t_us[place]), float(rows.score[place]), watch.memory.alarm
            before = alarm.raised_us
            change = alarm.step(t, score, settings)
            quick[place] = due[place] and change is None and not watch.forecast_due(t)
            if not quick[place] and (due[place] or change is not None or watch.forecast_due(t)):
                s.brief(i)
                happened = watch.tell(t, score, rows.means[place].copy(), change, before, point_hours)
                if happened:
                    events[i] = happened
            s.heed(i, watch)
        if quick.any():
            points = Due(rows.slots[quick], rows.t_us[quick], rows.score[quick])
            events |= chart_points(s, self.model, points)
        return events

    def _grow(self, rows: Scored) -> None:
        """Healthy rows of machines whose record still grows; a new baseline where it has grown enough."""
        s, at = self.slots, all_of(rows.slots)
        healthy = s.recording[at] & (rows.followed_why == Why.SCORED) & ~(rows.score > s.layout.settings.threshold)
        if healthy.any():
            self._record(rows, np.flatnonzero(healthy))
        for i in rows.slots[s.recording[at] & (s.learn_hours[at] >= s.goal_hours[at])].tolist():
            self._fit(i)

    def _learn(self, rows: Emitted, point_hours: float) -> dict[int, list[Event]]:
        """Rows of machines without a baseline, which only other methods judge; the first one where there are enough."""
        s, settings = self.slots, self.slots.layout.settings
        why = np.where(rows.why == Why.SCORED, np.int8(Why.LEARNING), rows.why)
        score = np.full(len(why), np.nan)
        if s.beside.any:
            score = joint(s, rows.slots, rows.t_us, rows.symptoms, None, why, score)
        self._note_day(rows.slots, rows.t_us, why, score)
        ticking.note_times(s, rows.slots, rows.t_us, why)
        s.score[all_of(rows.slots)] = score
        events: dict[int, list[Event]] = {}
        if (score == score).any():
            nothing = np.full(rows.symptoms.shape, np.nan)
            judged = Scored(
                rows.slots, rows.t_us, score, nothing, why, rows.why, nothing, rows.symptoms, nothing, rows.features,
                rows.step_hours,
            )  # fmt: skip
            events = self._judge(judged.those(score == score), point_hours)
        healthy = np.flatnonzero(rows.why == Why.SCORED)
        self._record(rows, healthy)
        slots = rows.slots[healthy]
        for i in slots[s.learn_hours[slots] >= settings.learning_hours].tolist():
            watch = s.watches[i]
            if watch is not None and len(watch.memory.detector.record) >= settings.learning_samples:
                self._fit(i)
        return events

    def _record(self, rows: Emitted | Scored, which: Ints) -> None:
        s, slots = self.slots, rows.slots[which]
        levels = rows.features[:, list(s.layout.regimes)]
        segment = s.segment[rows.slots][:, None]
        table = np.concatenate([rows.symptoms, rows.features, levels, segment], axis=1)[which]
        s.learn_hours[all_of(slots)] += rows.step_hours[which]
        for i, row in zip(slots.tolist(), table, strict=True):
            watch = s.watches[i]
            assert watch is not None
            watch.memory.detector.record.append(row)

    def _fit(self, i: int) -> None:
        watch = self.slots.store(i)
        fit = self._submit(watch.detector.training, self.slots.layout)
        if not fit.done():
            self.fits[i] = fit
            return
        watch.detector.take(fit.result())
        self.slots.load_baseline(i, watch)
        self.slots.load_window(i, watch)


def _some(rows: Emitted, which: np.ndarray) -> Emitted:
    return Emitted(
        rows.slots[which], rows.t_us[which], rows.symptoms[which], rows.features[which], rows.why[which],
        rows.step_hours[which],
    )  # fmt: skip
