"""The engine: takes blocks and findings in the log's order, keeps every machine's watch, says what came of it."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from anomaly.domain.alarm import Change
from anomaly.domain.baseline import Fitter
from anomaly.domain.baseline_fit import fit_with_noise
from anomaly.domain.fits import Submit
from anomaly.domain.following import HOUR_US
from anomaly.domain.forecast import Forecast
from anomaly.domain.machines import Arrival, Machines, Outcome
from anomaly.domain.memory import fits
from anomaly.domain.ordering import Ordering, Sample
from anomaly.domain.packing import OldSnapshot, pack, unpack
from anomaly.domain.picture import picture_of
from anomaly.domain.quiet import QuietDay
from anomaly.domain.sensor_faults import SensorChanged
from anomaly.domain.watch import AlarmChanged, Point, Watch
from anomaly.service.arrivals import arrival_of, held_of, once_each
from anomaly.service.condition_records import baseline_of, quiet_entry, sensor_note, sensor_told
from anomaly.service.labelling import label_of, missed_of
from anomaly.service.late import late_rows
from anomaly.service.learned import LiveModels, by_what_is_on_record
from anomaly.service.port import Confirmed, HealthPoint, Results, Saved, Told
from anomaly.service.records import alarm_id, alarm_record, alarm_text, prediction_record, prediction_text
from anomaly.service.times import at, us
from contracts.asset_model import AssetModel
from contracts.clock import Clocks
from contracts.points import Block, DeviceRows, TelemetryStore
from contracts.records import Alarm, AssetPlaced, Finding, FromWork, Prediction, SensorChecked, Shelve, Unshelve

HISTORY_POINT_HOURS = 6.0
JUDGED_ANEW = "all readings of the machine were judged anew after an update"
TELL_CHANGE = 0.5
"""A forecast of a standing alarm is told again when its median has fallen to this share of the one told last."""
logger = logging.getLogger(__name__)
Key = tuple[str, str]


class Watching:
    """All machines of all tenants, in memory. Given the same entries in the same order it comes to the same."""

    def __init__(
        self,
        models: Callable[[str], AssetModel | None],
        clocks: Clocks,
        store: TelemetryStore | None,
        fitter: Fitter = fit_with_noise,
        submit: Submit | None = None,
        live: LiveModels | None = None,
    ) -> None:
        self._models, self.clocks, self.store = models, clocks, store
        self._fitter, self._submit, self._live = fitter, submit, live
        self._machines: dict[Key, Machines] = {}
        self._model_of: dict[Key, str] = {}
        self._orders: dict[Key, Ordering] = {}
        self._told: dict[Key, tuple[str, str, float]] = {}
        self._dirty: set[Key] = set()
        self._unknown: set[tuple[str, str]] = set()
        self._written: dict[Key, int] = {}
        self._baselines: dict[Key, int] = {}
        """Newest baselines of machines whose snapshots are of another version."""
        self._stood: dict[Key, tuple[int, str]] = {}
        """Alarms that stood in such snapshots: since when, and of which component."""

    def restore(self, saved: Sequence[Saved]) -> None:
        """Begin from snapshots."""
        for one in saved:
            model = self._models(one.model)
            if model is None:
                logger.warning("%s/%s: its asset model %s is gone", one.tenant, one.device, one.model)
                continue
            try:
                self._restore(one, model)
            except OldSnapshot as old:
                logger.warning("%s/%s: its snapshot is of another version (%s), reading its history", one.tenant,
                               one.device, old)  # fmt: skip
                self.judge_anew(one)

    def judge_anew(self, one: Saved) -> None:
        """Leave a snapshot that cannot be read: with its next rows a machine's history is read."""
        key = (one.tenant, one.device)
        self.forget(key)
        self._baselines[key] = one.newest_baseline
        since_us = one.picture.get("alarm_since_us")
        if since_us is not None:
            self._stood[key] = (since_us, one.picture.get("component", ""))

    def _restore(self, one: Saved, model: AssetModel) -> None:
        memory, order, told, *held = unpack(one.memory)
        if not fits(memory, self._of(one.tenant, model).layout):
            raise OldSnapshot(f"{one.model} had other signals")
        key = (one.tenant, one.device)
        self._of(one.tenant, model).put(one.device, memory, held_of(one.device, held[0]) if held else None)
        self._model_of[key], self._orders[key] = one.model, order
        if told is not None:
            self._told[key] = told

    def forget(self, key: Key) -> None:
        """Drop a machine as it is."""
        machines = self._machines_of(key)
        if machines is not None:
            machines.forget(key[1])
        for known in (self._model_of, self._orders, self._told, self._written, self._baselines, self._stood):
            known.pop(key, None)
        self._dirty.discard(key)

    def snapshot(self, key: Key) -> Saved | None:
        """Of one machine; None = there is nothing of it yet."""
        machines = self._machines_of(key)
        if machines is None or key[1] not in machines:
            return None
        watch = machines.look_at(key[1])
        memory = [watch.memory, self._orders.get(key, Ordering()), self._told.get(key)]
        held = machines.held(key[1])
        if held is not None:
            memory.append(
                [[list(h.arrival.signals), h.arrival.t_us, h.arrival.values, h.hours, h.history] for h in held]
            )
        picture = msgspec.to_builtins(picture_of(watch))
        learned = None if self._written.get(key) == watch.memory.epoch else baseline_of(watch)
        made = Saved(*key, self._model_of[key], pack(memory), picture, learned)
        if learned is not None:
            self._written[key] = learned.number
        return made

    def changed(self) -> list[Key]:
        """Machines that have changed since the last call."""
        keys = sorted(self._dirty)
        self._dirty.clear()
        return keys

    def model_of(self, key: Key) -> str:
        """Name of a machine's asset model; empty = it has not been heard of."""
        return self._model_of.get(key, "")

    def newest_us(self, key: Key) -> int:
        """Time of the newest row that was taken; -1 = none yet."""
        machines = self._machines_of(key)
        return -1 if machines is None else machines.newest_us(key[1])

    def comes_next(self, key: Key) -> tuple[str, int]:
        """A machine's boot id and the number behind all that has come."""
        order = self._orders.get(key, Ordering())
        return order.boot_id, max([order.next_seq, *(int(seq) + 1 for seq in order.held)])

    def machines(self) -> list[Key]:
        """All that are known."""
        return list(self._model_of)

    def take(
        self, block: Block, results: Results, now_monotonic: float, newest: bool = True, anew: Results | None = None
    ) -> None:
        """One block of the log. `newest`: nothing newer waits, so its last rows are the machines' present.

        What comes of the history of machines whose snapshots were set aside goes into `anew`, where it is given.
        """
        by_model: dict[str, list[tuple[DeviceRows, Arrival]]] = {}
        for rows in block.devices:
            model = self._known_model(block.tenant, rows)
            if model is None:
                continue
            aside = anew is not None and (block.tenant, rows.device) in self._baselines
            self._catch_up(block.tenant, rows, anew if aside and anew is not None else results)
            for arrival in self._in_order(block, rows, results, now_monotonic):
                by_model.setdefault(rows.model, []).append((rows, arrival))
        for name, pairs in by_model.items():
            model = self._models(name)
            assert model is not None
            for arrivals in once_each([arrival for _, arrival in pairs]):
                outcomes = self._feed(block.tenant, model, arrivals, block.history)
                self._say(block.tenant, model, outcomes, results, block.history, newest)

    def overdue(self, now_monotonic: float) -> list[Key]:
        """Machines whose gaps were waited for long enough."""
        return [key for key, order in self._orders.items() if order.overdue(now_monotonic)]

    def go_on(self, key: Key, results: Results, now_monotonic: float) -> None:
        """Leave a machine's gap."""
        order, (tenant, device) = self._orders[key], key
        model = self._models(self._model_of[key])
        samples = order.go_on(now_monotonic)
        self._dirty.add(key)
        if model is not None and samples:
            arrival = arrival_of(device, order.signals, samples)
            outcomes = self._feed(tenant, model, [arrival], history=False)
            self._say(tenant, model, outcomes, results, history=False, newest=True)

    def back(self) -> list[Key]:
        """Machines whose fit is back."""
        return [(tenant, device) for (tenant, _), machines in self._machines.items() for device in machines.back()]

    def settle(self, key: Key, results: Results, wait: bool = False) -> None:
        """Let a machine whose fit is back (or is waited for) catch up.

        What came of it must be written with snapshots: a restart takes a machine that a snapshot or the log left
        waiting for one whose rows nobody has told of.
        """
        machines = self._machines_of(key)
        if machines is None:
            return
        for outcome in machines.settle(key[1], wait):
            self._dirty.add(key)
            self._say(key[0], machines.model, [outcome], results, outcome.history, newest=True)

    def give_up(self) -> None:
        """This engine is not used any more."""
        for machines in self._machines.values():
            machines.give_up()

    def hear(self, record: FromWork, results: Results) -> None:
        """Work on a machine begins or ends, a technician says what he found, or a machine has a place."""
        if isinstance(record, AssetPlaced):
            results.places.append(record)
            return
        if isinstance(record, Finding) and record.history:
            results.labels.append(label_of(record))
            return
        self.settle((record.tenant, record.device), results, wait=True)
        watch = self._watch((record.tenant, record.device))
        if isinstance(record, Finding):
            results.labels.append(label_of(record))
            missed = missed_of(record, watch)
            if missed is not None:
                results.missed.append(missed)
        if watch is None:
            return
        self._dirty.add((record.tenant, record.device))
        match record:
            case Shelve():
                watch.shelve(us(record.start), us(record.until), record.reason)
                self._tell_shelved(watch, record, "shelved", results, us(record.start), record.reason)
            case Unshelve():
                if watch.unshelve(us(record.at)):
                    self._tell_shelved(watch, record, "unshelved", results, us(record.at), "")
            case SensorChecked():
                self._checked(watch, record, results)
            case Finding():
                learned = baseline_of(watch) if record.result == "false" and not record.replaced else None
                if learned is not None:
                    how = f"an inspection found nothing ({record.id})"
                    done = Confirmed(record.tenant, record.device, learned.number, record.at, "finding", how)
                    results.confirmed.append(done)
                if record.replaced:
                    events = watch.replaced(record.component, us(record.at))
                    outcome = Outcome(record.device, events)
                    self._say(record.tenant, watch.model, [outcome], results, history=False, newest=True)
                    self._told.pop((record.tenant, record.device), None)

    def catch_up(self, key: Key, results: Results) -> None:
        """The log is behind us: read what the store holds beyond a machine's newest row."""
        if self._watch(key) is not None:
            self._from_store(key, self.newest_us(key) + 1, None, results)

    def resume(self, key: Key, model: str, order: Ordering) -> None:
        """A machine that was set aside and is restored goes on behind what came meanwhile."""
        if key not in self._model_of:
            self._model_of[key] = model
            self._go_on_numbering(key)
        self._orders[key] = order
        self._dirty.add(key)

    def feed_again(self, key: Key, until_us: int, results: Results | None, history: bool = False) -> None:
        """Take what the store holds beyond a machine's newest row and before `until_us`, with fits that are waited
        for. None = what comes of it was told already."""
        said, begin = Results() if results is None else results, self.newest_us(key) + 1
        if begin < until_us:
            self._from_store(key, begin, until_us, said, history)
            self.settle(key, said, wait=True)
        if results is not None and key in self._stood:
            self._end_lost(key, results)

    def _checked(self, watch: Watch, record: SensorChecked, results: Results) -> None:
        events = watch.checked(record.signal, us(record.at))
        outcome = Outcome(record.device, events)
        self._say(record.tenant, watch.model, [outcome], results, history=False, newest=True)

    def _of(self, tenant: str, model: AssetModel) -> Machines:
        key = (tenant, model.name)
        if key not in self._machines:
            self._machines[key] = Machines(model, self._fitter, self._submit)
        return self._machines[key]

    def _watch(self, key: Key) -> Watch | None:
        machines = self._machines_of(key)
        return machines.watch(key[1]) if machines is not None and key[1] in machines else None

    def _machines_of(self, key: Key) -> Machines | None:
        name = self._model_of.get(key)
        return self._machines.get((key[0], name)) if name else None

    def _known_model(self, tenant: str, rows: DeviceRows) -> AssetModel | None:
        model = self._models(rows.model)
        if model is None and (tenant, rows.model) not in self._unknown:
            self._unknown.add((tenant, rows.model))
            logger.warning("%s: asset model %s is not known, its machines are not watched", tenant, rows.model)
        return model

    def _catch_up(self, tenant: str, rows: DeviceRows, results: Results) -> None:
        """A machine seen for the first time: what the store holds from before is its history."""
        key = (tenant, rows.device)
        if self._model_of.get(key) == rows.model:
            return
        self._model_of[key] = rows.model
        self._orders[key] = Ordering()
        self._go_on_numbering(key)
        self._from_store(key, None, min(rows.t_us), results)
        if key in self._stood:
            self._end_lost(key, results)

    def _end_lost(self, key: Key, results: Results) -> None:
        """End an alarm that stood in a snapshot of another version, and that its readings do not raise any more."""
        (raised_us, component), (tenant, device) = self._stood.pop(key), key
        watch, model = self._watch(key), self._models(self._model_of[key])
        now_us = watch.memory.alarm.raised_us if watch is not None else None
        if model is None or (now_us is not None and alarm_id(device, now_us) == alarm_id(device, raised_us)):
            return
        at_us = max(raised_us, self._of(tenant, model).newest_us(device))
        ended = AlarmChanged(Change.CLEARED, at_us, raised_us, 0.0, component, (), JUDGED_ANEW)
        self._say(tenant, model, [Outcome(device, [ended])], results, history=False, newest=False)

    def _go_on_numbering(self, key: Key) -> None:
        """What is learned again after parts were replaced is another baseline than those on record."""
        newest, model = self._baselines.pop(key, -1), self._models(self._model_of[key])
        if newest >= 0 and model is not None:
            memory = self._of(key[0], model).watch(key[1]).memory
            memory.epoch, memory.epoch_why = newest + 1, "learned again from all its readings"

    def _from_store(
        self, key: Key, from_us: int | None, to_us: int | None, results: Results, history: bool = True
    ) -> None:
        model = self._models(self._model_of[key])
        if self.store is None or model is None:
            return
        seen = self.store.read(key[0], key[1], from_us=from_us, to_us=to_us)
        if len(seen.t_us) == 0:
            return
        arrival = Arrival(key[1], seen.signals, seen.t_us, seen.values)
        outcomes = self._feed(key[0], model, [arrival], history)
        self._say(key[0], model, outcomes, results, history, newest=not history)

    def _in_order(self, block: Block, rows: DeviceRows, results: Results, now: float) -> list[Arrival]:
        key = (block.tenant, rows.device)
        order = self._orders[key]
        self._dirty.add(key)
        numbered = zip(rows.seq, zip(rows.t_us, rows.values, strict=True), strict=True)
        ready, late = order.take(rows.boot_id, rows.signals, numbered, now)
        machines = self._machines_of(key)
        newest = machines.newest_us(rows.device) if machines is not None else -1
        in_time = [s for s in ready if s[0] > newest]
        if late or len(in_time) < len(ready):
            self._score_late(key, order.signals, late + [s for s in ready if s[0] <= newest], results)
        return [arrival_of(rows.device, order.signals, in_time)] if in_time else []

    def _score_late(self, key: Key, signals: Sequence[str], late: list[Sample], results: Results) -> None:
        """Rows that came after their turn: scored with those around them from the store, nobody is told."""
        watch = self._watch(key)
        if watch is None:
            return
        results.late.append(late_rows(key, watch, arrival_of(key[1], signals, late), self.store))

    def _feed(self, tenant: str, model: AssetModel, arrivals: list[Arrival], history: bool) -> list[Outcome]:
        every = model.prognosis.every_hours
        self._dirty.update((tenant, arrival.device) for arrival in arrivals)
        return self._of(tenant, model).feed(arrivals, max(every, HISTORY_POINT_HOURS) if history else every, history)

    def _say(
        self, tenant: str, model: AssetModel, outcomes: list[Outcome], results: Results, history: bool, newest: bool
    ) -> None:
        now, machines = self.clocks.of(tenant).now(), self._of(tenant, model)
        for outcome in outcomes:
            if not outcome.events:
                continue
            holds = newest and not history and machines.alarm_raised(outcome.device)
            present = machines.newest_us(outcome.device) - round(model.prognosis.every_hours * HOUR_US)
            for event in outcome.events:
                match event:
                    case Point():
                        results.points.append(
                            HealthPoint(tenant, outcome.device, event.at_us, event.health, event.score)
                        )
                    case AlarmChanged():
                        alarm = alarm_record(tenant, outcome.device, event)
                        results.alarms.append((alarm, history))
                        if not history:
                            results.told.append(_told(tenant, now, "alarm", model, alarm))
                    case SensorChanged():
                        note = sensor_note(tenant, outcome.device, model, event, history)
                        results.sensors.append(note)
                        if not history:
                            results.told.append(sensor_told(now, note))
                    case QuietDay():
                        results.quiet.append(quiet_entry(tenant, outcome.device, model, event))
                    case Forecast():
                        pageable = holds and event.measured_us >= present
                        told, learned = event, ""
                        if not history:
                            told, learned = by_what_is_on_record(self._live, tenant, model, outcome.device, event)
                        made = prediction_record(tenant, outcome.device, model, told, us(now), pageable, learned)
                        made = msgspec.structs.replace(made, baseline=machines.baseline_number(outcome.device))
                        results.predictions.append(made)
                        if not history and self._news(made):
                            results.told.append(_told(tenant, now, "prediction", model, made))

    def _news(self, made: Prediction) -> bool:
        """The first forecast of an alarm, another diagnosis, a first trend, or half the life that was told last."""
        key = (made.tenant, made.device)
        alarm, what, middle = self._told.get(key, ("", "", 0.0))
        life = made.remaining.p50 if made.remaining else -1.0
        same = alarm == made.alarm_id and what == f"{made.component}/{made.failure_mode}"
        if same and (life < 0 or (middle >= 0 and life > TELL_CHANGE * middle)):
            return False
        self._told[key] = (made.alarm_id, f"{made.component}/{made.failure_mode}", life)
        return True

    def _tell_shelved(
        self, watch: Watch, record: Shelve | Unshelve, change: str, results: Results, at_us: int, reason: str
    ) -> None:
        raised = watch.memory.alarm.raised_us
        known = alarm_id(record.device, raised) if raised is not None else f"{record.device}@shelf"
        alarm = Alarm(
            1, known, record.tenant, record.device, change, at(at_us), at(raised if raised is not None else at_us),
            reason, watch.memory.component if raised is not None else "",
        )  # fmt: skip
        results.alarms.append((alarm, False))
        now = self.clocks.of(record.tenant).now()
        results.told.append(_told(record.tenant, now, "alarm", watch.model, alarm))


def _told(tenant: str, now: datetime, action: str, model: AssetModel, record: Alarm | Prediction) -> Told:
    """The audit entry of a record."""
    diff: dict[str, Any] = {"asset": record.device, "id": record.id}
    if isinstance(record, Alarm):
        diff |= {"change": record.change, "component": record.component, "text": alarm_text(model, record)}
    else:
        diff |= {
            "component": record.component, "failure_mode": record.failure_mode, "p_fail": record.p_fail,
            "health": round(record.health, 1), "text": prediction_text(model, record),
        }  # fmt: skip
    return Told(tenant, now, action, diff)
