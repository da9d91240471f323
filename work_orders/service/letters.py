"""Letters: mail that belongs to no conversation. Handed over as messages are, see `service.outbox`."""

from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa

from plumbing.runtime import Shared
from work_orders.domain.machine import SYSTEM
from work_orders.service.letter_tables import letters
from work_orders.service.retries import CLAIM, GIVE_UP, RETRY_MINUTES, until_next
from work_orders.service.sending import Bounced, Channel, Message, MustNotLeave, TryLater, may_leave
from work_orders.service.unit import Row, Unit, unit

_C = letters.c
SILENT = "the try before ended without a word"


def write_letter(
    work: Unit, id: str, kind: str, whom: str, channel: str, address: str, *, subject: str, text: str, html: str = "",
    language: str = "en",
) -> bool:  # fmt: skip
    """Write a letter that leaves as soon as it may; whether it is new."""
    return work.insert_new(
        letters, id=id, kind=kind, whom=whom[:200], channel=channel, address=address, subject=subject[:500], text=text,
        html=html, language=language, state="queued", attempts=0, why="", at=work.now, created_at=work.wall,
        try_at=work.wall, ended_at=None,
    )  # fmt: skip


def letters_waiting(connection: sa.Connection, wall: datetime) -> list[tuple[str, str]]:
    """Tenants and channels with a letter to hand over now."""
    found = connection.execute(sa.select(_C.tenant, _C.channel).where(_C.try_at <= wall).distinct())
    return [(str(tenant), str(channel)) for tenant, channel in found]


def post_letters(
    shared: Shared, tenant: str, channels: Sequence[Channel], limit: int = 50, *, only: str | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> int:  # fmt: skip
    """Hand over the letters of a tenant that are due, at most so many; how many were tried."""
    by_name = {c.name: c for c in channels if c.leaves}
    done = 0
    while done < limit and go_on() and (claimed := _claim(shared, tenant, only)) is not None:
        _hand_over(shared, claimed, by_name.get(claimed.channel))
        done += 1
    return done


def _claim(shared: Shared, tenant: str, only: str | None) -> Row | None:
    mine = [_C.tenant == tenant, *([] if only is None else [_C.channel == only])]
    with shared.database.read() as connection:
        waiting = sa.select(_C.id).where(*mine, _C.try_at <= shared.system.now()).limit(1)
        if connection.execute(waiting).first() is None:
            return None
    with unit(shared, tenant, SYSTEM) as work:
        due = sa.select(letters).where(*mine, _C.try_at <= work.wall).order_by(_C.try_at, _C.id).limit(1)
        row = work.connection.execute(due).first()
        if row is None:
            return None
        n = row.attempts + 1
        until = work.wall + max(CLAIM, until_next(n))
        why = SILENT if row.state == "claimed" else row.why
        work.update(letters, {"id": row.id}, state="claimed", attempts=n, try_at=until, why=why)
        return work.one(letters, row.id, "letter")


def _hand_over(shared: Shared, letter: Row, channel: Channel | None) -> None:
    message = Message(
        letter.tenant, letter.id, letter.whom, letter.address, letter.subject, letter.text, False, False, letter.html,
        language=letter.language, at=letter.at,
    )  # fmt: skip
    old = shared.system.now() - letter.created_at >= GIVE_UP
    try:
        if channel is None:
            raise Bounced(f"{letter.channel} is not set up", lasting=False)
        if old and letter.attempts == 1:
            raise MustNotLeave("nothing could be handed over for a day: it is too late")
        if old and letter.why == SILENT and letter.attempts > len(RETRY_MINUTES):
            raise Bounced(f"for a day: {SILENT}", lasting=False)
        with shared.database.read() as connection:
            may_leave(connection, channel, message)
        channel.send(message)
    except MustNotLeave as no:
        _end(shared, letter, "withdrawn", no.why)
    except Bounced as no:
        _end(shared, letter, "bounced", no.why)
    except TryLater as no:
        _end(shared, letter, "bounced" if old else "queued", no.why)
    else:
        _end(shared, letter, "delivered")


def _end(shared: Shared, letter: Row, state: str, why: str = "") -> None:
    with unit(shared, letter.tenant, SYSTEM) as work:
        row = work.one(letters, letter.id, "letter")
        if row.state != "claimed" or row.attempts != letter.attempts:
            return
        again = work.wall + until_next(letter.attempts) if state == "queued" else None
        ended = None if again else work.wall
        work.update(letters, {"id": letter.id}, state=state, why=why[:300], try_at=again, ended_at=ended)
        if ended:
            text = f"{letter.subject}: {state}, by {letter.channel} to {letter.whom}{f' ({why})' if why else ''}."
            of = {"customer": letter.whom} if letter.kind == "confirm" else {}
            work.record(f"letter_{state}", "", letter.id, text[:300], kind=letter.kind, **of)
