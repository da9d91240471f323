"""The watch over one machine: detector, alarm, path and forecasts; one state, whatever the rows are cut into."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.alarm import Change
from anomaly.domain.baseline import Baseline, Fitter
from anomaly.domain.baseline_fit import fit_with_noise
from anomaly.domain.beside import Beside, Told
from anomaly.domain.carried import carriers, next_forecast, ranked, says
from anomaly.domain.detector import Scores, State, WindowDetector, detector_of, joined
from anomaly.domain.following import EARLY, HOUR_US, Follower, Why
from anomaly.domain.forecast import Forecast
from anomaly.domain.health import bands_of, health_of, hot_signals, seen_of, spared, worst_shares
from anomaly.domain.layout import Array, Layout, layout_of
from anomaly.domain.lone import lone_signal
from anomaly.domain.memory import Memory, Path, columns_of
from anomaly.domain.quiet import DAY_US, ODD, SILENT, Day, QuietDay
from anomaly.domain.sensing_records import take
from anomaly.domain.sensor_faults import KINDS, Fault, SensorChanged, rules_of
from anomaly.domain.sensor_marks import FAULT, SINCE_US, Turn, blank, declare
from anomaly.domain.trail import Trail
from contracts.asset_model import AssetModel

WEEK_HOURS = 168.0


@dataclass(frozen=True, slots=True)
class AlarmChanged:
    """An alarm was raised or cleared by the scores, or ended for another reason."""

    change: Change
    at_us: int
    raised_us: int
    score: float
    component: str
    parts: tuple[tuple[str, float], ...]
    """Signals and their share, strongest first."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """Health and score at a time, for charts."""

    at_us: int
    health: float
    score: float


Event = AlarmChanged | Forecast | Point | SensorChanged | QuietDay


class Watch:
    """Watches one machine of a model."""

    def __init__(
        self,
        model: AssetModel,
        memory: Memory | None = None,
        layout: Layout | None = None,
        fitter: Fitter = fit_with_noise,
    ) -> None:
        self.model = model
        self.layout = layout or layout_of(model)
        self.point_hours = model.prognosis.every_hours
        """How often a point for charts is made."""
        self.memory = memory or Memory(State(Follower.of(self.layout)), *self._blank())
        self.memory.columns = columns_of(self.layout)
        self.rules = rules_of(model, self.layout)
        fresh = blank(self.rules.signals)
        if self.memory.sensors.shape != fresh.shape:
            self.memory.sensors = fresh
        self.beside = Beside(model, self.layout)
        self.detector: WindowDetector = detector_of(self.layout, self.memory.detector, fitter)

    @property
    def path_steps(self) -> int:
        """Number of steps of the path that are kept."""
        return max(10, round(self.model.prognosis.history_hours / self.model.prognosis.every_hours))

    def _blank(self) -> tuple[Path, Trail]:
        return Path(Trail(self.path_steps)), Trail(self.layout.settings.window_samples)

    def feed(self, t_us: NDArray[np.int64], values: Array) -> tuple[Scores, list[Event]]:
        """Take rows in time order (columns as `layout.signals`); what happened, in order."""
        scores: list[Scores] = []
        events: list[Event] = []
        at = 0
        while at < len(t_us):
            believed, turns = take(self.memory.sensors, self.rules, t_us[at:], values[at:])
            end = at + len(believed)
            sure = end - 1 if turns else end
            self._follow(t_us[at:sure], believed[: sure - at], scores, events)
            if turns:
                events += self.turned(turns, int(t_us[sure]))
                self._follow(t_us[sure:end], believed[sure - at :], scores, events)
            at = end
        return joined(scores, len(self.layout.symptoms)), events

    def _follow(self, t_us: NDArray[np.int64], values: Array, scores: list[Scores], events: list[Event]) -> None:
        """Rows of readings that are believed."""
        self.memory.detector.frozen = self.memory.alarm.raised
        for piece in self.detector.pieces(t_us, values):
            scores.append(piece)
            events += self._judge(piece)
            self.memory.detector.frozen = self.memory.alarm.raised

    def turned(self, turns: list[Turn], at_us: int) -> list[Event]:
        """Sensors became faulty or well: what is faulty leaves the windows, and what is pending must hold anew."""
        out: list[Event] = []
        for turn in turns:
            device = turn.column == self.rules.signals
            name = "" if device else self.layout.signals[turn.column]
            for fault, faulty in ((turn.before, False), (turn.after, True)):
                if fault is not Fault.NONE:
                    detail = ""
                    if fault is Fault.SWAPPED_UNIT:
                        detail = f"it looks like {self.rules.alike[turn.column][turn.detail][0]}"
                    out.append(SensorChanged(at_us, name, fault, turn.since_us, faulty, detail))
                    self._note_fault(name, fault if faulty else Fault.NONE)
            if turn.after is not Fault.NONE and not device:
                state, k = self.memory.detector, self.rules.symptoms
                if state.window_z.size:  # without a baseline there is no window yet, nor its columns
                    state.window_z = state.window_z.copy()
                    state.window_z[:, slice(0, k) if turn.column >= k else turn.column] = np.nan
                self.memory.alarm.interrupted()
        return out

    def _note_fault(self, name: str, fault: Fault) -> None:
        m = self.memory
        if fault is Fault.NONE:
            m.faults.pop(name, None)
        else:
            m.faults[name] = m.quiet.sensors[name] = KINDS[fault]

    def checked(self, signal: str, at_us: int) -> list[Event]:
        """A person looked at a sensor: what it shows is right from now on, and its usual values are learned anew."""
        m = self.memory
        out: list[Event] = []
        if signal in self.layout.signals:
            column = self.layout.signals.index(signal)
            found = Fault(int(m.sensors[FAULT, column]))
            if found is not Fault.NONE:
                out.append(SensorChanged(at_us, signal, found, int(m.sensors[SINCE_US, column]), False))
            declare(m.sensors, column, Fault.NONE, 0)
        m.faults.pop(signal, None)
        if signal in m.apart:
            fault, since_us = m.apart.pop(signal)
            out.append(SensorChanged(at_us, signal, Fault(fault), since_us, False))
            self.detector.replaced([self.layout.symptoms.index(signal)])
            self.beside.replaced(m.beside, [self.layout.symptoms.index(signal)])
            m.epoch, m.epoch_why = m.epoch + 1, f"learned anew after the sensor of {signal} was checked"
            m.path, m.recent = self._blank()
        return out

    def begin(self, baseline: Baseline) -> None:
        """Use a baseline that was fitted outside (a fleet's); the healthy record becomes the path's beginning."""
        m, training = self.memory, self.detector.training()
        self.detector.take(baseline)
        regime = baseline.regimes.of(training.levels)
        expected = baseline.expected(training.features, regime)
        z, plain = baseline.residual(training.symptoms, expected, regime), baseline.plain(training.symptoms, regime)
        n, now = len(training), m.detector.follower.running_hours
        step = m.detector.learn_hours / max(1, n - 1)
        for i in range(n):
            if np.isfinite(expected[i]).any():
                m.recent.append(np.stack([training.symptoms[i], expected[i], plain[i]]))
                m.path.add(now - (n - 1 - i) * step, z[i], self.model.prognosis.every_hours)

    def shelve(self, start_us: int, until_us: int, why: str) -> None:
        """Somebody works on the machine."""
        self.memory.alarm.shelve(start_us, until_us, why)

    def unshelve(self, at_us: int) -> bool:
        """The work is over before its time; False if there was none."""
        return self.memory.alarm.unshelve(at_us)

    def replaced(self, component: str, at_us: int) -> list[Event]:
        """A component was replaced: a new baseline for its signals; windows, trend and forecasts restart."""
        m = self.memory
        found = self.model.components.get(component)
        signals = sorted({s.signal for mode in found.modes for s in mode.symptoms} if found else set())
        columns = [self.layout.symptoms.index(s) for s in signals if s in self.layout.symptoms]
        self.detector.replaced(columns)
        self.beside.replaced(m.beside, columns)
        if self.detector.baseline is not None:
            m.epoch, m.epoch_why = m.epoch + 1, f"learned anew after the {component.replace('_', ' ')} was replaced"
        raised_us = m.alarm.raised_us
        score, parts = m.score or 0.0, carriers(self, m.means)
        old = m.component
        m.path, m.recent = self._blank()
        m.last_forecast_us, m.forecasts, m.chance = -1, 0, 0.0
        m.component = m.rival = ""
        m.rival_count, m.score, m.why = 0, None, Why.LEARNING
        change = m.alarm.restart(at_us)
        if change is None or raised_us is None:
            return []
        return [AlarmChanged(change, at_us, raised_us, score, old, parts, "the component was replaced")]

    def _judge(self, scores: Scores) -> list[Event]:
        m, settings = self.memory, self.layout.settings
        events: list[Event] = []
        base = self.detector.baseline
        for i, t in enumerate(scores.t_us.tolist()):
            why = int(scores.why[i])
            before_us, lasted = m.newest_us, (t - m.newest_us) / HOUR_US if m.first_us >= 0 else 0.0
            if t // DAY_US != m.quiet.day:
                events += self.new_day(t)
            self._note_time(t, why)
            m.why = why
            if why in (Why.SCORED, Why.FILLING, Why.NO_SIGNAL) and base is not None:
                self._note_row(scores, i)
            score, means = float(scores.score[i]) if why == Why.SCORED else None, scores.means[i]
            if m.apart and score is not None:
                score, means = self.without_lone(means)
                m.why = why if score is not None else Why.NO_SIGNAL
            if score is not None:
                m.means = means
            if self.beside.any:
                whole = None if self.detector.growing else base
                score = self.beside.follow(m.beside, scores, i, whole, self.apart, m.first_us, score)
            if why == Why.FILLING and score is None:
                m.alarm.interrupted()
            m.score = score
            if lasted > 0:
                m.quiet.hours[SILENT if lasted > self.gap_hours else m.why] += lasted
            if score is None:
                continue
            if score > ODD * settings.threshold:
                self.note_odd(t, before_us, lasted, score)
            raised_us = m.alarm.raised_us
            change = m.alarm.step(t, score, settings)
            events += self.tell(t, score, means, change, raised_us, self.point_hours)
        return events

    @property
    def gap_hours(self) -> float:
        """A longer time without a row is silence."""
        return self.rules.gap_us / HOUR_US

    def new_day(self, t: int) -> list[Event]:
        """Another day begins with the row at `t`: the one before, if it was odd and raised nothing."""
        m, old = self.memory, self.memory.quiet
        m.quiet = Day(t // DAY_US, sensors=dict(m.faults), raised=m.alarm.raised)
        return [QuietDay(t, old)] if old.day >= 0 and self.detector.baseline is not None and old.is_odd() else []

    def note_odd(self, t: int, before_us: int, lasted: float, score: float) -> None:
        """A score worth a word in the quiet log, before the alarm machine hears it."""
        m, settings = self.memory, self.layout.settings
        alarm = m.alarm
        m.quiet.note(
            t, before_us, lasted if lasted <= self.gap_hours else 0.0, score, settings.threshold,
            alarm.shelved_why if alarm.shelved(t) else None, alarm.pausing(t, settings), alarm.raised, m.beside.by,
        )  # fmt: skip

    @property
    def apart(self) -> list[int]:
        """Symptoms that moved alone: they are not judged."""
        return [self.layout.symptoms.index(name) for name in self.memory.apart]

    def told(self) -> Told | None:
        """What carries the newest score, where it is not the baseline."""
        return self.beside.told(self.memory.beside, self.apart) if self.beside.any else None

    def without_lone(self, means: Array) -> tuple[float | None, Array]:
        """Score and window means (k,) without the signals that moved alone; None = nothing else can be judged."""
        base = self.detector.baseline
        assert base is not None
        left = means.copy()
        left[self.apart] = np.nan
        score = float(self.detector.measure(left.reshape(1, -1), base)[0][0])
        return (score if score == score else None), left

    def tell(
        self, t: int, score: float, means: Array, change: Change | None, raised_us: int | None, point_hours: float
    ) -> list[Event]:
        """What a score brings, once the alarm machine has heard it: `change`, from an alarm that stood since
        `raised_us`."""
        m = self.memory
        events: list[Event] = []
        if np.isfinite(means).any():
            m.means = means
        if change is not None:
            m.chance = 0.0
        if change is Change.RAISED or (change is None and self.forecast_due(t)):
            alone = self._alone(t, means)
            if alone is not None:
                told = change is None and raised_us is not None
                if told and raised_us is not None:
                    reason = "one signal moved alone: its sensor is to be checked"
                    events.append(
                        AlarmChanged(Change.CLEARED, t, raised_us, score, m.component, carriers(self, means), reason)
                    )
                m.alarm.restart(t)
                m.component, m.chance = "", 0.0
                return [*events, alone]
        if change is Change.RAISED:
            raised_us, m.last_forecast_us, m.forecasts = t, -1, 0
            m.quiet.raised = True
            found = ranked(self, means)
            m.component = found[0].mode.component if found else ""
            m.rival, m.rival_count = "", 0
        if change is not None and raised_us is not None:
            why = says(self.told(), self.model, self.layout, m.beside.newest) if change is Change.RAISED else ""
            events.append(AlarmChanged(change, t, raised_us, score, m.component, carriers(self, means), why))
        if self.forecast_due(t):
            m.last_forecast_us = t
            made = next_forecast(self, t, score, means)
            if made is not None:
                m.forecasts += 1
                m.chance = made.life.by(self.model.decision.horizon_hours) if made.life is not None else 0.0
                events.append(made)
        if m.last_point_us < 0 or t - m.last_point_us >= EARLY * point_hours * HOUR_US:
            health = self.health()
            if health is not None:
                m.last_point_us = t
                self._note_hot()
                events.append(Point(t, health, score))
        return events

    def _note_hot(self) -> None:
        """Signals whose plain window mean has left its usual band while the compensated one has not."""
        m, base = self.memory, self.detector.baseline
        if base is None or len(m.recent) < m.recent.keep:
            return
        plain, hot = hot_signals(m.recent.rows[:, None, 2], m.means[None], base.usable[None], bands_of(base)[None])
        self.note_hot(hot[0], plain[0])

    def note_hot(self, hot: NDArray[np.bool_], plain: Array) -> None:
        """Signals (k,) that are hot, by how much, into the quiet log."""
        for j in np.flatnonzero(hot).tolist():
            name, value = self.layout.symptoms[j], float(plain[j])
            if abs(value) > abs(self.memory.quiet.hot.get(name, 0.0)):
                self.memory.quiet.hot[name] = value

    def _alone(self, t: int, means: Array) -> SensorChanged | None:
        """Note a signal that moved alone."""
        base, k = self.detector.baseline, len(self.layout.symptoms)
        if base is None or self.layout.settings.fleet:
            return None
        sigma = np.sqrt(np.diag(base.covariance))
        found = lone_signal(means, sigma, self.memory.path.z(k), base.noise, self.model, self.layout)
        if found is None:
            return None
        name = self.layout.symptoms[found[0]]
        self.memory.apart[name] = [int(found[1]), t]
        self._note_fault(name, found[1])
        return SensorChanged(t, name, found[1], t, True)

    def forecast_due(self, t: int) -> bool:
        """Whether an alarm stands, unshelved, and has had no forecast for a while."""
        m = self.memory
        if not m.alarm.raised or m.alarm.shelved(t):
            return False
        last = m.last_forecast_us
        return last < 0 or t - last >= EARLY * self.model.prognosis.every_hours * HOUR_US

    def _note_time(self, t: int, why: int) -> None:
        m = self.memory
        if m.first_us < 0:
            m.first_us = m.newest_us = t
            return
        lasted = (t - m.newest_us) / HOUR_US
        if lasted > 0:
            share = lasted / min(max((t - m.first_us) / HOUR_US, lasted), WEEK_HOURS)
            m.duty += min(1.0, share) * ((0.0 if why == Why.NOT_RUNNING else 1.0) - m.duty)
        m.newest_us = t

    def _note_row(self, scores: Scores, i: int) -> None:
        m = self.memory
        m.recent.append(np.stack([scores.value[i], scores.expected[i], scores.plain[i]]))
        m.path.add(float(scores.running_hours[i]), scores.residual[i], self.model.prognosis.every_hours)

    def health(self) -> float | None:
        """Health now, 0 to 100: the worst failure mode's, bounded by a standing forecast; None = not known yet."""
        m, base = self.memory, self.detector.baseline
        if base is None or not len(m.recent) or len(m.means) == 0:
            return None
        z = m.path.z(len(self.layout.symptoms))[-self.window_steps :]
        seen = seen_of(base, z, m.means, m.recent.rows[:, 1].mean(0))
        worst = float(worst_shares(self.model, self.layout, seen)[0])
        return spared(health_of(worst), m.chance)

    @property
    def window_steps(self) -> int:
        """Path steps that one window covers."""
        settings, every = self.layout.settings, self.model.prognosis.every_hours
        return max(1, round(settings.window_hours / every))
