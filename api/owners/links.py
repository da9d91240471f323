"""What a link from a message opens: one thing of one customer, without signing in."""

from typing import Any

import sqlalchemy as sa

from api.owners.commands import refusals
from api.problems import Problem, not_found
from api.roles import Principal, Role
from plumbing.runtime import Shared
from work_orders.domain import signed_link
from work_orders.domain.signed_link import Link
from work_orders.service import addresses, links, tables
from work_orders.service.aftercare_tables import surveys
from work_orders.service.contacts import language_in

REPLIES = ("accept", "decline", "propose", "call-me")


class Links:
    """Of one installation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def notice(self, token: str, signed_in: Principal | None) -> tuple[Principal, str]:
        """The customer for whom a link speaks, and his notice. Raises Problem."""
        n = tables.notices.c
        return self._opened(links.ANSWER, token, sa.select(n.customer_id), n, n.id, signed_in)

    def survey(self, token: str, signed_in: Principal | None) -> tuple[Principal, str]:
        """The same for a survey, named by its work order."""
        s = surveys.c
        return self._opened(links.SURVEY, token, sa.select(s.customer_id), s, s.order_id, signed_in)

    def _opened(
        self, kind: str, token: str, chosen: sa.Select[Any], of: Any, id: Any, signed_in: Principal | None
    ) -> tuple[Principal, str]:
        with self._shared.database.read() as connection:
            link = links.opened(connection, kind, token)
            found = link and connection.execute(chosen.where(of.tenant == link.tenant, id == link.what[0])).scalar()
            if link is None or not found:
                raise not_found("link")
            name = connection.execute(
                sa.select(tables.customers.c.name).where(
                    tables.customers.c.tenant == link.tenant, tables.customers.c.id == found
                )
            ).scalar_one()
        self._good(link)
        who = Principal(link.tenant, Role.CUSTOMER, found, f"link:{link.what[0]}"[:80], name, None)
        if signed_in is not None and (signed_in.tenant, signed_in.role, signed_in.subject) != (
            who.tenant, who.role, who.subject,
        ):  # fmt: skip
            raise Problem(403, "This link is the customer's own, and you are signed in as somebody else.")
        return who, link.what[0]

    def _good(self, link: Link) -> None:
        if self._shared.system.now() > link.until:
            raise Problem(410, "This link has ended. Sign in, or call us.")

    def address(self, token: str) -> tuple[Link, str, str, str]:
        """The link, the customer's name, the address that it asks about, his language. Raises Problem."""
        link = signed_link.read(token)
        with self._shared.database.read() as connection:
            row = addresses.asked_for(connection, link) if link else None
            if link is None or row is None:
                raise not_found("link")
            k = tables.customers.c
            name = connection.execute(
                sa.select(k.name).where(k.tenant == link.tenant, k.id == row.customer_id)
            ).scalar_one()
            language = language_in(connection, link.tenant, row.customer_id) or "en"
        self._good(link)
        return link, str(name), str(row.address), language

    def confirm(self, link: Link) -> None:
        """The address counts."""
        with refusals():
            addresses.confirm(self._shared, link)
