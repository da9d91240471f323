"""Settings of ingest."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

MQTT_URL = "FOREWARN_MQTT_URL"


class BadSettings(ValueError):
    """Settings that ingest cannot run with; `faults` names all of them."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Settings:
    """How ingest runs.

    Attributes
    ----------
    mqtt_url
        `mqtt://ingest:SECRET@host:port`.
    block_seconds, block_bytes
        A block is taken when it is this old or this large (3 MB are about 12,000 samples of ten signals).
    queue_bytes
        What may wait in memory; beyond, nothing more is read from the broker.
    future_seconds, late_seconds
        Tolerances of device clocks, multiplied by the factor of a scaled tenant's clock.
    quarantine_a_device, quarantine_bytes
        How many messages and bytes are kept in quarantine.
    """

    mqtt_url: str
    block_seconds: float = 0.2
    block_bytes: int = 3_000_000
    queue_bytes: int = 8_000_000
    future_seconds: float = 60.0
    late_seconds: float = 300.0
    quarantine_a_device: int = 10_000
    quarantine_bytes: int = 100_000_000

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Settings":
        """From the environment. Raises BadSettings, which names every fault at once."""
        faults: list[str] = []

        def number(name: str, default: float, low: float, high: float) -> float:
            text = environ.get(name, "")
            try:
                value = float(text) if text else default
            except ValueError:
                value = high + 1
            if not low <= value <= high:
                faults.append(f"{name}: {text!r} must be a number from {low:g} to {high:g}")
                return default
            return value

        url = environ.get(MQTT_URL, "")
        if not url:
            faults.append(f"{MQTT_URL}: is not set: mqtt://ingest:SECRET@host:port")
        elif not _is_mqtt(url):
            faults.append(f"{MQTT_URL}: must be mqtt://ingest:SECRET@host:port")
        default = cls(url)
        made = cls(
            url,
            number("FOREWARN_INGEST_BLOCK_SECONDS", default.block_seconds, 0.01, 10),
            int(number("FOREWARN_INGEST_BLOCK_BYTES", default.block_bytes, 10_000, 1e8)),
            int(number("FOREWARN_INGEST_QUEUE_BYTES", default.queue_bytes, 1_000_000, 1e10)),
            number("FOREWARN_INGEST_FUTURE_SECONDS", default.future_seconds, 0, 1e6),
            number("FOREWARN_INGEST_LATE_SECONDS", default.late_seconds, 0, 1e9),
            int(number("FOREWARN_INGEST_QUARANTINE_A_DEVICE", default.quarantine_a_device, 1, 1e7)),
            int(number("FOREWARN_INGEST_QUARANTINE_BYTES", default.quarantine_bytes, 1e4, 1e12)),
        )
        if faults:
            raise BadSettings(faults)
        return made


def _is_mqtt(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "mqtt" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
