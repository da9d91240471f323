"""Attacks on both brokers. Each is refused, and a good device still gets through afterwards."""

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from ingest.adapters.mosquitto_eviction import evict, revoked_lately
from ingest.service.certificates import revoke_certificates
from ingest.service.refusals import OTHERS, refused_publishes_of
from ingest.service.registry import resume_device, revoke_device, suspend_device
from plumbing.pki import Authority
from plumbing.tls import TlsFiles, client_context
from tests.security.brokers import (
    CLOCK,
    YEAR,
    Client,
    Fortress,
    connect,
    filters,
    packet,
    text,
    until,
)

WAIT_S = 1.0


@pytest.fixture
def attacked(house: Fortress) -> Iterator[Fortress]:
    """The broker with a good device, which must get through when the attack is over."""
    good = house.by_secret("good", house.device("good"))
    until(lambda: good.link.connected)
    assert house.reaches(good, "good")
    yield house
    until(lambda: good.link.connected)
    assert house.reaches(good, "good"), "the good device does not get through any more"
    assert house.ingest.link.connected


def refused(client: Client) -> bool:
    """Whether a client that tries again and again is never let in."""
    time.sleep(WAIT_S)
    return client.link.epoch == 0 and not client.link.connected


class TestTopics:
    """A device that was let in reaches for what is not its own."""

    def test_a_device_reaches_no_other_devices_topic(self, attacked: Fortress) -> None:
        attacked.device("victim")
        thief = attacked.by_secret("thief", attacked.device("thief"))
        until(lambda: thief.link.connected)
        before = len(attacked.ingest.heard)
        for topic in (
            "forewarn/v1/acme/victim/telemetry",
            "forewarn/v1/acme/victim/state",
            "forewarn/v1/x/y/telemetry",
        ):
            until(lambda: thief.link.connected)
            thief.link.publish(topic, b"forged")
            time.sleep(0.3)
        assert [m.body for m in attacked.ingest.heard[before:]] == []
        # Mosquitto names no topic, and says so; see ingest.adapters.mosquitto_log
        until(lambda: sum(refused_publishes_of(attacked.database, "acme/thief").values()) == 3)
        assert refused_publishes_of(attacked.database, "acme/victim") == {}

    @pytest.mark.parametrize(
        "filter_", ["#", "forewarn/#", "+/+/+/+/+", "forewarn/v1/+/+/stored", "forewarn/v1/acme/victim/stored"]
    )
    def test_a_device_hears_nothing_of_others(self, attacked: Fortress, filter_: str) -> None:
        own = "forewarn/v1/acme/victim/stored"
        victim = attacked.by_secret("victim", attacked.device("victim"), own)
        spy = attacked.by_secret("spy", attacked.device("spy"), filter_)
        until(lambda: victim.link.connected and spy.link.connected)
        time.sleep(0.3)
        attacked.ingest.link.publish(own, b"for the victim alone")
        until(lambda: victim.heard)
        time.sleep(0.3)
        assert victim.bodies == [b"for the victim alone"]
        assert spy.heard == []


class TestCertificates:
    """The right one, and all the wrong ones."""

    def test_a_good_certificate_needs_no_secret(self, attacked: Fortress) -> None:
        attacked.device("p1")
        made = attacked.certificate("p1")
        device = attacked.by_certificate(attacked.files(made.certificate, made.key))
        until(lambda: device.link.connected)
        assert attacked.reaches(device, "p1")

    def test_the_certificate_says_who_it_is_whatever_the_client_says(self, attacked: Fortress) -> None:
        secret = attacked.device("victim")
        attacked.device("p1")
        made = attacked.certificate("p1")
        files = attacked.files(made.certificate, made.key)
        liar = attacked.by_certificate(files, user="acme%2Fvictim", secret=secret)
        until(lambda: liar.link.connected)
        before = len(attacked.ingest.heard)
        liar.link.publish("forewarn/v1/acme/victim/telemetry", b"forged")
        time.sleep(0.5)
        assert len(attacked.ingest.heard) == before
        until(lambda: liar.link.connected)
        assert attacked.reaches(liar, "p1")

    def test_a_certificate_of_a_name_that_nobody_registered_reaches_nothing(self, attacked: Fortress) -> None:
        now = CLOCK.now()
        for name in ("acme/nobody", "nobody", "#", "+/+", "watch", "local"):
            made = attacked.pki.authority(now).for_client(name, now, YEAR)
            stranger = attacked.by_certificate(attacked.files(made.certificate, made.key), "forewarn/v1/+/+/telemetry")
            before = len(attacked.ingest.heard)
            time.sleep(0.3)
            stranger.link.publish("forewarn/v1/acme/good/telemetry", b"forged")
            stranger.link.publish(f"forewarn/v1/{name}/telemetry".replace("#", "x").replace("+", "x"), b"forged")
            time.sleep(0.3)
            assert stranger.heard == []
            assert len(attacked.ingest.heard) == before
            stranger.link.stop()

    def test_an_expired_certificate_is_refused(self, attacked: Fortress) -> None:
        attacked.device("p1")
        made = attacked.certificate("p1", life=timedelta(days=1), ago=timedelta(days=2))
        assert refused(attacked.by_certificate(attacked.files(made.certificate, made.key)))

    def test_a_self_signed_certificate_is_refused(self, attacked: Fortress) -> None:
        attacked.device("p1")
        own = Authority.fresh(CLOCK.now())
        made = Authority(own.certificate, own.key).for_client("acme/p1", CLOCK.now(), YEAR)
        assert refused(attacked.by_certificate(attacked.files(made.certificate + own.certificate.decode(), made.key)))
        alone = attacked.files(own.certificate.decode(), own.key.decode())
        assert refused(attacked.by_certificate(alone))

    def test_the_brokers_own_certificate_is_no_clients(self, attacked: Fortress) -> None:
        folder = attacked.pki.folder
        files = TlsFiles(str(attacked.ca), str(folder / "server.crt"), str(folder / "server.key"))
        assert refused(attacked.by_certificate(files))

    def test_a_revoked_certificate_is_refused_while_the_devices_other_one_is_good(self, attacked: Fortress) -> None:
        attacked.device("p1")
        old, new = attacked.certificate("p1"), attacked.certificate("p1")
        files = attacked.files(old.certificate, old.key)
        stolen = attacked.by_certificate(files)
        until(lambda: stolen.link.connected)
        stolen.link.stop()
        revoke_certificates(attacked.database, "acme", "p1", now=CLOCK.now(), wall=CLOCK.now(), keep=new.serial)
        attacked.apply()
        assert refused(attacked.by_certificate(files))
        device = attacked.by_certificate(attacked.files(new.certificate, new.key))
        until(lambda: device.link.connected)
        assert attacked.reaches(device, "p1")

    def test_one_revoked_after_another_are_both_refused(self, attacked: Fortress) -> None:
        files = []
        for name in ("p1", "p2"):
            attacked.device(name)
            made = attacked.certificate(name)
            files.append(attacked.files(made.certificate, made.key))
        for name in ("p1", "p2"):
            revoke_certificates(attacked.database, "acme", name, now=CLOCK.now(), wall=CLOCK.now())
            attacked.apply()
        assert all(refused(attacked.by_certificate(each)) for each in files)

    def test_a_live_connection_by_a_stolen_certificate_ends(self, attacked: Fortress) -> None:
        """The device itself goes on with its other certificate."""
        attacked.device("p1")
        old, new = attacked.certificate("p1"), attacked.certificate("p1")
        thief = attacked.by_certificate(attacked.files(old.certificate, old.key), "forewarn/v1/acme/p1/stored")
        until(lambda: thief.link.connected)
        before = CLOCK.now()
        revoke_certificates(attacked.database, "acme", "p1", now=before, wall=before, keep=new.serial)
        attacked.apply()
        if attacked.kind == "mosquitto":
            users = set(revoked_lately(attacked.database, before).values())
            assert users == {"acme/p1"}
            assert evict(attacked.pki, users, "127.0.0.1", attacked.certificate_port, CLOCK.now()) == []
        until(lambda: not thief.link.connected)
        time.sleep(3)
        assert (thief.link.connected, thief.link.epoch) == (False, 1)
        device = attacked.by_certificate(attacked.files(new.certificate, new.key))
        until(lambda: device.link.connected)
        assert attacked.reaches(device, "p1")

    def test_a_resumed_tls_session_brings_no_revoked_certificate_back(self, attacked: Fortress) -> None:
        attacked.device("p1")
        made = attacked.certificate("p1")
        context = client_context(attacked.files(made.certificate, made.key))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        hello = connect("acme/p1", "x", "x")
        with (
            socket.create_connection(("127.0.0.1", attacked.certificate_port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as first,
        ):
            first.sendall(hello)
            assert first.recv(4) == b"\x20\x02\x00\x00"
            session = first.session
        revoke_certificates(attacked.database, "acme", "p1", now=CLOCK.now(), wall=CLOCK.now())
        attacked.apply()
        answer = b""
        try:
            with (
                socket.create_connection(("127.0.0.1", attacked.certificate_port), timeout=10) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as second,
            ):
                second.sendall(hello)
                answer = second.recv(4)
                second.sendall(packet(0x32, text("forewarn/v1/acme/p1/telemetry"), b"\x00\x01stolen"))
                second.recv(10)
        except (ssl.SSLError, ConnectionError):
            pass
        time.sleep(0.3)
        assert b"stolen" not in attacked.ingest.bodies
        assert answer != b"\x20\x02\x00\x00"

    def test_no_certificate_is_refused_where_one_is_asked_for(self, attacked: Fortress) -> None:
        secret = attacked.device("p1")
        client = attacked.client(f"mqtts://acme%2Fp1:{secret}@127.0.0.1:{attacked.certificate_port}")
        if attacked.certificate_port == attacked.secret_port:
            until(lambda: client.link.connected)  # one port for both: the secret is as good
        else:
            assert refused(client)

    def test_a_client_trusts_no_broker_of_another_authority(self, attacked: Fortress) -> None:
        secret = attacked.device("p1")
        other = attacked.home / "other.crt"
        other.write_bytes(Authority.fresh(CLOCK.now()).certificate)
        client = attacked.client(
            f"mqtts://acme%2Fp1:{secret}@127.0.0.1:{attacked.secret_port}", tls=TlsFiles(str(other))
        )
        until(lambda: client.why)
        assert "no TLS with the broker" in client.why[0]
        assert secret not in client.why[0]
        assert refused(client)


class TestAccounts:
    """Who is let in, and what becomes of who is not any more."""

    def test_the_client_id_is_the_user_name_whatever_the_client_sends(self, attacked: Fortress) -> None:
        secret = attacked.device("p1")
        context = client_context(TlsFiles(str(attacked.ca)))
        for client_id in ("ingest", "acme/good", "local"):
            with (
                socket.create_connection(("127.0.0.1", attacked.secret_port), timeout=10) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
            ):
                tls.sendall(connect("acme/p1", secret, client_id))
                assert tls.recv(4) == b"\x20\x02\x00\x00"
                epoch = attacked.ingest.link.epoch
                time.sleep(0.3)
                assert attacked.ingest.link.connected
                assert attacked.ingest.link.epoch == epoch, "ingest was thrown out"
                tls.sendall(packet(0x82, b"\x00\x01", *filters("forewarn/v1/+/+/telemetry")))
                tls.recv(10)

    def test_nobody_takes_the_place_of_ingest(self, attacked: Fortress) -> None:
        epoch = attacked.ingest.link.epoch
        for secret in ("", "wrong", "for-ingest"):
            thief = attacked.client(f"mqtts://ingest:{secret}@127.0.0.1:{attacked.secret_port}", "forewarn/v1/+/+/+")
            assert refused(thief)
            thief.link.stop()
        assert attacked.ingest.link.epoch == epoch

    @pytest.mark.parametrize(("user", "secret"), [("", ""), ("acme%2Fgood", ""), ("acme%2Fgood", "wrong"), ("x", "y")])
    def test_who_has_no_secret_is_refused(self, attacked: Fortress, user: str, secret: str) -> None:
        assert refused(attacked.client(f"mqtts://{user}:{secret}@127.0.0.1:{attacked.secret_port}"))
        assert refused(attacked.client(f"mqtt://{user}:{secret}@127.0.0.1:{attacked.plain}"))
        if user:
            counted = partial(refused_publishes_of, attacked.database)
            until(lambda: counted(user.replace("%2F", "/")).get("", 0) + counted(OTHERS).get("", 0) >= 2)

    @pytest.mark.parametrize("move", ["suspend", "revoke"])
    @pytest.mark.parametrize("by", ["secret", "certificate"])
    def test_a_device_that_is_shut_out_is_out_within_a_minute(self, attacked: Fortress, move: str, by: str) -> None:
        secret = attacked.device("p1")
        made = attacked.certificate("p1")
        own = "forewarn/v1/acme/p1/stored"
        if by == "secret":
            device = attacked.by_secret("p1", secret, own)
        else:
            device = attacked.by_certificate(attacked.files(made.certificate, made.key), own)
        until(lambda: device.link.connected)
        assert attacked.reaches(device, "p1")
        act = suspend_device if move == "suspend" else revoke_device
        began = CLOCK.monotonic()
        act(attacked.database, "acme", "p1", now=CLOCK.now())
        attacked.apply()
        # by certificate Mosquitto leaves the connection open until it publishes; nothing passes on it either way
        device.link.publish("forewarn/v1/acme/p1/telemetry", b"after the end")
        attacked.ingest.link.publish(own, b"nothing for it")
        time.sleep(0.5)
        assert b"after the end" not in attacked.ingest.bodies
        assert b"nothing for it" not in device.bodies
        assert not attacked.reaches(device, "p1", 1.0)
        assert CLOCK.monotonic() - began < 60
        if move == "suspend":
            resume_device(attacked.database, "acme", "p1", now=CLOCK.now())
            attacked.apply()
            until(lambda: device.link.connected, 75)
            until(lambda: attacked.reaches(device, "p1", 1.0), 75)
