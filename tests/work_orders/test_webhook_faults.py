"""Webhooks when something is wrong here, or two things happen at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from tests.work_orders.test_webhooks import URL, Receiver, happen, out
from tests.work_orders.world import ADMIN, TENANT, World
from work_orders.domain import webhooks as rules
from work_orders.service.webhook_tables import deliveries, webhooks
from work_orders.service.webhooks import add_webhook, move_webhook

__all__ = ["out"]


def test_a_fault_of_ours_at_one_webhook_stops_no_other(world: World, out: Receiver) -> None:
    made = [add_webhook(world.shared, TENANT, URL, ["*"], ADMIN) for _ in range(4)]
    with world.database.write() as connection:
        connection.execute(webhooks.update().where(webhooks.c.id == made[1].id).values(types="{"))
    happen(world, ("p1", "a1"))
    with pytest.raises(msgspec.DecodeError):
        out.round()
    assert [i for i in out.ids() if i == "a1"] == ["a1"] * 4
    assert [r.leased_until for r in world.rows(webhooks)] == [None] * 5


def test_a_replay_waits_for_what_is_being_collected(any_world: World) -> None:
    world = any_world
    made, out = add_webhook(world.shared, TENANT, URL, ["*"], ADMIN), Receiver(world)
    before = world.only(webhooks).position
    happen(world, ("p1", "a1"))
    seq = before + 2  # after the entry about the webhook itself
    ask = threading.Thread(
        target=move_webhook, args=(world.shared, TENANT, made.id, "replay", ADMIN), kwargs={"after": before}
    )
    with world.database.write() as connection:
        connection.execute(sa.select(webhooks.c.id).where(webhooks.c.id == made.id).with_for_update())
        ask.start()
        ask.join(0.5)
        connection.execute(
            deliveries.insert().values(
                tenant=TENANT, webhook_id=made.id, seq=seq, aggregate="p1", type="x", body=b"{}", state="pending",
                attempts=0, next_at=world.clock.at, last_error="", done_at=None,
            )
        )  # fmt: skip
        connection.execute(webhooks.update().where(webhooks.c.id == made.id).values(position=seq))
    ask.join()
    out.round()
    assert out.ids() == ["a1"]


def test_the_ten_lines_of_the_docs_verify_what_we_sign_and_name_every_family() -> None:
    from plumbing.system_clock import SystemClock

    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/webhooks.md", "exec"), names)
    secret, body, stamp = rules.secret_of(b"s" * 24), b'{"a":1}', int(SystemClock().now().timestamp())
    signed = rules.signature([rules.secret_of(b"o" * 24), secret], "acme-1", stamp, body)
    headers = {"webhook-id": "acme-1", "webhook-timestamp": str(stamp), "webhook-signature": signed}
    assert names["verify"](secret, headers, body)
    assert not names["verify"](secret, headers, body + b" ")
    assert not names["verify"](secret, {**headers, "webhook-timestamp": str(stamp - 999)}, body)
    table = page.split("| family |")[1].split("\n\n")[0]
    assert all(f"`{family}`" in table for family in rules.FAMILIES)
