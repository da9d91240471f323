"""Everything in one process, on embedded defaults where no setting names a server."""

import hashlib
import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from sqlalchemy.exc import SQLAlchemyError

import api.service as identity
import api.wiring as web
import work_orders.service.installed_base as base
from api.settings import Settings as WebSettings
from api.views import StoryBook
from edge_agent import settings as agent_settings
from edge_agent import wiring as agent
from forewarn import ports
from forewarn.accounts import KEY, AccountFiles, broker_names, ingest_url, link_tls, pki_of
from forewarn.environment import Failed
from forewarn.home import Running
from forewarn.inner_broker import HERE, InnerBroker
from forewarn.product import HOST_DEVICE, LOCAL, Heart, Options, Product, share
from forewarn.remote import command_key_of
from plumbing import migrate
from plumbing.pki import PkiFault
from plumbing.runtime import Service
from plumbing.system_clock import SystemClock

HOST_MODEL = "host-computer"
log = logging.getLogger(__name__)


class Embedded:
    """`forewarn up`: made, then started, then stopped."""

    def __init__(
        self, home: Path, environ: Mapping[str, str], options: Options, system: SystemClock,
        stories: StoryBook | None = None,
    ) -> None:  # fmt: skip
        from anomaly import settings as anomaly_settings
        from anomaly import wiring as anomaly
        from api.colleagues import addresses_of
        from ingest import wiring as ingest
        from ingest.adapters.command_post import CommandPost
        from ingest.adapters.housekeeper import housekeeper
        from ingest.domain.rights import INGEST
        from ingest.service.housekeeping import Keeping
        from ingest.service.registry import set_service_account
        from ingest.settings import Settings as IngestSettings
        from work_orders import settings as work_settings
        from work_orders import wiring as work_orders

        home.mkdir(parents=True, exist_ok=True)
        self.home, self.environ, self._options, self._system = home, environ, options, system
        self.shared = share(environ, home, system)
        migrate.upgrade(self.shared.database)
        self._revoke_own_keys()  # those of a run that was killed
        self.shared.clocks.add_wall(LOCAL)
        told_work = work_settings.Settings.of(environ)
        # stopped last but one: what the others put on record while they stop is signed, too
        services: list[Service] = [Heart(self.shared), work_orders.signing(told_work, self.shared)]
        self.authority: Path | None = None
        given = environ.get("FOREWARN_MQTT_URL")
        try:
            self.http_port = ports.free(options.listen, options.http_port)
            tls, taken = options.mqtts_port is not None, frozenset({self.http_port})
            self.mqtt_port = ports.free(HERE if tls else options.listen, options.mqtt_port, taken)
            self.mqtts_port = (
                ports.free(options.listen, options.mqtts_port or 0, taken | {self.mqtt_port}) if tls else 0
            )
        except OSError as failure:
            raise Failed(f"cannot listen on {options.listen}: {failure}") from failure
        for wanted, got, what in (
            (options.http_port, self.http_port, "http"),
            (options.mqtt_port, self.mqtt_port, "mqtt"),
            (options.mqtts_port or 0, self.mqtts_port, "mqtts"),
        ):
            if wanted not in (0, got) and not (given and what == "mqtt"):
                options.say(f"Port {wanted} is busy: {what} uses {got} instead.")
        foreign, address = None, None
        if given:
            mqtt_url = ingest_url(environ, self.shared)
            accounts = AccountFiles(self.shared, environ)
            services.append(accounts)
            address = accounts.address
        else:
            try:
                broker = InnerBroker(
                    self.shared, environ, options.listen, self.mqtt_port, self.mqtts_port if tls else None
                )  # fmt: skip
            except PkiFault as fault:
                raise Failed(f"TLS cannot be offered: {fault}") from fault
            self.authority = broker.authority
            foreign = broker.foreign
            services += [broker, foreign, ingest.AccessWatch(broker.access, broker.disconnect)]
            secret = set_service_account(self.shared.database, INGEST)
            mqtt_url = f"mqtt://{INGEST}:{secret}@{self._mqtt_host}:{self.mqtt_port}"
        self.mqtt_url = mqtt_url
        self.mqtt = _without_secret(mqtt_url)
        self.mqtts = f"mqtts://{broker_names(environ, _here(options.listen))[0]}:{self.mqtts_port}" if tls else ""
        told = replace(IngestSettings.of({**environ, "FOREWARN_MQTT_URL": mqtt_url}), tls=link_tls(environ, home))
        link = ingest.build(
            told,
            self.shared,
            foreign.fleets if foreign else None,
            address,
        )
        self.command_key = command_key_of(environ, home)
        services += [
            link,
            CommandPost(self.shared, self.command_key, link.publish),
            housekeeper(self.shared, Keeping(told.quarantine_days, told.ledger_days)),
            anomaly.build(self.shared, anomaly_settings.Settings.of(environ)),
            work_orders.build(told_work, self.shared, addresses_of),
        ]
        self.local = f"http://{_here(options.listen)}:{self.http_port}"
        """Where this computer reaches the pages; `http` is where people do."""
        self.http = environ.get("FOREWARN_HTTP_URL") or self.local
        self.product = Product(self.shared, services)
        self.web = web.build(
            WebSettings(
                options.listen,
                self.http_port,
                self.http,
                self.mqtt.partition("://")[2],
                mqtts=self.mqtts.removeprefix("mqtts://"),
                pki_dir=str(pki_of(environ, home).folder),
                ca_key=environ.get(KEY, ""),
                command_key=lambda: self.command_key.public,
                audit_key=environ.get("FOREWARN_AUDIT_KEY", ""),
                webhook_networks=told_work.webhook_networks,
            ),
            self.shared,
            stories=stories,
            unwell=self.product.unwell,
        )
        services.append(self.web)
        if options.host:
            self._watch_this_computer()
            services.append(agent.build(self.host_agent()))

    @property
    def _mqtt_host(self) -> str:
        """Where the broker listens without TLS, as this computer reaches it."""
        return _here(self._options.listen) if self._options.mqtts_port is None else HERE

    def _watch_this_computer(self) -> None:
        base.add_asset(self.shared, LOCAL, HOST_DEVICE, HOST_MODEL, name="This computer")

    def host_agent(self) -> agent_settings.Settings:
        """Settings of the agent that watches this computer."""
        secret = self._device_secret(LOCAL, HOST_DEVICE, HOST_MODEL)
        scheme, _, at = self.mqtt.partition("://")
        url = f"{scheme}://{quote(f'{LOCAL}/{HOST_DEVICE}', safe='')}:{secret}@{at}"
        table = {"drivers": {"host": {}}, "commands": {"key": self.command_key.public}}
        environ = {"FOREWARN_MQTT_URL": url, "FOREWARN_HOME": str(self.home)}
        return agent_settings.read(table, environ, self.home)

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
        """Stop everything; keys of this run are good for nothing any more."""
        self._revoke_own_keys()
        self.product.stop()

    @property
    def _maker(self) -> str:
        """Name of this home among the makers of keys; another product on the same database keeps its own."""
        return "up-" + hashlib.sha256(f"{socket.gethostname()}:{self.home}".encode()).hexdigest()[:12]

    def _revoke_own_keys(self) -> None:
        try:
            identity.revoke_keys(self.shared.database, self._system.now(), self._maker)
        except SQLAlchemyError as failure:
            log.warning("the keys of this run stay good: %s", str(failure).splitlines()[0])

    def link(self, tenant: str, role: str, subject: str = "") -> str:
        """A one-time sign-in link."""
        return self.http + identity.make_link(self.shared.database, self._system.now(), tenant, role, subject)

    def key(self, tenant: str, role: str, subject: str = "") -> str:
        """An API key."""
        return identity.create_key(
            self.shared.database, self._system.now(), tenant, role, subject, maker=self._maker,
            at=self.shared.clocks.of(tenant).now(),
        )  # fmt: skip

    def running(self, links: dict[str, str], tenant: str) -> Running:
        """What `run.json` says."""
        key = self.key("*", "admin", tenant)
        return Running(os.getpid(), self.local, self.mqtt, links, key, self.mqtts, str(self.authority or ""))


def _without_secret(url: str) -> str:
    """Scheme, host and port of a broker's address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _here(listen: str) -> str:
    """The address at which this computer reaches what listens there."""
    return "127.0.0.1" if listen in ("0.0.0.0", "") else "[::1]" if listen == "::" else listen
