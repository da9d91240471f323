"""Nothing leaves for a real person from demo, replay or import, whatever is configured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from contracts.records import PREDICTIONS, Prediction, encode
from plumbing import log
from tests.work_orders.world import SUNDAY, World, open_world, settle
from work_orders import service
from work_orders.adapters.consumer import take_next
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.sending import WEB, Message, MustNotLeave, TryLater, deliver


@dataclass
class Mail:
    """A channel that reaches people: it keeps what it was given."""

    name: str = "mail"
    leaves: bool = True
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.sent.append(message)


def sent_by(world: World, mail: Mail) -> None:
    """A case up to its notice, with mail configured first; reminders included."""
    world.take(3)
    for _ in range(6):
        world.clock.at += timedelta(hours=13)
        service.tick(world.shared, world.tenant, (mail, WEB))


def test_a_real_tenant_gets_its_mail_once_and_one_reminder(world: World) -> None:
    mail = Mail()
    sent_by(world, mail)
    assert [m.reminder for m in mail.sent] == [False, True]
    assert world.only(t.notices).channel == "mail"


@pytest.mark.parametrize("kind", ["demo", "replay"])
def test_a_simulated_tenant_gets_nothing_outside_the_product(tmp_path: Path, kind: str) -> None:
    world = open_world(f"sqlite:///{tmp_path}/x.db", tmp_path)
    world.tenant = kind
    world.shared.clocks.add_scaled(kind, SUNDAY, 1.0)
    settle(world)
    mail = Mail()
    sent_by(world, mail)
    assert mail.sent == []
    notice = world.only(t.notices)
    assert (notice.channel, notice.refused) == ("web", f"mail: tenant {kind} is simulated")
    assert notice.sent_at is not None


def test_a_tenant_that_nobody_put_on_record_gets_nothing_outside(tmp_path: Path) -> None:
    world = open_world(f"sqlite:///{tmp_path}/x.db", tmp_path)
    settle(world)
    world.tenant = "ghost"
    service.add_customer(world.shared, "ghost", "waterworks", "City waterworks")
    service.add_asset(world.shared, "ghost", "p1", "pump", customer_id="waterworks")
    service.add_technician(world.shared, "ghost", "tom", "Tom", ["mechanical"])
    service.set_autonomy(world.shared, "ghost", "automatic")
    mail = Mail()
    sent_by(world, mail)
    assert mail.sent == []
    assert world.only(t.notices).refused == "mail: tenant ghost is not on record"


@dataclass
class Away(Mail):
    """A channel whose server takes nothing until it is there."""

    there: bool = False
    asked: int = 0

    def send(self, message: Message) -> None:
        self.asked += 1
        if not self.there:
            raise TryLater("nobody answers")
        self.sent.append(message)


def test_what_could_not_be_handed_over_in_the_evening_waits_for_the_morning(world: World) -> None:
    mail = Away()
    world.clock.at = SUNDAY + timedelta(hours=17)
    world.take(3)
    world.clock.at = SUNDAY + timedelta(hours=21, minutes=58)
    service.tick(world.shared, world.tenant, (mail, WEB))
    assert mail.asked == 1
    mail.there = True
    for hour in (22, 25, 30):
        world.clock.at = SUNDAY + timedelta(hours=hour, minutes=59)
        service.tick(world.shared, world.tenant, (mail, WEB))
    row = world.only(m.deliveries)
    assert (mail.asked, row.state, row.attempts, row.why) == (1, "queued", 1, "quiet hours")
    world.clock.at = SUNDAY + timedelta(hours=31)
    service.tick(world.shared, world.tenant, (mail, WEB))
    assert (len(mail.sent), world.only(m.deliveries).state) == (1, "delivered")


def test_imported_history_is_told_to_nobody(world: World) -> None:
    mail = Mail()
    for n in range(1, 9):
        service.take_prediction(world.shared, world.forecast(n, pageable=False))
    world.clock.at += timedelta(hours=13)
    service.tick(world.shared, world.tenant, (mail, WEB))
    assert mail.sent == []
    assert {r.state for r in world.rows(t.intake)} == {"suppressed"}
    assert world.rows(t.cases) == world.rows(t.notices) == []


def test_the_door_itself_refuses_history(world: World) -> None:
    mail = Mail()
    message = Message(world.tenant, "N-1", "waterworks", "x@example.org", "title", "text", False, history=True)
    with world.database.read() as connection:
        with pytest.raises(MustNotLeave, match="imported or replayed"):
            deliver(connection, mail, message)
        deliver(connection, mail, replace(message, history=False))
    assert [m.history for m in mail.sent] == [False]


def test_a_notice_whose_forecast_turned_out_to_be_history_stays_inside(world: World) -> None:
    mail = Mail()
    world.take(3)
    order = world.only(t.orders)
    (row,) = [r for r in world.rows(t.intake) if r.prediction_id == order.prediction_id]
    body = msgspec.structs.replace(msgspec.msgpack.decode(row.body, type=Prediction), pageable=False)
    with world.database.write() as connection:
        connection.execute(
            t.intake.update()
            .where(t.intake.c.prediction_id == row.prediction_id)
            .values(body=msgspec.msgpack.encode(body))
        )
    world.clock.at += timedelta(hours=13)
    service.tick(world.shared, world.tenant, (mail, WEB))
    assert mail.sent == []
    assert world.only(t.notices).channel == "web"


def test_a_forecast_read_from_the_log_again_sends_nothing_again(world: World) -> None:
    mail = Mail()
    with world.database.write() as connection:
        for n in (1, 2, 3, 3, 2, 1, 3):
            log.append(connection, world.tenant, PREDICTIONS, "p1", encode(world.forecast(n)), world.clock.at)
    while take_next(world.shared, 2):
        pass
    for _ in range(3):
        world.clock.at += timedelta(hours=5)
        service.tick(world.shared, world.tenant, (mail, WEB))
    assert len(mail.sent) == 1


def test_a_notice_that_cannot_be_read_stops_no_other(world: World) -> None:
    mail = Mail()
    world.take(3)
    world.take(3, device="p2")
    bad, good = sorted(world.rows(t.notices), key=lambda n: (n.queued_at, n.id))
    with world.database.write() as connection:
        connection.execute(t.notices.update().where(t.notices.c.id == bad.id).values(body="{"))
    for _ in range(2):
        world.clock.at += timedelta(hours=13)
        with pytest.raises(msgspec.DecodeError):
            service.tick(world.shared, world.tenant, (mail, WEB), handing_over=False)
    assert {n.id: n.sent_at is not None for n in world.rows(t.notices)} == {bad.id: False, good.id: True}
    assert {r.notice_id for r in world.rows(m.messages)} == {good.id}
