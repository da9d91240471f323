"""Influx line protocol over MQTT, as Telegraf and others write it, on `influx` and all topics below.

A name there is MEASUREMENT/FIELD; further tags stand between them by their values, in the order of their names, so that
`cpu,cpu=cpu0 usage_idle=97` is `cpu/cpu0/usage_idle`. Tags that only say which computer it is (`host`) are left out. A
gateway names the devices behind it by the tag `device`; without any behind it all is its own, and that tag is one like
the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingest.domain.foreign.decoder import Readings, Sample, Scalar, Session, Station, Told, Unknown, Unreadable
from ingest.domain.foreign.line_protocol import Point, read_lines
from ingest.domain.foreign.names import signal_of

TOPIC = "influx"
DEVICE_TAG = "device"
LEFT_OUT = ("host",)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_US = ((100_000_000_000, 1_000_000, 1), (100_000_000_000_000, 1_000, 1), (100_000_000_000_000_000, 1, 1))
"""Below the first number a time is in seconds (until the year 5138), then milliseconds, then microseconds."""
_LONGEST_US = 1 << 57


@dataclass(frozen=True)
class Nothing:
    """Lines stand for themselves: nothing is remembered."""


class Influx:
    """The decoder."""

    name = "influx"
    remembers = False
    here_by_connection = True

    def takes(self, topic: str) -> bool:
        """`influx` and what is below."""
        return topic == TOPIC or topic.startswith(f"{TOPIC}/")

    def may_publish(self, station: Station, topic: str) -> bool:
        """The same for everybody: the account says whose it is."""
        return self.takes(topic) and not set(topic) & set("+#")

    def may_receive(self, station: Station, filter_: str) -> bool:
        """Nothing is sent to who writes lines."""
        return False

    def session(self, remembered: Mapping[str, Scalar]) -> Nothing:
        """Nothing."""
        return Nothing()

    def decode(self, station: Station, session: Session, topic: str, body: bytes, at_ms: int) -> list[Told]:
        """Read one message: points of one device and one time are one sample."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return [Unreadable(station.device)]
        told: dict[tuple[str, bool], list[Sample | str]] = {}
        newest: dict[tuple[str, bool], dict[Scalar, dict[str, Scalar]]] = {}
        for point in read_lines(text):
            if isinstance(point, str):
                told.setdefault((station.device, True), []).append(point)
                continue
            whose = _whose(station, point)
            table = station.signals.get(whose[0]) if whose[1] else None
            values = _values(station, point, table)
            if not values:
                continue
            t = _time(point.time)
            samples = told.setdefault(whose, [])
            known = newest.setdefault(whose, {}).get(t)
            if known is None or known.keys() & values.keys():
                newest[whose][t] = values
                samples.append(Sample(t, values))
            else:
                known.update(values)
        return [
            Readings(name, tuple(samples)) if ours else Unknown(name, tuple(samples))
            for (name, ours), samples in told.items()
            if samples
        ]


def _whose(station: Station, point: Point) -> tuple[str, bool]:
    """The device of a point and True; or a name for which the station may not speak, and False."""
    name = point.tags.get(DEVICE_TAG) if station.behind else None
    if name is None:
        return station.device, True
    device = station.behind.get(name)
    return (device, True) if device is not None else (name, False)


def _values(station: Station, point: Point, table: Mapping[str, str] | None) -> dict[str, Scalar]:
    left_out = (*LEFT_OUT, DEVICE_TAG) if station.behind else LEFT_OUT
    tags = [value for key, value in sorted(point.tags.items()) if key not in left_out]
    out: dict[str, Scalar] = {}
    for field, value in point.fields.items():
        signal = signal_of("/".join([point.measurement, *tags, field]), table)
        if signal:
            out[signal] = value
    return out


def _time(sent: int | None) -> Scalar:
    """Epoch milliseconds, or a text where they do not say it all."""
    if sent is None:
        return None
    us = next((sent * factor // by for below, factor, by in _PER_US if abs(sent) < below), sent // 1000)
    if us % 1000 == 0 or abs(us) > _LONGEST_US:
        return us // 1000
    return (_EPOCH + timedelta(microseconds=us)).isoformat()
