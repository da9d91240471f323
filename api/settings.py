"""Settings of api; every fault is reported at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from plumbing.settings import Network, Reader

DEFAULT_URL = "http://127.0.0.1:8420"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, and how people and devices reach the product."""

    host: str = "127.0.0.1"
    port: int = 8420
    """0 = any free port."""
    url: str = ""
    """Address under which people open the pages; empty = where it listens."""
    mqtt: str = "127.0.0.1:1883"
    """host:port that devices connect to, as "connect a machine" shows it."""
    default_tenant: str = "local"
    mqtts: str = ""
    """host:port that devices connect to with TLS; empty = nowhere."""
    pki_dir: str = ""
    """Folder of the authority that signs devices' certificates; empty = none are signed here."""
    ca_key: str = field(default="", repr=False)
    """The authority's key, where it is not in that folder."""
    command_key: Callable[[], str] = str
    """The platform's public key for commands, as devices are given it; empty where it is not known (yet)."""

    webhook_networks: tuple[Network, ...] = ()
    """Private networks that webhooks may go to."""
    proxies: tuple[Network, ...] = ()
    """Whose word counts on where a request comes from (X-Forwarded-For, X-Forwarded-Proto)."""
    audit_key: str = field(default="", repr=False)
    """The key that service reports are sealed with, where it is not in the home folder."""

    @property
    def secure(self) -> bool:
        """Whether pages are reached through https, so that cookies go nowhere else."""
        return self.url.startswith("https:")

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Settings":
        """From FOREWARN_HTTP_URL and FOREWARN_MQTT_URL. Raises BadSettings."""
        read = Reader(environ)
        url = read.text("FOREWARN_HTTP_URL", DEFAULT_URL)
        parts = urlsplit(url)
        port = 8420
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            read.fault("FOREWARN_HTTP_URL", f"{url!r} has no valid port")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            read.fault("FOREWARN_HTTP_URL", f"{url!r} must be http://HOST:PORT or https://HOST:PORT")
        mqtt = read.text("FOREWARN_MQTT_URL", "mqtt://127.0.0.1:1883")
        broker = urlsplit(mqtt)
        broker_port = 1883
        try:
            broker_port = broker.port or 1883
        except ValueError:
            read.fault("FOREWARN_MQTT_URL", "the port is not valid")
        if not broker.hostname:
            read.fault("FOREWARN_MQTT_URL", "must be mqtt://HOST:PORT")
        allowed = read.networks("FOREWARN_WEBHOOK_NETWORKS")
        proxies = read.networks("FOREWARN_HTTP_PROXIES")
        read.end()
        home = read.text("FOREWARN_HOME", ".forewarn")
        return cls(
            parts.hostname or "127.0.0.1", port, url, f"{broker.hostname}:{broker_port}",
            mqtts=read.text("FOREWARN_MQTTS_ADDRESS"), pki_dir=read.text("FOREWARN_PKI_DIR", f"{home}/pki"),
            ca_key=read.text("FOREWARN_CA_KEY"), audit_key=read.text("FOREWARN_AUDIT_KEY"), webhook_networks=allowed,
            proxies=proxies,
        )  # fmt: skip
