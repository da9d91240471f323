"""A company's own authority instead of ours: accepted where its list of revoked certificates lies beside it."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from ingest.adapters.pki_folder import PkiFolder
from ingest.service.registry import suspend_device
from plumbing.pki import Authority, Issued, PkiFault
from plumbing.sql import Database
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


def test_an_authority_without_its_list_is_refused_in_words(database: Database, tmp_path: Path) -> None:
    company = Company(tmp_path / "pki")
    assert company.authority.pem
    (tmp_path / "pki" / "company.crl").unlink()
    with pytest.raises(PkiFault, match=r"company-ca.crt: needs company.crl"):
        PkiFolder(tmp_path / "pki").broker_files(database, NAMES, CLOCK.now())
