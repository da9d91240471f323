"""The ledger in Prometheus' format, read at most every 10 s.

Who shows no key of the office gets the sums of the installation and no name; who does gets a line a device of the
tenant while they are few, else the tenant's sums. They are gauges: a replay moves samples from quarantined to stored,
what is lost may still arrive.
"""

import threading
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ingest.service.ledger import Ledger, ledgers
from ingest.service.registry import Link, links
from plumbing.runtime import Shared

MOST_DEVICES = 200
EVERY_S = 10.0
SAMPLES = ("sent", "stored", "quarantined", "discarded", "lost", "waiting", "duplicate", "late", "moved", "expired")
ALL = ""


class LedgerMetrics:
    """Thread-safe."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._read: dict[str | None, tuple[float, bytes]] = {}

    def text(self, tenant: str | None) -> bytes:
        """Those of a tenant; None = the sums of all. An empty label is a sum."""
        with self._lock:
            now = self._shared.system.monotonic()
            read_at, text = self._read.get(tenant, (now - EVERY_S, b""))
            if now - read_at >= EVERY_S:
                text = self._fresh(tenant)
                self._read[tenant] = (now, text)
            return text

    def _fresh(self, tenant: str | None) -> bytes:
        registry = CollectorRegistry()
        who = ["tenant", "device"]
        samples = Gauge("forewarn_ledger_samples", "Samples by what became of them", [*who, "state"], registry=registry)
        refused = Gauge(
            "forewarn_ledger_refused_values", "Refused values by reason", [*who, "reason"], registry=registry
        )
        skew = Gauge("forewarn_device_clock_ahead_seconds", "A device's clock error", who, registry=registry)
        age = Gauge("forewarn_device_backlog_age_seconds", "Age of what a device sends", who, registry=registry)
        silent = Gauge("forewarn_device_silent_seconds", "Since a device was heard last", who, registry=registry)
        database = self._shared.database
        found = [link for link in links(database) if link.tenant == tenant]
        each = tenant is not None and len(found) <= MOST_DEVICES
        for of in ledgers(database, tenant):
            _count(of, ALL if tenant is None else of.tenant, of.device if each else ALL, samples, refused)
        if each:
            self._links(found, skew, age, silent)
        return generate_latest(registry)

    def _links(self, found: Sequence[Link], skew: Gauge, age: Gauge, silent: Gauge) -> None:
        for link in found:
            if link.skew_us is not None:
                skew.labels(link.tenant, link.device).set(link.skew_us / 1e6)
            if link.backlog_us is not None:
                age.labels(link.tenant, link.device).set(link.backlog_us / 1e6)
            if link.last_seen is not None:
                now = self._shared.clocks.of(link.tenant).now()
                silent.labels(link.tenant, link.device).set(max(0.0, (now - link.last_seen).total_seconds()))


def _count(of: Ledger, tenant: str, device: str, samples: Gauge, refused: Gauge) -> None:
    sums = of.sums()
    for state in SAMPLES:
        samples.labels(tenant, device, state).inc(sums[state])
    for reason, n in of.refused.items():
        refused.labels(tenant, device, reason).inc(n)
