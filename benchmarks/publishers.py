"""Processes that publish messages for `benchmarks.ingest_rate`."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from contracts import topics
from plumbing import mqtt_stream as packets
from plumbing.mqtt import BrokerAddress

DEVICES = 500
SIGNALS = [f"signal_{i}" for i in range(10)]
GOOD_RATE = 500
"""Good messages a second in the check with bad ones."""


def bodies(samples: int, count: int, boot: str) -> Iterator[tuple[str, bytes]]:
    """Good messages of all devices in turn."""
    start = datetime.now(UTC) - timedelta(hours=1)
    values = ",".join(f'"{name}":%.2f' for name in SIGNALS)
    dice = np.random.default_rng(1)
    for n in range(count):
        device, seq = n % DEVICES, n // DEVICES * samples + 1
        rows = ",".join(
            f'{{"t":"{(start + timedelta(milliseconds=seq + i)).isoformat().replace("+00:00", "Z")}","values":{{'
            + values % tuple(dice.uniform(0, 100, 10)) + "}}" for i in range(samples)
        )  # fmt: skip
        yield (
            topics.topic("bench", f"d{device}", "telemetry"),
            f'{{"v":1,"boot_id":"{boot}","seq":{seq},"samples":[{rows}]}}'.encode(),
        )


IN_FLIGHT = 2_000


def publish_all(url: str, samples: int, count: int, boot: str) -> None:
    """Runs in a process of its own: publishes all and waits for the broker's acknowledgements."""
    at = BrokerAddress.of(url)
    with socket.create_connection((at.host, at.port), 120) as sock:
        sock.sendall(packets.connect(at.user, at.user, at.secret, clean=True, keepalive_s=0))
        stream = packets.Stream(1)
        told = -1  # the first packet back is the CONNACK
        waiting: list[bytes] = []
        for n, (topic, body) in enumerate(bodies(samples, count, boot)):
            waiting.append(packets.publish(n % 60_000 + 1, topic, body))
            if len(waiting) == IN_FLIGHT // 4 or n == count - 1:
                sock.sendall(b"".join(waiting))
                waiting.clear()
                while told < (count if n == count - 1 else n - IN_FLIGHT):
                    stream.feed(sock.recv(65_536))
                    told += len(stream.control)
                    stream.control.clear()
        sock.sendall(packets.GOODBYE)


NONSENSE = (
    b"{",
    b'{"v":1,"samples":[{"values":{"signal_0":"x"}}]}',
    b'{"v":1,"samples":[{"values":{"signal_0":NaN}}]}',
    b'{"v":7,"samples":[]}',
    b"[" * 2000,
)


def publish_paced(url: str, good: int, bad: int, boot: str) -> None:
    """Runs in a process of its own: good messages at a fixed pace, bad ones evenly among them."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    at = BrokerAddress.of(url)
    client = Client(CallbackAPIVersion.VERSION2, client_id=at.user)
    client.username_pw_set(at.user, at.secret)
    client.max_inflight_messages_set(0)
    client.connect(at.host, at.port)
    client.loop_start()
    values = ",".join(f'"{name}":1.5' for name in SIGNALS)
    began, sent_bad = time.monotonic(), 0
    for n in range(good):
        wait = began + n / GOOD_RATE - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        t = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        body = f'{{"v":1,"boot_id":"{boot}","seq":{n // DEVICES + 1},"samples":[{{"t":"{t}","values":{{{values}}}}}]}}'
        told = client.publish(topics.topic("bench", f"d{n % DEVICES}", "telemetry"), body.encode(), qos=1)
        for _ in range(int(bad * (n + 1) / good) - sent_bad):
            nonsense = NONSENSE[sent_bad % len(NONSENSE)]
            told = client.publish(topics.topic("bench", f"d{sent_bad % DEVICES}", "telemetry"), nonsense, qos=1)
            sent_bad += 1
    told.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()
