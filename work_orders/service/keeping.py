"""What the service side lets go by age, a portion a transaction: events that a webhook never took, rendered pages of
messages that left long ago, letters that are over, questions for an address that nobody answered in time. What was said
stays in the conversation, what happened in the audit chain.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from plumbing.sql import Database
from work_orders.domain.webhooks import DEAD_KEPT_FOR, KEPT_FOR
from work_orders.service import message_tables as m
from work_orders.service.letter_tables import letters, way_requests
from work_orders.service.webhook_tables import deliveries
from work_orders.service.webhooks import DEAD, DELIVERED

PAGES_KEPT_FOR = timedelta(days=30)
"""Since a message was sent: its page is there to be sent again until then. Of a letter all goes then."""
AT_ONCE = 500


def let_go(database: Database, wall: datetime) -> int:
    """Let go, in all tenants, what grew old by `wall`; how many rows it was."""
    return _events(database, wall) + _pages(database, wall) + _letters(database, wall)


def _events(database: Database, wall: datetime) -> int:
    c = deliveries.c
    old = sa.or_(
        sa.and_(c.state == DELIVERED, c.done_at < wall - KEPT_FOR),
        sa.and_(c.state == DEAD, c.done_at < wall - DEAD_KEPT_FOR),
    )
    some = sa.select(c.tenant, c.webhook_id, c.seq).where(old).limit(AT_ONCE)
    return _portions(database, some, deliveries.delete().where(old), ("tenant", "webhook_id", "seq"))


def _pages(database: Database, wall: datetime) -> int:
    """By the time at which a channel took it: until all have, it may be needed."""
    c, d = m.messages.c, m.deliveries.c
    mine = sa.and_(d.tenant == c.tenant, d.message_id == c.id)
    left = sa.select(d.message_id).where(mine, d.created_at < wall - PAGES_KEPT_FOR).exists()
    wanted = sa.select(d.message_id).where(mine, sa.or_(d.try_at.is_not(None), d.ended_at >= wall - PAGES_KEPT_FOR))
    some = sa.select(c.tenant, c.id).where(c.html != "", c.due_at.is_(None), left, ~wanted.exists()).limit(AT_ONCE)
    return _portions(database, some, m.messages.update().values(html=""), ("tenant", "id"))


def _letters(database: Database, wall: datetime) -> int:
    c, w = letters.c, way_requests.c
    over, late = c.ended_at < wall - PAGES_KEPT_FOR, w.until < wall - PAGES_KEPT_FOR
    some = sa.select(c.tenant, c.id).where(over).limit(AT_ONCE)
    asked = sa.select(w.tenant, w.customer_id, w.channel).where(late).limit(AT_ONCE)
    return _portions(database, some, letters.delete().where(over), ("tenant", "id")) + _portions(
        database, asked, way_requests.delete().where(late), ("tenant", "customer_id", "channel")
    )


def _portions(database: Database, some: sa.Select[Any], change: Any, keys: tuple[str, ...]) -> int:
    """`change` holds what makes a row old, too: it may be young again by the time it is its turn."""
    table = change.table
    change = change.where(*(table.c[k] == sa.bindparam(f"of_{k}", type_=table.c[k].type) for k in keys))
    done = 0
    while True:
        with database.read() as connection:
            rows = connection.execute(some).all()
        if rows:
            with database.write() as connection:
                connection.execute(change, [{f"of_{k}": getattr(r, k) for k in keys} for r in rows])
        done += len(rows)
        if len(rows) < AT_ONCE:
            return done
