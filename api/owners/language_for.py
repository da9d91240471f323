"""Which language somebody reads."""

import sqlalchemy as sa

from api.language import ENGLISH
from api.roles import Principal, Role
from work_orders.service.contacts import language_in


def language_for(connection: sa.Connection, who: Principal) -> str:
    """Customers read their own language, colleagues English."""
    if who.role is not Role.CUSTOMER:
        return ENGLISH
    return language_in(connection, who.tenant, who.subject) or ENGLISH
