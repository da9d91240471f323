"""A company's own authority instead of ours: accepted where its list of revoked certificates lies beside it."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from deploy.servers.launch import free_port, path_of
from deploy.servers.mosquitto import owner_name
from forewarn.accounts import AccountFiles, ingest_url
from ingest.adapters.mosquitto_files import Listeners, mosquitto_config
from ingest.adapters.pki_folder import PkiFolder
from ingest.domain.rights import SERVICES
from ingest.service.registry import BadName, add_device, suspend_device
from plumbing.mqtt import BrokerAddress, Incoming, MqttLink
from plumbing.mqtt_reader import MqttReader
from plumbing.pki import Authority, Issued, PkiFault
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.stores.absent import NoStore
from plumbing.tenants import TenantClocks
from plumbing.tls import TlsFiles
from tests.security.brokers import CLOCK, NAMES, YEAR, Fortress, fortress, until


class Company:
    """An authority of somebody else."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        made = Authority.fresh(CLOCK.now())
        self.authority, self._folder = Authority(made.certificate, made.key), folder
        (folder / "company-ca.crt").write_bytes(made.certificate)
        self.revoke([])

    def issue(self, name: str) -> Issued:
        """A certificate for anybody."""
        return self.authority.for_client(name, CLOCK.now(), YEAR)

    def revoke(self, gone: list[Issued]) -> None:
        """Write the list."""
        now = CLOCK.now()
        at = now - timedelta(minutes=30) + timedelta(minutes=len(gone))
        (self._folder / "company.crl").write_text(self.authority.revocations([(c.serial, now) for c in gone], at))


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def pair(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator["tuple[Fortress, Company]"]:
    """Each broker, which takes the company's certificates."""
    company = Company(tmp_path / "pki")
    with ExitStack() as stack:
        yield fortress(str(request.param), database, tmp_path, stack), company


def test_certificates_of_both_authorities_are_good(pair: tuple[Fortress, Company]) -> None:
    house, company = pair
    for name, made in (("p1", None), ("p2", company.issue("acme/p2"))):
        house.device(name)
        shown = made or house.certificate(name)
        device = house.by_certificate(house.files(shown.certificate, shown.key))
        until(partial(getattr, device.link, "connected"))
        assert house.reaches(device, name)


def test_what_the_company_revoked_is_refused_and_the_other_is_good(pair: tuple[Fortress, Company]) -> None:
    house, company = pair
    house.device("p1")
    old, new = company.issue("acme/p1"), company.issue("acme/p1")
    company.revoke([old])
    house.apply()
    stolen = house.by_certificate(house.files(old.certificate, old.key))
    device = house.by_certificate(house.files(new.certificate, new.key))
    until(lambda: device.link.connected)
    assert house.reaches(device, "p1")
    assert stolen.link.epoch == 0


def test_a_suspended_device_is_out_whoever_signed_its_certificate(pair: tuple[Fortress, Company]) -> None:
    house, company = pair
    house.device("p1")
    made = company.issue("acme/p1")
    device = house.by_certificate(house.files(made.certificate, made.key))
    until(lambda: device.link.connected)
    suspend_device(house.database, "acme", "p1", now=CLOCK.now())
    house.apply()
    assert not house.reaches(device, "p1", 1.5)


@pytest.mark.parametrize("name", ["ingest", "local", "watch", "acme/unregistered", "acme/+", "#"])
def test_a_name_that_is_no_device_reaches_nothing(pair: tuple[Fortress, Company], name: str) -> None:
    house, company = pair
    victim = house.by_secret("victim", house.device("victim"), "forewarn/v1/acme/victim/stored")
    until(lambda: victim.link.connected)
    made = company.issue(name)
    before = len(house.ingest.heard)
    thief = house.by_certificate(house.files(made.certificate, made.key), "forewarn/v1/+/+/telemetry", "$SYS/#")
    until(lambda: thief.link.connected or thief.why or house.kind == "embedded")
    for topic in ("forewarn/v1/acme/victim/stored", "forewarn/v1/acme/victim/telemetry"):
        thief.link.publish(topic, b"forged")
    thief.link.stop()
    until(lambda: house.ingest.link.connected)
    assert house.reaches(victim, "victim")
    assert thief.heard == []
    assert victim.heard == []
    assert all(m.body != b"forged" for m in house.ingest.heard[before:])


@pytest.mark.mosquitto
def test_a_companys_certificate_in_a_services_name_ends_no_connection_of_ours(
    database: Database, tmp_path: Path
) -> None:
    company = Company(tmp_path / "pki")
    plain, secret_port, certificate_port = free_port(), free_port(), free_port()
    environ = {
        "FOREWARN_MQTT_URL": f"mqtt://ingest:a-secret-of-ingest@127.0.0.1:{plain}",
        "FOREWARN_BROKER_CERTIFICATE_PORT": str(certificate_port),
    }
    shared = Shared(tmp_path, database, CLOCK, TenantClocks(database, CLOCK), NoStore(), lambda _: None)
    url, folder, config = ingest_url(environ, shared), tmp_path / "broker", tmp_path / "mosquitto.conf"
    assert url == ingest_url(environ, shared), "the name stays, so the broker keeps what came while we were away"
    config.write_text(
        mosquitto_config(
            folder, Listeners(plain, "127.0.0.1", secret_port, certificate_port, "127.0.0.1"), owner_name()
        )
    )
    files = AccountFiles(shared, environ)
    with ExitStack() as stack:
        files.start()
        stack.callback(files.stop)
        (folder / "data").mkdir(exist_ok=True)
        broker = subprocess.Popen([path_of("mosquitto"), "-c", str(config)], stderr=subprocess.DEVNULL)
        stack.callback(broker.wait)
        stack.callback(broker.terminate)
        heard: list[Incoming] = []
        ours = MqttReader(url, "any", subscribe=["forewarn/v1/+/+/telemetry"], on_messages=heard.extend)
        ours.start()
        stack.callback(ours.stop)
        until(lambda: ours.connected, 30.0)
        time.sleep(1.5)  # what it kept for the plain name is thrown away meanwhile

        def knock(name: str) -> None:
            """Come in again and again in that name."""
            made = company.issue(name)
            (tmp_path / "thief.crt").write_text(made.certificate)
            (tmp_path / "thief.key").write_text(made.key or "")
            tls = TlsFiles(str(tmp_path / "pki" / "ca.crt"), str(tmp_path / "thief.crt"), str(tmp_path / "thief.key"))
            for _ in range(3):
                thief = MqttLink(
                    f"mqtts://x:y@127.0.0.1:{certificate_port}", name, subscribe=["forewarn/v1/+/+/telemetry"],
                    on_connect=lambda: None, on_message=heard.append, tls=tls,
                )  # fmt: skip
                thief.start()
                until(partial(getattr, thief, "connected"))
                thief.stop()

        for name in SERVICES:
            knock(name)
        assert ours.connected
        assert ours.epoch == 1
        assert BrokerAddress.of(url).user not in SERVICES
        # the attack is real: who has the plain name is thrown out by it
        plain_one = MqttLink(
            environ["FOREWARN_MQTT_URL"], "any", subscribe=[], on_connect=lambda: None, on_message=heard.append
        )
        plain_one.start()
        stack.callback(plain_one.stop)
        until(lambda: plain_one.connected)
        knock("ingest")
        until(lambda: not plain_one.connected or plain_one.epoch > 1)
        assert ours.epoch == 1
        assert heard == []


def test_without_a_companys_authority_the_account_of_the_address_counts(database: Database, tmp_path: Path) -> None:
    shared = Shared(tmp_path, database, CLOCK, TenantClocks(database, CLOCK), NoStore(), lambda _: None)
    environ = {"FOREWARN_MQTT_URL": "mqtt://ingest:a%2Fsecret@h:1"}
    assert ingest_url(environ, shared) == environ["FOREWARN_MQTT_URL"]
    Company(tmp_path / "pki")
    hidden = BrokerAddress.of(ingest_url(environ, shared))
    assert (hidden.secret, hidden.user.partition(".")[0]) == ("a/secret", "ingest")
    assert len(hidden.user) > 30
    other = {"FOREWARN_MQTT_URL": "mqtt://somebody:x@h:1"}
    assert ingest_url(other, shared) == other["FOREWARN_MQTT_URL"]


@pytest.mark.parametrize("name", ["ingest.abc", "watch.", "local"])
def test_no_device_is_called_like_a_service(database: Database, name: str) -> None:
    with pytest.raises(BadName):
        add_device(database, "acme", "p1", "pump", username=name, now=CLOCK.now())


def test_an_authority_without_its_list_is_refused_in_words(database: Database, tmp_path: Path) -> None:
    company = Company(tmp_path / "pki")
    assert company.authority.pem
    (tmp_path / "pki" / "company.crl").unlink()
    with pytest.raises(PkiFault, match=r"company-ca.crt: needs company.crl"):
        PkiFolder(tmp_path / "pki").broker_files(database, NAMES, CLOCK.now())
