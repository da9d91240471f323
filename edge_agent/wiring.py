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
from edge_agent.adapters.command_journal import SqliteJournal
from edge_agent.adapters.commanded import CommandedAgent
from edge_agent.adapters.outbox import SqliteOutbox
from edge_agent.domain.by_exception import ByException
from edge_agent.domain.commands import Commands
from edge_agent.domain.features import Featured
from edge_agent.domain.observed import Observed
from edge_agent.service import Agent, Driver
from edge_agent.settings import Settings
from plumbing.boot_clock import BootClock
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
        self._command_topic, self._result_topic = topic(*here, "command"), topic(*here, "result")
        self._orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._link = MqttLink(
            settings.mqtt_url,
            "/".join(here),
            subscribe=[topic(*here, "stored"), self._command_topic],
            on_connect=lambda: self._inbox.put(None),
            on_message=self._on_message,
            will=(self._state_topic, OFFLINE),
            tls=settings.tls,
        )
        self.agent: Agent | None = None
        self._outbox: SqliteOutbox | None = None
        self._commanded: CommandedAgent | None = None
        self.commands: Commands | None = None

    def start(self) -> None:
        """Open the outbox and begin. Raises OutboxInUse or OutboxBroken (EdgeAgentError)."""
        settings = self._settings
        self._outbox = SqliteOutbox(settings.outbox, settings.limits, self._clock.monotonic, self._clock.now)
        made = {name: Observed(self._opened(name)) for name in settings.drivers}
        self.agent = Agent(
            {name: self._sifted(name, source) for name, source in made.items()},
            self._outbox,
            self._publish,
            self._clock.now,
            settings.window,
            settings.batch,
            f"forewarn {version('forewarn')}",
            {name: driver.units for name, driver in settings.drivers.items() if driver.units},
            settings.backlog_rate,
            live_first=not all(drivers.can_wait(driver.kind) for driver in settings.drivers.values()),
        )
        self._take_commands(made, self._outbox)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(self.agent,), name=self.name, daemon=True)
        self._link.start()
        self._thread.start()

    def _sifted(self, name: str, source: Observed) -> Driver:
        """What of a source goes out; commands see all of it."""
        told = self._settings.drivers[name]
        featured: Driver = Featured(source, told.windows) if told.windows else source
        return featured if told.exceptions is None else ByException(featured, told.exceptions)

    def _opened(self, name: str) -> Driver:
        driver = self._settings.drivers[name]
        return drivers.load(driver.kind)(driver.options)

    def _take_commands(self, sources: dict[str, Observed], outbox: SqliteOutbox) -> None:
        settings, clock = self._settings, BootClock()
        path = settings.outbox.with_name(settings.outbox.name + ".commands")
        self._commanded = CommandedAgent(
            settings.commands, sources, SqliteJournal(path), settings.outbox, clock, self._clock.monotonic,
            lambda: outbox.waiting, f"forewarn {version('forewarn')}", self._opened,
        )  # fmt: skip
        self.commands = self._commanded.commands(
            f"{settings.tenant}/{settings.device}", lambda body: self._link.publish(self._result_topic, body)
        )

    def stop(self) -> None:
        """End cleanly: say so to the platform; what waits stays in the outbox."""
        self._stopping.set()
        self._inbox.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._link.publish(self._state_topic, OFFLINE, True)
        self._link.stop()
        if self.commands is not None:
            self.commands.close()
        if self.agent is not None:
            self.agent.close()
        if self._commanded is not None:
            self._commanded.close()
            self._commanded = None
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
        if message.topic == self._command_topic:
            if not message.retained:  # nothing retained is a command: it would come again after every connect
                self._orders.put(message.body)
            self._inbox.put(None)
            return
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
                due = min(due, self._clock.monotonic() + self._obey())
                self._failure = ""
            except Exception as failure:
                log.exception("%s: a step failed", self.name)
                self._failure = f"a step failed: {failure}"
                due = self._clock.monotonic() + FAILED_S
                self._stopping.wait(FAILED_S)
            wait = min(LOOK_S, max(0.0, due - self._clock.monotonic()))

    def _obey(self) -> float:
        """Take what commands have come and go on with those that run; seconds until there is something to do."""
        if self.commands is None:
            return LOOK_S
        with suppress(queue.Empty):
            while True:
                self.commands.hear(self._orders.get_nowait())
        return self.commands.step()

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
