"""ThingsBoard's device and gateway topics.

The topics name no device: `me` is whose connection it is, and a gateway names those behind it in the body. A device's
attributes are kept and given back when they are asked for; calls of procedures are taken and not answered, but for the
one in which a client asks how much it may send.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.domain.foreign.decoder import (
    Presence,
    Readings,
    Remembered,
    Reply,
    Sample,
    Scalar,
    Session,
    Station,
    Told,
    Unknown,
    Unreadable,
    plain,
)
from ingest.domain.foreign.loose_json import BadJson, read_json
from ingest.domain.foreign.names import signal_of

ME = "v1/devices/me/"
GATEWAY = "v1/gateway/"
MAX_ATTRIBUTES = 500
LONGEST_NAME = 200
_ME = ("telemetry", "attributes", "claim")
_ME_NUMBERED = ("attributes/request/", "rpc/response/", "rpc/request/")
_GATEWAY = ("telemetry", "attributes", "attributes/request", "connect", "disconnect", "rpc", "claim")
LIMITS = {
    "maxPayloadSize": 1_000_000,
    "maxInflightMessages": 100,
    "rateLimits": {"messages": "0:0,", "telemetryMessages": "0:0,", "telemetryDataPoints": "0:0,"},
    "gatewayRateLimits": {"messages": "0:0,", "telemetryMessages": "0:0,", "telemetryDataPoints": "0:0,"},
}
"""The answer to `getSessionLimits`: none but the size; who sends too much is read more slowly."""


@dataclass
class Memory:
    """What a connection told of itself."""

    attributes: dict[str, Scalar] = field(default_factory=dict)


class ThingsBoard:
    """The decoder."""

    name = "thingsboard"
    remembers = True
    here_by_connection = True

    def takes(self, topic: str) -> bool:
        """The topics of devices and of gateways."""
        return topic.startswith((ME, GATEWAY))

    def may_publish(self, station: Station, topic: str) -> bool:
        """Every topic on which ThingsBoard listens: none of them names anybody."""
        if topic.startswith(ME):
            rest = topic[len(ME) :]
            return rest in _ME or any(rest.startswith(n) and rest[len(n) :].isdigit() for n in _ME_NUMBERED)
        return topic.startswith(GATEWAY) and topic[len(GATEWAY) :] in _GATEWAY

    def may_receive(self, station: Station, filter_: str) -> bool:
        """Everything below: it is sent to one connection, never to all that subscribe."""
        return filter_.startswith((ME, GATEWAY))

    def session(self, remembered: Mapping[str, Scalar]) -> Memory:
        """What was told before."""
        return Memory(dict(remembered))

    def decode(self, station: Station, session: Session, topic: str, body: bytes, at_ms: int) -> list[Told]:
        """Read one message."""
        assert isinstance(session, Memory)
        try:
            told = read_json(body)
        except BadJson:
            return [Unreadable(station.device)]
        if topic.startswith(ME):
            return self._of_me(station, session, topic[len(ME) :], told)
        return self._of_gateway(station, topic[len(GATEWAY) :], told)

    def _of_me(self, station: Station, memory: Memory, what: str, told: Any) -> list[Told]:
        if what == "telemetry":
            if not isinstance(told, dict | list):
                return [Unreadable(station.device)]
            samples = _samples(told, station.signals.get(station.device))
            return [Readings(station.device, samples)] if samples else []
        if not isinstance(told, dict):
            return [Unreadable(station.device)]
        number = what.rpartition("/")[2]
        if what == "attributes":
            fresh: dict[str, Scalar] = {}
            for key, value in told.items():
                room = key in memory.attributes or len(memory.attributes) < MAX_ATTRIBUTES
                if room and 0 < len(key) <= LONGEST_NAME and key.isprintable():
                    memory.attributes[key] = fresh[key] = _kept(value)
            return [Remembered(station.device, fresh)] if fresh else []
        elif what.startswith("attributes/request/"):
            wanted = told.get("clientKeys")
            keys = wanted.split(",") if isinstance(wanted, str) else [*memory.attributes]
            known = {key: memory.attributes[key] for key in keys if key in memory.attributes}
            return [_reply(f"{ME}attributes/response/{number}", {"client": known, "shared": {}})]
        elif what.startswith("rpc/request/") and told.get("method") == "getSessionLimits":
            return [_reply(f"{ME}rpc/response/{number}", LIMITS)]
        return []

    def _of_gateway(self, station: Station, what: str, told: Any) -> list[Told]:
        if not isinstance(told, dict):
            return [Unreadable(station.device)]
        if what == "telemetry":
            return [found for name, each in told.items() for found in self._of_one(station, name, each)]
        if what in ("connect", "disconnect"):
            device = station.behind.get(told["device"]) if isinstance(told.get("device"), str) else None
            return [Presence(device, online=what == "connect")] if device else []
        if what == "attributes/request" and isinstance(told.get("device"), str):
            answer: dict[str, object] = {"id": plain(told.get("id")), "device": plain(told["device"]), "values": {}}
            return [_reply(f"{GATEWAY}attributes/response", answer)]
        return []

    def _of_one(self, station: Station, name: str, told: Any) -> list[Told]:
        device = station.behind.get(name)
        samples = _samples(told, station.signals.get(device) if device else None)
        if not samples:
            return []
        return [Readings(device, samples) if device else Unknown(name, samples)]


def _samples(told: Any, table: Mapping[str, str] | None) -> tuple[Sample | str, ...]:
    """`{"k": v}`, `{"ts": ms, "values": {"k": v}}`, or a list of such; what is neither stands as text."""
    out: list[Sample | str] = []
    for each in told if isinstance(told, list) else [told]:
        if not isinstance(each, dict):
            out.append(str(plain(each)))
            continue
        timed = "ts" in each and "values" in each
        values = each["values"] if timed else each
        if not isinstance(values, dict):
            out.append(str(plain(each)))
            continue
        t = plain(each["ts"]) if timed else None
        named = {signal_of(key, table): plain(value) for key, value in values.items()}
        named.pop("", None)
        if named or not values:
            out.append(Sample(t, named))
    return tuple(out)


def _kept(value: object) -> Scalar:
    """As it can be kept in JSON: what is no finite number is text."""
    told = plain(value)
    return str(told) if isinstance(told, float) and not math.isfinite(told) else told


def _reply(topic: str, body: object) -> Reply:
    return Reply(topic, json.dumps(body).encode())
