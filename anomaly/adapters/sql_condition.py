"""Faulty sensors, quiet days and baselines in SQL."""

import msgspec
import sqlalchemy as sa

from anomaly.service import condition_tables as t
from anomaly.service.port import BaselineLearned, Confirmed, QuietEntry, SensorNote
from contracts.records import Prediction
from plumbing.sql import from_us


def keep_sensor(connection: sa.Connection, note: SensorNote) -> None:
    """A fault is known by its signal, its kind and when it began; a repetition changes nothing."""
    c = t.sensor_faults.c
    here = sa.and_(c.tenant == note.tenant, c.device == note.device, c.signal == note.signal, c.kind == note.kind)
    if not note.faulty:
        ended = t.sensor_faults.update().where(here, c.ended_at.is_(None))
        connection.execute(ended.values(ended_at=from_us(note.at_us)))
        return
    if connection.execute(sa.select(c.id).where(c.tenant == note.tenant, c.id == note.id)).first() is None:
        connection.execute(
            t.sensor_faults.insert().values(
                tenant=note.tenant, id=note.id, device=note.device, signal=note.signal, kind=note.kind,
                since=from_us(note.since_us), noted_at=from_us(note.at_us), ended_at=None, text=note.text,
                history=note.history,
            )
        )  # fmt: skip


def keep_quiet(connection: sa.Connection, entry: QuietEntry) -> None:
    """One entry a day."""
    c = t.quiet.c
    mine = sa.and_(c.tenant == entry.tenant, c.device == entry.device)
    connection.execute(t.quiet.delete().where(mine, c.day == entry.day))
    connection.execute(
        t.quiet.insert().values(
            tenant=entry.tenant, device=entry.device, day=entry.day, text=entry.text,
            figures=msgspec.json.encode(entry.figures).decode(),
        )
    )  # fmt: skip


def keep_baseline(connection: sa.Connection, tenant: str, device: str, made: BaselineLearned) -> None:
    """The first content of a baseline stays: refits from more healthy rows are the same baseline."""
    c = t.baselines.c
    where = (c.tenant == tenant, c.device == device, c.number == made.number)
    if connection.execute(sa.select(c.number).where(*where)).first() is None:
        connection.execute(
            t.baselines.insert().values(
                tenant=tenant, device=device, number=made.number, why=made.why, learned_at=from_us(made.learned_us),
                confirmed_at=None, confirmed_by=None, how=None, content=msgspec.msgpack.encode(made.content),
            )
        )  # fmt: skip


def newest_baselines(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """Number of the newest baseline by tenant and device."""
    c = t.baselines.c
    query = sa.select(c.tenant, c.device, sa.func.max(c.number)).group_by(c.tenant, c.device)
    return {(tenant, device): int(number) for tenant, device, number in connection.execute(query)}


def confirm(connection: sa.Connection, done: Confirmed) -> bool:
    """Confirm a baseline, unless it is confirmed; False = there is none to confirm."""
    c = t.baselines.c
    mine = sa.and_(c.tenant == done.tenant, c.device == done.device)
    number = done.number
    if number is None:
        number = connection.execute(sa.select(sa.func.max(c.number)).where(mine)).scalar()
    if number is None:
        return False
    wanted = t.baselines.update().where(mine, c.number == number, c.confirmed_at.is_(None))
    values = {"confirmed_at": done.at, "confirmed_by": done.by, "how": done.how}
    return connection.execute(wanted.values(**values)).rowcount > 0


def with_confirmation(connection: sa.Connection, made: Prediction) -> Prediction:
    """A prediction that says whether the baseline that it rests on counts as healthy."""
    if made.baseline < 0:
        return made
    c = t.baselines.c
    where = (c.tenant == made.tenant, c.device == made.device, c.number == made.baseline, c.confirmed_at.is_not(None))
    found = connection.execute(sa.select(c.number).where(*where)).first()
    return msgspec.structs.replace(made, baseline_confirmed=found is not None)
