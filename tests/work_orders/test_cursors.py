"""Lists by what is due next go on page by page, and miss nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.work_orders.world import CUSTOMER, DISPATCHER, TENANT, World
from work_orders import service
from work_orders.domain.plans import Spec
from work_orders.domain.requests import RequestKind
from work_orders.queries.conversations import unanswered
from work_orders.queries.paging import NEVER_US
from work_orders.queries.plans import plans
from work_orders.queries.sla import running_clocks
from work_orders.service import message_tables as m
from work_orders.service import plan_tables as p
from work_orders.service import sla_tables as s
from work_orders.service import tables as t
from work_orders.service.conversation import write_message
from work_orders.service.door import Request, take_request
from work_orders.service.plans import make_plan


def filled(world: World, machines: int) -> World:
    for n in range(machines):
        service.add_asset(world.shared, TENANT, f"x{n}", "pump", site_id="waterworks-site")
        case = take_request(world.shared, TENANT, Request(RequestKind.REPORT, f"x{n}", text="Loud"), CUSTOMER).case
        write_message(world.shared, TENANT, str(case), f"When, {n}?", CUSTOMER)
        write_message(world.shared, TENANT, str(case), f"Hello, {n}?", CUSTOMER)
        make_plan(world.shared, TENANT, f"x{n}", Spec("Oil", ("Change it",), every_days=30 + n // 2), DISPATCHER)
        world.clock.at += timedelta(minutes=n % 2)
    with world.database.write() as connection:  # some have no time
        for table in (p.plans, s.clocks):
            ids = sorted(r.id for r in world.rows(table))[:2]
            connection.execute(sa.update(table).where(table.c.id.in_(ids)).values(due_at=None))
    return world


@pytest.mark.parametrize("what", ["plans", "clocks", "conversations"])
def test_pages_are_the_whole_list_in_its_order(any_world: World, what: str) -> None:
    world = filled(any_world, 5)
    with world.database.read() as connection:

        def page(after: str | None, limit: int) -> tuple[list[str], str | None]:
            if what == "plans":
                found = plans(connection, TENANT, after=after, limit=limit)
                return [r.id for r in found.items], found.next
            if what == "clocks":
                some = running_clocks(connection, TENANT, world.clock.at, after=after, limit=limit)
                return [r.id for r in some.items], some.next
            asked = unanswered(connection, TENANT, after=after, limit=limit)
            return [r.case_id for r in asked.items], asked.next

        whole, none = page(None, 500)
        assert none is None
        assert len(whole) == {"plans": 5, "clocks": len(world.rows(s.clocks)), "conversations": 5}[what]
        for limit in (1, 2, 3):
            got, after = page(None, limit)
            while after is not None:
                more, after = page(after, limit)
                assert more
                got += more
            assert got == whole
        assert page(f"{10**18}_", 500)[0] == [] or what != "conversations"
        assert page(f"{NEVER_US}_", 500)[0] == (whole[-2:] if what != "conversations" else [])
        assert page("nonsense", 500)[0] == whole


def test_who_wrote_is_told_once_with_his_last_words_until_he_is_answered_or_the_case_is_closed(world: World) -> None:
    filled(world, 3)
    with world.database.read() as connection:
        found = sorted(unanswered(connection, TENANT).items, key=lambda u: u.text)
    assert [u.text for u in found] == ["Hello, 0?", "Hello, 1?", "Hello, 2?"]
    write_message(world.shared, TENANT, found[0].case_id, "Tomorrow.", DISPATCHER)
    with world.database.write() as connection:
        connection.execute(sa.update(t.cases).where(t.cases.c.id == found[1].case_id).values(closed_at=world.clock.at))
    with world.database.read() as connection:
        assert [u.case_id for u in unanswered(connection, TENANT).items] == [found[2].case_id]
    world.clock.at += timedelta(days=1)
    with world.database.write() as connection:  # he writes after it was closed
        late = next(r._asdict() for r in world.rows(m.messages) if r.case_id == found[1].case_id and r.incoming)
        connection.execute(
            sa.insert(m.messages), [late | {"id": "late", "n": 99, "at": world.clock.at, "text": "Again!"}]
        )
    with world.database.read() as connection:
        assert [u.text for u in unanswered(connection, TENANT).items] == ["Hello, 2?", "Again!"]
