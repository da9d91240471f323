"""A company's own authority comes, and revokes, while the product runs: nothing is started anew, nobody stays in."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.servers.launch import accepts_connections, free_port, path_of
from deploy.servers.mosquitto import owner_name
from forewarn import accounts
from forewarn.accounts import AccountFiles
from forewarn.inner_broker import InnerBroker
from ingest.adapters.mosquitto_files import Listeners, mosquitto_config
from ingest.adapters.mosquitto_log import MosquittoLog
from ingest.service.registry import add_device, set_service_account
from plumbing.mqtt import BrokerAddress, Incoming, MqttLink
from plumbing.mqtt_reader import MqttReader
from plumbing.pki import Issued, PkiFault, revocations_in
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.stores.absent import NoStore
from plumbing.tenants import TenantClocks
from plumbing.tls import TlsFiles
from tests.security.brokers import CLOCK, until
from tests.security.test_company_authority import Company

ROOT = Path(__file__).parents[2]
MINUTE_S = 60.0
STAYS_S = 1.0
SECRET = "a-secret-of-ingest"


@dataclass
class House:
    """A broker that the product keeps in step by itself, and ingest's link."""

    home: Path
    database: Database
    port: int
    stack: ExitStack
    ours: MqttReader
    address: Callable[[], str] = str
    made: int = 0
    heard: list[Incoming] = field(default_factory=list)

    def come(self, made: Issued) -> MqttLink:
        """A device that shows this certificate, for ever."""
        self.made += 1
        crt, key = self.home / f"{self.made}.crt", self.home / f"{self.made}.key"
        crt.write_text(made.certificate)
        key.write_text(made.key or "")
        link = MqttLink(
            f"mqtts://x:y@127.0.0.1:{self.port}", "any", subscribe=[], on_connect=lambda: None,
            on_message=self.heard.append, tls=TlsFiles(str(self.home / "pki" / "ca.crt"), str(crt), str(key)),
        )  # fmt: skip
        link.start()
        self.stack.callback(link.stop)
        return link


def embedded(shared: Shared, stack: ExitStack) -> House:
    set_service_account(shared.database, "ingest", SECRET)
    broker = InnerBroker(shared, {}, "127.0.0.1", plain := free_port(), tls := free_port())
    broker.start()
    stack.callback(broker.stop)
    ours = MqttReader(f"mqtt://ingest:{SECRET}@127.0.0.1:{plain}", "any", subscribe=[], on_messages=lambda _: None)
    return House(shared.home, shared.database, tls, stack, ours)


def mosquitto(shared: Shared, stack: ExitStack) -> House:
    plain, secret_port, certificate_port = free_port(), free_port(), free_port()
    environ = {
        "FOREWARN_MQTT_URL": f"mqtt://ingest:{SECRET}@127.0.0.1:{plain}",
        "FOREWARN_BROKER_CERTIFICATE_PORT": str(certificate_port),
    }
    folder, config = shared.home / "broker", shared.home / "mosquitto.conf"
    listeners = Listeners(plain, "127.0.0.1", secret_port, certificate_port, "127.0.0.1")
    config.write_text(mosquitto_config(folder, listeners, owner_name()))
    files = AccountFiles(shared, environ)
    files.start()
    stack.callback(files.stop)
    path = f"{Path(path_of('mosquitto')).parent}{os.pathsep}{os.environ['PATH']}"
    log = stack.enter_context((shared.home / "broker.log").open("wb"))
    script = ["sh", str(ROOT / "deploy/compose/broker.sh"), str(folder), str(config)]
    broker = subprocess.Popen(script, env={**os.environ, "PATH": path}, stdout=log, stderr=log)
    stack.callback(broker.wait)
    stack.callback(broker.terminate)
    until(lambda: accepts_connections(plain), MINUTE_S)
    ours = MqttReader(
        environ["FOREWARN_MQTT_URL"], "any", subscribe=[], on_messages=lambda _: None, address=files.address
    )
    return House(shared.home, shared.database, certificate_port, stack, ours, files.address)


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def house(
    request: pytest.FixtureRequest, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    # broker.sh looks each second
    monkeypatch.setattr(accounts, "EVICT_AFTER_S", 2.5)
    shared = Shared(tmp_path, database, CLOCK, TenantClocks(database, CLOCK), NoStore(), lambda _: None)
    with ExitStack() as stack:
        made = embedded(shared, stack) if request.param == "embedded" else mosquitto(shared, stack)
        made.ours.start()
        stack.callback(made.ours.stop)
        until(lambda: made.ours.connected, MINUTE_S)
        yield made


def test_an_authority_that_comes_later_is_trusted_and_what_it_revokes_is_out_within_a_minute(house: House) -> None:
    for name in ("p1", "p2"):
        add_device(house.database, "acme", name, "pump", now=CLOCK.now())
    company = Company(house.home / "pki")
    stolen, good = company.issue("acme/p1"), company.issue("acme/p2")
    thief, device = house.come(stolen), house.come(good)
    until(lambda: thief.connected and device.connected and house.ours.connected, MINUTE_S)
    company.revoke([stolen])
    until(lambda: not thief.connected, MINUTE_S)
    epoch = thief.epoch
    time.sleep(STAYS_S)
    assert (thief.connected, thief.epoch) == (False, epoch)
    until(lambda: device.connected and house.ours.connected, MINUTE_S)


@pytest.mark.mosquitto
@pytest.mark.parametrize("house", ["mosquitto"], indirect=True)
def test_ingest_goes_on_under_a_name_that_the_company_cannot_guess(house: House) -> None:
    first = house.ours.epoch
    assert BrokerAddress.of(house.address()).user == "ingest"
    Company(house.home / "pki")
    until(lambda: BrokerAddress.of(house.address()).user.startswith("ingest."), MINUTE_S)
    until(lambda: house.ours.epoch > first and house.ours.connected, MINUTE_S)


def test_a_list_of_anybody_is_read(tmp_path: Path) -> None:
    company = Company(tmp_path)
    one, two = company.issue("a"), company.issue("b")
    company.revoke([one, two])
    serials = {int(one.serial, 16), int(two.serial, 16)}
    assert set(revocations_in((tmp_path / "company.crl").read_bytes())) == serials
    assert revocations_in(b"") == {}
    with pytest.raises(PkiFault):
        revocations_in(b"-----BEGIN X509 CRL-----\nnonsense\n-----END X509 CRL-----\n")


@pytest.mark.parametrize(
    ("notices", "port"),
    [
        (["1: New connection from 10.0.0.7:999 on port 8884.",
          "1: New client connected from 10.0.0.7:999 as acme/p1 (p2, c1, k20, u'acme/p1')."], 8884),
        (["New client connected from 10.0.0.7:999 as acme/p1 (p2, c1, k20, u'acme/p1')."], None),
        (["New connection from ::1:7 on port 8883.", "New client connected from ::1:7 as acme/p1 (p2)."], 8883),
    ],
)  # fmt: skip
def test_notices_tell_where_an_account_came_in(notices: list[str], port: int | None) -> None:
    refused: list[tuple[str, str]] = []
    log = MosquittoLog("mqtt://watch:x@127.0.0.1:1", lambda user, topic: refused.append((user, topic)))
    for notice in notices:
        log._take(Incoming(1, 1, "$SYS/broker/log/N", notice.encode(), False))
    assert (log.port_of("acme/p1"), refused) == (port, [])
