"""Addresses that a customer enters are asked first; invitations to a survey leave in time or never."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.work_orders.mail_server import Post, serving
from tests.work_orders.test_aftercare import mended
from tests.work_orders.test_mail import after, channel, noon, part
from tests.work_orders.world import CUSTOMER, DISPATCHER, World
from work_orders.domain import signed_link
from work_orders.domain.base_fields import Sheet
from work_orders.domain.machine import Actor, Role
from work_orders.service import addresses, links
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.addresses import LINKS_A_DAY, set_way
from work_orders.service.aftercare import answer_survey
from work_orders.service.base_import import take_base
from work_orders.service.contacts import card, give_consent, put_way, set_contact
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.letter_tables import letters, way_requests
from work_orders.service.letters import post_letters
from work_orders.service.mail_keys import key_of
from work_orders.service.sending import Message
from work_orders.service.unit import unit

IMPORTER = Actor("Import", Role.INTEGRATION)


@pytest.fixture
def post() -> Iterator[Post]:
    with serving() as made:
        yield made


def own(world: World, address: str, channel: str = "mail") -> None:
    """The customer enters an address himself."""
    set_way(world.shared, world.tenant, "waterworks", channel, address, CUSTOMER)


def ways(world: World) -> list[tuple[str, str, str]]:
    with world.database.read() as connection:
        found = card(connection, world.tenant, "waterworks")
    assert found is not None
    return [(w.channel, w.address, w.bounced) for w in found.ways]


def token_in(mail: Any, kind: str = "confirm") -> str:
    (found,) = set(re.findall(rf"https://pages.example.org/{kind}/([^\s?\"'<]+)", part(mail, "text/plain")))
    return str(found)


def link_of(token: str) -> signed_link.Link:
    link = signed_link.read(token)
    assert link is not None
    return link


def test_nothing_but_the_question_leaves_for_an_address_that_a_customer_entered(world: World, post: Post) -> None:
    world.clock.at += timedelta(microseconds=250_001)  # no clock stands at whole seconds
    own(world, "new@example.org")
    assert ways(world) == [("mail", "waterworks@example.org", "")]  # until then what he had before
    world.take(3)
    noon(world, channel(post))
    assert sorted(str(mail["To"]) for mail in post.taken) == ["new@example.org", "waterworks@example.org"]
    (asked,) = (mail for mail in post.taken if mail["To"] == "new@example.org")
    assert asked["Subject"] == "Is this your address?"
    assert asked["Reply-To"] is None
    after(world, channel(post), days=1)
    assert [mail["To"] for mail in post.taken].count("new@example.org") == 1  # the reminder went to the other
    addresses.confirm(world.shared, link_of(token_in(asked)))
    assert ways(world) == [("mail", "new@example.org", "")]
    assert world.rows(way_requests) == []
    assert "contact_way_confirmed" in world.actions()
    with pytest.raises(NotFound):  # once
        addresses.confirm(world.shared, link_of(token_in(asked)))


def test_a_link_ends_and_only_the_newest_counts_for_its_own_address(world: World, post: Post) -> None:
    own(world, "one@example.org")
    own(world, "two@example.org")
    post_letters(world.shared, world.tenant, (channel(post),))
    first, second = sorted(post.taken, key=lambda mail: str(mail["To"]))
    forged = token_in(second)[:-1] + ("a" if token_in(second)[-1] != "a" else "b")
    for token in (token_in(first), forged):
        with pytest.raises(NotFound):
            addresses.confirm(world.shared, link_of(token))
    with world.database.read() as connection:
        asked = partial(addresses.waiting, connection, world.tenant, "waterworks")
        assert [address for _, address, _ in asked(world.clock.at)] == ["two@example.org"]
        assert asked(world.clock.at + addresses.CONFIRM_WITHIN + timedelta(seconds=1)) == []
    world.clock.at += addresses.CONFIRM_WITHIN + timedelta(seconds=1)
    with pytest.raises(NotFound):
        addresses.confirm(world.shared, link_of(token_in(second)))
    assert ways(world) == [("mail", "waterworks@example.org", "")]
    assert [signed_link.read(x) for x in ("", "~~~", "a~b~zz~c", "a~b~" + "f" * 40 + "~c", "a\0~b~1~c")] == [None] * 5


def test_a_form_floods_nobody(world: World) -> None:
    for n in range(LINKS_A_DAY):
        own(world, f"n{n}@example.org")
    with pytest.raises(BadInput, match="links a day"):
        own(world, "more@example.org")
    world.clock.at += timedelta(days=1, minutes=1)
    own(world, "more@example.org")
    with pytest.raises(BadInput, match="one mail address"):
        own(world, "a@b@c")


def test_what_colleagues_enter_counts_at_once_and_ends_the_question(world: World) -> None:
    own(world, "+49 170 1", "sms")
    assert ("sms", "+49 170 1", "") not in ways(world)
    set_way(world.shared, world.tenant, "waterworks", "sms", "+49 170 1", DISPATCHER)
    assert ("sms", "+49 170 1", "") in ways(world)
    assert world.rows(way_requests) == []
    own(world, "+49 170 1", "sms")  # it counts already: nobody asks
    assert len(world.rows(letters)) == 1
    own(world, "", "sms")  # no more: at once
    assert ("sms", "+49 170 1", "") not in ways(world)


@pytest.mark.parametrize("column", ["contact", "email"])
@pytest.mark.parametrize("corrected", [True, False])
def test_a_corrected_import_counts_after_a_bounce(world: World, column: str, corrected: bool) -> None:
    with unit(world.shared, world.tenant, DISPATCHER) as work:
        put_way(work, "waterworks", "mail", "waterworks@example.org", "550 no such mailbox")
    address = "office@example.org" if corrected else "waterworks@example.org"
    headers, row = ("id", "name", column), ["waterworks", "City waterworks", address]
    taken = take_base(world.shared, world.tenant, [Sheet("customers", headers, [row])], IMPORTER)
    assert taken.faults == []
    assert ways(world) == [("mail", address, "" if corrected else "550 no such mailbox")]


def test_a_letter_that_is_refused_or_belongs_to_a_simulated_tenant_ends(world: World, post: Post) -> None:
    own(world, "new@example.org")
    own(world, "chat-1", "chat")
    post.rcpt.append("451 later")
    assert post_letters(world.shared, world.tenant, (channel(post),)) == 2
    states = {row.channel: row.state for row in world.rows(letters)}
    assert states == {"mail": "queued", "chat": "bounced"}  # chat is not set up
    world.clock.at += timedelta(minutes=6)
    post.rcpt.append("550 no")
    post_letters(world.shared, world.tenant, (channel(post),))
    assert {row.state for row in world.rows(letters)} == {"bounced"}
    assert ways(world) == [("mail", "waterworks@example.org", "")]


def test_a_letter_that_nothing_could_hand_over_for_a_day_is_too_late(world: World, post: Post) -> None:
    own(world, "new@example.org")
    world.clock.at += timedelta(days=1)
    post_letters(world.shared, world.tenant, (channel(post),))
    assert post.taken == []
    assert world.only(letters).state == "withdrawn"


class Broken:
    """A channel with a fault of our own."""

    name, leaves = "mail", True

    def send(self, message: Message) -> None:
        raise RuntimeError("a fault")


def test_a_letter_that_fails_by_a_fault_of_our_own_is_given_up_after_a_day(world: World) -> None:
    own(world, "new@example.org")
    for _ in range(40):
        with suppress(RuntimeError):
            post_letters(world.shared, world.tenant, (Broken(),))
        world.clock.at += timedelta(hours=1)
    assert world.only(letters).state == "bounced"


def agreed(world: World) -> None:
    give_consent(world.shared, world.tenant, "waterworks", "survey", "mail", True, CUSTOMER)


def invited(world: World) -> Any:
    (row,) = (x for x in world.rows(m.messages) if x.template == "survey")
    return row


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_survey_is_asked_by_mail_where_he_agreed_and_its_link_opens_it_alone(
    world: World, post: Post, language: str
) -> None:
    set_contact(world.shared, world.tenant, "waterworks", CUSTOMER, name="Li", language=language, time_zone="UTC")
    agreed(world)
    order = mended(world)
    noon(world, channel(post))
    (mail,) = (x for x in post.taken if str(x["Subject"]).startswith("Pump 1") and "survey" in part(x, "text/plain"))
    assert mail["Content-Language"] == language
    token = token_in(mail, "survey")
    with world.database.read() as connection:
        link = links.opened(connection, links.SURVEY, token)
        assert links.opened(connection, links.ANSWER, token) is None
    assert link is not None
    assert (link.tenant, link.what) == (world.tenant, (order,))
    assert link.until > world.clock.at
    assert token not in invited(world).text  # nor can a colleague read it


def test_without_a_yes_the_page_alone_asks(world: World, post: Post) -> None:
    mended(world)
    noon(world, channel(post))
    assert invited(world).channel == "web"
    assert not any("survey" in part(mail, "text/plain") for mail in post.taken)


@pytest.mark.parametrize("answered", [False, True])
def test_an_invitation_held_back_too_long_or_answered_meanwhile_does_not_leave(
    world: World, post: Post, answered: bool
) -> None:
    agreed(world)
    set_contact(
        world.shared, world.tenant, "waterworks", CUSTOMER, name="", language="en", time_zone="UTC",
        quiet_from="00:00", quiet_to="23:59",
    )  # fmt: skip
    order = mended(world)
    after(world, channel(post), minutes=1)
    assert invited(world).state == "held"
    if answered:
        answer_survey(world.shared, world.tenant, order, CUSTOMER, satisfied=5)
    world.clock.at = invited(world).due_at if answered else world.clock.at + timedelta(hours=24)
    after(world, channel(post), minutes=0)
    assert invited(world).state == "withdrawn"
    assert not any("survey" in part(mail, "text/plain") for mail in post.taken)


@pytest.mark.parametrize("answered", [False, True])
def test_an_invitation_that_waits_for_a_server_does_not_leave_when_it_is_late_or_answered(
    world: World, post: Post, answered: bool
) -> None:
    agreed(world)
    order = mended(world)
    post.rcpt.append("451 later")
    noon(world, channel(post))
    assert invited(world).state == "sent"
    if answered:
        answer_survey(world.shared, world.tenant, order, CUSTOMER, satisfied=5)
    world.clock.at += timedelta(minutes=6) if answered else timedelta(hours=24)
    after(world, channel(post), minutes=0)
    assert (invited(world).channel, invited(world).why) == ("web", "mail: nobody need answer it any more")
    assert not any("survey" in part(mail, "text/plain") for mail in post.taken)


def test_a_notice_by_mail_has_a_link_for_each_answer(world: World, post: Post) -> None:
    world.take(3)
    noon(world, channel(post))
    (mail,) = post.taken
    text, html = part(mail, "text/plain"), part(mail, "text/html")
    token = token_in(mail, "answer")
    for do in ("2026-11-23-am", "propose", "decline", "call-me"):
        assert f"/answer/{token}?do={do}" in text
        assert f"/answer/{token}?do={do}" in html
    notice = world.only(t.notices)
    with world.database.read() as connection:
        link = links.opened(connection, links.ANSWER, token)
    assert link is not None
    assert link.what == (notice.id,)
    assert link.until == datetime(2026, 12, 22, 12, tzinfo=UTC)
    assert token not in world.only(m.messages).text
    with unit(world.shared, world.tenant, CUSTOMER) as work:
        again = links.signed(world.only(m.messages).text, key_of(work), world.tenant, world.clock.at)
    assert token in again  # the same for every attempt
