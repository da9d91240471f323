"""The thread that lets hazards speak: by the way, for comparison, and where one is live as alarms and predictions.

What stands is read from the tables each time, so that a restart changes nothing. A component whose alarm of readings
stands has no alarm of errors beside it: the forecast of its readings takes the hazard into account by itself.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from anomaly.domain.corrected import chances
from anomaly.domain.event_alarm import causes, floor_of, knows, likeliest_mode, stands
from anomaly.domain.hazard import life_by
from anomaly.domain.history import HOUR_US
from anomaly.domain.learned_states import Kind, LearnedState
from anomaly.service import tables as t
from anomaly.service.event_records import MARK, Foretold, carriers_of, event_alarm, event_prediction, why
from anomaly.service.hazard_tables import hazard_said
from anomaly.service.patience import Patience
from anomaly.service.port import Results, Told
from anomaly.training.correcting import Correction
from anomaly.training.hazard_reading import HazardReader, SaidOf, last_said
from anomaly.training.histories import modes_found
from anomaly.training.lives import devices_of
from anomaly.training.registry import Learned, learned
from anomaly.training.serving import KEPT_US, SAID_EVERY_HOURS, tenants
from contracts.asset_model import AssetModel
from contracts.points import StoreUnreachable
from contracts.records import Alarm, Prediction
from plumbing.runtime import Shared
from plumbing.sql import from_us, to_us

LOOK_S = 1.0
EVERY_HOURS = 1.0
AT_ONCE = 240
"""Times of a machine of one round, so that none waits for another's past."""
FRESH_US = 24 * HOUR_US
"""Nobody is told of what is further back."""
TELL_CHANGE = 0.5
SPEAKING = (LearnedState.LIVE, LearnedState.SHADOW)
NOT_LIVE = "the hazard that said so is not live any more"
IN_READINGS = "its readings show it now, and their alarm goes on"
REPLACED = "the component was replaced"
FALLEN = "the chance of a failure has fallen again"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alarms:
    """Alarms of a device that stand: of errors by component, and components with alarms of readings."""

    raised_us: dict[str, int]
    by_readings: frozenset[str]
    done_us: dict[str, int]
    """By component: up to here everything was said, before a restart or by another process."""


Write = Callable[[Results, Callable[[sa.Connection], bool]], bool]
"""Keep results in one transaction, unless what they rest on is gone by then; whether it was done."""


class Foretelling:
    """One a process that runs anomaly. Two may run at once: what one has told, the other does not tell again."""

    def __init__(self, shared: Shared, write: Write) -> None:
        self._shared, self._write, self._reader = shared, write, HazardReader(shared)
        self._correction = Correction(shared.database)
        self._patience = Patience(shared.system.monotonic)
        self._through: dict[tuple[str, str, str], int] = {}
        self._told: dict[tuple[str, str, str], float] = {}
        self._live: set[tuple[str, str, str]] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="foretelling", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the machine at hand."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.round()
            except (DBAPIError, StoreUnreachable) as failure:
                logger.warning("hazards wait: %s", str(failure).splitlines()[0])
            except Exception:
                logger.exception("a round of hazards failed")

    def round(self) -> int:
        """Catch up with what is stored; for how many times of machines something was said. Raises StoreUnreachable."""
        spoken, live = 0, set[tuple[str, str, str]]()
        for tenant in tenants(self._shared):
            for of in learned(self._shared.database, tenant, states=SPEAKING, kind=Kind.EVENTS):
                model = self._shared.models(of.asset_model)
                if model is None:
                    continue
                hazard = self._reader.hazard(tenant, of) if of.state is LearnedState.LIVE else None
                if hazard is not None:
                    live |= {(tenant, of.asset_model, c) for c in model.components if knows(hazard, c)}
                for device, newest_us in devices_of(self._shared.database, tenant, of.asset_model):
                    if self._stopping.is_set():
                        return spoken
                    say = partial(self._machine, tenant, of, model, device, newest_us)
                    spoken += self._patience.of((tenant, of.id, device), say)
        if live != self._live:
            self._end_orphans(live)
            self._live = live
        return spoken

    def _machine(self, tenant: str, of: Learned, model: AssetModel, device: str, newest_us: int) -> int:
        key, every = (tenant, of.id, device), round(max(EVERY_HOURS, model.prognosis.every_hours) * HOUR_US)
        if key not in self._through:
            begin = last_said(self._shared, *key) or to_us(of.trained_at)
            self._through[key] = begin // every * every
        at = np.arange(self._through[key] + every, newest_us + 1, every, dtype=np.int64)[:AT_ONCE]
        if not len(at):
            return 0
        said = self._reader.say(tenant, of, model, device, at)
        if said is not None and len(said.at_us):
            if of.state is LearnedState.LIVE and not self._act(tenant, of, model, device, newest_us, said, every):
                return 0
            self._keep(tenant, of, device, said, every)
        self._through[key] = int(at[-1])
        return len(at)

    def _keep(self, tenant: str, of: Learned, device: str, said: SaidOf, every: int) -> None:
        """The first time of each six hours, to be held against what comes."""
        done = last_said(self._shared, tenant, of.id, device) or -1  # by another process, maybe
        slot = max(every, round(SAID_EVERY_HOURS * HOUR_US))
        rows = [
            {
                "tenant": tenant, "learned": of.id, "device": device, "component": component, "at": from_us(at),
                "p_24h": p[0], "p_7d": p[1], "p_30d": p[2],
            }
            for j, at in enumerate(said.at_us.tolist()) if at > done and at // slot != (at - every) // slot
            for c, component in enumerate(said.hazard.fleet.components) if knows(said.hazard, component)
            for p in [said.p[c, :, j].tolist()]
        ]  # fmt: skip
        if rows:
            c, before = hazard_said.c, from_us(int(said.at_us[-1]) - KEPT_US)
            mine = (c.tenant == tenant, c.learned == of.id, c.device == device)
            with self._shared.database.write() as connection:
                connection.execute(hazard_said.insert(), rows)
                connection.execute(hazard_said.delete().where(*mine, c.at < before))

    def _act(
        self, tenant: str, of: Learned, model: AssetModel, device: str, newest_us: int, said: SaidOf, every: int
    ) -> bool:
        """Alarms and predictions of a live hazard, from what is fresh by the data and by the clock.

        False where another process was first: what stands is another thing now.
        """
        now_us = to_us(self._shared.clocks.of(tenant).now())
        fresh = np.flatnonzero(said.at_us >= max(newest_us, now_us) - FRESH_US)
        if not len(fresh):
            return True
        by = self._correction.of(tenant, of, self._shared.clocks.of(tenant).now())
        said = replace(said, p=chances(said.p, by))
        found, results = self._standing(tenant, device), Results()
        for component in said.hazard.fleet.components:
            if component in model.components and knows(said.hazard, component):
                self._component(tenant, of, model, device, component, said, fresh.tolist(), found, every, results)
        if not results.alarms and not results.predictions:
            return True
        return self._write(results, self._still(tenant, device, found))

    def _still(self, tenant: str, device: str, found: Alarms) -> Callable[[sa.Connection], bool]:
        return lambda connection: self._standing_in(connection, tenant, device) == found

    def _component(
        self, tenant: str, of: Learned, model: AssetModel, device: str, component: str, said: SaidOf,
        fresh: Sequence[int], found: Alarms, every: int, results: Results,
    ) -> None:  # fmt: skip
        horizon, now = model.decision.horizon_hours, self._shared.clocks.of(tenant).now()
        c, floor = said.hazard.fleet.components.index(component), floor_of(said.hazard, model, component)
        raised = found.raised_us.get(component)
        made: list[Foretold] = []
        replaced = said.history.replaced.of(c)
        for j in fresh:
            at_us = int(said.at_us[j])
            if at_us <= found.done_us.get(component, -1):
                continue
            life = life_by(said.p[c, :, j], horizon)
            standing = stands(raised is not None, life, horizon, floor) and component not in found.by_readings
            if raised is not None and not standing:
                fresh_part = bool(((replaced > raised) & (replaced <= at_us)).any())
                reason = IN_READINGS if component in found.by_readings else REPLACED if fresh_part else FALLEN
                self._tell(
                    tenant, model, results, event_alarm(tenant, device, component, raised, at_us, "cleared", reason)
                )
                self._told.pop((tenant, device, component), None)
                raised, made = None, []
            elif standing:
                begun = raised is None
                raised = at_us if raised is None else raised
                mode, share = likeliest_mode(model, component, self._modes(tenant, model).get(component, {}))
                one = Foretold(
                    device, component, raised, at_us, life, floor, causes(said.hazard, said.history, component, at_us),
                    (at_us - int(replaced[replaced <= at_us][-1])) / HOUR_US, mode, share,
                    self._health(tenant, device), of.id,
                )  # fmt: skip
                if begun:
                    reason = f"{model.components[component].title}: {why(one, model)}"
                    score = life.by(horizon) / floor
                    alarm = event_alarm(
                        tenant, device, component, raised, at_us, "raised", reason, score, carriers_of(one)
                    )
                    self._tell(tenant, model, results, alarm)
                made.append(one)
        present = int(said.at_us[-1]) - every
        for one in made:
            prediction = event_prediction(tenant, model, one, to_us(now), one.at_us >= present)
            results.predictions.append(prediction)
            self._news(tenant, prediction, results)

    def _tell(self, tenant: str, model: AssetModel, results: Results, alarm: Alarm) -> None:
        results.alarms.append((alarm, False))
        title = model.components[alarm.component].title if alarm.component in model.components else alarm.component
        text = f"{alarm.device}: {alarm.reason}." if alarm.change == "raised" else (
            f"{alarm.device}: the alarm of errors of {title.lower()} has ended: {alarm.reason}."
        )  # fmt: skip
        diff = {
            "asset": alarm.device,
            "id": alarm.id,
            "change": alarm.change,
            "component": alarm.component,
            "text": text,
        }
        results.told.append(Told(tenant, self._shared.clocks.of(tenant).now(), "alarm", diff))

    def _news(self, tenant: str, made: Prediction, results: Results) -> None:
        """The first prediction of an alarm, or half the life that was told last, is worth a line in the record."""
        key, middle = (tenant, made.device, made.component), made.remaining.p50 if made.remaining else 0.0
        if key in self._told and middle > TELL_CHANGE * self._told[key]:
            return
        known, self._told[key] = key in self._told, middle
        if known or made.alarm_since == made.measured_at:
            text = f"{made.device}: a failure of {made.component} is expected in about {middle:.0f} h, by its errors."
            diff = {
                "asset": made.device, "id": made.id, "component": made.component, "failure_mode": made.failure_mode,
                "p_fail": made.p_fail, "health": round(made.health, 1), "text": text,
            }  # fmt: skip
            results.told.append(Told(tenant, made.issued_at, "prediction", diff))

    def _standing(self, tenant: str, device: str) -> Alarms:
        with self._shared.database.read() as connection:
            return self._standing_in(connection, tenant, device)

    def _standing_in(self, connection: sa.Connection, tenant: str, device: str) -> Alarms:
        a, p = t.alarms.c, t.predictions.c
        lately = from_us(to_us(self._shared.clocks.of(tenant).now()) - 30 * FRESH_US)
        rows = connection.execute(
            sa.select(a.id, a.component, a.raised_at, a.cleared_at).where(
                a.tenant == tenant,
                a.device == device,
                a.history.is_(False),
                sa.or_(a.cleared_at.is_(None), a.raised_at >= lately),
            )
        ).all()
        made = connection.execute(
            sa.select(p.component, sa.func.max(p.measured_at))
            .where(p.tenant == tenant, p.device == device, p.measured_at >= lately, p.alarm_id.contains(MARK))
            .group_by(p.component)
        ).all()
        mine = [r for r in rows if MARK in r.id]
        done = {component: to_us(at) for component, at in made}
        for r in mine:
            done[r.component] = max(done.get(r.component, -1), to_us(r.cleared_at or r.raised_at))
        return Alarms(
            {r.component: to_us(r.raised_at) for r in mine if r.cleared_at is None},
            frozenset(r.component for r in rows if MARK not in r.id and r.cleared_at is None), done,
        )  # fmt: skip

    def _end_orphans(self, live: set[tuple[str, str, str]]) -> None:
        """Alarms of hazards that are not live any more, or of which the live one does not tell."""
        a, s = t.alarms.c, t.states.c
        with self._shared.database.read() as connection:
            rows = connection.execute(
                sa.select(a.tenant, a.device, a.component, s.model)
                .join(t.states, sa.and_(s.tenant == a.tenant, s.device == a.device))
                .where(a.cleared_at.is_(None), a.id.contains(MARK))
            ).all()
        for r in rows:
            model = self._shared.models(r.model)
            if (r.tenant, r.model, r.component) not in live and model is not None:
                at_us = to_us(self._shared.clocks.of(r.tenant).now())
                found, results = self._standing(r.tenant, r.device), Results()
                raised = found.raised_us.get(r.component)
                if raised is not None:
                    gone = event_alarm(r.tenant, r.device, r.component, raised, at_us, "cleared", NOT_LIVE)
                    self._tell(r.tenant, model, results, gone)
                    self._write(results, self._still(r.tenant, r.device, found))

    def _modes(self, tenant: str, model: AssetModel) -> dict[str, dict[str, int]]:
        return modes_found(self._shared.database, tenant, model.name)

    def _health(self, tenant: str, device: str) -> float:
        p = t.points.c
        after = self._shared.clocks.of(tenant).now() - timedelta(days=1)
        with self._shared.database.read() as connection:
            found: float | None = connection.execute(
                sa.select(p.health)
                .where(p.tenant == tenant, p.device == device, p.at >= after)
                .order_by(p.at.desc())
                .limit(1)
            ).scalar()
        return 100.0 if found is None else found
