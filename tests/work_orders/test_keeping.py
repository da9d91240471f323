"""What grew old is let go, what is read of meters is what tells something; neither changes what comes of it."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.work_orders.world import CUSTOMER, SUNDAY, TENANT, World
from work_orders.domain.plans import COUNTED_HOURS, HOURS, Condition, Reading, Spec, next_due
from work_orders.domain.requests import RequestKind
from work_orders.service import message_tables as m
from work_orders.service import plan_tables as p
from work_orders.service.conversation import write_message
from work_orders.service.door import Request, take_request
from work_orders.service.keeping import PAGES_KEPT_FOR, let_go
from work_orders.service.letter_tables import letters, way_requests
from work_orders.service.plan_jobs import readings_of
from work_orders.service.webhook_tables import deliveries, webhooks

DAY = timedelta(days=1)


def filled(table: sa.Table, **values: Any) -> dict[str, Any]:
    """A row in which what nobody cares for is empty."""
    blank = {int: 0, str: "", bool: False, bytes: b""}
    return {
        c.name: values.get(c.name, TENANT if c.name == "tenant" else None if c.nullable else _blank(c, blank))
        for c in table.columns
    }


def _blank(column: sa.Column[Any], blank: dict[type, Any]) -> Any:
    kind = type(column.type).__name__
    return SUNDAY if kind == "UtcTime" else blank[column.type.python_type]


def test_events_that_nobody_took_go_after_a_month_delivered_ones_after_a_week(any_world: World) -> None:
    world = any_world
    ages = {("delivered", 6): True, ("delivered", 8): False, ("dead", 29): True, ("dead", 31): False,
            ("pending", 90): True}  # fmt: skip
    with world.database.write() as connection:
        connection.execute(sa.insert(webhooks), [filled(webhooks, id="w")])
        rows = [
            filled(deliveries, webhook_id="w", seq=n, state=state,
                   done_at=None if state == "pending" else SUNDAY - days * DAY, next_at=SUNDAY - days * DAY)
            for n, (state, days) in enumerate(ages)
        ]  # fmt: skip
        connection.execute(sa.insert(deliveries), rows)
    assert let_go(world.database, SUNDAY) == 2
    assert let_go(world.database, SUNDAY) == 0
    assert sorted(r.seq for r in world.rows(deliveries)) == [n for n, kept in enumerate(ages.values()) if kept]


def test_the_page_of_a_message_goes_once_every_channel_is_done_with_it_its_words_stay(any_world: World) -> None:
    world = any_world
    case = take_request(world.shared, TENANT, Request(RequestKind.REPORT, "p1", text="Loud"), CUSTOMER).case
    write_message(world.shared, TENANT, str(case), "Hello", CUSTOMER)
    one = next(r._asdict() for r in world.rows(m.messages))
    old = SUNDAY - PAGES_KEPT_FOR - DAY
    done = {"state": "delivered", "created_at": old, "ended_at": old, "try_at": None}
    outbox = {
        "over": [done], "twice": [done, done], "open": [done, done | {"try_at": SUNDAY, "ended_at": None}],
        "lately": [done | {"ended_at": SUNDAY - DAY}], "none": [], "waits": [done],
    }  # fmt: skip
    with world.database.write() as connection:
        for n, (id, sent) in enumerate(outbox.items(), 50):
            due = SUNDAY if id == "waits" else None
            row = one | {"id": id, "n": n, "html": "<p>Hi</p>", "text": "Hi", "due_at": due}
            connection.execute(sa.insert(m.messages), [row])
            for k, how in enumerate(sent):
                row = filled(m.deliveries, message_id=id, channel=f"c{k}", **how)
                connection.execute(sa.insert(m.deliveries), [row])
    assert let_go(world.database, SUNDAY) == 2
    pages = {r.id: r.html for r in world.rows(m.messages) if r.id in outbox}
    assert {id for id, html in pages.items() if not html} == {"over", "twice"}
    assert {r.text for r in world.rows(m.messages) if r.id in outbox} == {"Hi"}


def test_letters_go_when_they_are_long_over_questions_for_an_address_too(any_world: World) -> None:
    world, ends = any_world, {"open": None, "lately": SUNDAY - DAY, "old": SUNDAY - PAGES_KEPT_FOR - DAY}
    with world.database.write() as connection:
        rows = [filled(letters, id=id, ended_at=at, try_at=None if at else SUNDAY) for id, at in ends.items()]
        connection.execute(sa.insert(letters), rows)
        asked = [
            filled(way_requests, customer_id="waterworks", channel=f"c{n}", until=SUNDAY - n * DAY) for n in (31, 1)
        ]
        connection.execute(sa.insert(way_requests), asked)
    assert let_go(world.database, SUNDAY) == 2
    assert {r.id for r in world.rows(letters)} == {"open", "lately"}
    assert [r.channel for r in world.rows(way_requests)] == ["c1"]


@pytest.mark.parametrize("seed", range(6))
def test_the_readings_that_are_read_tell_what_all_would(world: World, seed: int) -> None:
    some = random.Random(seed)
    begins = SUNDAY - 900 * DAY
    whole: dict[str, list[Reading]] = {}
    values = {HOURS: 0.0, COUNTED_HOURS: 0.0, "bar": 0.0}
    for meter in values:
        at, step = begins + some.randint(-400, 200) * DAY, some.choice((1, 9, 70, 200))
        while at < SUNDAY - some.choice((0, 300)) * DAY:
            values[meter] = some.choice((values[meter] + 20.0 * step,) * 9 + (3.0,))  # now and then exchanged
            whole.setdefault(meter, []).append(Reading(at, values[meter]))
            at += step * DAY
    rows = [
        {"tenant": TENANT, "asset_id": "p1", "meter": meter, "at": r.at, "value": r.value, "actor": ""}
        for meter, of in whole.items()
        for r in of
    ]
    with world.database.write() as connection:
        connection.execute(sa.insert(p.readings), rows)
    for done in (None, begins + 100 * DAY, SUNDAY - 30 * DAY):
        for every in (200.0, 4000.0, 90_000.0):
            spec = Spec("Oil", ("Change it",), every_hours=every, when=Condition("bar", 2000.0))
            with world.database.read() as connection:
                read = readings_of(connection, TENANT, "p1", done or begins)
            found, wanted = next_due(spec, begins, done, read), next_due(spec, begins, done, dict(whole))
            assert (found is None) == (wanted is None)
            assert found is None or wanted is None or abs(found.at - wanted.at) < timedelta(seconds=1)
            assert all(len(read[meter]) <= len(of) for meter, of in whole.items())
