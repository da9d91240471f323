"""TLS in a driver's file: `tls`, `ca`, `certificate`, `key` of a connection, tried out before anything connects."""

import ssl
from pathlib import Path

from edge_agent.adapters.driver_file import Section
from plumbing.tls import TlsFiles, client_context


def read_tls(connection: Section) -> TlsFiles | None:
    """The files of a connection by TLS; None = it is without. Faults go to the section.

    Each of the files says that it is by TLS; `tls: true` alone means the system's authorities, no certificate.
    """
    ca = connection.file("ca", "who signed the server's certificate (PEM)")
    certificate = connection.file("certificate", "our own certificate (PEM)")
    key = connection.file("key", "its private key (PEM, not encrypted)")
    files = [name for name in ("ca", "certificate", "key") if name in connection]
    wanted = connection.truth("tls", "whether the connection is encrypted", bool(files))
    if files and not wanted:
        connection.fault("tls", False, f"cannot be false: {files[0]} is given")
    for one, other in (("certificate", "key"), ("key", "certificate")):
        if one in connection and other not in connection:
            connection.fault(other, None, f"is missing: {one} is given")
    if not wanted:
        return None
    if ca is not None:
        _try(connection, "ca", ca, TlsFiles(str(ca)))
    if certificate is not None and key is not None:
        _try(connection, "certificate", certificate, TlsFiles("", str(certificate), str(key)))
    return TlsFiles(*("" if path is None else str(path) for path in (ca, certificate, key)))


def _try(connection: Section, field: str, path: Path, files: TlsFiles) -> None:
    try:
        client_context(files)
    except OSError as problem:  # ssl.SSLError is one
        connection.fault(field, path.name, _words(problem))


def _words(problem: OSError) -> str:
    if not isinstance(problem, ssl.SSLError):
        return str(problem.strerror or problem)
    if problem.reason == "KEY_VALUES_MISMATCH":
        return "does not belong to the key"
    # where there is no PEM at all, OpenSSL gives no reason
    if problem.reason in (None, "NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE"):
        return "holds no certificate in PEM (or the key is none)"
    return str(problem.reason)
