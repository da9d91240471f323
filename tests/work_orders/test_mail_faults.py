"""Messages that go wrong on their way: refused, broken, taken back, too long."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.work_orders.mail_server import Post
from tests.work_orders.test_mail import Dying, after, channel, noon, post, server
from tests.work_orders.test_sending import Mail
from tests.work_orders.world import CUSTOMER, DISPATCHER, World
from work_orders import service
from work_orders.domain.policy import Policy
from work_orders.domain.templates import Words
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.addresses import set_way
from work_orders.service.contacts import give_consent, set_contact
from work_orders.service.errors import BadInput
from work_orders.service.outbox import SILENT
from work_orders.service.outbox import post as post_out
from work_orders.service.sending import WEB, Message, TryLater
from work_orders.service.wording import PAGES, render

__all__ = ["post", "server"]


def test_what_fails_without_a_word_is_tried_ever_more_seldom_and_given_up_after_a_day(world: World) -> None:
    @dataclass
    class Broken(Dying):
        def send(self, message: Message) -> None:
            self.sent.append(message.id)
            raise ArithmeticError

    broken = Broken()
    world.take(3)
    with pytest.raises(ArithmeticError):
        noon(world, broken)
    for _ in range(26 * 6):
        world.clock.at += timedelta(minutes=10)
        with suppress(ArithmeticError):
            service.tick(world.shared, world.tenant, (broken, WEB))
    first = broken.sent[0]
    assert 6 < broken.sent.count(first) < 32
    ended = [(d.state, d.why) for d in world.rows(m.deliveries) if d.message_id == first]
    assert ended == [("bounced", f"for a day: {SILENT}")]
    assert world.only(t.notices).channel == "web"


@pytest.mark.parametrize(
    ("said", "address", "bounced"),
    [
        ("550 5.1.1 no such mailbox", "", "550 5.1.1 no such mailbox"),
        ("550 5.7.1 you are on a block list", "", ""),
        ("550 no such mailbox", "new@example.org", ""),
    ],
)
def test_a_refusal_marks_the_address_alone_that_it_is_about(
    world: World, post: Post, said: str, address: str, bounced: str
) -> None:
    set_way(world.shared, world.tenant, "waterworks", "mail", "old@example.org", DISPATCHER)
    give_consent(world.shared, world.tenant, "waterworks", "forecast", "mail", True, CUSTOMER)
    world.take(3)
    world.clock.at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    service.tick(world.shared, world.tenant, (channel(post), WEB), handing_over=False)
    if address:
        set_way(world.shared, world.tenant, "waterworks", "mail", address, DISPATCHER)
    post.rcpt.append(said)
    post_out(world.shared, world.tenant, (channel(post),))
    assert world.only(m.deliveries).state == "bounced"
    (way,) = world.rows(m.contact_ways)
    assert (way.address, way.bounced) == (address or "old@example.org", bounced)


@pytest.mark.parametrize("address", ["a@", "a@[1", "@b", "a@b:", "(a@b", "a b@c", "a@b@c"])
def test_an_address_that_no_mail_can_be_made_for_is_refused_and_leads_to_the_next_way(
    world: World, post: Post, address: str
) -> None:
    with pytest.raises(BadInput, match="one mail address"):
        set_way(world.shared, world.tenant, "waterworks", "mail", address, DISPATCHER)
    with world.database.write() as connection:  # as a list that was imported may hold it
        connection.execute(t.customers.update().values(contact=address))
    world.take(3)
    noon(world, channel(post))
    after(world, channel(post), minutes=1)
    notice = world.only(t.notices)
    assert (notice.channel == "web") is (post.taken == [])
    assert [d.state for d in world.rows(m.deliveries)] in (["bounced"], ["delivered"])


def test_nobody_is_called_silent_before_his_reminder_has_left(world: World) -> None:
    mail = Mail()
    world.take(3)
    noon(world, mail)
    set_contact(
        world.shared, world.tenant, "waterworks", CUSTOMER, name="Li", language="en", time_zone="UTC",
        quiet_from="12:00", quiet_to="11:00",
    )  # fmt: skip
    service.set_policy(world.shared, world.tenant, Policy(reminder_hours=2.0))
    after(world, mail, hours=24)
    after(world, mail, hours=20)
    assert (len(mail.sent), world.only(t.notices).no_reply_at) == (1, None)
    after(world, mail, hours=3)
    assert (len(mail.sent), world.only(t.notices).no_reply_at) == (2, None)
    after(world, mail, hours=2)
    assert world.only(t.notices).no_reply_at is not None


def test_what_is_taken_back_while_a_try_is_under_way_is_not_said_after_its_correction(world: World) -> None:
    @dataclass
    class Away(Mail):
        tries: int = 0

        def send(self, message: Message) -> None:
            self.tries += 1
            if self.tries == 1:
                world.clear()
                raise TryLater("451 try again")
            super().send(message)

    away = Away()
    world.take(3)
    noon(world, away)
    after(world, away, minutes=10)
    after(world, away, minutes=10)
    assert [s.title for s in away.sent] == ["No longer holds: Pump 1"]
    assert {(d.state, d.why) for d in world.rows(m.deliveries)} == {
        ("withdrawn", "it no longer holds"),
        ("delivered", ""),
    }


@pytest.mark.parametrize("before", [10, 970, 1500])
def test_a_short_message_keeps_the_way_to_the_page(before: int) -> None:
    from work_orders.adapters.apprise_channel import MOST_TEXT, shortened

    text = shortened(f"{'a' * before}\n\nChoose a half day: {PAGES}/notices/N-abc234def567\n\n{'b' * 2000}")
    assert len(text) <= MOST_TEXT
    assert text.count(f"{PAGES}/notices/N-abc234def567") == 1
    assert shortened("c" * 2000).endswith("c…")


def test_a_template_that_grows_ends_before_it_fills_the_memory() -> None:
    many = "{% for a in said.splitlines() %}{% for b in said.splitlines() %}{{ said }}{% endfor %}{% endfor %}"
    with pytest.raises(BadInput, match="longer than 200,000"):
        render(Words("x", many, "x"), {"said": "a\n" * 5000}, "reply", 1, "en")
