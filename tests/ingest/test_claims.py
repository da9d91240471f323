"""One-time codes: good once, for a while, and not to be guessed."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.domain import codes
from ingest.domain.lifecycle import IllegalTransition
from ingest.service import claims
from ingest.service.access import Access
from ingest.service.claims import ClaimRefused, claim, make_code
from ingest.service.registry import (
    NewDevice,
    RegistryFault,
    UnknownDevice,
    add_device,
    find_device,
    revoke_device,
    suspend_device,
)
from plumbing import audit
from plumbing.sql import Database
from tests.ingest.conftest import NOW, HandClock

TENANT_NOW = NOW + timedelta(days=1000)


def make(database: Database, name: str = "pump-1", life: timedelta = timedelta(hours=1)) -> str:
    return make_code(database, "acme", name, now=TENANT_NOW, wall=NOW, life=life).code


def take(
    database: Database, code: str, after: timedelta = timedelta(minutes=5), address: str = "10.0.0.7"
) -> NewDevice:
    return claim(database, code, wall=NOW + after, now_of=lambda _: TENANT_NOW, address=address)


def refused(database: Database, code: str, after: timedelta = timedelta(minutes=5), address: str = "10.0.0.7") -> str:
    with pytest.raises(ClaimRefused) as said:
        take(database, code, after, address)
    assert code not in str(said.value)
    return said.value.reason


@pytest.fixture
def made(database: Database) -> NewDevice:
    return add_device(database, "acme", "pump-1", "pump", now=NOW)


def test_a_code_gives_credentials_once_and_voids_the_earlier_secret(database: Database, made: NewDevice) -> None:
    code = make(database)
    got = take(database, code)
    assert (got.tenant, got.device, got.username) == ("acme", "pump-1", "acme/pump-1")
    access = Access(database, HandClock())
    assert access.verify(got.username, got.password)
    assert not access.verify(made.username, made.password)
    device = find_device(database, "acme", "pump-1")
    assert device is not None
    assert (device.state, device.state_at, device.state_by) == ("claimed", TENANT_NOW, "claim from 10.0.0.7")


def test_a_replayed_code_is_refused_and_goes_on_record(database: Database, made: NewDevice) -> None:
    code = make(database)
    got = take(database, code)
    assert refused(database, code, address="10.6.6.6") == claims.USED
    assert Access(database, HandClock()).verify(got.username, got.password), "the first one's secret stays good"
    with database.read() as connection:
        entries = audit.read(connection, "acme")
    assert [(e.action, e.actor) for e in entries][-1] == ("claim_replayed", "claim from 10.6.6.6")
    assert code not in str(entries)


@pytest.mark.parametrize(("after", "good"), [(timedelta(minutes=59, seconds=59), True), (timedelta(hours=1), False)])
def test_a_code_ends_with_its_hour(database: Database, made: NewDevice, after: timedelta, good: bool) -> None:
    code = make(database)
    if good:
        assert take(database, code, after).device == "pump-1"
    else:
        assert refused(database, code, after) == claims.EXPIRED


def test_a_new_code_voids_the_earlier_one(database: Database, made: NewDevice) -> None:
    first = make(database)
    second = make(database)
    assert refused(database, first) == claims.UNKNOWN
    assert take(database, second)


def test_a_code_may_be_typed_as_people_type(database: Database, made: NewDevice) -> None:
    code = make_code(database, "acme", "pump-1", now=NOW, wall=NOW, rng=random.Random(7)).code
    typed = f" {code.lower().replace('0', 'o').replace('1', 'l').replace('-', ' ')} "
    assert take(database, typed).device == "pump-1"


def test_wrong_codes_are_heard_ten_times_a_minute_from_one_address(database: Database, made: NewDevice) -> None:
    code = make(database)
    at = timedelta(minutes=5)
    for n in range(codes.MAX_TRIES):
        assert refused(database, f"00000-0000{n}", at) == claims.UNKNOWN
    assert refused(database, code, at) == claims.TOO_MANY
    assert take(database, code, at, "10.0.0.8").device == "pump-1", "others are heard"
    again = make(database)
    assert take(database, again, at + timedelta(minutes=1)).device == "pump-1", "a minute later it is heard again"


def test_many_addresses_together_have_a_limit_too(database: Database, made: NewDevice) -> None:
    for n in range(codes.MAX_TRIES_OF_ALL):
        assert refused(database, "junk", address=f"10.0.{n // 200}.{n % 200}") == claims.UNKNOWN
    assert refused(database, "junk", address="10.9.9.9") == claims.TOO_MANY


def test_a_device_that_is_shut_out_can_not_be_claimed(database: Database, made: NewDevice) -> None:
    code = make(database)
    suspend_device(database, "acme", "pump-1", now=NOW)
    assert refused(database, code) == claims.SHUT
    with pytest.raises(IllegalTransition):
        make(database)
    revoke_device(database, "acme", "pump-1", now=NOW)
    assert refused(database, code) == claims.SHUT
    with pytest.raises(UnknownDevice):
        make(database, "pump-9")


@pytest.mark.parametrize("life", [timedelta(), timedelta(days=31)])
def test_the_life_of_a_code_has_bounds(database: Database, made: NewDevice, life: timedelta) -> None:
    with pytest.raises(RegistryFault, match="30 days"):
        make(database, life=life)


def test_codes_are_not_kept_as_they_are(database: Database, made: NewDevice) -> None:
    code = make(database)
    database.close()
    kept = Path(database.url.removeprefix("sqlite:///")).read_bytes()
    assert codes.kept(codes.plain(code) or "").encode() in kept
    assert code.encode() not in kept
    assert code.replace("-", "").encode() not in kept


@pytest.mark.postgres
def test_claims_on_postgresql(postgres_tables: str) -> None:
    database = Database(postgres_tables)
    add_device(database, "acme", "pump-1", "pump", now=NOW)
    code = make(database)
    assert refused(database, "00000-00000") == claims.UNKNOWN
    assert take(database, code).username == "acme/pump-1"
    assert refused(database, code) == claims.USED
    for _ in range(codes.MAX_TRIES):
        with pytest.raises(ClaimRefused):
            take(database, "00000-00000")
    assert refused(database, make(database)) == claims.TOO_MANY
    suspend_device(database, "acme", "pump-1", now=NOW)
    device = find_device(database, "acme", "pump-1")
    assert device is not None
    assert device.state == "suspended"
    database.close()


def test_codes_differ_and_use_the_whole_alphabet() -> None:
    rng = random.Random(1)
    made = [codes.fresh(rng) for _ in range(2000)]
    assert len(set(made)) == 2000
    assert set("".join(made)) - {"-"} == set(codes.ALPHABET)
    assert codes.plain("0000-0000") is None
    assert codes.plain("0" * 9 + "!") is None
