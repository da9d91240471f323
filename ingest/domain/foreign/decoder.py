"""What every decoder promises, and the words in which it speaks.

A decoder reads what one account publishes on topics of another system and gives readings in the product's own normal
form. It refuses nothing by itself that acceptance can refuse: a value of a wrong kind is passed on as it is, a metric
that cannot be read under a name that no signal can have, so that each is counted and quarantined where all others are.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

Scalar = float | int | bool | str | None
LONGEST_VALUE = 1000
"""Characters that are kept of a value that is no number."""
_DOUBLE_BITS = 1100
"""An integer of more bits is beyond every double."""


@dataclass(frozen=True)
class Station:
    """Whose connection it is: a registered device that speaks for itself and for those behind it.

    Attributes
    ----------
    tenant, device
        The device that the account belongs to.
    address
        Where the other system knows it: `group/node` of a Sparkplug edge node; "" elsewhere.
    behind
        Name in the other system -> device of ours, for every device that this account may speak for.
    signals
        Device -> name in the other system -> signal; see `ingest.domain.foreign.names`.
    """

    tenant: str
    device: str
    address: str = ""
    behind: Mapping[str, str] = field(default_factory=dict)
    signals: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """Values of one time: `t` is epoch milliseconds, None = when it was received, or whatever was sent instead."""

    t: Scalar
    values: Mapping[str, Scalar]


@dataclass(frozen=True)
class Readings:
    """What is told of one device; a sample that is none stands as the text that was sent."""

    device: str
    samples: tuple[Sample | str, ...]


@dataclass(frozen=True)
class Unknown:
    """Readings of somebody for whom this account may not speak, by the name in the other system."""

    name: str
    samples: tuple[Sample | str, ...] = ()


@dataclass(frozen=True)
class Presence:
    """A device came or went."""

    device: str
    online: bool


@dataclass(frozen=True)
class Unreadable:
    """The whole message makes no sense: it is `malformed`, on the account of this device."""

    device: str


@dataclass(frozen=True)
class Reply:
    """A message to the same connection."""

    topic: str
    body: bytes


@dataclass(frozen=True)
class Remembered:
    """What a device told of itself, to be kept and given to `Decoder.session` whenever its memory begins anew."""

    device: str
    values: Mapping[str, Scalar]


Told = Readings | Unknown | Presence | Unreadable | Reply | Remembered


class Session(Protocol):
    """What a decoder remembers of one account. Bounded, and dispensable: it may be forgotten at any time."""


class Decoder(Protocol):
    """One foreign protocol. Holds no state itself."""

    name: str
    remembers: bool
    """Whether it ever says `Remembered`."""
    here_by_connection: bool
    """Whether a station's connection tells that it is there; else the protocol has messages for it."""

    def takes(self, topic: str) -> bool:
        """Whether the topic is one of this protocol."""
        ...

    def may_publish(self, station: Station, topic: str) -> bool:
        """Whether the station may publish there."""
        ...

    def may_receive(self, station: Station, filter_: str) -> bool:
        """Whether the station may subscribe to that."""
        ...

    def session(self, remembered: Mapping[str, Scalar]) -> Session:
        """A fresh memory, with what the station's own device told of itself and was kept."""
        ...

    def decode(self, station: Station, session: Session, topic: str, body: bytes, at_ms: int) -> list[Told]:
        """Read one message that the station may publish. Never raises, whatever the bytes.

        `at_ms` is the wall time in epoch milliseconds.
        """
        ...


def plain(value: object) -> Scalar:
    """A value as it can be quoted: what is no scalar becomes text, cut, which acceptance calls `wrong_type`."""
    if isinstance(value, int) and value.bit_length() > _DOUBLE_BITS:
        return math.copysign(math.inf, value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return value[:LONGEST_VALUE]
    try:
        return json.dumps(value)[:LONGEST_VALUE]
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__
