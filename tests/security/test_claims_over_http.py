"""Claiming over HTTP: credentials once; nothing that was sent is repeated in an answer."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ingest.domain.codes import MAX_TRIES
from ingest.service.access import Access
from ingest.service.claims import make_code
from ingest.service.registry import add_device, find_device, suspend_device
from plumbing.pki import read
from plumbing.system_clock import SystemClock
from tests.api.company import Company, found_company

SECRETIVE = "7K2M9QX4TD"


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """With a folder for the authority, and TLS for devices."""
    made = found_company(
        tmp_path, url="http://testserver", mqtts="broker.example:8883", pki_dir=str(tmp_path / "pki")
    )  # fmt: skip
    add_device(made.shared.database, made.world.tenant, "new-1", "pump", now=made.world.clock.at)
    return made


def code_of(company: Company, ago: timedelta = timedelta()) -> str:
    return make_code(
        company.shared.database, company.world.tenant, "new-1", now=company.world.clock.at,
        wall=company.web.wall() - ago,
    ).code  # fmt: skip


def request(subject: str = "", bits: int = 0) -> str:
    key = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else [])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_a_device_claims_with_its_code_and_nothing_else(company: Company) -> None:
    answer = company.stranger().post("/api/v1/claims", json={"code": code_of(company)})
    assert answer.status_code == 201
    said = answer.json()
    assert (said["tenant"], said["device"], said["username"]) == ("acme", "new-1", "acme/new-1")
    assert said["mqtts"] == f"mqtts://acme%2Fnew-1:{said['password']}@broker.example:8883"
    assert answer.headers["cache-control"] == "no-store"
    assert Access(company.shared.database, SystemClock()).verify(said["username"], said["password"])


def test_a_replayed_an_expired_and_an_unknown_code_are_refused(company: Company) -> None:
    client = company.stranger()
    code = code_of(company)
    assert client.post("/api/v1/claims", json={"code": code}).status_code == 201
    replayed = client.post("/api/v1/claims", json={"code": code})
    assert (replayed.status_code, replayed.json()["reason"]) == (409, "used")
    old = code_of(company, timedelta(hours=2))
    expired = client.post("/api/v1/claims", json={"code": old})
    assert (expired.status_code, expired.json()["reason"]) == (410, "expired")
    unknown = client.post("/api/v1/claims", json={"code": SECRETIVE})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "unknown")
    suspended = code_of(company)
    suspend_device(company.shared.database, "acme", "new-1", now=company.world.clock.at)
    assert client.post("/api/v1/claims", json={"code": suspended}).status_code == 403
    for answer in (replayed, expired, unknown):
        assert not any(c in answer.text for c in (code, old, SECRETIVE, "password"))


def test_guessing_ends_after_ten_tries(company: Company) -> None:
    client = company.stranger()
    seen = [client.post("/api/v1/claims", json={"code": f"0000-{n:06}"}).status_code for n in range(MAX_TRIES + 1)]
    if 429 not in seen[:MAX_TRIES]:  # unless a minute began just now
        assert seen[:MAX_TRIES] == [404] * MAX_TRIES
    code = code_of(company)
    last = [client.post("/api/v1/claims", json={"code": SECRETIVE}).status_code for _ in range(MAX_TRIES + 1)]
    assert last[-1] == 429
    assert client.post("/api/v1/claims", json={"code": code}).status_code == 429, "not even the right one is heard"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'"7K2M9QX4TD"', b'{"cod": "7K2M9QX4TD"}', b'{"code": ["7K2M9QX4TD"]}',
        b'{"code": "7K2M9QX4TD", "x": "7K2M9QX4TD"}', b'{"code": "7K2M9QX4TD', b"7K2M9QX4TD\xff",
        b'{"code": "' + b"7K2M9QX4TD" * 5000 + b'"}',
    ],
)  # fmt: skip
def test_what_is_no_claim_is_refused_and_never_repeated(company: Company, body: bytes) -> None:
    answer = company.stranger().post("/api/v1/claims", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert SECRETIVE not in answer.text


def test_a_request_for_a_certificate_is_signed_in_the_devices_name(company: Company) -> None:
    answer = company.stranger().post("/api/v1/claims", json={"code": code_of(company), "csr": request("acme/victim")})
    assert answer.status_code == 201
    said = answer.json()
    assert read(said["certificate"].encode()).name == "acme/new-1", "the authority says who it is, not the device"
    found = x509.load_pem_x509_certificate(said["certificate"].encode())
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(said["ca"].encode()))


@pytest.mark.parametrize("csr", ["nonsense", request(bits=1024)])
def test_a_bad_request_spends_no_code(company: Company, csr: str) -> None:
    client, code = company.stranger(), code_of(company)
    assert client.post("/api/v1/claims", json={"code": code, "csr": csr}).status_code == 422
    assert client.post("/api/v1/claims", json={"code": code}).status_code == 201


def test_codes_are_made_and_devices_moved_by_those_who_may(company: Company) -> None:
    where = "/api/v1/devices/acme/new-1"
    assert company.program("technician").post(f"{where}/claim-code").status_code == 403
    made = company.program("engineer").post(f"{where}/claim-code")
    assert made.status_code == 201
    assert company.stranger().post("/api/v1/claims", json={"code": made.json()["code"]}).status_code == 201
    admin = company.program("admin")
    assert company.program("engineer").post(f"{where}/suspend").status_code == 403
    assert admin.post(f"{where}/suspend").json()["state"] == "suspended"
    again = admin.post(f"{where}/suspend")
    assert (again.status_code, again.json()["state"], again.json()["allowed"]) == (
        409, "suspended", ["resume", "revoke"],
    )  # fmt: skip
    assert company.program("engineer").post(f"{where}/claim-code").status_code == 409
    assert admin.post(f"{where}/resume").status_code == 200
    assert admin.post("/api/v1/devices/other/new-1/suspend").status_code == 404
    assert admin.post(f"{where}/claim-code?minutes=0").status_code == 422
    device = find_device(company.shared.database, "acme", "new-1")
    assert device is not None
    assert device.state == "created"
