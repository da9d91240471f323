"""What leaves the product: claimed in one transaction, handed over outside of any, recorded in another.

A process that dies between handing over and recording leaves a claim that becomes void; the message is then handed over
once more, under the same Message-ID, by which mail programs show it once. A connection that breaks before the server
said yes or no is the same case. Nothing else is ever handed over twice. What fails by a fault of our own leaves its
claim, too: its claims become longer, and after a day it is given up.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.case_states import OUT, NoticeAction, NoticeState
from work_orders.domain.contact_rules import WEB, Purpose, quiet_until
from work_orders.domain.machine import SYSTEM, Role
from work_orders.domain.notice_text import NoticeText
from work_orders.domain.reply_token import token
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.aftercare import still_asked
from work_orders.service.chart_picture import chart_picture
from work_orders.service.contacts import card, put_way
from work_orders.service.links import signed
from work_orders.service.mail_keys import key_of
from work_orders.service.moves import move_notice
from work_orders.service.offers import prediction_of
from work_orders.service.retries import CLAIM, GIVE_UP, RETRY_MINUTES, until_next
from work_orders.service.sending import Bounced, Channel, Message, MustNotLeave, TryLater, lasting, may_leave
from work_orders.service.unit import Row, Unit, unit

MOST_EARLIER = 20
SILENT = "the try before ended without a word"


class Asleep(Exception):
    """His quiet hours have begun since it was decided; `left` is how long they last."""

    def __init__(self, left: timedelta) -> None:
        super().__init__("quiet hours")
        self.left = left


def messages_waiting(connection: sa.Connection, wall: datetime) -> list[tuple[str, str]]:
    """Tenants and channels with something to hand over now."""
    c = m.deliveries.c
    found = connection.execute(sa.select(c.tenant, c.channel).where(c.try_at <= wall).distinct())
    return [(str(tenant), str(channel)) for tenant, channel in found]


def post(
    shared: Shared, tenant: str, channels: Sequence[Channel], limit: int = 50, *, only: str | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> int:  # fmt: skip
    """Hand over what is due of a tenant, at most so many; how many were tried."""
    by_name = {c.name: c for c in channels if c.leaves}
    done = 0
    while done < limit and go_on() and (claimed := _claim(shared, tenant, only)) is not None:
        _hand_over(shared, tenant, claimed, by_name)
        done += 1
    return done


def _claim(shared: Shared, tenant: str, only: str | None) -> Row | None:
    """The next delivery, of one channel where it is named, ours until its claim is void."""
    c = m.deliveries.c
    mine = [c.tenant == tenant, *([] if only is None else [c.channel == only])]
    with shared.database.read() as connection:
        due = sa.select(c.message_id).where(*mine, c.try_at <= shared.system.now()).limit(1)
        if connection.execute(due).first() is None:
            return None
    with unit(shared, tenant, SYSTEM) as work:
        chosen = sa.select(m.deliveries).where(*mine, c.try_at <= work.wall)
        row = work.connection.execute(chosen.order_by(c.try_at, c.message_id).limit(1)).first()
        if row is None:
            return None
        work.update(
            m.deliveries, {"message_id": row.message_id, "channel": row.channel}, state="claimed",
            attempts=row.attempts + 1, try_at=work.wall + max(CLAIM, until_next(row.attempts + 1)),
            why=SILENT if row.state == "claimed" else row.why,
        )  # fmt: skip
        return next(iter(work.all(m.deliveries, c.message_id == row.message_id, c.channel == row.channel)))


def _hand_over(shared: Shared, tenant: str, claimed: Row, channels: Mapping[str, Channel]) -> None:
    channel = channels.get(claimed.channel)
    if channel is None:
        _bounced(shared, tenant, claimed, Bounced(f"{claimed.channel} is not set up any more", lasting=False))
        return
    old = shared.system.now() - claimed.created_at >= GIVE_UP
    if old and claimed.why == SILENT and claimed.attempts > len(RETRY_MINUTES):
        _bounced(shared, tenant, claimed, Bounced(f"for a day: {SILENT}", lasting=False))
        return
    try:
        message = _message(shared, tenant, claimed)
        with shared.database.read() as connection:
            may_leave(connection, channel, message)
        channel.send(message)
    except MustNotLeave as no:
        _stays(shared, tenant, claimed, no.why)
    except Asleep as no:
        _asleep(shared, tenant, claimed, no)
    except TryLater as no:
        _later(shared, tenant, claimed, no.why)
    except Bounced as no:
        _bounced(shared, tenant, claimed, no)
    else:
        _taken(shared, tenant, claimed)


def _message(shared: Shared, tenant: str, claimed: Row) -> Message:
    """What is handed over. Raises MustNotLeave, Asleep."""
    with unit(shared, tenant, SYSTEM) as work:
        row = work.one(m.messages, claimed.message_id, "message")
        found = card(work.connection, tenant, claimed.customer_id)
        if found is not None:
            free = quiet_until(Purpose(row.purpose), found.contact(), claimed.channel, work.now)
            if free > work.now:
                raise Asleep(free - work.now)
        notice = work.one(t.notices, row.notice_id, "notice") if row.notice_id is not None else None
        if notice is not None and row.template in ("forecast", "reminder") and notice.state not in OUT:
            raise MustNotLeave("it no longer holds")  # taken back, or answered, while a try was under way
        if row.template == "survey" and not still_asked(work, row):
            raise MustNotLeave("nobody need answer it any more")
        c = m.messages.c
        before = work.all(
            m.messages,
            c.conversation_id == row.conversation_id,
            c.n < row.n,
            c.incoming.is_(False),
            c.sent_at.is_not(None),
        )
        earlier = tuple(r.id for r in sorted(before, key=lambda r: int(r.n)) if r.channel == claimed.channel)
        key = key_of(work)
        answers = token(key, row.conversation_id)
        words, page = (signed(part, key, tenant, claimed.created_at) for part in (row.text, row.html))
        text, history = _of_notice(work, row.notice_id)
    chart = chart_picture(shared.store, tenant, text, row.at) if text is not None and "cid:chart" in row.html else None
    return Message(
        tenant, row.id, row.customer_id, claimed.address, row.subject, words, row.template == "reminder", history,
        page, chart, row.language, answers, earlier[-MOST_EARLIER:], claimed.decided_at,
    )  # fmt: skip


def _of_notice(work: Unit, notice_id: str | None) -> tuple[NoticeText | None, bool]:
    """What the notice of a message says, and whether it rests on history."""
    if notice_id is None:
        return None, False
    notice = work.one(t.notices, notice_id, "notice")
    prediction = prediction_of(work, work.one(t.orders, notice.order_id, "work order").prediction_id)
    return msgspec.json.decode(notice.body, type=NoticeText), prediction is None or not prediction.pageable


def _end(work: Unit, claimed: Row, state: str, why: str = "") -> bool:
    """Close a delivery that is still ours; whether it was."""
    c = m.deliveries.c
    keys = {"message_id": claimed.message_id, "channel": claimed.channel}
    row = next(iter(work.all(m.deliveries, *(c[k] == v for k, v in keys.items()))))
    if row.state != "claimed" or row.attempts != claimed.attempts:
        return False
    work.update(m.deliveries, keys, state=state, why=why[:300], try_at=None, ended_at=work.wall)
    return True


def _notice_of(work: Unit, message: Row) -> Row | None:
    """The notice that a message is the first word of; None for any other message."""
    return work.one(t.notices, message.notice_id, "notice") if message.template == "forecast" else None


def _taken(shared: Shared, tenant: str, claimed: Row) -> None:
    with unit(shared, tenant, SYSTEM) as work:
        if not _end(work, claimed, "delivered"):
            return
        message = work.one(m.messages, claimed.message_id, "message")
        if message.state == "sent":
            work.update(m.messages, {"id": message.id}, state="delivered")
        notice = _notice_of(work, message)
        if notice is not None and notice.state == NoticeState.SENT:
            move_notice(work, notice, NoticeAction.DELIVER, role=Role.SYSTEM)
        text = f"{message.subject}: taken by {claimed.channel} for {message.customer_id}."
        work.record("message_delivered", "", message.id, text, case=message.case_id, attempts=claimed.attempts)


def _stays(shared: Shared, tenant: str, claimed: Row, why: str) -> None:
    with unit(shared, tenant, SYSTEM) as work:
        if _end(work, claimed, "withdrawn", why):
            refused = f"{claimed.channel}: {why}"[:300]
            work.update(m.messages, {"id": claimed.message_id}, channel=WEB, why=refused)
            message = work.one(m.messages, claimed.message_id, "message")
            text = f"{message.subject}: stays inside: {why}."
            work.record("message_stays", "", message.id, text, case=message.case_id)
            notice = _notice_of(work, message)
            if notice is not None and notice.state in OUT:
                work.update(t.notices, {"id": notice.id}, channel=WEB, refused=refused)


def _asleep(shared: Shared, tenant: str, claimed: Row, no: Asleep) -> None:
    """Nothing was tried: it waits for the morning."""
    with unit(shared, tenant, SYSTEM) as work:
        if _end(work, claimed, "queued", str(no)):
            keys = {"message_id": claimed.message_id, "channel": claimed.channel}
            work.update(
                m.deliveries, keys, try_at=work.wall + no.left, attempts=claimed.attempts - 1, ended_at=None
            )  # fmt: skip


def _later(shared: Shared, tenant: str, claimed: Row, why: str) -> None:
    wall = shared.system.now()
    if wall - claimed.created_at >= GIVE_UP:
        _bounced(shared, tenant, claimed, Bounced(f"for a day: {why}", lasting=False))
        return
    with unit(shared, tenant, SYSTEM) as work:
        if _end(work, claimed, "queued", why):
            keys = {"message_id": claimed.message_id, "channel": claimed.channel}
            work.update(m.deliveries, keys, try_at=work.wall + until_next(claimed.attempts), ended_at=None)


def _bounced(shared: Shared, tenant: str, claimed: Row, no: Bounced) -> None:
    with unit(shared, tenant, SYSTEM) as work:
        if _end(work, claimed, "bounced", no.why):
            _next_way(work, claimed, no)


def came_back(work: Unit, message_id: str, channel: str, why: str) -> bool:
    """A message that a server had taken came back later; whether it was one that we had handed over."""
    c = m.deliveries.c
    rows = work.all(m.deliveries, c.message_id == message_id, c.channel == channel, c.state == "delivered")
    if not rows:
        return False
    keys = {"message_id": message_id, "channel": channel}
    work.update(m.deliveries, keys, state="bounced", why=why[:300], ended_at=work.wall)
    _next_way(work, rows[0], Bounced(why, lasting=lasting(why)))
    return True


def _is_his(work: Unit, customer_id: str, delivery: Row) -> bool:
    """Whether the address of a delivery is still the customer's: a late bounce says nothing about a newer one."""
    found = card(work.connection, work.tenant, customer_id)
    return found is not None and any(
        way.channel == delivery.channel and way.address == delivery.address for way in found.ways
    )


def _next_way(work: Unit, delivery: Row, no: Bounced) -> None:
    """Mark the address and let the rules take the next way, unless he has seen it on his page meanwhile."""
    message = work.one(m.messages, delivery.message_id, "message")
    if no.lasting and _is_his(work, message.customer_id, delivery):
        put_way(work, message.customer_id, delivery.channel, delivery.address, no.why)
    text = f"{message.subject}: {message.customer_id} cannot be reached by {delivery.channel}: {no.why}."
    work.record("message_bounced", "", message.id, text, case=message.case_id, channel=delivery.channel)
    notice = _notice_of(work, message)
    if message.state == "withdrawn":
        return
    if notice is None:
        work.update(m.messages, {"id": message.id}, state="bounced", due_at=work.now)
        return
    work.update(m.messages, {"id": message.id}, state="bounced")
    if notice.state in (NoticeState.SENT, NoticeState.DELIVERED):
        move_notice(work, notice, NoticeAction.BOUNCE, NoticeAction.NEXT_CHANNEL, role=Role.SYSTEM, send_after=work.now)
