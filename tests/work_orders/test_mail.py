"""Notices by mail through a real server: once each, refused, later, broken off, withdrawn, corrected."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.points import DeviceRows
from plumbing.sql import to_us
from plumbing.system_clock import SystemClock
from tests.work_orders.mail_server import Post, serving
from tests.work_orders.test_crashes import crash_everywhere
from tests.work_orders.test_sending import Mail
from tests.work_orders.world import CUSTOMER, DISPATCHER, TECHNICIAN, World
from work_orders import service
from work_orders.adapters.smtp import BadAddress, SmtpChannel, SmtpServer
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.addresses import set_way
from work_orders.service.contacts import give_consent, set_contact
from work_orders.service.conversation import Mail as Received
from work_orders.service.conversation import take_mail
from work_orders.service.outbox import post as post_out
from work_orders.service.sending import WEB, Channel, Message, TryLater
from work_orders.service.wording import PAGES

SENDER = "Pump service <service@example.org>"


@pytest.fixture(scope="module")
def server() -> Iterator[Post]:
    with serving() as made:
        yield made


@pytest.fixture
def post(server: Post) -> Post:
    """The server, empty again."""
    server.taken.clear()
    server.rcpt.clear()
    server.data.clear()
    return server


def channel(post: Post) -> SmtpChannel:
    return SmtpChannel(SmtpServer.of(f"smtp://127.0.0.1:{post.port}?tls=none"), SENDER, "https://pages.example.org/")


def noon(world: World, *channels: Channel, days: int = 0) -> None:
    """It is noon of the first day, or of one after; what is due is done."""
    world.clock.at = datetime(2026, 11, 22, 12, tzinfo=UTC) + timedelta(days=days)
    service.tick(world.shared, world.tenant, (*channels, WEB))


def after(world: World, *channels: Channel, **delta: float) -> None:
    world.clock.at += timedelta(**delta)
    service.tick(world.shared, world.tenant, (*channels, WEB))


def readings(world: World) -> None:
    at = [to_us(world.clock.at - timedelta(minutes=10 * n)) for n in range(300, 0, -1)]
    values: list[list[float | None]] = [[2.0 + n / 150] for n in range(300)]
    world.shared.store.write(
        [DeviceRows(world.tenant, "p1", "pump", "aaaaaaaa", ["vibration"], list(range(1, 301)), at, values, at[-1])]
    )


def part(mail: EmailMessage, kind: str) -> Any:
    found = [p for p in mail.walk() if p.get_content_type() == kind]
    assert len(found) == 1, kind
    assert isinstance(found[0], EmailMessage)
    return found[0].get_content()


def test_a_notice_is_a_mail_with_text_page_and_chart(world: World, post: Post) -> None:
    world.take(3)
    readings(world)
    noon(world, channel(post))
    (mail,) = post.taken
    message = world.only(m.messages)
    assert mail["Message-ID"] == f"<{message.id}@example.org>"
    assert mail["To"] == "waterworks@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Reply-To"].startswith("service+T-")
    text, html = part(mail, "text/plain"), part(mail, "text/html")
    for said in (
        "About 3 in 10 machines like this fail within 5 days.", "The visit costs you nothing", "no record yet",
        "Monday, 23 November", "Waiting until then costs you", "A person answers: +49 30 123", "never taken as a yes",
    ):  # fmt: skip
        assert said in text, said
        assert said.split(":")[0] in html, said
    notice = world.only(t.notices)
    assert f"https://pages.example.org/answer/acme~{notice.id}~" in text
    assert PAGES not in text + html
    assert "cid:chart" in html
    assert part(mail, "image/png")[:8] == b"\x89PNG\r\n\x1a\n"
    assert (notice.state, notice.channel) == ("delivered", "mail")
    assert (message.template, message.template_version, message.language) == ("forecast", 0, "en")


def test_a_mail_without_readings_shows_no_empty_picture_and_speaks_chinese(world: World, post: Post) -> None:
    set_contact(world.shared, world.tenant, "waterworks", CUSTOMER, name="Li", language="zh", time_zone="UTC")
    world.take(3)
    noon(world, channel(post))
    (mail,) = post.taken
    assert "每 10 台同类设备中约有 3 台会在 5 天内发生故障。" in part(mail, "text/plain")
    assert "11月23日 星期一 上午" in part(mail, "text/plain")
    assert "cid:" not in part(mail, "text/html")
    assert mail["Content-Language"] == "zh"


def test_a_mailbox_that_is_not_there_leads_to_the_next_way_once_and_for_all(world: World, post: Post) -> None:
    sms = Mail("sms")
    set_way(world.shared, world.tenant, "waterworks", "sms", "+49 170 1", DISPATCHER)
    give_consent(world.shared, world.tenant, "waterworks", "forecast", "sms", True, CUSTOMER)
    post.rcpt.append("550 no such mailbox")
    world.take(3)
    noon(world, channel(post), sms)
    after(world, channel(post), sms, minutes=1)
    assert post.taken == []
    assert [s.contact for s in sms.sent] == ["+49 170 1"]
    notice = world.only(t.notices)
    assert (notice.state, notice.channel) == ("delivered", "sms")
    assert notice.refused == "mail: tried in vain"
    states = {(d.channel, d.state) for d in world.rows(m.deliveries)}
    assert states == {("mail", "bounced"), ("sms", "delivered")}
    (way,) = [w for w in world.rows(m.contact_ways) if w.channel == "mail"]
    assert way.bounced == "550 no such mailbox"
    world.take(3, device="p2")
    after(world, channel(post), sms, hours=2)
    assert (len(post.taken), len(sms.sent)) == (0, 2)
    set_way(world.shared, world.tenant, "waterworks", "mail", "ida@example.org", DISPATCHER)


@pytest.mark.parametrize(
    ("rcpt", "data", "copies"),
    [(["451 try again"], [], 1), ([], ["451 greylisted"], 1), ([], ["break"], 2)],
)
def test_what_did_not_get_there_is_tried_again_under_the_same_name(
    world: World, post: Post, rcpt: list[str], data: list[str], copies: int
) -> None:
    post.rcpt.extend(rcpt)
    post.data.extend(data)
    world.take(3)
    noon(world, channel(post))
    assert world.only(m.deliveries).state == "queued"
    for _ in range(4):
        after(world, channel(post), minutes=2)
    assert len(post.taken) == copies
    assert len({mail["Message-ID"] for mail in post.taken}) == 1
    assert len({mail.as_bytes() for mail in post.taken}) <= copies
    assert world.only(m.deliveries).state == "delivered"
    assert world.only(t.notices).state == "delivered"


def test_a_server_that_is_away_for_a_day_leads_to_the_next_way(world: World) -> None:
    away = SmtpChannel(SmtpServer.of("smtp://127.0.0.1:9?tls=none"), SENDER, "")
    world.take(3)
    noon(world, away)
    for _ in range(9):
        after(world, away, hours=3)
    notice, first = world.only(t.notices), world.rows(m.deliveries)[0]
    assert (notice.state, notice.channel) == ("sent", "web")
    assert first.why.startswith("for a day: ")
    assert world.rows(m.contact_ways) == []


class Died(BaseException):
    """The process dies."""


@dataclass
class Dying:
    """A channel whose process dies the first time, when the message is over already."""

    name: str = "mail"
    leaves: bool = True
    sent: list[str] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.sent.append(message.id)
        if len(self.sent) == 1:
            raise Died


def test_a_crash_after_handing_over_makes_one_repetition_of_the_same_name(world: World) -> None:
    dying = Dying()
    world.take(3)
    with pytest.raises(Died):
        noon(world, dying)
    after(world, dying, minutes=1)
    assert len(dying.sent) == 1
    after(world, dying, minutes=2)
    after(world, dying, hours=1)
    assert len(dying.sent) == 2
    assert len(set(dying.sent)) == 1


def test_many_posters_hand_a_message_over_once(any_world: World) -> None:
    world, mail = any_world, Mail()
    world.take(3)
    world.clock.at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    service.tick(world.shared, world.tenant, (mail, WEB), handing_over=False)
    assert mail.sent == []
    threads = [threading.Thread(target=post_out, args=(world.shared, world.tenant, (mail,))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mail.sent) == 1


def test_at_night_a_notice_is_held_until_the_morning_of_the_customer(world: World) -> None:
    mail = Mail()
    set_contact(world.shared, world.tenant, "waterworks", CUSTOMER, name="Li", language="en", time_zone="Asia/Shanghai")
    world.take(3)
    world.clock.at = datetime(2026, 11, 22, 15, tzinfo=UTC)
    service.tick(world.shared, world.tenant, (mail, WEB))
    notice = world.only(t.notices)
    assert (notice.state, notice.send_after) == ("held", datetime(2026, 11, 22, 23, tzinfo=UTC))
    assert notice.refused.endswith("quiet hours")
    after(world, mail, hours=7.9)
    assert mail.sent == []
    after(world, mail, hours=0.2)
    assert len(mail.sent) == 1


def test_no_consent_means_the_page_alone(world: World) -> None:
    mail = Mail()
    give_consent(world.shared, world.tenant, "waterworks", "forecast", "mail", False, CUSTOMER)
    world.take(3)
    noon(world, mail)
    assert mail.sent == []
    assert world.only(t.notices).refused == "mail: no consent for forecast"
    said = world.only(m.consents)
    assert (said.given, said.actor) == (False, "Ida Kunde")


def test_what_has_not_left_is_withdrawn_and_what_has_is_corrected(world: World) -> None:
    mail = Mail()
    world.take(3)
    world.clock.at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    service.tick(world.shared, world.tenant, (mail, WEB), handing_over=False)
    world.clear()
    after(world, mail, minutes=1)
    assert mail.sent == []
    assert [x.state for x in world.rows(m.deliveries)] == ["withdrawn"]
    world.take(3, device="p2")
    after(world, mail, minutes=1)
    world.clear("p2")
    after(world, mail, minutes=1)
    assert [s.title for s in mail.sent] == ["Pump 2: bearing wear is growing", "No longer holds: Pump 2"]
    assert mail.sent[1].earlier == (mail.sent[0].id,)


def test_a_visit_for_nothing_is_admitted_in_the_act_that_labels_it(world: World) -> None:
    mail = Mail()
    world.take(3)
    noon(world, mail)
    service.accept_notice(world.shared, world.tenant, world.only(t.notices).id, 1, CUSTOMER)
    order = world.only(t.orders)
    service.order_action(world.shared, world.tenant, order.id, "start", TECHNICIAN)
    service.order_action(world.shared, world.tenant, order.id, "finish", TECHNICIAN)
    service.record_finding(world.shared, world.tenant, order.id, "false", TECHNICIAN, as_found="All quiet")
    notice = world.only(t.notices)
    assert (notice.state, notice.reason) == ("corrected", "the visit found nothing wrong")
    assert {r.label for r in world.rows(t.intake)} == {"false"}
    after(world, mail, minutes=1)
    assert mail.sent[-1].title == "We were wrong about Pump 1"
    assert "All quiet" in mail.sent[-1].text
    assert "on your machines: 0 of 1" in mail.sent[-1].text


@pytest.mark.parametrize(
    "url", ["http://x", "smtp://", "smtp://u:p@mail.example.org?tls=none", "smtp://x?tls=maybe", "smtp://x:99999"]
)
def test_addresses_of_servers_that_cannot_be_used_are_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        SmtpServer.of(url)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of 127.0.0.1 that signs itself."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = SystemClock().now()
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    return folder / "cert.pem", folder / "key.pem"


def test_starttls_and_a_password_and_what_is_wrong_with_ours_is_no_bounce(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    message = Message("acme", "M-1", "waterworks", "x@example.org", "Title", "Text", False, False)
    with serving(context) as post:
        at = f"127.0.0.1:{post.port}"

        def by(secret: str, trusted: str) -> SmtpServer:
            return SmtpServer.of(f"smtp://ida:{secret}@{at}?ca={trusted}")

        SmtpChannel(by("right", str(cert)), SENDER, "").send(message)
        assert [mail["Subject"] for mail in post.taken] == ["Title"]
        assert post.users == ["ida"]
        assert by("right", str(cert)).check() == ""
        assert "535" in by("wrong", str(cert)).check()
        with pytest.raises(TryLater, match="535"):
            SmtpChannel(by("wrong", str(cert)), SENDER, "").send(message)
        with pytest.raises(TryLater, match="certificate verify failed"):
            SmtpChannel(by("right", ""), SENDER, "").send(message)
    assert "right" not in repr(by("right", ""))


def test_the_picture_leaves_out_what_is_no_number(world: World) -> None:
    from work_orders.service.chart_picture import _draw

    made = _draw([(0, 1.0), (3_600_000_000, 2.0), (7_200_000_000, 1.5)], None, "°C")
    assert made[:4] == b"\x89PNG"
    assert np.frombuffer(made, dtype=np.uint8).size > 1000


def test_a_test_message_goes_out_and_the_doctor_looks_at_the_server(
    post: Post, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from argparse import Namespace

    from forewarn.commands import notices
    from forewarn.environment import Failed, WrongUse

    def given(channel: str) -> Namespace:
        return Namespace(to="you@example.org", channel=channel, tenant="local")

    environ = {
        "FOREWARN_SMTP_URL": f"smtp://127.0.0.1:{post.port}?tls=none", "FOREWARN_MAIL_FROM": SENDER,
        "FOREWARN_CHANNELS": "acme/sms=json://127.0.0.1:9/{to}",
    }  # fmt: skip
    assert notices.test(given("mail"), environ) == 0
    assert [(mail["To"], mail["From"]) for mail in post.taken] == [("you@example.org", SENDER)]
    assert "mail took it" in capsys.readouterr().out
    with pytest.raises(WrongUse, match="set up: mail, sms"):
        notices.test(given("chat"), environ)
    with pytest.raises(Failed, match="sms is not set up for local"):
        notices.test(given("sms"), environ)
    assert notices.mail_out(environ, tmp_path)[0]
    assert notices.mail_out({}, tmp_path)[:2] == (True, "mail: not set up, notices stay in the web inbox")
    assert "FOREWARN_SMTP_URL" in notices.mail_out({"FOREWARN_SMTP_URL": "x"}, tmp_path)[1]
    assert not notices.mail_in({"FOREWARN_IMAP_URL": "imap://u:p@127.0.0.1:9"}, tmp_path)[0]


def test_the_closest_address_of_a_service_counts_and_holds_the_contacts_number() -> None:
    from work_orders.adapters.apprise_channel import AppriseChannel, BadChannels, parse

    found = parse("# ours\nsms=json://a/{to}\nacme/sms=json://b/{to}\nacme/waterworks/sms=json://c\n")
    sms = AppriseChannel("sms", found["sms"], "")
    to = Message("acme", "M-1", "waterworks", "+49 1/2", "T", "Text", False, False)
    assert sms.url(to) == "json://c"
    assert sms.url(replace(to, customer_id="brewery")) == "json://b/%2B49%201%2F2"
    assert sms.url(replace(to, tenant="other")) == "json://a/%2B49%201%2F2"
    for wrong in ("sms", "mail=json://x", "a/b/c/d=json://x", "s ms=json://x"):
        with pytest.raises(BadChannels, match="line 1") as refused:
            parse(wrong)
        assert "json" not in str(refused.value)


def test_a_service_takes_a_message_or_it_is_tried_later() -> None:
    """Through apprise itself, to a small web server."""
    from work_orders.adapters.apprise_channel import AppriseChannel

    heard: list[dict[str, Any]] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if len(heard) > 1 else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        push = AppriseChannel("push", {"": f"json://127.0.0.1:{http.server_port}/{{to}}"}, "https://pages.example.org")
        message = Message("acme", "M-1", "c", "ida", "Title", f"See {PAGES}/notices/N-1", False, False)
        with pytest.raises(TryLater, match="push did not take it"):
            push.send(message)
        push.send(message)
        http.shutdown()
    assert heard[-1]["title"] == "Title"
    assert heard[-1]["message"] == "See https://pages.example.org/notices/N-1"


def test_a_crash_while_deciding_or_recording_leaves_no_half_state(world: World) -> None:
    mail = Mail()
    world.take(3)
    world.clock.at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert crash_everywhere(
        world, lambda: service.tick(world.shared, world.tenant, (mail, WEB), handing_over=False)
    ) > 10  # fmt: skip
    assert mail.sent == []
    service.tick(world.shared, world.tenant, (mail, WEB))
    answer = Received("<1@x>", "waterworks@example.org", "Re", "Yes", recipients=(f"s+{mail.sent[0].reply_token}@x",))
    assert crash_everywhere(world, lambda: take_mail(world.shared, "local", answer)) > 5
    assert [row.incoming for row in world.rows(m.messages)].count(True) == 1
