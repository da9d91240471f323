"""Fleets on a registry with two pumps, a gateway, and what became of their messages."""

from dataclasses import dataclass, field
from functools import partial

import pytest

from ingest.service.access import Access
from ingest.service.foreign import Fleets, FromStation
from ingest.service.foreign_names import speak_sparkplug, speak_thingsboard, stand_behind
from plumbing.mqtt import Incoming
from tests.ingest.conftest import World

TOKEN = "A1_TEST_TOKEN"


@dataclass
class Yard:
    """Fleets before ingest, without sockets."""

    world: World
    fleets: Fleets
    refused: list[tuple[str, str]] = field(default_factory=list)
    replies: list[tuple[str, str, bytes]] = field(default_factory=list)
    waiting: list[Incoming] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)

    def put(self, message: FromStation) -> bool:
        self.waiting.append(message)
        return True

    def reply(self, account: str, topic: str, body: bytes) -> None:
        self.replies.append((account, topic, body))

    def send(self, account: str, topic: str, *bodies: bytes | str) -> None:
        """Publish, and let ingest take it."""
        for body in bodies:
            assert self.fleets.may_publish(account, topic)
            data = body.encode() if isinstance(body, str) else body
            number = len(self.kept) + len(self.waiting)
            self.fleets.offer(account, topic, data, partial(self.kept.append, number))
        self.take()

    def take(self) -> None:
        """A round of ingest's writer."""
        block, done = self.fleets.translate(self.waiting)
        self.waiting = []
        self.world.intake.take(block)
        for each in done:
            each()

    def restarted(self) -> "Yard":
        """The same after a restart of ingest."""
        return opened(self.world)

    def look(self) -> None:
        """Let the registry be looked at anew."""
        self.world.clock.pass_(2.0)


@pytest.fixture
def yard(world: World) -> Yard:
    """`gate` is a Sparkplug node and `tb` a ThingsBoard gateway, each with a pump behind it."""
    for name in ("gate", "tb", "pump-2"):
        world.device(name)
    now = world.clock.now()
    speak_sparkplug(world.database, "acme", "gate", "Plant 1/Line 4", now=now)
    stand_behind(world.database, "acme", "pump-1", "gate", "Pump", signals={"Motor/Temp": "temp"}, now=now)
    speak_thingsboard(world.database, "acme", "tb", token=TOKEN, now=now)
    stand_behind(world.database, "acme", "pump-2", "tb", "Device A", now=now)
    return opened(world)


def opened(world: World) -> Yard:
    """The fleets of what is registered."""
    access = Access(world.database, world.clock)
    refused: list[tuple[str, str]] = []
    fleets = Fleets(
        world.database, world.clock, verify=access.verify,
        refused=lambda user, topic: refused.append((user, topic)),
    )  # fmt: skip
    made = Yard(world, fleets, refused)
    fleets.attach(made.put)
    fleets.answer_by(made.reply)
    return made
