"""Settings of ingest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from plumbing.mqtt import BrokerAddress
from plumbing.settings import Reader
from plumbing.tls import TlsFiles

MQTT_URL = "FOREWARN_MQTT_URL"
CA_FILE, CERTIFICATE_FILE, KEY_FILE = (
    "FOREWARN_MQTT_CA_FILE", "FOREWARN_MQTT_CERTIFICATE_FILE", "FOREWARN_MQTT_PRIVATE_KEY_FILE",
)  # fmt: skip
_FORM = "mqtt://ingest:SECRET@host:port, or mqtts: for TLS"


@dataclass(frozen=True, slots=True)
class Settings:
    """How ingest runs.

    Attributes
    ----------
    mqtt_url
        `mqtt://ingest:SECRET@host:port`, or `mqtts:` for TLS.
    block_seconds, block_bytes
        A block is taken when it is this old or this large (3 MB are about 12,000 samples of ten signals).
    queue_bytes
        What may wait in memory; beyond, nothing more is read from the broker.
    future_seconds, late_seconds
        Tolerances of device clocks, multiplied by the factor of a scaled tenant's clock.
    quarantine_a_device, quarantine_bytes
        How many messages and bytes are kept in quarantine.
    quarantine_days, ledger_days
        How long they are kept there, and the ledger's rows by day, in days of the tenant's clock.
    tls
        Files for a `mqtts:` address.
    """

    mqtt_url: str = field(repr=False)
    block_seconds: float = 0.2
    block_bytes: int = 3_000_000
    queue_bytes: int = 8_000_000
    future_seconds: float = 60.0
    late_seconds: float = 300.0
    quarantine_a_device: int = 10_000
    quarantine_bytes: int = 100_000_000
    tls: TlsFiles = field(default_factory=TlsFiles)
    quarantine_days: float = 30.0
    ledger_days: float = 400.0

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Settings":
        """From the environment. Raises BadSettings, which names every fault at once."""
        read = Reader(environ)
        url = read.text(MQTT_URL)
        if not url:
            read.fault(MQTT_URL, f"is not set: {_FORM}")
        elif not _is_mqtt(url):
            read.fault(MQTT_URL, f"must be {_FORM}")
        tls, found = tls_files(environ)
        read.faults += found
        default = cls(url)
        made = cls(
            url,
            read.number("FOREWARN_INGEST_BLOCK_SECONDS", default.block_seconds, 0.01, 10),
            read.whole("FOREWARN_INGEST_BLOCK_BYTES", default.block_bytes, 10_000, 1e8),
            read.whole("FOREWARN_INGEST_QUEUE_BYTES", default.queue_bytes, 1_000_000, 1e10),
            read.number("FOREWARN_INGEST_FUTURE_SECONDS", default.future_seconds, 0, 1e6),
            read.number("FOREWARN_INGEST_LATE_SECONDS", default.late_seconds, 0, 1e9),
            read.whole("FOREWARN_INGEST_QUARANTINE_A_DEVICE", default.quarantine_a_device, 1, 1e7),
            read.whole("FOREWARN_INGEST_QUARANTINE_BYTES", default.quarantine_bytes, 1e4, 1e12),
            tls,
            read.number("FOREWARN_INGEST_QUARANTINE_DAYS", default.quarantine_days, 0.01, 36_500),
            read.number("FOREWARN_INGEST_LEDGER_DAYS", default.ledger_days, 2, 36_500),
        )
        read.end()
        return made


def tls_files(environ: Mapping[str, str]) -> tuple[TlsFiles, list[str]]:
    """Files for a `mqtts:` address, and what is wrong with them; the product's other links to the broker use them too.

    Without a CA the system's authorities count. A certificate is for a broker of your own: the product's Mosquitto lets
    services in by their secrets alone.
    """
    faults = []
    given = {name: environ.get(name) or "" for name in (CA_FILE, CERTIFICATE_FILE, KEY_FILE)}
    tls = (environ.get(MQTT_URL) or "").startswith("mqtts:")
    for name, path in given.items():
        if path and not Path(path).is_file():
            faults.append(f"{name}: {path!r} is no file that can be read")
        elif path and not tls:
            faults.append(f"{name}: is for an address {MQTT_URL} that begins with mqtts:")
    if bool(given[CERTIFICATE_FILE]) != bool(given[KEY_FILE]):
        faults.append(f"{CERTIFICATE_FILE}, {KEY_FILE}: one of them is missing")
    return TlsFiles(given[CA_FILE], given[CERTIFICATE_FILE], given[KEY_FILE]), faults


def _is_mqtt(url: str) -> bool:
    try:
        return BrokerAddress.of(url).port > 0
    except ValueError:
        return False
