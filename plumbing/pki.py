"""X.509: the product's own certificate authority, the broker's certificate, revocation lists.

Keys are of the curve P-256. The authority signs nothing but what is asked for here: certificates of one name for
clients, one certificate for the broker, lists of what it revoked. The library is loaded on first use.
"""

import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CA_LIFE = timedelta(days=20 * 365)
SERVER_LIFE = timedelta(days=397)
CLIENT_LIFE = timedelta(days=365)
LONGEST_CLIENT_LIFE = timedelta(days=5 * 365)
BACKDATED = timedelta(hours=1)
"""A certificate is valid from a little earlier on: clocks of devices lag."""
LONGEST_NAME = 64
"""Of a common name, by RFC 5280, appendix A.1."""
MIN_RSA_BITS = 2048
_END_OF_LIST = b"-----END X509 CRL-----"


class PkiFault(Exception):
    """Something that cannot be signed or read: which thing, and the rule. Never holds a key."""

    def __init__(self, what: str, rule: str) -> None:
        super().__init__(f"{what}: {rule}")
        self.what, self.rule = what, rule


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate. `key` is its private key, shown once; None where the owner sent a request and keeps it."""

    name: str
    certificate: str
    key: str | None = field(repr=False)
    serial: str
    fingerprint: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class FreshAuthority:
    """Certificate and key (PEM) of an authority that was made just now."""

    certificate: bytes
    key: bytes = field(repr=False)


class Authority:
    """A certificate authority: its certificate and its key.

    Parameters
    ----------
    certificate, key
        PEM. The key may not be encrypted: it lies in a file of mode 0600, or in a secret.

    Raises
    ------
    PkiFault
        They cannot be read, or do not belong together.
    """

    def __init__(self, certificate: bytes, key: bytes) -> None:
        from cryptography import x509

        try:
            self._certificate = x509.load_pem_x509_certificate(certificate)
        except ValueError as problem:
            raise PkiFault("the authority's certificate", "cannot be read as PEM") from problem
        found = _curve_key(key)
        if found.public_key() != self._certificate.public_key():
            raise PkiFault("the authority's certificate", "does not belong to its key")
        self._key = found
        self.pem = certificate.decode()

    @classmethod
    def fresh(cls, now: datetime, key: bytes | None = None) -> "FreshAuthority":
        """A new authority; on a key (PEM) that is there, or on one of its own. Raises PkiFault."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        own = _curve_key(key) if key else ec.generate_private_key(ec.SECP256R1())
        number = x509.random_serial_number()
        name = _name(f"Forewarn device CA {number & 0xFFFFFFFF:08x}")
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(own.public_key())
            .serial_number(number)
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
            .sign(own, hashes.SHA256())
        )
        return FreshAuthority(_pem(made), _key_pem(own))

    def for_client(
        self, name: str, now: datetime, life: timedelta = CLIENT_LIFE, request: bytes | None = None
    ) -> Issued:
        """A certificate whose common name is the user name.

        Parameters
        ----------
        request
            A PKCS #10 request (PEM) of whoever has the private key; whom it names does not matter. None makes a key.

        Raises
        ------
        PkiFault
        """
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID

        if not 0 < len(name) <= LONGEST_NAME:
            raise PkiFault(f"name {name!r}", f"a certificate's name has 1 to {LONGEST_NAME} characters")
        if not timedelta() < life <= LONGEST_CLIENT_LIFE:
            raise PkiFault("days", f"must be above 0 and at most {LONGEST_CLIENT_LIFE.days}")
        key = None
        if request is None:
            key = ec.generate_private_key(ec.SECP256R1())
            public: object = key.public_key()
        else:
            public = _requested(request)
        return self._issue(name, public, key, now, life, ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def for_server(self, names: Sequence[str], now: datetime) -> Issued:
        """The broker's certificate, for host names and addresses."""
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = ec.generate_private_key(ec.SECP256R1())
        name = names[0][:LONGEST_NAME]
        return self._issue(name, key.public_key(), key, now, SERVER_LIFE, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def _issue(
        self, name: str, public: object, key: "EllipticCurvePrivateKey | None", now: datetime, life: timedelta,
        purpose: "x509.ObjectIdentifier", names: Sequence[str],
    ) -> Issued:  # fmt: skip
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        assert isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey)
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(now + life, self._certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )  # fmt: skip
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        return Issued(
            name, _pem(made).decode(), _key_pem(key).decode() if key else None, f"{made.serial_number:x}",
            made.fingerprint(hashes.SHA256()).hex(), made.not_valid_before_utc, made.not_valid_after_utc,
        )  # fmt: skip

    def revocations(self, revoked: Iterable[tuple[str, datetime]], at: datetime) -> str:
        """The list (PEM) of revoked serial numbers, newer than every list made for an earlier `at`.

        It is valid as long as the authority: it reaches the brokers by a file of ours, so its age says nothing, and a
        list that runs out while the product is down would lock out every device.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(at)
            .next_update(self._certificate.not_valid_after_utc)
        )
        for serial, when in sorted(revoked):
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(when).build()
            builder = builder.add_revoked_certificate(entry)
        return _pem(builder.sign(self._key, hashes.SHA256())).decode()


@dataclass(frozen=True, slots=True)
class Read:
    """What a certificate says."""

    name: str
    issuer: str
    fingerprint: str
    not_after: datetime
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Revoked:
    """A list of revoked certificates."""

    pem: str
    at: datetime
    serials: frozenset[str]


def revoked_in(pem: bytes, authority: str) -> Revoked | None:
    """The first list of a file, if the authority (PEM) signed it; None where it did not, or it cannot be read."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    first = pem.partition(_END_OF_LIST)[0] + _END_OF_LIST + b"\n"
    try:
        found = x509.load_pem_x509_crl(first)
        signer = x509.load_pem_x509_certificate(authority.encode()).public_key()
    except ValueError:
        return None
    if not isinstance(signer, ec.EllipticCurvePublicKey) or not found.is_signature_valid(signer):
        return None
    return Revoked(first.decode(), found.last_update_utc, frozenset(f"{each.serial_number:x}" for each in found))


def revocations_in(pem: bytes) -> dict[int, datetime]:
    """Serial numbers and dates of all lists of a file, whoever signed them. Raises PkiFault."""
    from cryptography import x509

    out: dict[int, datetime] = {}
    for part in pem.split(_END_OF_LIST)[:-1]:
        try:
            found = x509.load_pem_x509_crl(part + _END_OF_LIST + b"\n")
        except ValueError as problem:
            raise PkiFault("the list of revoked certificates", "cannot be read as PEM") from problem
        out |= {each.serial_number: each.revocation_date_utc for each in found}
    return out


def read(pem: bytes) -> Read:
    """Read a certificate. Raises PkiFault."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    try:
        found = x509.load_pem_x509_certificate(pem)
    except ValueError as problem:
        raise PkiFault("certificate", "cannot be read as PEM") from problem
    common = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        others = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(each.value) for each in others)
    except x509.ExtensionNotFound:
        names = ()
    issuer = found.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(common[0].value) if common else ""
    signer = str(issuer[0].value) if issuer else ""
    return Read(name, signer, found.fingerprint(hashes.SHA256()).hex(), found.not_valid_after_utc, names)


def write_secret(path: Path, content: bytes) -> None:
    """Put a file in place at once and whole, readable by the owner alone."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def fresh_request() -> tuple[str, str]:
    """A request for a certificate and its private key, both PEM. The authority decides on the name.

    Raises ModuleNotFoundError where `cryptography` is not installed.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode(), _key_pem(key).decode()


def check_request(pem: bytes) -> None:
    """Whether a request can be signed. Raises PkiFault."""
    _requested(pem)


def _requested(pem: bytes) -> object:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        request = x509.load_pem_x509_csr(pem)
        signed = request.is_signature_valid
    except ValueError as problem:
        raise PkiFault("request", "cannot be read: must be a PKCS #10 request as PEM") from problem
    if not signed:
        raise PkiFault("request", "its signature is not that of its key")
    public = request.public_key()
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < MIN_RSA_BITS:
        raise PkiFault("request", f"an RSA key must have at least {MIN_RSA_BITS} bits")
    if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        raise PkiFault("request", "the key must be of an elliptic curve, RSA, or Ed25519")
    return public


def _name(common: str) -> "x509.Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(name: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(what: "x509.Certificate | x509.CertificateRevocationList") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return what.public_bytes(Encoding.PEM)


def _key_pem(key: "EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _curve_key(pem: bytes) -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as problem:
        raise PkiFault("the authority's key", "cannot be read as PEM without a password") from problem
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise PkiFault("the authority's key", "must be of an elliptic curve")
    return found
