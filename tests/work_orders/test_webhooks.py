"""Events out: signed, in order for each machine, at least once, and not where they must not go."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from plumbing import audit
from tests.work_orders.world import ADMIN, DISPATCHER, SUNDAY, TENANT, World
from work_orders.adapters.webhook_post import Answer, post
from work_orders.adapters.webhook_sender import WebhookSender
from work_orders.domain import webhooks as rules
from work_orders.domain.machine import NotPermitted
from work_orders.domain.webhooks import Reach
from work_orders.service.errors import BadInput, NotFound, Stale
from work_orders.service.webhook_tables import deliveries, webhooks
from work_orders.service.webhooks import Made, add_webhook, move_webhook

URL = "https://hooks.example.org/in"
HERE = Reach((ip_network("127.0.0.0/8"),))


@dataclass
class Receiver:
    """Somebody outside: keeps what he takes. `says` gives his answer to an event."""

    world: World
    says: Callable[[dict[str, Any]], Answer] = lambda _: Answer(204)
    taken: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, reach: Reach, _: Callable[[], float]) -> Answer:
        self.asked.append((headers, body))
        self.reaches.append(reach)
        event = msgspec.json.decode(body)
        answer = self.says(event)
        if 200 <= answer.status < 300:
            self.taken.append(event)
        return answer

    def round(self, **later: float) -> int:
        """Time passes, what is due is sent."""
        self.world.clock.at += timedelta(**later)
        return WebhookSender(self.world.shared, Reach(), self.post).round()

    def ids(self) -> list[str]:
        return [e["data"]["id"] for e in self.taken]


@pytest.fixture
def out(world: World) -> Receiver:
    """A receiver of all events."""
    add_webhook(world.shared, TENANT, URL, ["*"], ADMIN)
    return Receiver(world)


def happen(world: World, *entries: tuple[str, str], action: str = "case_opened") -> None:
    """Entries about (machine, id)."""
    with world.database.write() as connection:
        for asset, id in entries:
            audit.append(connection, TENANT, world.clock.at, "ann", action, {"asset": asset, "id": id, "text": "x"})


def test_what_happens_in_a_story_goes_out_as_cloud_events_in_order(world: World, out: Receiver) -> None:
    world.booked()
    assert out.round() == len(out.taken) > 5
    types = [e["type"] for e in out.taken]
    assert {"forewarn.case.opened", "forewarn.order.opened", "forewarn.notice.sent", "forewarn.notice.accepted"} <= {
        *types
    }
    assert [e["sequence"] for e in out.taken] == sorted(e["sequence"] for e in out.taken)
    event = out.taken[0]
    assert (event["specversion"], event["source"]) == ("1.0", "/forewarn/acme")
    assert set(event) >= {"id", "type", "time", "subject", "datacontenttype", "data"}
    assert out.round() == 0


def test_what_is_said_inside_never_goes_out() -> None:
    for action in (
        "note_added",
        "message_written",
        "signed_in",
        "key_made",
        "webhook_dead",
        "policy_set",
        "mail_assigned",
    ):
        assert rules.type_of(action) is None, action


@pytest.mark.parametrize(
    ("patterns", "heard"),
    [(["*"], True), (["case.*"], True), (["case.opened"], True), (["order.*", "case.opened"], True),
     (["case.closed"], False), (["order.*"], False)],
)  # fmt: skip
def test_only_what_was_asked_for_is_heard(patterns: list[str], heard: bool) -> None:
    assert rules.wanted("forewarn.case.opened", patterns) is heard


def test_signatures_are_those_of_standard_webhooks_also_while_the_secret_changes(world: World) -> None:
    made = add_webhook(world.shared, TENANT, URL, ["*"], ADMIN)
    out = Receiver(world)

    def verifies(secret: str) -> bool:
        headers, body = out.asked[-1]
        named = {k.lower(): v for k, v in headers.items()}
        # the package looks at the wall clock of this machine: only its signature is asked
        stamp = named["webhook-timestamp"]
        own = Webhook(secret).sign(named["webhook-id"], world.clock.at, body.decode())
        assert stamp == str(int(world.clock.at.timestamp()))
        return own in named["webhook-signature"].split()

    happen(world, ("p1", "c1"))
    out.round()
    assert verifies(made.secret)
    new = move_webhook(world.shared, TENANT, made.id, "rotate", ADMIN)
    assert new.secret != made.secret
    happen(world, ("p1", "c2"))
    out.round()
    assert verifies(made.secret)
    assert verifies(new.secret)
    happen(world, ("p1", "c3"))
    out.round(hours=25)
    assert verifies(new.secret)
    assert not verifies(made.secret)


def test_the_package_verifies_a_real_header_and_refuses_a_changed_body() -> None:
    from plumbing.system_clock import SystemClock

    secret, stamp = rules.secret_of(b"k" * 24), int(SystemClock().now().timestamp())
    body = rules.cloud_event(TENANT, 7, SUNDAY, "ann", "forewarn.case.opened", {"id": "c1"})
    signed = rules.signature([rules.secret_of(b"o" * 24), secret], "acme-7", stamp, body)
    headers = {"webhook-id": "acme-7", "webhook-timestamp": str(stamp), "webhook-signature": signed}
    assert Webhook(secret).verify(body.decode(), headers)["id"] == "acme-7"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.decode() + " ", headers)


def test_one_that_is_not_taken_holds_up_its_machine_and_nobody_else(world: World, out: Receiver) -> None:
    happen(world, ("p1", "a1"), ("p2", "b1"), ("p1", "a2"), ("p2", "b2"))
    out.says = lambda e: Answer(422 if e["data"]["id"] == "a1" else 200)
    out.round()
    assert out.ids() == ["b1", "b2"]
    out.says = lambda _: Answer(200)
    assert out.round(seconds=1) == 0
    out.round(seconds=5)
    assert out.ids() == ["b1", "b2", "a1", "a2"]


@pytest.mark.parametrize("answer", [Answer(0, "refused"), Answer(500), Answer(429)])
def test_who_is_down_for_a_day_catches_up_in_order(world: World, out: Receiver, answer: Answer) -> None:
    names = [(f"p{n % 3}", f"e{n:02}") for n in range(12)]
    happen(world, *names[:6])
    out.says = lambda _: answer
    for hour in range(24):
        out.round(hours=1)
        if hour == 12:
            happen(world, *names[6:])
    assert len(out.asked) < 20  # one event knocks, not all of them
    out.says = lambda _: Answer(200)
    for _ in range(4):
        out.round(hours=2)
    assert sorted(out.ids()) == [id for _, id in names]
    for asset in ("p0", "p1", "p2"):
        of = [e["data"]["id"] for e in out.taken if e["data"]["asset"] == asset]
        assert of == sorted(of)
    row = world.only(webhooks)
    assert (row.failures, row.retry_at, row.last_error, row.state) == (0, None, "", "active")


def test_an_event_that_is_never_taken_dies_after_more_than_a_day_and_lives_again_when_asked(
    world: World, out: Receiver
) -> None:
    happen(world, ("p1", "a1"), ("p1", "a2"))
    out.says = lambda e: Answer(422 if e["data"]["id"] == "a1" else 200)
    begun = world.clock.at
    while not out.taken:
        out.round(minutes=30)
    assert out.ids() == ["a2"]
    assert timedelta(hours=24) < world.clock.at - begun < timedelta(hours=40)
    assert "webhook_dead" in world.actions()
    assert [d.state for d in world.rows(deliveries)] == ["dead", "delivered"]
    out.says = lambda _: Answer(200)
    move_webhook(world.shared, TENANT, world.only(webhooks).id, "retry_dead", ADMIN)
    out.round()
    assert out.ids() == ["a2", "a1"]


def test_after_five_days_it_is_disabled_and_told_and_nothing_is_lost(world: World, out: Receiver) -> None:
    happen(world, ("p1", "a1"), ("p2", "b1"))
    out.says = lambda _: Answer(503)
    while world.only(webhooks).state == "active":
        out.round(hours=3)
    assert world.clock.at - SUNDAY < timedelta(days=6)
    assert "webhook_disabled" in world.actions()
    happen(world, ("p3", "c1"))
    asked = len(out.asked)
    out.round(hours=12)
    assert len(out.asked) == asked
    out.says = lambda _: Answer(200)
    id = world.only(webhooks).id
    move_webhook(world.shared, TENANT, id, "retry_dead", ADMIN)
    move_webhook(world.shared, TENANT, id, "resume", ADMIN)
    out.round()
    assert sorted(out.ids()) == ["a1", "b1", "c1"]


def test_gone_ends_it_at_once_and_a_redirect_is_not_followed(world: World, out: Receiver) -> None:
    happen(world, ("p1", "a1"))
    out.says = lambda _: Answer(302)
    out.round()
    assert "redirects are not followed" in world.only(webhooks).last_error
    out.says = lambda _: Answer(410)
    out.round(hours=1)
    assert world.only(webhooks).state == "disabled"


def test_a_pause_keeps_and_a_replay_sends_again_with_the_same_ids(world: World, out: Receiver) -> None:
    id = world.only(webhooks).id
    start = world.only(webhooks).position
    happen(world, ("p1", "a1"), ("p1", "a2"))
    move_webhook(world.shared, TENANT, id, "pause", ADMIN)
    assert out.round() == 0
    move_webhook(world.shared, TENANT, id, "resume", ADMIN)
    out.round()
    first = [e["id"] for e in out.taken]
    bodies = [body for _, body in out.asked]
    assert len(first) == 2
    move_webhook(world.shared, TENANT, id, "replay", ADMIN, after=start)
    out.round()
    assert [e["id"] for e in out.taken] == first * 2
    assert [body for _, body in out.asked[2:]] == bodies
    with pytest.raises(BadInput):
        move_webhook(world.shared, TENANT, id, "replay", ADMIN, after=10**9)


def test_a_crash_after_the_post_sends_again_and_never_less(world: World, out: Receiver) -> None:
    happen(world, ("p1", "a1"), ("p1", "a2"))
    crashed: list[str] = []

    def says(event: dict[str, Any]) -> Answer:
        if not crashed:
            crashed.append(event["id"])
            raise ZeroDivisionError
        return Answer(200)

    out.says = says
    with pytest.raises(ZeroDivisionError):
        out.round()
    out.round(minutes=2)
    assert out.ids() == ["a1", "a2"]
    assert [msgspec.json.decode(body)["id"] for _, body in out.asked].count(crashed[0]) == 2


def test_two_senders_share_and_do_not_double(world: World, out: Receiver) -> None:
    happen(world, *((f"p{n % 5}", f"e{n}") for n in range(30)))
    threads = [threading.Thread(target=out.round) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.round()
    assert sorted(out.ids()) == sorted(f"e{n}" for n in range(30))


def test_only_admins_and_only_with_sense(world: World) -> None:
    for url in ("ftp://x/", "https://", "https://a@b/", "https://x/#f", "https://x y/", "nothing", "https://x:99999/"):
        with pytest.raises(BadInput):
            add_webhook(world.shared, TENANT, url, ["*"], ADMIN)
    for types in ([], ["message.*"], ["case"], ["case.*;"], ["*"] * 51):
        with pytest.raises(BadInput):
            add_webhook(world.shared, TENANT, URL, types, ADMIN)
    with pytest.raises(NotPermitted):
        add_webhook(world.shared, TENANT, URL, ["*"], DISPATCHER)
    made = add_webhook(world.shared, TENANT, URL, ["*"], ADMIN, key="k1")
    assert add_webhook(world.shared, TENANT, URL, ["*"], ADMIN, key="k1") == Made(made.id, "")
    with pytest.raises(Stale):
        move_webhook(world.shared, TENANT, made.id, "pause", ADMIN, version=9)
    with pytest.raises(NotFound):
        move_webhook(world.shared, "other", made.id, "pause", ADMIN)
    move_webhook(world.shared, TENANT, made.id, "remove", ADMIN)
    with pytest.raises(NotFound):
        move_webhook(world.shared, TENANT, made.id, "pause", ADMIN)
    told = [a for a in world.actions() if a.startswith("webhook")]
    assert told == ["webhook_added", "webhook_remove"]
    with world.database.read() as connection:
        assert made.secret not in str([e.diff for e in audit.read(connection, TENANT, limit=9999)])


def test_nothing_of_a_simulated_company_leaves(world: World, out: Receiver) -> None:
    from plumbing.tenants import tenants

    with world.database.write() as connection:
        connection.execute(tenants.update().values(simulated=True))
    happen(world, ("p1", "a1"))
    out.round()
    assert [r.inside_only for r in out.reaches] == [True]


# where events may go


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
     "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
     "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00::1", "x"],
)  # fmt: skip
def test_private_addresses_are_refused(address: str) -> None:
    assert Reach().why_not(address, tls=True)


def test_public_addresses_need_tls_and_allowed_networks_do_not() -> None:
    assert Reach().why_not("93.184.216.34", tls=True) == ""
    assert Reach().why_not("2606:2800:220:1::1", tls=True) == ""
    assert "https" in Reach().why_not("93.184.216.34", tls=False)
    assert HERE.why_not("127.0.0.1", tls=False) == HERE.why_not("::ffff:127.0.0.1", tls=False) == ""
    assert HERE.why_not("10.0.0.1", tls=True)
    for url in ("https://10.0.0.1/in", "https://localhost/in", "http://127.0.0.1:9999/in", "http://example.org/in"):
        assert Reach().why_not_url(url)
    assert Reach().why_not_url("https://example.org/in") == HERE.why_not_url("http://127.0.0.1:9999/in") == ""
    assert "simulated" in Reach(HERE.allowed, inside_only=True).why_not("93.184.216.34", tls=True)


@dataclass
class Wire:
    """A server that says what it is told to, once a connection."""

    port: int
    said: list[bytes]
    heard: list[bytes]
    delays: list[float]


@pytest.fixture
def wire() -> Iterator[Wire]:
    """On a free port of this machine."""
    listening = socket.create_server(("127.0.0.1", 0))
    made = Wire(listening.getsockname()[1], [b"HTTP/1.1 204 No Content\r\n\r\n"], [], [])
    ended = threading.Event()

    def run() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    made.heard.append(connection.recv(65536))
                    for n, part in enumerate(made.said):
                        if made.delays:
                            ended.wait(made.delays[n % len(made.delays)])
                        connection.sendall(part)
                except OSError:
                    continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield made
    ended.set()
    listening.close()


def sent(wire: Wire, reach: Reach = HERE, within: float = 2.0, find: Any = None) -> Answer:
    """What becomes of a post to it."""
    from plumbing.system_clock import SystemClock

    found = find or (lambda host, port: ["127.0.0.1"])
    url = f"http://hooks.example.org:{wire.port}/in?a=b"
    return post(url, {"webhook-id": "x"}, b"{}", reach, SystemClock().monotonic, find=found, within=within)


def test_the_name_is_looked_up_once_and_that_address_is_called(wire: Wire) -> None:
    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    assert sent(wire, find=rebinding) == Answer(204)
    assert len(asked) == 1
    head = wire.heard[0].split(b"\r\n")
    assert head[0] == b"POST /in?a=b HTTP/1.1"
    assert f"Host: hooks.example.org:{wire.port}".encode() in head


def test_a_name_with_one_private_address_is_not_called_at_all(wire: Wire) -> None:
    assert "private network" in sent(wire, Reach()).error
    assert "private network" in sent(wire, find=lambda h, p: ["127.0.0.1", "10.0.0.1"]).error
    assert wire.heard == []


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ([b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n"], 302, ""),
        ([b"HTTP/1.1 200 OK\r\n", b"x" * 100_000], 200, ""),
        ([b"SSH-2.0-x\r\n"], 0, "no HTTP"),
        ([b"x" * 40_000], 0, "no HTTP"),
        ([], 0, "without an answer"),
    ],
)
def test_answers_are_read_no_further_than_needed(wire: Wire, said: list[bytes], status: int, error: str) -> None:
    wire.said = said
    got = sent(wire)
    assert got.status == status
    assert error in got.error


def test_a_receiver_that_dribbles_is_left_in_time(wire: Wire) -> None:
    wire.said, wire.delays = [b"H"] * 100, [0.1]
    assert "no answer within" in sent(wire, within=0.5).error


def test_nobody_there_is_an_answer_too(wire: Wire) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    assert "not known" in sent(wire, find=unknown).error
    wire.port = 9
    assert sent(wire).error
