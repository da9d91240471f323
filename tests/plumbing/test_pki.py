"""Certificates: who signs what for whom, and what is never signed."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from plumbing.pki import Authority, PkiFault, read, revoked_in

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def authority() -> Authority:
    made = Authority.fresh(NOW)
    return Authority(made.certificate, made.key)


def request_of(key: "ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey", name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, algorithm)
    return made.public_bytes(serialization.Encoding.PEM)


def test_a_clients_certificate_is_for_clients_alone(authority: Authority) -> None:
    made = authority.for_client("acme/p1", NOW, YEAR)
    found = x509.load_pem_x509_certificate(made.certificate.encode())
    assert read(made.certificate.encode()).name == "acme/p1"
    assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (made.not_before, made.not_after) == (NOW - timedelta(hours=1), NOW + YEAR)
    assert made.key is not None
    assert made.key not in repr(made)
    assert f"{found.serial_number:x}" == made.serial


def test_no_certificate_outlives_its_authority(authority: Authority) -> None:
    late = NOW + timedelta(days=20 * 365 - 10)
    assert authority.for_client("acme/p1", late, YEAR).not_after == NOW + timedelta(days=20 * 365)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048),
            ed25519.Ed25519PrivateKey.generate()],
)  # fmt: skip
def test_a_request_is_signed_in_the_name_that_the_registry_knows(
    authority: Authority, key: "ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey"
) -> None:
    made = authority.for_client("acme/p1", NOW, YEAR, request_of(key, "acme/victim"))
    assert made.key is None
    assert read(made.certificate.encode()).name == "acme/p1"


def test_what_is_no_good_request_is_refused(authority: Authority) -> None:
    good = request_of(ec.generate_private_key(ec.SECP256R1()), "x")
    der = bytearray(x509.load_pem_x509_csr(good).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = b"-----BEGIN CERTIFICATE REQUEST-----\n" + _base64(bytes(der)) + b"\n-----END CERTIFICATE REQUEST-----\n"
    weak = request_of(rsa.generate_private_key(65537, 1024), "x")
    odd = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    for bad in (
        b"", b"nonsense", forged, weak,
        odd.sign(dsa.generate_private_key(2048), hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
    ):  # fmt: skip
        with pytest.raises(PkiFault, match="request"):
            authority.for_client("acme/p1", NOW, YEAR, bad)


@pytest.mark.parametrize(("name", "life"), [("", YEAR), ("x" * 65, YEAR), ("p", timedelta()), ("p", YEAR * 6)])
def test_names_and_lives_have_bounds(authority: Authority, name: str, life: timedelta) -> None:
    with pytest.raises(PkiFault):
        authority.for_client(name, NOW, life)


def test_keys_that_do_not_belong_or_cannot_be_read_are_refused_without_showing_them(authority: Authority) -> None:
    one, two = Authority.fresh(NOW), Authority.fresh(NOW)
    locked = serialization.load_pem_private_key(one.key, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"pw")
    )
    for certificate, key in (
        (one.certificate, two.key), (one.certificate, b"s3cret"), (b"s3cret", one.key), (one.certificate, locked),
    ):  # fmt: skip
        with pytest.raises(PkiFault) as said:
            Authority(certificate, key)
        assert "s3cret" not in str(said.value)
        assert "PRIVATE" not in str(said.value)
    assert one.key.decode() not in repr(one)


def test_an_authority_may_stand_on_a_key_that_is_there() -> None:
    first = Authority.fresh(NOW)
    again = Authority.fresh(NOW, first.key)
    assert again.key == first.key
    Authority(again.certificate, first.key)


def test_a_list_of_revoked_certificates_says_who_signed_it(authority: Authority) -> None:
    made = authority.for_client("acme/p1", NOW, YEAR)
    pem = authority.revocations([(made.serial, NOW)], NOW)
    found = revoked_in(pem.encode(), authority.pem)
    assert found is not None
    assert (found.serials, found.at) == (frozenset({made.serial}), NOW)
    other = Authority.fresh(NOW)
    assert revoked_in(pem.encode(), other.certificate.decode()) is None
    assert revoked_in(b"nonsense", authority.pem) is None
    behind = revoked_in((pem + Authority(other.certificate, other.key).revocations([], NOW)).encode(), authority.pem)
    assert behind is not None
    assert behind.pem.strip() == pem.strip(), "the first list of a file is ours"


def _base64(data: bytes) -> bytes:
    import base64

    return base64.encodebytes(data).strip()
