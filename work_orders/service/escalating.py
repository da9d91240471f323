"""Steps of an escalation chain go out by mail, too: to whoever has an address, once each.

Who has which address is for whoever puts the product together to say (`Colleagues`): accounts are not this service's.
Nobody's quiet hours count here: a chain is for what is urgent, and its calendar says when time runs.
"""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from work_orders.service.contacts import MAIL
from work_orders.service.letters import write_letter
from work_orders.service.sending import why_stays
from work_orders.service.unit import Row, Unit, derived_id
from work_orders.service.wording import PAGES

Colleagues = Callable[[sa.Connection, str, str], Sequence[str]]
"""Mail addresses in a tenant of whom a step names: a role, a person, or an address itself."""


def nobody(connection: sa.Connection, tenant: str, who: str) -> Sequence[str]:
    """No colleague has an address, or no mail is set up: the inbox tells them alone."""
    return ()


def mail_step(work: Unit, clock: Row, step: str, who: str, text: str, colleagues: Colleagues) -> int:
    """Write to whom a step names; to how many."""
    if why_stays(work.connection, work.tenant, history=False):
        return 0
    found = colleagues(work.connection, work.tenant, who)
    due = f"\nDue: {clock.due_at:%d %B %Y, %H:%M} UTC" if clock.due_at else ""
    body = f"{text}{due}\n\nThe case: {PAGES}/cases/{clock.case_id}\nWho says that he sees to it ends the chain.\n"
    return sum(
        write_letter(
            work, derived_id("L", work.tenant, "escalation", clock.id, step, address.lower()), "escalation", who, MAIL,
            address, subject=text, text=body,
        )
        for address in found
    )  # fmt: skip
