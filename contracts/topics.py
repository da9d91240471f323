"""MQTT topics of the device link."""

from dataclasses import dataclass

from contracts.names import is_name

ROOT = "forewarn/v1"
UP = ("telemetry", "state", "result")
DOWN = ("stored", "command", "config")


@dataclass(frozen=True, slots=True)
class Address:
    """Whose topic it is, and which of the device's channels."""

    tenant: str
    device: str
    kind: str


def topic(tenant: str, device: str, kind: str) -> str:
    """The topic of one channel of one device."""
    return f"{ROOT}/{tenant}/{device}/{kind}"


def parse(text: str) -> Address | None:
    """The address that a topic names; None when it is not one of the device link."""
    parts = text.split("/")
    if len(parts) != 5 or parts[0] != "forewarn" or parts[1] != "v1":
        return None
    if not (is_name(parts[2]) and is_name(parts[3])):
        return None
    return Address(parts[2], parts[3], parts[4])
