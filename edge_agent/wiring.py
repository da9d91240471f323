"""Puts an agent together and runs it in a thread of its own."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version

from contracts.topics import topic
from contracts.wire import OFFLINE
from edge_agent.adapters import drivers
from edge_agent.adapters.outbox import SqliteOutbox
from edge_agent.service import Agent, Driver
from edge_agent.settings import Settings
from plumbing.mqtt import Incoming, MqttLink
from plumbing.system_clock import SystemClock

LOOK_S = 1.0
"""Longest pause between steps."""
FAILED_S = 1.0
log = logging.getLogger(__name__)


class AgentService:
    """A running agent: `start`, `stop`, `healthy` as plumbing.runtime.Service. `agent` is there from `start` on."""

    def __init__(self, settings: Settings) -> None:
        self.name = f"agent {settings.tenant}/{settings.device}"
        self._settings = settings
        self._clock = SystemClock()
        self._inbox: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure = ""
        self._epoch = 0
        here = (settings.tenant, settings.device)
        self._state_topic, self._telemetry_topic = topic(*here, "state"), topic(*here, "telemetry")
        self._link = MqttLink(
            settings.mqtt_url,
            "/".join(here),
            subscribe=[topic(*here, "stored")],
            on_connect=lambda: self._inbox.put(None),
            on_message=self._on_message,
            will=(self._state_topic, OFFLINE),
        )
        self.agent: Agent | None = None
        self._outbox: SqliteOutbox | None = None

    def start(self) -> None:
        """Open the outbox and begin. Raises OutboxInUse or OutboxBroken (EdgeAgentError)."""
        settings = self._settings
        self._outbox = SqliteOutbox(settings.outbox, settings.limits, self._clock.monotonic)
        made: dict[str, Driver] = {
            name: drivers.load(driver.kind)(driver.options) for name, driver in settings.drivers.items()
        }
        self.agent = Agent(
            made,
            self._outbox,
            self._publish,
            self._clock.now,
            settings.window,
            settings.batch,
            f"forewarn {version('forewarn')}",
            {name: driver.units for name, driver in settings.drivers.items() if driver.units},
        )
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(self.agent,), name=self.name, daemon=True)
        self._link.start()
        self._thread.start()

    def stop(self) -> None:
        """End cleanly: say so to the platform; what waits stays in the outbox."""
        self._stopping.set()
        self._inbox.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._link.publish(self._state_topic, OFFLINE, True)
        self._link.stop()
        if self.agent is not None:
            self.agent.close()
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None

    def healthy(self) -> str:
        """What is wrong, in words; empty when well."""
        if self._thread is None or not self._thread.is_alive():
            return "not running"
        problem = self.agent.problem if self.agent is not None else ""
        return self._failure or problem or self._link.problem

    def _on_message(self, message: Incoming) -> None:
        self._inbox.put((message.epoch, message.body))

    def _publish(self, kind: str, body: bytes, retain: bool) -> bool:
        if self._link.epoch != self._epoch:
            return False  # this connection is new: the agent has not met it yet
        return self._link.publish(self._state_topic if kind == "state" else self._telemetry_topic, body, retain)

    def _run(self, agent: Agent) -> None:
        wait = 0.0
        while not self._stopping.is_set():
            heard = self._heard(wait)
            self._epoch = self._link.epoch if self._link.connected else 0
            try:
                due = agent.step(self._epoch, heard, self._clock.monotonic())
                self._failure = ""
            except Exception as failure:
                log.exception("%s: a step failed", self.name)
                self._failure = f"a step failed: {failure}"
                due = self._clock.monotonic() + FAILED_S
                self._stopping.wait(FAILED_S)
            wait = min(LOOK_S, max(0.0, due - self._clock.monotonic()))

    def _heard(self, wait: float) -> list[tuple[int, bytes]]:
        """What came, after at most `wait` seconds."""
        heard = []
        with suppress(queue.Empty):
            message = self._inbox.get(timeout=wait) if wait else self._inbox.get_nowait()
            while True:
                if message is not None:
                    heard.append(message)
                message = self._inbox.get_nowait()
        return heard


def build(settings: Settings) -> AgentService:
    """One agent, ready to start."""
    return AgentService(settings)


def run(settings: Settings, until: Callable[[], object]) -> None:
    """Run one agent until `until` returns."""
    service = build(settings)
    service.start()
    try:
        until()
    finally:
        service.stop()
