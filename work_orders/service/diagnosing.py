"""Guided diagnosis: when a forecast rises, the read checks run before anybody is asked for a visit.

A diagnosis holds a decision to act back for `wait_s` wall seconds at most; what has not answered by then gave no
answer, and the decision goes on without it. An answer that comes later still counts for the next decision.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import numpy as np
import sqlalchemy as sa

from contracts import worth
from contracts.asset_model import AssetModel, FailureMode
from contracts.diagnosis import Check, Diagnosis, value_at
from contracts.points import StoreUnreachable, TelemetryStore
from contracts.records import DEVICE_COMMANDS, CommandEnded, CommandWanted, Prediction, encode
from plumbing.runtime import Shared
from plumbing.sql import to_us
from work_orders.domain.belief import Answer, Belief, conclude, difference, finite, prior
from work_orders.domain.machine import SYSTEM
from work_orders.service import tables as t
from work_orders.service.unit import Row, Unit, derived_id, unit

LIFETIME_S = 60.0
"""How long a check's command may wait for its device."""
BUCKETS = 500
ASKED, ANSWERED, SILENT = "asked", "answered", "no_answer"
US = 1_000_000


@dataclass(frozen=True, slots=True)
class Closer:
    """What the checks of a case say so far: still running, the factor on P(failure), the sentence."""

    running: bool = False
    factor: float = 1.0
    sentence: str = ""
    mode: str = ""
    """The failure mode that they point to; empty = no other than the suspected one."""


def look_closer(
    work: Unit, prediction: Prediction, case: Row, asset: Row, model: AssetModel, mode: FailureMode, p: float | None
) -> Closer:
    """What the checks say; begins them when P(failure) has reached the model's level and none ran lately."""
    newest = _newest(work, case.id)
    rules = model.diagnosis
    stale = newest is None or (
        newest.ended_at is not None
        and (newest.failure_mode != mode.name or work.now - newest.started_at >= timedelta(hours=rules.again_hours))
    )
    if stale and case.decided_at is None and rules.modes.get(mode.name) and _worthwhile(p, rules, mode):
        newest = _begin(work, prediction, case, asset, model, mode)
    if newest is None:
        return Closer()
    if newest.ended_at is None:
        return Closer(running=True)
    of_same = model.mode(newest.found_mode)
    mine = newest.found_mode if of_same is not None and of_same.component == case.component else ""
    return Closer(False, newest.factor, newest.sentence, mine)


def _worthwhile(p: float | None, rules: Diagnosis, mode: FailureMode) -> bool:
    if p is None or p < rules.start:
        return False
    return worth.knowing(p, mode.failure.total, mode.planned.total, mode.false_visit.total) >= rules.cost


def _newest(work: Unit, case_id: str) -> Row | None:
    d = t.diagnoses.c
    return work.connection.execute(
        sa.select(t.diagnoses)
        .where(d.tenant == work.tenant, d.case_id == case_id)
        .order_by(d.started_at.desc(), d.started_wall.desc())
        .limit(1)
    ).first()


def factor_of(work: Unit, case_id: str) -> float:
    """Factor on P(failure) from the newest checks of a case that have ended; 1 = none have."""
    d = t.diagnoses.c
    ended = work.all(t.diagnoses, d.case_id == case_id, d.ended_at.is_not(None))
    return float(max(ended, key=lambda row: (row.started_at, row.started_wall)).factor) if ended else 1.0


def _begin(work: Unit, prediction: Prediction, case: Row, asset: Row, model: AssetModel, mode: FailureMode) -> Row:
    id = derived_id("D", work.tenant, case.id, prediction.id)
    before = prior(model, mode.name, prediction.mode_probability)
    work.insert(
        t.diagnoses, id=id, case_id=case.id, prediction_id=prediction.id, device=prediction.device,
        failure_mode=mode.name, prior=_json(before), posterior=_json(before), verdict="", found_mode=mode.name,
        factor=1.0, sentence="", measured_at=prediction.measured_at, started_at=work.now, started_wall=work.wall,
        wait_s=model.diagnosis.wait_s,
    )  # fmt: skip
    names = model.diagnosis.modes[mode.name]
    for n, name in enumerate(names):
        check = model.diagnosis.checks[name]
        command = derived_id("K", work.tenant, id, name) if check.command else ""
        work.insert(t.evidence, diagnosis_id=id, check=name, n=n, command_id=command, state=ASKED, text="")
        if command:
            wanted = CommandWanted(
                1, command, work.tenant, prediction.device, check.command, dict(check.args), LIFETIME_S, case.id,
                f"{mode.title} is suspected: {check.title}",
            )  # fmt: skip
            work.emit(DEVICE_COMMANDS, prediction.device, encode(wanted))
    text = f"{asset.name}: {mode.title.lower()} is suspected, {len(names)} remote checks run."
    work.record("diagnosis_started", asset.id, id, text, case=case.id, checks=list(names))
    return work.one(t.diagnoses, id, "diagnosis")


def hear_command(work: Unit, ended: CommandEnded) -> bool:
    """A command has ended: whether it was a check's, and is the answer."""
    e = t.evidence.c
    rows = work.all(t.evidence, e.command_id == ended.id)
    if not rows or rows[0].state == ANSWERED:
        return False
    row = rows[0]
    check = _check(work, row)
    value = value_at(ended.data, check.value) if check is not None and ended.state == "done" else None
    state = SILENT if value is None else ANSWERED
    said = ended.text or ended.reason
    text = said if ended.state != "done" else "" if value is not None else "the answer holds no such value"
    _answer(work, row, state, value, text)
    if work.one(t.diagnoses, row.diagnosis_id, "diagnosis").ended_at is not None:
        weigh(work, row.diagnosis_id)  # late, but not for the next decision
    return True


def _check(work: Unit, row: Row) -> Check | None:
    diagnosis = work.one(t.diagnoses, row.diagnosis_id, "diagnosis")
    case = work.one(t.cases, diagnosis.case_id, "case")
    model = work.models(work.one(t.assets, case.asset_id, "asset").model)
    return model.diagnosis.checks.get(row.check) if model is not None else None


def _answer(work: Unit, row: Row, state: str, value: float | None, text: str) -> None:
    keys = {"diagnosis_id": row.diagnosis_id, "check": row.check}
    work.update(t.evidence, keys, state=state, value=value, text=text[:500], at=work.now)


@dataclass(frozen=True, slots=True)
class Running:
    """A diagnosis that has not ended."""

    tenant: str
    id: str
    due: bool
    """Nothing is waited for any more."""
    looks: tuple[str, ...]
    """Checks that look at stored telemetry and have not yet."""


def running(connection: sa.Connection, wall: datetime) -> list[Running]:
    """What runs. A wall clock that was set back ends the waiting: a notice is never held up by it."""
    d, e = t.diagnoses, t.evidence
    found = []
    for row in connection.execute(sa.select(d).where(d.c.ended_at.is_(None))).all():
        rows = connection.execute(
            sa.select(e.c.check, e.c.command_id, e.c.state).where(e.c.tenant == row.tenant, e.c.diagnosis_id == row.id)
        ).all()
        open_ = [r for r in rows if r.state == ASKED]
        waited = (wall - row.started_wall).total_seconds()
        due = not open_ or not 0 <= waited < row.wait_s
        found.append(Running(row.tenant, row.id, due, tuple(r.check for r in open_ if not r.command_id)))
    return found


def look(shared: Shared, of: Running) -> None:
    """Look at the stored telemetry for the checks that want it; outside of any transaction of the database."""
    with shared.database.read() as connection:
        d, c, a = t.diagnoses, t.cases, t.assets
        row = connection.execute(
            sa.select(d.c.device, d.c.measured_at, a.c.model)
            .join(c, sa.and_(c.c.tenant == d.c.tenant, c.c.id == d.c.case_id))
            .join(a, sa.and_(a.c.tenant == c.c.tenant, a.c.id == c.c.asset_id))
            .where(d.c.tenant == of.tenant, d.c.id == of.id)
        ).one()
    model = shared.models(row.model)
    found: dict[str, float | None] = {}
    for name in of.looks:
        check = model.diagnosis.checks.get(name) if model is not None else None
        if model is None or check is None:
            found[name] = None
            continue
        try:
            found[name] = _look(shared.store, of.tenant, row.device, row.measured_at, model, check)
        except StoreUnreachable:
            continue  # asked again in the next round, until its time is over
    with unit(shared, of.tenant, SYSTEM) as work:
        e = t.evidence.c
        for stored in work.all(t.evidence, e.diagnosis_id == of.id, e.state == ASKED, e.check.in_(found)):
            value = finite(found[stored.check])
            _answer(work, stored, SILENT if value is None else ANSWERED, value,
                    "" if value is not None else "not enough readings are stored")  # fmt: skip


def _look(
    store: TelemetryStore, tenant: str, device: str, at: datetime, model: AssetModel, check: Check
) -> float | None:
    of = check.look
    if of is None:
        return None
    span_h = max(of.hours, of.skip_hours + of.against_hours)
    end = to_us(at) + 1
    step = max(round(min(of.hours / 4, 1.0) * 3600 * US), round(span_h * 3600 * US) // BUCKETS)
    buckets = max(1, -(-round(span_h * 3600 * US) // step))
    begin = end - buckets * step

    def band(signal: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        out = np.full(buckets, np.nan)
        got = store.band(tenant, device, signal, begin, end, buckets)
        out[np.clip((got.t_us - begin) // step, 0, buckets - 1)] = got.mean
        return out

    ran = np.ones(buckets, dtype=bool)
    when = model.running_when
    if when is not None:
        speed = band(when.signal)
        ran = np.array([bool(np.isfinite(x)) and when.holds(float(x)) for x in speed])
    ages = (np.arange(buckets, 0, -1) - 0.5) * step / US / 3600
    return difference(
        band(of.signal), band(of.minus) if of.minus else None, ran, ages, of.hours, of.against_hours, of.skip_hours
    )


def end(work: Unit, id: str, decide_again: Callable[[Unit, Prediction], None]) -> bool:
    """Conclude a diagnosis, then take the decisions that waited for it; False when it has ended before."""
    row = work.one(t.diagnoses, id, "diagnosis")
    if row.ended_at is not None:
        return False
    e = t.evidence.c
    for silent in work.all(t.evidence, e.diagnosis_id == id, e.state == ASKED):
        _answer(work, silent, SILENT, None, "no answer in time")
    weigh(work, id, first=True)
    i, d = t.intake, t.decisions
    waiting = work.connection.execute(
        sa.select(i.c.body)
        .outerjoin(d, sa.and_(d.c.tenant == i.c.tenant, d.c.prediction_id == i.c.prediction_id))
        .where(i.c.tenant == work.tenant, i.c.case_id == row.case_id, d.c.prediction_id.is_(None))
        .order_by(i.c.issued_at)
    ).scalars()
    for body in list(waiting):
        decide_again(work, msgspec.msgpack.decode(body, type=Prediction))
    return True


def weigh(work: Unit, id: str, *, first: bool = False) -> Belief | None:
    """Weigh all answers that a diagnosis has, also late ones; None where the model knows its mode no more."""
    row = work.one(t.diagnoses, id, "diagnosis")
    case = work.one(t.cases, row.case_id, "case")
    asset = work.one(t.assets, case.asset_id, "asset")
    model = work.models(asset.model)
    mode = model.mode(row.failure_mode) if model is not None else None
    values = {"ended_at": work.now, "ended_wall": work.wall} if first else {}
    if model is None or mode is None:
        work.update(t.diagnoses, {"id": id}, verdict="no_answer", **values)
        return None
    answers = []
    for found in sorted(work.all(t.evidence, t.evidence.c.diagnosis_id == id), key=lambda r: r.n):
        check = model.diagnosis.checks.get(found.check)
        if check is not None:
            outcome = check.outcome(found.value) if found.value is not None else None
            answers.append(Answer(check.title, check.unit, found.value, outcome))
    belief = conclude(model, mode, msgspec.json.decode(row.prior, type=dict[str, float]), answers)
    work.update(
        t.diagnoses, {"id": id}, posterior=_json(belief.after), verdict=belief.verdict, found_mode=belief.mode,
        factor=belief.factor, sentence=belief.sentence, **values,
    )  # fmt: skip
    text = f"{asset.name}: {belief.sentence}."
    work.record("diagnosis_concluded" if first else "diagnosis_amended", asset.id, id, text, case=case.id,
                verdict=str(belief.verdict))  # fmt: skip
    return belief


def _json(of: dict[str, float]) -> str:
    return msgspec.json.encode(of).decode()
