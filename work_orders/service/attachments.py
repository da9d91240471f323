"""Photos, documents and signatures: bytes kept once by their SHA-256, bound to the case through everything it becomes.

A file belongs to the case in which somebody gave it, with the request, order and step if there was one. Orders and
reports show the files of their case and of all that was merged into it, so no conversion can lose one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.files import kind_of, safe_name, why_not
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.orders import seen_order
from work_orders.service.unit import Unit, derived_id, unit

PURPOSES = ("photo", "document", "signature")
MOST = 50
"""Files of one work order, and of one case without its orders."""
_MAY = (Role.TECHNICIAN, Role.DISPATCHER, Role.ENGINEER, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file without its bytes."""

    id: str
    media_type: str
    size: int
    name: str
    purpose: str
    case_id: str | None
    order_id: str | None
    step: int | None
    who: str
    at: datetime
    sha256: str


def put(
    work: Unit, data: bytes, name: str, purpose: str, who: str, *, case_id: str | None = None,
    request_id: str | None = None, order_id: str | None = None, step: int | None = None,
) -> str:  # fmt: skip
    """Keep a file; the same one again at the same place is the one that is there. Raises BadInput."""
    if purpose not in PURPOSES:
        raise BadInput("purpose", f"{purpose!r} must be one of {', '.join(PURPOSES)}")
    wrong, media_type = why_not(data, purpose), kind_of(data)
    if wrong or media_type is None:
        raise BadInput("file", wrong)
    c = w.attachments.c
    digest = hashlib.sha256(data).hexdigest()
    id = derived_id("A", work.tenant, case_id or request_id, order_id, step, purpose, digest)
    place = c.case_id == case_id if case_id else c.request_id == request_id
    if order_id:  # what strangers send from a label never takes a technician's place
        place = c.order_id == order_id
    elif case_id:
        place = sa.and_(place, c.order_id.is_(None))
    here = {r.id for r in work.all(w.attachments, place)}
    if id not in here and len(here) >= MOST:
        raise BadInput("file", f"there are {MOST} already")
    work.insert_new(w.attachment_bytes, sha256=digest, body=data)
    if work.insert_new(
        w.attachments, id=id, sha256=digest, media_type=media_type, size=len(data), name=safe_name(name, media_type),
        purpose=purpose, case_id=case_id, request_id=request_id, order_id=order_id, step=step, who=who[:200],
        at=work.now,
    ):  # fmt: skip
        asset = work.one(t.cases, case_id, "case").asset_id if case_id else ""
        of = order_id or case_id or request_id or ""
        work.record("file_attached", asset, of, f"{who} attached a {purpose}.", file=id, sha256=digest)
    return id


def attach_to_order(
    shared: Shared, tenant: str, order_id: str, data: bytes, name: str, purpose: str, actor: Actor, *,
    step: int | None = None,
) -> str:  # fmt: skip
    """Keep a file with a work order, or with one step of its checklist. Raises NotPermitted, NotFound, BadInput."""
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "attach a file to a work order", _MAY)
    with unit(shared, tenant, actor) as work:
        order = seen_order(work, order_id)
        if step is not None and not work.all(t.tasks, t.tasks.c.order_id == order_id, t.tasks.c.n == step):
            raise NotFound("step", f"{order_id}/{step}")
        return put(work, data, name, purpose, actor.name, case_id=order.case_id, order_id=order_id, step=step)


def files_of_case(connection: sa.Connection, tenant: str, case_id: str) -> list[Attachment]:
    """The files of a case and of all that was merged into it, in the order in which they came."""
    c = w.attachments.c
    rows = connection.execute(
        sa.select(
            c.id, c.media_type, c.size, c.name, c.purpose, c.case_id, c.order_id, c.step, c.who, c.at, c.sha256
        )
        .where(c.tenant == tenant, c.case_id.in_(family(connection, tenant, case_id)))
        .order_by(c.at, c.id)
    )  # fmt: skip
    return [Attachment(*r) for r in rows]


def family(connection: sa.Connection, tenant: str, case_id: str) -> list[str]:
    """A case with all that was merged into it, however deep."""
    k = t.cases.c
    found, next_ = [case_id], [case_id]
    while next_:
        rows = connection.execute(sa.select(k.id).where(k.tenant == tenant, k.merged_into.in_(next_)))
        next_ = [str(r.id) for r in rows if r.id not in found]
        found += next_
    return found


def bytes_of(connection: sa.Connection, tenant: str, id: str) -> tuple[Attachment, bytes] | None:
    """A file with its bytes."""
    c, b = w.attachments.c, w.attachment_bytes.c
    row = connection.execute(
        sa.select(
            c.id, c.media_type, c.size, c.name, c.purpose, c.case_id, c.order_id, c.step, c.who, c.at, c.sha256, b.body
        )
        .join(w.attachment_bytes, sa.and_(b.tenant == c.tenant, b.sha256 == c.sha256))
        .where(c.tenant == tenant, c.id == id)
    ).first()  # fmt: skip
    return None if row is None else (Attachment(*row[:11]), bytes(row.body))


def steps_with(work: Unit, order_id: str, purpose: str) -> Sequence[int]:
    """Steps of an order that have a file of a purpose."""
    c = w.attachments.c
    rows = work.all(w.attachments, c.order_id == order_id, c.purpose == purpose, c.step.is_not(None))
    return sorted({int(r.step) for r in rows})
