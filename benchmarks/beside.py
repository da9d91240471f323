"""Telegraf and InfluxDB alone, for `benchmarks.ingest_rate`: the same messages, broker and store, without ingest."""

import http.client
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil

from contracts import topics
from deploy.servers.launch import InfluxAccess, Telegraf, telegraf_config
from plumbing.mqtt import BrokerAddress

LINES = 5_000
LOOK_S = 0.02


@dataclass(frozen=True)
class Peer:
    """What another program did with a backlog."""

    seconds: float
    cpu_s: float
    peak_rss_mb: float


class TelegrafRun:
    """Starts a Telegraf on a waiting backlog; `cpu_of_start` is what it uses when there is nothing to do."""

    def __init__(self, folder: Path, url: str, influx: InfluxAccess) -> None:
        at = BrokerAddress.of(url)
        topic = topics.topic("+", "+", "telemetry")
        self._folder = folder
        self._config = telegraf_config(f"{at.host}:{at.port}", at.user, at.secret, topic, influx)
        self._runs = 0
        self.cpu_of_start = 0.0

    def _fresh(self) -> Telegraf:
        self._runs += 1
        return Telegraf(self._folder / f"telegraf-{self._runs}", self._config)

    def measure_start(self) -> None:
        """Note what it costs to start."""
        with self._fresh() as telegraf:
            time.sleep(1.0)
            self.cpu_of_start = _cpu(telegraf.pid)

    def drain(self, points: int, within_s: float) -> Peer:
        """Until InfluxDB has taken so many points; from the moment at which it is connected."""
        with self._fresh() as telegraf:
            began, peak = time.monotonic(), 0.0
            while telegraf.written < points:
                if time.monotonic() - began > within_s:
                    raise SystemExit(f"ingest_rate: Telegraf wrote {telegraf.written} of {points} points in time")
                peak = max(peak, psutil.Process(telegraf.pid).memory_info().rss / 1e6)
                time.sleep(LOOK_S)
            return Peer(time.monotonic() - began, _cpu(telegraf.pid) - self.cpu_of_start, peak)


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def influx_alone(influx: InfluxAccess, lines: Iterable[bytes]) -> float:
    """Lines a second that InfluxDB takes in plain writes of 5,000 lines, one after the other."""
    at = urlsplit(influx.url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port)
    path = "/api/v2/write?" + urlencode({"org": influx.org, "bucket": influx.bucket, "precision": "us"})
    bodies, count, part = [], 0, []
    for line in lines:
        part.append(line)
        count += 1
        if len(part) == LINES:
            bodies.append(b"\n".join(part))
            part = []
    if part:
        bodies.append(b"\n".join(part))
    began = time.monotonic()
    for body in bodies:
        connection.request("POST", path, body, {"Authorization": f"Token {influx.token}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 204:
            raise SystemExit(f"ingest_rate: InfluxDB answers {answer.status}")
    took = time.monotonic() - began
    connection.close()
    return count / took


def ratio(ours: float, theirs: float) -> float:
    """Rounded; 0 where there is nothing to compare with."""
    return round(ours / theirs, 2) if theirs else 0.0
