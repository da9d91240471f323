"""Steps of an escalation chain go out by mail to whoever has an address, once each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from tests.work_orders.mail_server import serving
from tests.work_orders.test_mail import channel, part
from tests.work_orders.test_sla import reported
from tests.work_orders.world import ADMIN, DISPATCHER, SUNDAY, World, open_world, settle
from work_orders import service
from work_orders.domain.sla import Metric, Rule, SlaPolicy, Step, Target
from work_orders.service import sla_tables as s
from work_orders.service.letter_tables import letters
from work_orders.service.sending import WEB
from work_orders.service.sla import case_clock_action
from work_orders.service.sla_settings import set_sla_policy

CHAIN = (Step("dispatcher", 0.5), Step("chief@example.org", 1.0), Step("Vera", 1.0, 60), Step("nobody", 1.0, 90))


def colleagues(_: sa.Connection, tenant: str, who: str) -> Sequence[str]:
    known = {"dispatcher": ["dora@example.org", "dan@example.org"], "Vera": ["vera@example.org"]}
    if "@" in who:
        return [who]
    return known.get(who, ()) if tenant in ("acme", "demo") else ()


def promised(world: World) -> str:
    """A report whose answer is promised within an hour, round the clock."""
    target = Target(Metric.RESPONSE, 60, "always", steps=CHAIN)
    set_sla_policy(world.shared, world.tenant, SlaPolicy((Rule(target),)), ADMIN)
    return reported(world)


def after(world: World, minutes: int) -> None:
    world.clock.at += timedelta(minutes=minutes)
    service.tick(world.shared, world.tenant, (WEB,), colleagues=colleagues)


def told(world: World) -> list[tuple[str, str]]:
    return sorted((row.whom, row.address) for row in world.rows(letters))


def test_each_step_is_mailed_once_to_whoever_it_names_and_has_an_address(world: World) -> None:
    case = promised(world)
    after(world, 29)
    assert told(world) == []
    for _ in range(2):
        after(world, 2)
    office = [("dispatcher", "dan@example.org"), ("dispatcher", "dora@example.org")]
    assert told(world) == office
    after(world, 30)
    assert told(world) == [("chief@example.org", "chief@example.org"), *office]
    after(world, 120)
    assert told(world) == [("Vera", "vera@example.org"), ("chief@example.org", "chief@example.org"), *office]
    assert len(world.rows(s.escalations)) == 4  # without an address the inbox tells it, as ever
    with serving() as post:
        service.tick(world.shared, world.tenant, (channel(post), WEB))
        assert len(post.taken) == 4
        (mail,) = (m for m in post.taken if m["To"] == "vera@example.org")
    assert "an answer is promised and open; told Vera 60 minutes after the deadline" in mail["Subject"]
    assert f"https://pages.example.org/cases/{case}" in part(mail, "text/plain")
    assert {row.state for row in world.rows(letters)} == {"delivered"}


def test_whoever_sees_to_it_ends_the_mails_too(world: World) -> None:
    case = promised(world)
    after(world, 31)
    case_clock_action(world.shared, world.tenant, case, "taken", DISPATCHER)
    after(world, 300)
    assert {who for who, _ in told(world)} == {"dispatcher"}


def test_a_simulated_company_mails_nobody(tmp_path: Path) -> None:
    world = open_world(f"sqlite:///{tmp_path}/x.db", tmp_path)
    world.tenant = "demo"
    world.shared.clocks.add_scaled("demo", SUNDAY, 1.0)
    settle(world)
    promised(world)
    after(world, 300)
    assert len(world.rows(s.escalations)) == 4
    assert told(world) == []
    world.database.close()
