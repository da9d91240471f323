"""The file of the BACnet driver: our end, the devices, their objects. Read strictly, before anything connects."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.adapters.driver_file import Section
from edge_agent.domain.driving import Scaling

OBJECTS = (
    "analog-input", "analog-output", "analog-value", "binary-input", "binary-output", "binary-value",
    "multi-state-input", "multi-state-output", "multi-state-value", "accumulator", "integer-value",
    "positive-integer-value", "large-analog-value",
)  # fmt: skip
LAST_INSTANCE = 4_194_302
_IP = r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"
ADDRESS = re.compile(rf"{_IP}(:\d{{1,5}})?|\d{{1,5}}:(\d{{1,3}}|{_IP}(:\d{{1,5}})?)")
"""Of a device: on our network, or behind a router as network:address."""
LOCAL = re.compile(rf"{_IP}(/\d{{1,2}})?(:\d{{1,5}})?")


@dataclass(frozen=True, slots=True)
class Point:
    """One signal: an object of a device; `cov` = the device is also asked to tell of changes."""

    signal: str
    address: str
    object: str
    every: float
    cov: bool
    scaling: Scaling


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """Our end, what is read, how long subscriptions last (seconds), and most objects in a request."""

    local: str
    timeout: float
    retries: int
    lifetime: int
    together: int
    points: Sequence[Point]
    units: Mapping[str, str]


def read(root: Section) -> NetworkPlan:
    """What the file says; faults go to the section."""
    own = root.section("connection")
    local = own.text("local", "our address with its mask, such as 10.0.0.9/24:47808", "0.0.0.0:0")
    if not LOCAL.fullmatch(local):
        own.fault("local", local, "must be an address of this machine, such as 10.0.0.9/24:47808")
    timeout = own.number("timeout", "seconds to wait for an answer", 2.0, 0.1, 10.0)
    retries = own.whole("retries", "how often a request is sent again", 0, 5, 1)
    together = own.whole("together", "most objects in a request; 1 = each alone", 1, 40, 16)
    own.done()
    lifetime = root.whole("lifetime", "seconds that a subscription lasts; it is renewed in time", 10, 86_400, 300)
    every = root.seconds("every", "between readings", 10.0)
    default = root.text("device", "address of the device of all signals that name none", "")
    if default and not ADDRESS.fullmatch(default):
        root.fault("device", default, "must be an address such as 10.0.0.30, 10.0.0.30:47808 or 5:12")
    points: list[Point] = []
    units: dict[str, str] = {}
    for name, section in root.signals():
        points.append(_point(name, section, default, every))
        if unit := section.unit():
            units[name] = unit
        section.done()
    return NetworkPlan(local, timeout, retries, lifetime, together, points, units)


def _point(name: str, section: Section, default: str, every: float) -> Point:
    address = section.text("device", "the device's address", default or None)
    if address and address != default and not ADDRESS.fullmatch(address):
        section.fault("device", address, "must be an address such as 10.0.0.30, 10.0.0.30:47808 or 5:12")
    what = section.text("object", "such as analog-input,3")
    kind, _, number = what.replace(" ", "").partition(",")
    if what and kind not in OBJECTS:
        section.fault("object", what, f"must be a kind of object and a number; kinds: {', '.join(OBJECTS)}")
    elif what and not (number.isascii() and number.isdigit() and int(number) <= LAST_INSTANCE):
        section.fault("object", what, f"must end with a comma and a number from 0 to {LAST_INSTANCE}")
    return Point(
        name,
        address,
        f"{kind},{number}",
        section.seconds("every", "between readings", every),
        section.truth("cov", "whether the device is asked to tell of changes, too", False),
        section.scaling(),
    )
