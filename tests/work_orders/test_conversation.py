"""One conversation a case: answers by mail join it, strangers do not, notes never leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from imap_tools import MailMessage

from tests.work_orders.imap_server import serving
from tests.work_orders.test_mail import after, noon
from tests.work_orders.test_sending import Mail as Channel
from tests.work_orders.world import CUSTOMER, DISPATCHER, ENGINEER, STRANGER, TECHNICIAN, World
from work_orders import service
from work_orders.adapters import imap
from work_orders.adapters.imap import BadMailbox, Mailbox, fetch, mail_of
from work_orders.domain.case_states import CaseState
from work_orders.domain.machine import NotPermitted
from work_orders.domain.progress import CaseFacts, steps
from work_orders.domain.reply_token import genuine, signature, tokens_in
from work_orders.queries import conversations
from work_orders.service import door_tables as d
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.attachments import files_of_case
from work_orders.service.conversation import (
    Mail,
    add_note,
    assign_mail,
    dismiss_mail,
    take_mail,
    write_message,
)
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.work_tables import attachments

IDA = "Waterworks@Example.org"
SECRET = "between us: he always complains"
ANSWER = Mail("<1@theirs>", IDA, "Re: Pump 1", "Tuesday, please.\n\n> When may we come?")


@pytest.fixture
def told(world: World) -> Channel:
    """A notice that went out by mail."""
    mail = Channel()
    world.take(3)
    noon(world, mail)
    return mail


def case_of(world: World) -> str:
    return str(world.rows(t.cases)[0].id)


def said(world: World) -> list[tuple[bool, str, str]]:
    with world.database.read() as connection:
        found = conversations.conversation(connection, world.tenant, case_of(world))
    assert found is not None
    return [(s.incoming, s.channel, s.text.splitlines()[0]) for s in found.said]


@pytest.mark.parametrize("by", ["address", "subject", "references"])
def test_an_answer_joins_by_token_or_by_what_it_answers(world: World, told: Channel, by: str) -> None:
    sent = told.sent[0]
    mail = {
        "address": replace(ANSWER, recipients=(f"service+{sent.reply_token.lower()}@example.org",)),
        "subject": replace(ANSWER, subject=f"Re: {sent.title} [{sent.reply_token}]"),
        "references": replace(ANSWER, references=("<other@x>", f"<{sent.id}@example.org>")),
    }[by]
    assert take_mail(world.shared, "local", mail) == "joined"
    assert take_mail(world.shared, "local", mail) == "repeated"
    assert said(world)[-1] == (True, "mail", "Tuesday, please.")
    assert len(said(world)) == 2


def test_a_forged_token_or_another_sender_waits_for_the_dispatcher(world: World, told: Channel) -> None:
    token = told.sent[0].reply_token
    ((conversation, signed),) = tokens_in(token)
    forged = replace(ANSWER, sender="x@evil.org", recipients=(f"s+{conversation}.{signed[::-1]}@example.org",))
    assert take_mail(world.shared, world.tenant, forged) == "unassigned"
    stolen = replace(ANSWER, mail_id="<2@theirs>", sender="x@evil.org", recipients=(f"s+{token}@example.org",))
    assert take_mail(world.shared, world.tenant, stolen) == "unassigned"
    assert len(said(world)) == 1
    with world.database.read() as connection:
        loose = sorted(conversations.loose_mails(connection, world.tenant), key=lambda x: x.why, reverse=True)
    assert [x.why.split(" ")[0] for x in loose] == ["the", "it"]
    with pytest.raises(NotPermitted):
        assign_mail(world.shared, world.tenant, loose[0].id, case_of(world), CUSTOMER)
    assign_mail(world.shared, world.tenant, loose[1].id, case_of(world), DISPATCHER)
    dismiss_mail(world.shared, world.tenant, loose[0].id, "advertising", DISPATCHER)
    with pytest.raises(BadInput, match="settled"):
        dismiss_mail(world.shared, world.tenant, loose[0].id, "again", DISPATCHER)
    with world.database.read() as connection:
        assert conversations.loose_mails(connection, world.tenant) == []
    assert said(world)[-1] == (True, "mail", "Tuesday, please.")


def test_what_came_with_a_mail_goes_along_when_it_is_assigned(world: World, told: Channel) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"0" * 40
    for n, sender in enumerate(("ida@home.example", "spam@evil.org")):
        mail = replace(ANSWER, mail_id=f"<{n}@x>", sender=sender, files=(("leak.png", picture + bytes([n])),))
        assert take_mail(world.shared, world.tenant, mail) == "unassigned"
    (ida,) = [r for r in world.rows(m.mails) if r.sender == "ida@home.example"]
    (spam,) = [r for r in world.rows(m.mails) if r.sender == "spam@evil.org"]
    assign_mail(world.shared, world.tenant, ida.id, case_of(world), DISPATCHER)
    dismiss_mail(world.shared, world.tenant, spam.id, "advertising", DISPATCHER)
    with world.database.read() as connection:
        (kept,) = files_of_case(connection, world.tenant, case_of(world))
    assert (kept.name, kept.who) == ("leak.png", "ida@home.example")
    assert len(world.rows(attachments)) == 1


def test_an_address_that_several_customers_have_says_of_nobody_who_wrote(world: World) -> None:
    with world.database.write() as connection:  # somebody of another company says that it is his
        row = world.rows(t.customers)[0]._asdict() | {"tenant": "aaa", "id": "thief", "contact": IDA.lower()}
        connection.execute(t.customers.insert().values(**row))
    mail = Mail("<9@theirs>", IDA, "It drips", "The pump drips.")
    assert take_mail(world.shared, world.tenant, mail) == "unassigned"
    kept = world.only(m.mails)
    assert (kept.tenant, kept.why) == (world.tenant, "more than one customer has this address")
    assert world.rows(d.requests) == []


def test_a_customers_mail_about_no_case_is_a_request_through_the_one_door(world: World) -> None:
    mail = Mail("<9@theirs>", IDA, "It drips", "The pump drips.\n-- \nIda")
    assert take_mail(world.shared, "local", mail) == "requested"
    assert take_mail(world.shared, "local", mail) == "repeated"
    request = world.only(d.requests)
    assert (request.kind, request.case_id, request.who) == ("email", None, "City waterworks")
    assert request.text == "It drips\nThe pump drips."
    assert take_mail(world.shared, world.tenant, replace(mail, mail_id="<8@x>", automatic=True)) == "unassigned"
    assert len(world.rows(d.requests)) == 1


def test_the_dispatcher_answers_by_the_customers_way_in_one_thread(world: World, told: Channel) -> None:
    case = case_of(world)
    write_message(world.shared, world.tenant, case, "Is the gate open?", CUSTOMER)
    with world.database.read() as connection:
        (waiting,) = conversations.unanswered(connection, world.tenant).items
    assert waiting.text == "Is the gate open?"
    write_message(world.shared, world.tenant, case, "Yes, from seven.", DISPATCHER)
    after(world, told, minutes=1)
    reply = told.sent[-1]
    assert "Yes, from seven." in reply.text
    assert reply.earlier == (told.sent[0].id,)
    assert reply.reply_token == told.sent[0].reply_token
    assert [x[:2] for x in said(world)] == [(False, "mail"), (True, "web"), (False, "mail")]
    with world.database.read() as connection:
        assert conversations.unanswered(connection, world.tenant).items == ()
        assert conversations.conversation(connection, world.tenant, case, customer_id="brewery") is None


def test_who_may_not_talk_is_told_so(world: World, told: Channel) -> None:
    case = case_of(world)
    with pytest.raises(NotFound):
        write_message(world.shared, world.tenant, case, "hello", STRANGER)
    with pytest.raises(NotPermitted):
        write_message(world.shared, world.tenant, case, "hello", TECHNICIAN)
    with pytest.raises(NotPermitted):
        add_note(world.shared, world.tenant, case, "hello", CUSTOMER)
    for text in ("", " \n", "x" * 10_001):
        with pytest.raises(BadInput):
            write_message(world.shared, world.tenant, case, text, CUSTOMER)


def test_notes_never_leave(world: World, told: Channel) -> None:
    case = case_of(world)
    assert add_note(world.shared, world.tenant, case, SECRET, ENGINEER) == 1
    write_message(world.shared, world.tenant, case, "Coming.", DISPATCHER)
    world.clear()
    after(world, told, minutes=1)
    assert len(told.sent) == 3
    assert all(SECRET not in repr(message) for message in told.sent)
    with world.database.read() as connection:
        found = conversations.conversation(connection, world.tenant, case)
        assert SECRET not in repr(found)
        assert [n.text for n in conversations.notes(connection, world.tenant, case)] == [SECRET]
        for table in t.metadata.sorted_tables:
            rows = connection.execute(sa.select(table)).all()
            assert table is m.case_notes or SECRET not in repr(rows), table.name


def test_what_was_said_once_is_known(world: World, told: Channel) -> None:
    notice = world.only(t.notices)
    service.ask_for_call(world.shared, world.tenant, notice.id, CUSTOMER, reason="after ten")
    with world.database.read() as connection:
        found = conversations.conversation(connection, world.tenant, case_of(world))
    assert found is not None
    known = dict(found.known)
    assert known["Contact"] == "waterworks@example.org"
    assert known["Site"] == "City waterworks, hall"
    assert known["Answered"] == "wants a call after ten"


def test_the_steps_follow_the_case(world: World, told: Channel) -> None:
    def names() -> list[tuple[str, bool]]:
        with world.database.read() as connection:
            found = conversations.conversation(connection, world.tenant, case_of(world))
        assert found is not None
        return [(s.name, s.done) for s in found.steps]

    seen = [("seen", True), ("judged", True), ("proposed", True)]
    assert names() == [*seen, ("booked", False), ("done", False), ("verified", False)]
    service.accept_notice(world.shared, world.tenant, world.only(t.notices).id, 1, CUSTOMER)
    assert names()[3:] == [
        ("booked", True), ("on_the_way", False), ("on_site", False), ("done", False), ("verified", False),
    ]  # fmt: skip
    order = world.only(t.orders).id
    service.order_action(world.shared, world.tenant, order, "start", TECHNICIAN)
    assert names()[3:] == [("booked", True), ("on_site", True), ("done", False), ("verified", False)]
    service.order_action(world.shared, world.tenant, order, "finish", TECHNICIAN)
    service.record_finding(world.shared, world.tenant, order, "prevented", TECHNICIAN)
    assert names()[3:] == [("booked", True), ("on_site", True), ("done", True), ("verified", False)]


@pytest.mark.parametrize(("kind", "words"), [("forecast", "went away by themselves"), ("report", "without a visit")])
def test_only_of_a_forecast_it_is_said_that_signs_went_away(kind: str, words: str) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    facts = CaseFacts(CaseState.CLOSED, "Pump 1", kind, at, None, None, None, None, None, None, (), "", at)
    assert [words in s.text for s in steps(facts) if s.name == "cleared"] == [True]


@pytest.mark.parametrize(("kind", "mistaken"), [("forecast", True), ("report", False)])
def test_only_of_a_forecast_it_is_said_that_it_was_mistaken(kind: str, mistaken: bool) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    facts = CaseFacts(CaseState.CLOSED, "Pump 1", kind, at, None, None, None, None, at, at, (), "false", at)
    (done,) = (s.text for s in steps(facts) if s.name == "done")
    assert "Nothing was wrong" in done
    assert ("mistaken" in done) is mistaken


def test_a_breakdown_that_nobody_has_come_to_is_not_done(world: World) -> None:
    case = service.report_breakdown(world.shared, world.tenant, "p1", "bearing_wear", CUSTOMER)
    with world.database.read() as connection:
        found = conversations.conversation(connection, world.tenant, case)
    assert found is not None
    assert ("done", False) in [(s.name, s.done) for s in found.steps]


def a_mail(token: str, text: str, *, html: bool = False) -> bytes:
    made = EmailMessage()
    made["From"], made["To"] = f"Ida <{IDA}>", f"service+{token}@example.org"
    made["Subject"], made["Message-ID"] = "Re: Pump 1", f"<{abs(hash(text))}@theirs>"
    made["Date"] = datetime(2026, 11, 22, 13, tzinfo=UTC)
    made.set_content(f"<p>{text}</p><p>Ida &amp; Co</p>" if html else text, subtype="html" if html else "plain")
    made.add_attachment(b"\x89PNG\r\n\x1a\n" + b"0" * 40, maintype="image", subtype="png", filename="leak.png")
    return made.as_bytes()


def test_a_mailbox_is_read_once_with_what_is_attached(world: World, told: Channel) -> None:
    token = told.sent[0].reply_token
    with serving() as box:
        mailbox = Mailbox.of(f"imap://ida:right@127.0.0.1:{box.port}")
        box.mails += [a_mail(token, "It leaks."), a_mail(token, "See above.", html=True)]
        assert fetch(world.shared, mailbox, "local") == {"joined": 2}
        assert fetch(world.shared, mailbox, "local") == {}
        box.seen.clear()  # a server that forgets
        assert fetch(world.shared, mailbox, "local") == {"repeated": 2}
        assert mailbox.check() == ""
        assert "not you" in Mailbox.of(f"imap://ida:wrong@127.0.0.1:{box.port}").check()
    assert {x[2] for x in said(world)[1:]} == {"It leaks.", "See above."}
    incoming = [r for r in world.rows(m.messages) if r.incoming]
    assert {tuple(msgspec.json.decode(r.attachments)) for r in incoming} == {("leak.png",)}


def test_a_mail_that_cannot_be_taken_in_is_flagged_and_stops_no_other(
    world: World, told: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(mail: Mail) -> Mail:
        if mail.text.startswith("Bad"):
            raise ArithmeticError
        return mail

    monkeypatch.setattr(imap, "take_mail", lambda shared, tenant, mail: take_mail(shared, tenant, fails(mail)))
    token = told.sent[0].reply_token
    with serving() as box:
        mailbox = Mailbox.of(f"imap://ida:right@127.0.0.1:{box.port}")
        box.mails += [a_mail(token, "Bad"), a_mail(token, "It leaks.")]
        assert fetch(world.shared, mailbox, "local") == {"flagged": 1, "joined": 1}
        assert box.flags == {1: "\\Flagged", 2: "\\Seen"}
        assert fetch(world.shared, mailbox, "local") == {}


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<html><head><title>x</title></head><style>p {}</style ><p>It drips.</p>A &amp; B<br>C</html>",
         "It drips.\nA & B\nC"),
        ("<head><p>no end", "no end"),
        ("<" * 150_000, "<" * 150_000),
        ("<style>" * 25_000, ""),
        ("a\0b", "ab"),
    ],
)  # fmt: skip
def test_words_are_found_in_any_page_in_no_time(html: str, words: str) -> None:
    made = EmailMessage()
    made["From"], made["Message-ID"] = IDA, "<1@x>"
    made.set_content(html, subtype="html")
    assert mail_of(MailMessage.from_bytes(made.as_bytes())).text == words


REPORT = """From: MAILER-DAEMON@mx.example.org
To: service@example.org
Subject: Undelivered Mail Returned to Sender
Message-ID: <dsn1@mx.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="x"

--x
Content-Type: text/plain

I could not deliver it.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; waterworks@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {status} no such mailbox

--x
Content-Type: text/rfc822-headers

Message-ID: <{id}@example.org>
Subject: Pump 1

--x--
"""


def test_a_report_that_a_mail_did_not_arrive_leads_to_the_next_way(world: World, told: Channel) -> None:
    def report(action: str, status: str) -> Mail:
        text = REPORT.format(id=told.sent[0].id, action=action, status=status)
        return replace(mail_of(MailMessage.from_bytes(text.encode())), mail_id=f"<{status}@mx>")

    assert take_mail(world.shared, "local", report("delayed", "4.4.1")) == "unassigned"
    assert world.only(m.deliveries).state == "delivered"
    assert take_mail(world.shared, "local", report("failed", "5.1.1")) == "bounced"
    assert world.only(m.deliveries).state == "bounced"
    assert world.only(m.contact_ways).bounced == "5.1.1 no such mailbox"
    after(world, told, minutes=1)
    notice = world.only(t.notices)
    assert (notice.state, notice.channel, len(told.sent)) == ("sent", "web", 1)
    with world.database.read() as connection:
        assert conversations.loose_mails(connection, world.tenant) == []


@pytest.mark.parametrize("url", ["http://x", "imaps://host", "imap://u:p@mail.example.org", "imaps://u:p@h:99999"])
def test_addresses_of_mailboxes_that_cannot_be_used_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadMailbox):
        Mailbox.of(url)


def test_nobody_signs_for_a_company_that_has_no_key_yet() -> None:
    name = "T-aaaaaaaaaaaa"
    assert genuine("key", name, signature("key", name))
    assert not genuine("", name, signature("", name))
    assert not genuine("key", name, "\N{LATIN SMALL LETTER LONG S}" * 16)
