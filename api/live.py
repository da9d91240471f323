"""What happens, as a stream of server-sent events: the tenant's audit chain, and a tick about once a second.

One poller a tenant serves all streams of it; it runs only while somebody listens.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from api.roles import Principal, Role
from plumbing import audit
from plumbing.sql import Database

POLL_S, TICK_S, CHECK_S = 0.25, 1.0, 10.0
BATCH = 500
CUSTOMER_HEARS = frozenset(
    {"notice_sent", "notice_queued", "notice_accepted", "notice_declined", "notice_proposed", "notice_answered",
     "notice_corrected", "notice_withdrawn", "notice_stopped", "visit_confirmed", "order_dispatched",
     "work_started", "job_done", "order_closed"}
)  # fmt: skip
"""Kinds of entries that customers may read; the rest of the chain is the provider's."""
ADMIN_HEARS = frozenset(
    {"signed_in", "signed_out", "sign_in_refused", "password_set", "link_made", "key_made", "account_added",
     "account_closed"}
)  # fmt: skip
"""Kinds of entries about who signs in: for admins alone."""


def newest(database: Database, tenant: str) -> int:
    """Number of the newest audit entry."""
    with database.read() as connection:
        query = sa.select(sa.func.max(audit.entries.c.seq)).where(audit.entries.c.tenant == tenant)
        return int(connection.execute(query).scalar() or 0)


def entries_for(
    database: Database, who: Principal, mine: Callable[[], Collection[str]], after: int, limit: int = BATCH
) -> tuple[list[audit.AuditEntry], int]:
    """The next entries that the principal may read, and the number up to which the chain was looked through."""
    with database.read() as connection:
        rows = audit.read(connection, who.tenant, after, limit)
    last = rows[-1].seq if rows else after
    if who.role is not Role.ADMIN:
        rows = [r for r in rows if r.action not in ADMIN_HEARS]
    if who.sees_all:
        return list(rows), last
    assets = set(mine()) if rows else set()
    heard = [r for r in rows if r.diff.get("asset") in assets]
    if who.role is Role.CUSTOMER:
        heard = [r for r in heard if r.action in CUSTOMER_HEARS]
    return heard, last


def as_event(entry: audit.AuditEntry, who: Principal) -> bytes:
    """One audit entry on the wire."""
    data: dict[str, Any] = {
        "seq": entry.seq, "at": entry.at, "action": entry.action, "asset": entry.diff.get("asset", ""),
        "id": entry.diff.get("id", ""), "text": entry.diff.get("text", ""),
    }  # fmt: skip
    if who.sees_all:
        data["actor"] = entry.actor
    return b"id: %d\nevent: audit\ndata: %s\n\n" % (entry.seq, msgspec.json.encode(data))


@dataclass
class _Feed:
    """What the listeners of one tenant wait for."""

    newest: int = 0
    tick: dict[str, Any] = field(default_factory=dict)
    ticks: int = 0
    listeners: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Live:
    """All streams of this process. Lives on the web's loop."""

    def __init__(self, database: Database, tick: Callable[[str], dict[str, Any]]) -> None:
        self._database, self._tick = database, tick
        self._feeds: dict[str, _Feed] = {}
        self._closed = False

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self._closed = True
        for feed in self._feeds.values():
            feed.changed.set()

    async def _poll(self, tenant: str, feed: _Feed) -> None:
        loop = asyncio.get_running_loop()
        next_tick = loop.time()
        while feed.listeners and not self._closed:
            changed = False
            found = await run_in_threadpool(newest, self._database, tenant)
            if found != feed.newest:
                feed.newest, changed = found, True
            if loop.time() >= next_tick:
                feed.tick = await run_in_threadpool(self._tick, tenant)
                feed.ticks += 1
                next_tick, changed = loop.time() + TICK_S, True
            if changed:
                waiting, feed.changed = feed.changed, asyncio.Event()
                waiting.set()
            await asyncio.sleep(POLL_S)
        feed.task = None

    async def stream(
        self,
        who: Principal,
        after: int | None,
        mine: Callable[[], Collection[str]],
        still: Callable[[], bool],
    ) -> AsyncIterator[bytes]:
        """Events after a number (None = from now on). Ends when the session does."""
        feed = self._feeds.setdefault(who.tenant, _Feed())
        feed.listeners += 1
        if feed.task is None:
            feed.task = asyncio.create_task(self._poll(who.tenant, feed))
        loop = asyncio.get_running_loop()
        try:
            at = await run_in_threadpool(newest, self._database, who.tenant) if after is None else after
            yield b"retry: 2000\n\n"
            ticks, check_at, owned = 0, loop.time() + CHECK_S, None
            while not self._closed:
                waiting = feed.changed
                while True:
                    found, last = await run_in_threadpool(entries_for, self._database, who, mine, at)
                    if found:
                        yield b"".join(as_event(entry, who) for entry in found)
                    if last == at:
                        break
                    at, owned = last, None
                if feed.ticks != ticks:
                    ticks = feed.ticks
                    if not who.sees_all and owned is None:
                        owned = set(await run_in_threadpool(mine))
                    shown = dict(feed.tick)
                    if owned is not None:
                        shown["assets"] = {k: v for k, v in shown.get("assets", {}).items() if k in owned}
                    yield b"event: tick\ndata: %s\n\n" % msgspec.json.encode(shown)
                if loop.time() >= check_at:
                    if not await run_in_threadpool(still):
                        return
                    check_at = loop.time() + CHECK_S
                if feed.changed is waiting and not self._closed:
                    await waiting.wait()
        finally:
            feed.listeners -= 1
