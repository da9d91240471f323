"""A slow receiver, or a slow mail server, holds up itself alone; each keeps its order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import pytest

from tests.work_orders.test_webhooks import happen
from tests.work_orders.world import ADMIN, CUSTOMER, DISPATCHER, TENANT, World
from work_orders import service
from work_orders.adapters.lanes import Lanes
from work_orders.adapters.poster import Poster
from work_orders.adapters.webhook_post import Answer
from work_orders.adapters.webhook_sender import WebhookSender
from work_orders.domain.webhooks import Reach
from work_orders.service.addresses import set_way
from work_orders.service.contacts import give_consent
from work_orders.service.sending import WEB, Message
from work_orders.service.webhooks import add_webhook

LONG = 20.0
"""Seconds until a test gives up; nothing waits for so long when all is well."""


@dataclass
class Slow:
    """Hosts whose name begins with `slow` answer only when they are let."""

    let: threading.Event = field(default_factory=threading.Event)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    taken: list[tuple[str, str]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def post(self, url: str, _: Mapping[str, str], body: bytes, __: Reach, ___: Callable[[], float]) -> Answer:
        if "//slow" in url:
            self.waiting.append(url)
            assert self.let.wait(LONG)
        self.taken.append((url, msgspec.json.decode(body)["data"]["id"]))
        self.came.release()
        return Answer(204)


def test_slow_receivers_hold_up_neither_others_nor_their_order(world: World) -> None:
    outside = Slow()
    for n in range(6):
        add_webhook(world.shared, TENANT, f"https://slow.example.org/{n}", ["*"], ADMIN)
    add_webhook(world.shared, TENANT, "https://quick.example.org/", ["*"], ADMIN)
    happen(world, *(("p1", f"a{n}") for n in range(5)))
    sender = WebhookSender(world.shared, Reach(), outside.post)
    sender.start()
    try:
        for _ in range(5):
            assert outside.came.acquire(timeout=LONG)
        assert [id for url, id in outside.taken if "quick" in url] == [f"a{n}" for n in range(5)]
        assert len(outside.waiting) <= 2  # of eight threads the slow host has no more
    finally:
        outside.let.set()
        for _ in range(30):
            outside.came.acquire(timeout=LONG)
        sender.stop()
    for n in range(6):
        assert [id for url, id in outside.taken if url.endswith(f"/{n}")] == [f"a{k}" for k in range(5)]


@dataclass
class Way:
    """A channel of a service; a slow one takes a message only when it is let."""

    name: str
    slow: bool = False
    leaves: bool = True
    let: threading.Event = field(default_factory=threading.Event)
    came: threading.Event = field(default_factory=threading.Event)
    taken: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.slow:
            assert self.let.wait(LONG)
        self.taken.append(message)
        self.came.set()


def test_a_slow_mail_server_holds_up_no_other_channel(world: World) -> None:
    mail, sms = Way("mail", slow=True), Way("sms")
    set_way(world.shared, TENANT, "brewery", "mail", "", DISPATCHER)
    set_way(world.shared, TENANT, "brewery", "sms", "+49 1", DISPATCHER)
    give_consent(world.shared, TENANT, "brewery", "forecast", "sms", True, ADMIN)
    world.take(3)
    world.take(3, device="p3")
    world.clock.at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    service.tick(world.shared, TENANT, (mail, sms, WEB), handing_over=False)
    set_way(world.shared, TENANT, "waterworks", "chat", "c1", CUSTOMER)  # a letter by a channel that is not set up
    poster = Poster(world.shared, (mail, sms, WEB))
    poster.start()
    try:
        assert sms.came.wait(LONG)
        assert mail.taken == []
    finally:
        mail.let.set()
        assert mail.came.wait(LONG)
        poster.stop()
    assert [len(way.taken) for way in (mail, sms)] == [1, 1]


def test_a_lane_is_one_at_a_time_and_a_host_has_its_share() -> None:
    lanes, let = Lanes("test", workers=3, per_host=2), threading.Event()

    def busy() -> int:
        assert let.wait(LONG)
        return 1

    first = lanes.offer("a", "h", busy)
    second = lanes.offer("b", "h", busy)
    assert lanes.offer("a", "other", busy) is None  # it is on its way
    assert lanes.offer("c", "h", busy) is None  # its host has its share
    third = lanes.offer("d", "other", busy)
    assert lanes.offer("e", "third", busy) is None  # no thread is free
    let.set()
    turns = [turn.result(LONG) for turn in (first, second, third) if turn is not None]
    assert turns == [1, 1, 1]
    assert [lanes.last(x) for x in ("a", "b", "c", "d")] == [1, 2, 0, 3]
    failed = lanes.offer("a", "h", lambda: 1 // 0)
    assert failed is not None
    with pytest.raises(ZeroDivisionError):
        failed.result(LONG)
    lanes.close()
