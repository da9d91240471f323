"""Webhooks: what admins do with them, and how events come from the audit chain to be delivered.

A webhook reads the tenant's chain as a consumer of its own: `position` moves on in the transaction that puts the events
into its queue. Only the oldest waiting event of a machine is sent; so events arrive in order, at least once.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from plumbing import audit
from plumbing.runtime import Shared
from work_orders.domain import webhooks as rules
from work_orders.domain.machine import SYSTEM, Actor, NotPermitted, Role
from work_orders.service.errors import BadInput
from work_orders.service.unit import Row, Unit, derived_id, unit
from work_orders.service.webhook_tables import deliveries, webhooks

ACTIVE, PAUSED, DISABLED = "active", "paused", "disabled"
PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
AT_ONCE, MOST = 500, 20
LEASE = timedelta(seconds=90)
_W, _D = webhooks.c, deliveries.c


@dataclass(frozen=True, slots=True)
class Made:
    """A webhook with its secret, which is shown once."""

    id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to be sent now."""

    seq: int
    body: bytes
    attempts: int


def _admin(actor: Actor, action: str) -> None:
    if actor.role is not Role.ADMIN:
        raise NotPermitted(actor.role, action, (Role.ADMIN,))


def add_webhook(
    shared: Shared, tenant: str, url: str, types: Sequence[str], actor: Actor, *, key: str = "",
    reach: rules.Reach | None = None,
) -> Made:  # fmt: skip
    """A new webhook: it hears what happens from now on. The same `key` (Idempotency-Key) again makes no second one, and
    shows no secret. `reach` refuses at once what would be refused at each delivery, as far as the address shows it.
    Raises BadInput, NotPermitted."""
    _admin(actor, "add a webhook")
    if wrong := rules.why_not_url(url) or (reach.why_not_url(url) if reach is not None else ""):
        raise BadInput("url", wrong)
    if wrong := rules.why_not_types(types):
        raise BadInput("types", wrong)
    secret = rules.secret_of(secrets.token_bytes(rules.SECRET_BYTES))
    with unit(shared, tenant, actor) as work:
        id = derived_id("WH", tenant, key or secrets.token_hex(16))
        if len(work.all(webhooks)) >= MOST:
            raise BadInput("url", f"there are {MOST} webhooks already")
        head = work.connection.execute(sa.select(audit.heads.c.seq).where(audit.heads.c.tenant == tenant)).scalar()
        if not work.insert_new(
            webhooks, id=id, url=url, types=msgspec.json.encode(list(types)).decode(), state=ACTIVE, secret=secret,
            old_secret="", old_until=None, position=head or 0, failures=0, failing_since=None, retry_at=None,
            last_error="", delivered_at=None, leased_until=None, made_at=work.wall, version=1,
        ):  # fmt: skip
            return Made(id, "")
        work.record("webhook_added", "", id, f"Events go to {url}: {', '.join(types)}.", url=url, types=list(types))
    return Made(id, secret)


def move_webhook(
    shared: Shared, tenant: str, id: str, action: str, actor: Actor, *, version: int | None = None, after: int = 0
) -> Made:
    """`pause`, `resume`, `rotate` (a new secret, shown once), `retry_dead` (send dead events again), `replay` (send all
    events behind entry `after` again), `remove`. Raises NotFound, Stale, BadInput, NotPermitted."""
    _admin(actor, f"{action} a webhook")
    with unit(shared, tenant, actor) as work:
        mine = sa.select(_W.id).where(_W.tenant == tenant, _W.id == id)
        work.connection.execute(mine.with_for_update())  # what is being collected for it comes before or after this
        row = work.one(webhooks, id, "webhook")
        work.check_version(row, version)
        secret, text, more = "", "", {"url": str(row.url)}
        fresh = {"failures": 0, "failing_since": None, "retry_at": None, "last_error": ""}
        match action:
            case "pause":
                work.update(webhooks, {"id": id}, state=PAUSED)
                text = f"Events to {row.url} wait."
            case "resume":
                work.update(webhooks, {"id": id}, state=ACTIVE, **fresh)
                work.connection.execute(
                    deliveries.update()
                    .where(_D.tenant == tenant, _D.webhook_id == id, _D.state == PENDING)
                    .values(next_at=work.wall)
                )
                text = f"Events go to {row.url} again."
            case "rotate":
                secret = rules.secret_of(secrets.token_bytes(rules.SECRET_BYTES))
                until = work.wall + rules.OLD_SECRET_FOR
                work.update(webhooks, {"id": id}, secret=secret, old_secret=row.secret, old_until=until)
                text = f"The secret of {row.url} was changed."
            case "retry_dead":
                _again(work, id)
                work.update(webhooks, {"id": id}, **fresh)
                text = f"Dead events to {row.url} are sent again."
            case "replay":
                text, more = _replay(work, row, after), {**more, "after": str(after)}
            case "remove":
                work.connection.execute(deliveries.delete().where(_D.tenant == tenant, _D.webhook_id == id))
                work.connection.execute(webhooks.delete().where(_W.tenant == tenant, _W.id == id))
                text = f"No events go to {row.url} any more."
            case _:
                raise BadInput("action", "pause, resume, rotate, retry_dead, replay or remove")
        work.record(f"webhook_{action}", "", id, text, actor=None, **more)
    return Made(id, secret)


def _again(work: Unit, id: str) -> None:
    work.connection.execute(
        deliveries.update()
        .where(_D.tenant == work.tenant, _D.webhook_id == id, _D.state == DEAD)
        .values(state=PENDING, attempts=0, next_at=work.wall, done_at=None)
    )


def _replay(work: Unit, row: Row, after: int) -> str:
    if not 0 <= after <= row.position:
        raise BadInput("after", f"0 to {row.position}: the entries that it has had")
    work.connection.execute(
        deliveries.delete().where(_D.tenant == work.tenant, _D.webhook_id == row.id, _D.seq > after)
    )
    work.update(webhooks, {"id": row.id}, position=after)
    return f"Events behind entry {after} go to {row.url} again."


def due_webhooks(connection: sa.Connection, wall: datetime) -> list[tuple[str, str, str]]:
    """(tenant, id, url) of webhooks with something to do now: entries that they have not had, or events to be sent."""
    h = audit.heads.c
    waiting = (
        sa.select(_D.seq)
        .where(_D.tenant == _W.tenant, _D.webhook_id == _W.id, _D.state == PENDING, _D.next_at <= wall)
        .exists()
    )
    rows = connection.execute(
        sa.select(_W.tenant, _W.id, _W.url)
        .outerjoin(audit.heads, h.tenant == _W.tenant)
        .where(
            _W.state == ACTIVE,
            sa.or_(_W.retry_at.is_(None), _W.retry_at <= wall),
            sa.or_(_W.leased_until.is_(None), _W.leased_until <= wall),
            sa.or_(h.seq > _W.position, waiting),
        )
    )
    return [(str(t), str(i), str(url)) for t, i, url in rows]


def lease(shared: Shared, tenant: str, id: str) -> bool:
    """Take a webhook for this sender alone, for a while; whether it was free."""
    wall = shared.system.now()
    with shared.database.write() as connection:
        free = sa.or_(_W.leased_until.is_(None), _W.leased_until <= wall)
        taken = connection.execute(
            webhooks.update().where(_W.tenant == tenant, _W.id == id, free).values(leased_until=wall + LEASE)
        )
        return taken.rowcount == 1


def release(shared: Shared, tenant: str, id: str) -> None:
    """Give it back."""
    with shared.database.write() as connection:
        connection.execute(webhooks.update().where(_W.tenant == tenant, _W.id == id).values(leased_until=None))


def active(connection: sa.Connection, tenant: str, id: str) -> Row | None:
    """A webhook that events go to."""
    return connection.execute(sa.select(webhooks).where(_W.tenant == tenant, _W.id == id, _W.state == ACTIVE)).first()


def collect(shared: Shared, tenant: str, id: str) -> int:
    """Put the next entries of the chain into the webhook's queue; how many entries were looked through."""
    wall = shared.system.now()
    with shared.database.write() as connection:
        row = connection.execute(
            sa.select(webhooks).where(_W.tenant == tenant, _W.id == id, _W.state == ACTIVE).with_for_update()
        ).first()
        entries = audit.read(connection, tenant, row.position, AT_ONCE) if row is not None else ()
        if row is None or not entries:
            return 0
        patterns = msgspec.json.decode(row.types, type=list[str])
        found: list[dict[str, Any]] = []
        for e in entries:
            type = rules.type_of(e.action)
            if type is None or not rules.wanted(type, patterns):
                continue
            found.append(
                {
                    "tenant": tenant, "webhook_id": id, "seq": e.seq, "aggregate": rules.aggregate_of(e.diff),
                    "type": type[:80], "body": rules.cloud_event(tenant, e.seq, e.at, e.actor, type, e.diff),
                    "state": PENDING, "attempts": 0, "next_at": wall, "last_error": "", "done_at": None,
                }
            )  # fmt: skip
        if found:
            connection.execute(deliveries.insert(), found)
        moved = webhooks.update().where(_W.tenant == tenant, _W.id == id)
        connection.execute(moved.values(position=entries[-1].seq))
        connection.execute(
            deliveries.delete().where(
                _D.tenant == tenant, _D.webhook_id == id, _D.state == DELIVERED, _D.done_at < wall - rules.KEPT_FOR
            )
        )
        return len(entries)


def to_send(connection: sa.Connection, tenant: str, id: str, wall: datetime, limit: int = 50) -> list[Outgoing]:
    """The oldest waiting event of each machine, where its time has come."""
    before = deliveries.alias()
    older = (
        sa.select(before.c.seq)
        .where(
            before.c.tenant == tenant, before.c.webhook_id == id, before.c.state == PENDING,
            before.c.aggregate == _D.aggregate, before.c.seq < _D.seq,
        )
        .exists()
    )  # fmt: skip
    rows = connection.execute(
        sa.select(_D.seq, _D.body, _D.attempts)
        .where(_D.tenant == tenant, _D.webhook_id == id, _D.state == PENDING, _D.next_at <= wall, ~older)
        .order_by(_D.seq)
        .limit(limit)
    )
    return [Outgoing(int(seq), bytes(body), attempts) for seq, body, attempts in rows]


def delivered(shared: Shared, tenant: str, id: str, seq: int) -> None:
    """Somebody took it."""
    wall = shared.system.now()
    with shared.database.write() as connection:
        connection.execute(
            deliveries.update()
            .where(_D.tenant == tenant, _D.webhook_id == id, _D.seq == seq)
            .values(state=DELIVERED, attempts=_D.attempts + 1, done_at=wall, last_error="")
        )
        connection.execute(
            webhooks.update()
            .where(_W.tenant == tenant, _W.id == id)
            .values(failures=0, failing_since=None, retry_at=None, last_error="", delivered_at=wall)
        )


def failed(shared: Shared, tenant: str, id: str, seq: int, error: str, *, down: bool, gone: bool = False) -> None:
    """It was not taken. `down`: nobody would be now, so all wait; else this event's machine alone waits. `gone`: nobody
    wants events there any more."""
    with unit(shared, tenant, SYSTEM) as work:
        wall, error = work.wall, error[:300]
        rows = work.all(webhooks, _W.id == id)
        tried = work.all(deliveries, _D.webhook_id == id, _D.seq == seq)
        if not rows or not tried:
            return
        row, attempts = rows[0], tried[0].attempts + 1
        failures = row.failures + 1 if down else row.failures
        retry_at = wall + rules.delay(failures) if down else row.retry_at
        next_at = retry_at if down else wall + rules.delay(attempts)
        dead = rules.given_up(attempts)
        work.update(
            deliveries, {"webhook_id": id, "seq": seq}, attempts=attempts, next_at=next_at, last_error=error,
            state=DEAD if dead else PENDING, done_at=wall if dead else None,
        )  # fmt: skip
        since = row.failing_since or wall
        end = row.state == ACTIVE and (gone or wall - since >= rules.DISABLED_AFTER)
        work.connection.execute(
            webhooks.update()
            .where(_W.tenant == tenant, _W.id == id)
            .values(
                failures=failures, failing_since=since, retry_at=retry_at, last_error=error,
                state=DISABLED if end else row.state, version=row.version + (1 if end else 0),
            )
        )  # fmt: skip
        if dead:
            work.record("webhook_dead", "", id, f"Event {seq} was not taken by {row.url}: {error}", seq=seq)
        if end:
            why = "it says that nobody wants them" if gone else "nothing was taken there for five days"
            work.record("webhook_disabled", "", id, f"No more events go to {row.url}: {why}.", url=row.url)
