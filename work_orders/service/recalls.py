"""Recalls of machines: written down at once, their cases opened in portions, so that nobody waits for thousands.

A portion and the place that it came to are one transaction: after a crash it goes on there. Each machine is recalled
once, by the unique number of its request.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.domain.requests import RequestKind
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service.door import Request, open_case
from work_orders.service.errors import BadInput
from work_orders.service.gathering import incident_of, join, open_incident
from work_orders.service.one_by_one import each
from work_orders.service.unit import Row, Unit, unit

AT_ONCE = 25
"""Machines of a portion."""
MOST_SERIALS = 1000
_MAY = (Role.DISPATCHER, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Recalled:
    """How far a recall has come: `seen` of `machines` so far, `new_cases` opened; `incident` None = none was new."""

    incident: str | None
    new_cases: int
    machines: int
    seen: int
    finished: bool


def recall(
    shared: Shared, tenant: str, name: str, text: str, actor: Actor, *, model: str = "", serials: Sequence[str] = (),
    component: str = "", failure_mode: str = "",
) -> Recalled:  # fmt: skip
    """Recall the machines of a model, or those of it whose serial number begins with one of `serials`: one incident,
    a case each. The first few are opened at once, the others by `go_on`. The same name again adds what has come since.

    Raises NotPermitted, BadInput, UnknownModel.
    """
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "recall machines", _MAY)
    name, text = name.strip().replace("\0", ""), text.replace("\0", "")
    if not name or len(name) > 100:
        raise BadInput("name", "must have 1 to 100 characters")
    batch = sorted({s.strip() for s in serials if s.strip()})
    if len(batch) > MOST_SERIALS:
        raise BadInput("serials", f"at most {MOST_SERIALS}")
    with unit(shared, tenant, actor) as work:
        said = work.model(model)
        if component and component not in said.components:
            raise BadInput("component", f"{component!r} is no component of {model}")
        if failure_mode and said.mode(failure_mode) is None:
            raise BadInput("failure_mode", f"{failure_mode!r} is no failure mode of {model}")
        about = {
            "text": text, "model": model, "serials": msgspec.json.encode(batch).decode(), "component": component,
            "failure_mode": failure_mode,
        }  # fmt: skip
        machines = work.connection.execute(
            sa.select(sa.func.count()).select_from(t.assets).where(*_meant(work, model, batch))
        ).scalar_one()
        if not machines:
            raise BadInput("serials", f"no {model} of these is on record")
        before = next(iter(work.all(d.recalls, d.recalls.c.name == name)), None)
        anew = {
            "asked_at": work.now, "actor": actor.name, "role": actor.role, "machines": machines, "seen": 0,
            "new_cases": 0, "through": "", "finished_at": None,
        }  # fmt: skip
        if before is None:
            work.insert(d.recalls, name=name, version=1, incident_id=None, **about, **anew)
        elif before.finished_at is not None:
            work.update(d.recalls, {"name": name}, **about, **anew)
        elif any(getattr(before, k) != v for k, v in about.items()):
            raise BadInput("name", "the recall of this name is still going on, and is about other machines")
        if before is None or before.finished_at is not None:
            what = f"{actor.name} recalled {machines} machines of the kind {model}: {name}."
            work.record("recalled", "", name, what, model=model, serials=batch, component=component)
        return _portion(work, name)


def go_on(shared: Shared, tenant: str) -> int:
    """Open the next few cases of each recall that goes on; how many go on."""
    c = d.recalls.c
    with shared.database.read() as connection:
        names = list(connection.execute(sa.select(c.name).where(c.tenant == tenant, c.finished_at.is_(None))).scalars())

    def one(name: str) -> int:
        with unit(shared, tenant, _asked_by(shared, tenant, name)) as work:
            _portion(work, name)
        return 1

    return each(one, names)


def _asked_by(shared: Shared, tenant: str, name: str) -> Actor:
    c = d.recalls.c
    with shared.database.read() as connection:
        row = connection.execute(sa.select(c.actor, c.role).where(c.tenant == tenant, c.name == name)).one()
    return Actor(row.actor, Role(row.role))


def _meant(work: Unit, model: str, batch: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    """The machines of a model whose serial number begins so; in words that mean the same to every database."""
    a = t.assets.c
    where = [a.tenant == work.tenant, a.model == model]
    if batch:
        lengths = sorted({len(s) for s in batch})
        where.append(sa.or_(*(sa.func.substr(a.serial, 1, n).in_([s for s in batch if len(s) == n]) for n in lengths)))
    return where


def _portion(work: Unit, name: str) -> Recalled:
    """Open the cases of the next few machines."""
    row = work.all(d.recalls, d.recalls.c.name == name)[0]
    if row.finished_at is not None:
        return _stands(row)
    a = t.assets.c
    chosen = sa.select(a.id).where(
        *_meant(work, row.model, msgspec.json.decode(row.serials, type=list[str])), a.id > row.through
    )
    ids = list(work.connection.execute(chosen.order_by(a.id).limit(AT_ONCE + 1)).scalars())
    incident, new = row.incident_id or _newest(work, name), 0
    for id in ids[:AT_ONCE]:
        opened = open_case(
            work,
            Request(
                RequestKind.RECALL, id, row.component, row.failure_mode, row.text, channel="office", source="recall",
                external=f"{name}/{id}",
            ),
        )  # fmt: skip
        if opened.case is None or opened.repeated:
            continue
        new += opened.new
        if incident_of(work, opened.case) is None:  # else it stays where it is: no incident is opened for nobody
            made = open_incident(work, f"recall:{name}", "recall", f"Recall {name}: {row.text}")
            join(work, work.one(d.incidents, made.id, "incident"), opened.case, work.now, anew=True)
            incident = made.id
    over = len(ids) <= AT_ONCE
    work.update(
        d.recalls, {"name": name}, incident_id=incident, seen=row.seen + len(ids[:AT_ONCE]),
        new_cases=row.new_cases + new, through=ids[:AT_ONCE][-1] if ids else row.through,
        finished_at=work.now if over else None,
    )  # fmt: skip
    return _stands(work.all(d.recalls, d.recalls.c.name == name)[0])


def _newest(work: Unit, name: str) -> str | None:
    """The incident of an earlier recall of this name: what is over is not opened again, empty."""
    c = d.incidents.c
    before = work.all(d.incidents, c.cause == f"recall:{name}")
    newest = max(before, key=lambda r: (r.closed_at is None, r.opened_at), default=None)
    return None if newest is None else str(newest.id)


def _stands(row: Row) -> Recalled:
    return Recalled(row.incident_id, row.new_cases, row.machines, row.seen, row.finished_at is not None)
