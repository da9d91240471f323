"""Webhooks as admins see them; secrets are never among it."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from work_orders.service.webhook_tables import deliveries, webhooks

_W, _D = webhooks.c, deliveries.c
STATES = ("pending", "delivered", "dead")


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook. `position`: the newest entry of the chain that it was offered; times are wall times."""

    id: str
    url: str
    types: tuple[str, ...]
    state: str
    position: int
    waiting: int
    dead: int
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    last_error: str
    delivered_at: datetime | None
    made_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """An event on its way."""

    seq: int
    type: str
    aggregate: str
    state: str
    attempts: int
    next_at: datetime
    last_error: str
    done_at: datetime | None


def webhook_rows(connection: sa.Connection, tenant: str) -> list[WebhookRow]:
    """All of a tenant, oldest first."""
    counted: dict[tuple[str, str], int] = {}
    for id, state, n in connection.execute(
        sa.select(_D.webhook_id, _D.state, sa.func.count())
        .where(_D.tenant == tenant, _D.state != "delivered")
        .group_by(_D.webhook_id, _D.state)
    ):
        counted[id, state] = n
    rows = connection.execute(sa.select(webhooks).where(_W.tenant == tenant).order_by(_W.made_at, _W.id))
    return [
        WebhookRow(
            r.id, r.url, tuple(msgspec.json.decode(r.types, type=list[str])), r.state, r.position,
            counted.get((r.id, "pending"), 0), counted.get((r.id, "dead"), 0), r.failures, r.failing_since, r.retry_at,
            r.last_error, r.delivered_at, r.made_at, r.version,
        )
        for r in rows
    ]  # fmt: skip


def delivery_rows(
    connection: sa.Connection, tenant: str, id: str, *, state: str = "", after: int = 0, limit: int = 50
) -> list[DeliveryRow]:
    """Events of a webhook behind an entry, oldest first."""
    chosen = sa.select(
        _D.seq, _D.type, _D.aggregate, _D.state, _D.attempts, _D.next_at, _D.last_error, _D.done_at
    ).where(_D.tenant == tenant, _D.webhook_id == id, _D.seq > after)
    if state:
        chosen = chosen.where(_D.state == state)
    return [DeliveryRow(*r) for r in connection.execute(chosen.order_by(_D.seq).limit(limit))]
