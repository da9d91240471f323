"""Machines that are set aside, in SQL."""

import msgspec
import sqlalchemy as sa

from anomaly.service.port import Trouble
from anomaly.service.tables import troubles

_unheard = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode


def troubles_of(connection: sa.Connection) -> list[Trouble]:
    """All machines that are set aside."""
    return [
        Trouble(
            r.tenant, r.device, r.model, r.since, r.error, r.tries, r.told_us, r.live_us, r.through_us, r.boot_id,
            r.next_seq, _unheard(r.unheard),
        )
        for r in connection.execute(sa.select(troubles))
    ]  # fmt: skip


def keep_trouble(connection: sa.Connection, one: Trouble) -> None:
    """What is known of a machine that is set aside, as it is now."""
    forget_trouble(connection, one.key)
    connection.execute(
        troubles.insert().values(
            tenant=one.tenant, device=one.device, model=one.model, since=one.since, error=one.error, tries=one.tries,
            told_us=one.told_us, live_us=one.live_us, through_us=one.through_us, boot_id=one.boot_id,
            next_seq=one.next_seq, unheard=msgspec.msgpack.encode(one.unheard),
        )
    )  # fmt: skip


def forget_trouble(connection: sa.Connection, key: tuple[str, str]) -> None:
    """A machine is watched again."""
    connection.execute(troubles.delete().where(troubles.c.tenant == key[0], troubles.c.device == key[1]))
