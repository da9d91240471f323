"""Mail addresses of colleagues, from the accounts with which they sign in."""

import sqlalchemy as sa

from api.roles import Role
from api.tables import accounts

MOST = 20
"""Of one role: a chain is no mailing list."""


def addresses_of(connection: sa.Connection, tenant: str, who: str) -> list[str]:
    """Addresses of a role's open accounts, else of the person of that name or id; an address is one. Customers are no
    colleagues."""
    if "@" in who:
        return [who]
    c = accounts.c
    named = c.role == who if who in tuple(Role) else sa.or_(c.name == who, c.subject == who)
    chosen = sa.select(c.email).where(
        c.tenant == tenant, c.closed_at.is_(None), c.email.is_not(None), c.role != Role.CUSTOMER, named
    )
    return [str(x) for x in connection.execute(chosen.order_by(c.created_at, c.id).limit(MOST)).scalars()]
