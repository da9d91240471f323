"""The key that a tenant's reply tokens are signed with; made when it is first needed, and kept in the database."""

import secrets

import sqlalchemy as sa

from work_orders.service import message_tables as m
from work_orders.service.unit import Unit


def key_of(work: Unit) -> str:
    """The tenant's key."""
    found = kept(work.connection, work.tenant)
    if found is None:
        work.insert_new(m.mail_keys, key=secrets.token_hex(32))
        found = kept(work.connection, work.tenant)
    return found or ""


def kept(connection: sa.Connection, tenant: str) -> str | None:
    """The key if there is one already."""
    return connection.execute(sa.select(m.mail_keys.c.key).where(m.mail_keys.c.tenant == tenant)).scalar()
