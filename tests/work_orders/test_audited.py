"""No change of service data without its entry: every transaction of a long story is looked at."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

from tests.work_orders.world import ADMIN, CUSTOMER, DISPATCHER, ENGINEER, TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.domain.slots import HalfDay
from work_orders.domain.templates import BUILT_IN
from work_orders.service import holding
from work_orders.service import tables as t
from work_orders.service.addresses import set_way
from work_orders.service.contacts import give_consent, set_contact
from work_orders.service.conversation import Mail, add_note, take_mail, write_message
from work_orders.service.webhooks import add_webhook, move_webhook
from work_orders.service.wording import save_template

_CHANGE = re.compile(r"\s*(?:insert into|update|delete from)\s+\"?(\w+)", re.IGNORECASE)
BOOKKEEPING = {
    "work_orders_webhook_deliveries",  # what was sent is no service data
    "work_orders_report_tries",
    "work_orders_deliveries",  # tries of a message; its way is told
    "work_orders_mail_keys",
    "work_orders_prediction_intake",  # each forecast that came in; what follows from it is told
    "work_orders_decisions",  # is a log itself
}


class Watched:
    """Transactions that changed service data, with whether they told it."""

    def __init__(self, engine: sa.Engine) -> None:
        self.changed: set[str] = set()
        self.silent: list[set[str]] = []
        self.told = 0
        self._entry = self._decision = False
        sa.event.listen(engine, "before_cursor_execute", self._statement)
        sa.event.listen(engine, "commit", self._commit)
        sa.event.listen(engine, "rollback", self._rollback)

    def _statement(self, _c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found = _CHANGE.match(statement)
        table = found[1] if found else ""
        if table == "audit_entries":
            self._entry = True
        elif table == "work_orders_decisions":
            self._decision = True
        elif table.startswith("work_orders_") and table not in BOOKKEEPING:
            self.changed.add(table)

    def _commit(self, _: Any) -> None:
        counted = self._decision and self.changed == {"work_orders_cases"}  # one more forecast: the decision log has it
        if self.changed and not self._entry and not counted:
            self.silent.append(self.changed)
        self.told += bool(self.changed and self._entry)
        self._rollback(None)

    def _rollback(self, _: Any) -> None:
        self.changed, self._entry, self._decision = set(), False, False


@pytest.fixture
def watched(world: World) -> Watched:
    """Looks at all that the world's database is told to change."""
    return Watched(world.database._writer)


def test_every_change_of_a_long_story_stands_in_the_chain(world: World, watched: Watched) -> None:
    shared = world.shared
    order = world.booked()
    for action in ("start", "hold", "resume"):
        service.order_action(shared, TENANT, order, action, TECHNICIAN, reason="access: locked")
    for n in (1, 2):
        service.task_action(shared, TENANT, order, n, "begin", TECHNICIAN)
        service.task_action(shared, TENANT, order, n, "do", TECHNICIAN)
    service.order_action(shared, TENANT, order, "finish", TECHNICIAN)
    service.record_finding(shared, TENANT, order, "prevented", TECHNICIAN, replaced=True)
    service.order_action(shared, TENANT, order, "close", DISPATCHER)
    world.take(3, device="p2")
    world.later(hours=1)
    waiting = next(n for n in world.rows(t.notices) if n.asset_id == "p2")
    service.open_notice(shared, TENANT, waiting.id, CUSTOMER)
    service.decline_notice(shared, TENANT, waiting.id, "not now", CUSTOMER)
    world.take(3, device="p3")
    world.later(hours=1)
    world.later(days=3)
    world.later(days=5)
    world.clear("p3")
    told = world.rows(t.cases)[0].id
    write_message(shared, TENANT, told, "Is it loud?", CUSTOMER)
    write_message(shared, TENANT, told, "It should not be.", DISPATCHER)
    add_note(shared, TENANT, told, "He asks a lot.", DISPATCHER)
    take_mail(shared, TENANT, Mail("<1@x>", "x@example.com", "Pump", "Loud"))
    set_contact(shared, TENANT, "waterworks", CUSTOMER, name="Ida", language="zh", time_zone="UTC")
    set_way(shared, TENANT, "waterworks", "sms", "+49 1", CUSTOMER)
    give_consent(shared, TENANT, "waterworks", "forecast", "sms", True, CUSTOMER)
    save_template(shared, TENANT, "reply", "zh", BUILT_IN["reply", "zh"], ADMIN)
    world.later(hours=1)
    service.report_breakdown(shared, TENANT, "p2", "bearing_wear", DISPATCHER)
    held = holding.set_hold(shared, TENANT, "p1", "permit", "hot work", TECHNICIAN)
    holding.release_hold(shared, TENANT, held, ENGINEER)
    service.block_half_days(shared, TENANT, "tom", [HalfDay(world.clock.at.date(), "pm")], reason="ill")
    service.add_customer(shared, TENANT, "bakery", "Bakery")
    service.add_site(shared, TENANT, "oven", "bakery", "Oven")
    service.add_asset(shared, TENANT, "p9", "pump", site_id="oven")
    service.add_technician(shared, TENANT, "vera", "Vera", ["mechanical"])
    service.set_autonomy(shared, TENANT, "watch", model="pump")
    made = add_webhook(shared, TENANT, "https://hooks.example.org/", ["*"], ADMIN)
    for action in ("pause", "resume", "rotate", "replay", "remove"):
        move_webhook(shared, TENANT, made.id, action, ADMIN)
    assert watched.told > 25
    assert watched.silent == []
