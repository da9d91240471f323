"""Everything in one process, on embedded defaults where no setting names a server."""

import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import api.service as identity
import api.wiring as web
import work_orders.service.installed_base as base
from api.settings import Settings as WebSettings
from api.views import StoryBook
from edge_agent import settings as agent_settings
from edge_agent import wiring as agent
from forewarn import ports
from forewarn.environment import Failed
from forewarn.home import Running
from forewarn.product import HOST_DEVICE, LOCAL, Heart, Options, Product, share
from ingest.service.access import Access
from ingest.service.refusals import count_refused_publish
from plumbing import migrate
from plumbing.broker import EmbeddedBroker
from plumbing.runtime import Service, Shared
from plumbing.system_clock import SystemClock

HOST_MODEL = "host-computer"
log = logging.getLogger(__name__)


class Broker:
    """The embedded broker as a service."""

    name = "broker"

    def __init__(self, make: Callable[[Callable[[str, str], None]], EmbeddedBroker], shared: Shared) -> None:
        self._refused: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._broker = make(lambda username, topic: self._refused.put((username, topic)))
        self._shared = shared
        self._thread = threading.Thread(target=self._count, name="refused publishes", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._broker.start()
        self._thread.start()

    def stop(self) -> None:
        """Disconnect everybody."""
        self._broker.stop()
        if self._thread.is_alive():
            self._refused.put(None)
            self._thread.join()

    def disconnect(self, username: str) -> None:
        """End an account's connection: it was revoked."""
        self._broker.disconnect(username)

    def healthy(self) -> str:
        """It lives in this process."""
        return ""

    def _count(self) -> None:
        """Refused publishes go on record here: nothing may hold up the broker's loop."""
        while (refused := self._refused.get()) is not None:
            count_refused_publish(self._shared.database, *refused, now=self._shared.system.now())


class Embedded:
    """`forewarn up`: made, then started, then stopped."""

    def __init__(
        self, home: Path, environ: Mapping[str, str], options: Options, system: SystemClock,
        stories: StoryBook | None = None,
    ) -> None:  # fmt: skip
        from anomaly import settings as anomaly_settings
        from anomaly import wiring as anomaly
        from ingest import wiring as ingest
        from ingest.domain.rights import INGEST
        from ingest.service.registry import set_service_account
        from ingest.settings import Settings as IngestSettings
        from work_orders import settings as work_settings
        from work_orders import wiring as work_orders

        home.mkdir(parents=True, exist_ok=True)
        self.home, self.environ, self._options, self._system = home, environ, options, system
        self.shared = share(environ, home, system)
        migrate.upgrade(self.shared.database)
        self.shared.clocks.add_wall(LOCAL)
        services: list[Service] = [Heart(self.shared)]
        given = environ.get("FOREWARN_MQTT_URL")
        try:
            self.http_port = ports.free(options.listen, options.http_port)
            self.mqtt_port = ports.free(options.listen, options.mqtt_port, frozenset({self.http_port}))
        except OSError as failure:
            raise Failed(f"cannot listen on {options.listen}: {failure}") from failure
        for wanted, got, what in (
            (options.http_port, self.http_port, "http"),
            (options.mqtt_port, self.mqtt_port, "mqtt"),
        ):
            if wanted not in (0, got):
                options.say(f"Port {wanted} is busy: {what} uses {got} instead.")
        if given:
            mqtt_url = given
        else:
            access = Access(self.shared.database, system)
            broker = Broker(lambda refused: self._broker(access, refused), self.shared)
            services += [broker, ingest.AccessWatch(access, broker.disconnect)]
            secret = set_service_account(self.shared.database, INGEST)
            mqtt_url = f"mqtt://{INGEST}:{secret}@{_here(options.listen)}:{self.mqtt_port}"
        self.mqtt_url = mqtt_url
        self.mqtt = f"mqtt://{_here(options.listen)}:{self.mqtt_port}"
        services += [
            ingest.build(IngestSettings.of({**environ, "FOREWARN_MQTT_URL": mqtt_url}), self.shared),
            anomaly.build(self.shared, anomaly_settings.Settings.of(environ)),
            work_orders.build(work_settings.Settings.of(environ), self.shared),
        ]
        self.http = environ.get("FOREWARN_HTTP_URL") or f"http://{_here(options.listen)}:{self.http_port}"
        self.product = Product(self.shared, services)
        self.web = web.build(
            WebSettings(options.listen, self.http_port, self.http, f"{_here(options.listen)}:{self.mqtt_port}"),
            self.shared,
            stories=stories,
            unwell=self.product.unwell,
        )
        services.append(self.web)
        if options.host:
            self._watch_this_computer()
            services.append(agent.build(self._host_agent()))

    def _broker(self, access: Access, refused: Callable[[str, str], None]) -> EmbeddedBroker:
        return EmbeddedBroker(
            self._options.listen, self.mqtt_port, authenticate=access.verify, may_publish=access.may_publish,
            may_receive=access.may_receive, on_refused=refused,
        )  # fmt: skip

    def _watch_this_computer(self) -> None:
        base.add_asset(self.shared, LOCAL, HOST_DEVICE, HOST_MODEL, name="This computer")

    def _host_agent(self) -> agent_settings.Settings:
        secret = self._device_secret(LOCAL, HOST_DEVICE, HOST_MODEL)
        url = (
            f"mqtt://{quote(f'{LOCAL}/{HOST_DEVICE}', safe='')}:{secret}@{_here(self._options.listen)}:{self.mqtt_port}"
        )
        return agent_settings.read(
            {"drivers": {"host": {}}}, {"FOREWARN_MQTT_URL": url, "FOREWARN_HOME": str(self.home)}, self.home
        )

    def _device_secret(self, tenant: str, device: str, model: str) -> str:
        """A device of our own gets a fresh secret at every start; it is kept nowhere."""
        from ingest.service.registry import DuplicateDevice, add_device, new_secret

        now = self.shared.clocks.of(tenant).now()
        try:
            made = add_device(self.shared.database, tenant, device, model, models=self.shared.models, now=now)
        except DuplicateDevice:
            made = new_secret(self.shared.database, tenant, device, now=now)
        return made.password

    def start(self) -> None:
        """Start everything."""
        self.product.start()

    def stop(self) -> None:
        """Stop everything."""
        self.product.stop()

    def link(self, tenant: str, role: str, subject: str = "") -> str:
        """A one-time sign-in link."""
        return self.http + identity.make_link(self.shared.database, self._system.now(), tenant, role, subject)

    def key(self, tenant: str, role: str, subject: str = "") -> str:
        """An API key."""
        return identity.create_key(self.shared.database, self._system.now(), tenant, role, subject)

    def running(self, links: dict[str, str], tenant: str) -> Running:
        """What `run.json` says."""
        return Running(os.getpid(), self.http, self.mqtt, links, self.key("*", "admin", tenant))


def _here(listen: str) -> str:
    """The address at which this computer reaches what listens there."""
    return "127.0.0.1" if listen in ("0.0.0.0", "") else "[::1]" if listen == "::" else listen
