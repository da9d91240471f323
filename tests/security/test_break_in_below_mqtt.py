"""Attacks on both brokers below MQTT: on TLS, on the packets, on the number of connections."""

import socket
import ssl
import threading
import warnings

import pytest

from plumbing.tls import TlsFiles, client_context
from tests.security.brokers import (
    Fortress,
    connect,
    raw_answer,
    text,
    until,
)
from tests.security.test_break_in import attacked

__all__ = ["attacked"]
FLOOD = 300
OLD = [ssl.TLSVersion["TLSv1"], ssl.TLSVersion["TLSv1_1"]]


def test_plaintext_on_the_tls_port_is_refused(attacked: Fortress) -> None:
    secret = attacked.device("p1")
    for port in {attacked.secret_port, attacked.certificate_port}:
        answer = raw_answer(port, connect("acme/p1", secret, "x"))
        assert b"\x20\x02\x00\x00" not in answer


@pytest.mark.parametrize("version", OLD)
def test_old_tls_is_refused(attacked: Fortress, version: ssl.TLSVersion) -> None:
    for port in {attacked.secret_port, attacked.certificate_port}:
        if port == attacked.secret_port:
            assert _handshake(port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        assert _handshake(port, version) == "refused"


@pytest.mark.parametrize("version", OLD)
def test_old_tls_works_where_it_is_let_in(attacked: Fortress, version: ssl.TLSVersion) -> None:
    """Else the test above could not fail."""
    lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lenient.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        lenient.minimum_version = version
    lenient.load_cert_chain(attacked.pki.folder / "server.crt", attacked.pki.folder / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, lenient.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert _handshake(listening.getsockname()[1], version) == version.name.replace("_", ".")
        thread.join(10)


def test_an_oversized_packet_ends_its_connection_alone(attacked: Fortress) -> None:
    secret = attacked.device("p1")
    context = client_context(TlsFiles(str(attacked.ca)))
    with (
        socket.create_connection(("127.0.0.1", attacked.secret_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(connect("acme/p1", secret, "x"))
        assert tls.recv(4) == b"\x20\x02\x00\x00"
        ended = b"?"
        try:
            tls.sendall(b"\x32\xff\xff\xff\x7f" + text("forewarn/v1/acme/p1/telemetry") + b"\x00\x01" + b"x" * 4096)
            ended = tls.recv(10)
        except (ssl.SSLError, ConnectionError):
            ended = b""
        assert ended == b""


def test_a_connect_of_impossible_size_is_refused(attacked: Fortress) -> None:
    assert raw_answer(attacked.plain, b"\x10\xff\xff\xff\xff\xff\xff") == b""


def test_a_flood_of_connections_keeps_nobody_out(attacked: Fortress) -> None:
    secret = attacked.device("late")
    held = []
    try:
        for n in range(FLOOD):
            port = (attacked.plain, attacked.secret_port, attacked.certificate_port)[n % 3]
            held.append(socket.create_connection(("127.0.0.1", port), timeout=10))
            if n % 2:
                held[-1].sendall(b"\x10\x20" if n % 3 == 0 else b"\x16\x03\x01")
        late = attacked.by_secret("late", secret)
        until(lambda: late.link.connected, 30)
        assert attacked.reaches(late, "late", 15)
    finally:
        for each in held:
            each.close()


def _handshake(port: int, version: ssl.TLSVersion) -> str:
    """How a handshake of exactly this version ends, for a client that would take anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain) as tls,
        ):
            return tls.version() or "none"
    except (ssl.SSLError, ConnectionError):
        return "refused"
