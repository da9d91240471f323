"""Counters, gauges and histograms of one process, and their text for Prometheus.

A metric is named where it is used: `metrics.counter("forewarn_ingest_samples_total", "Samples stored", "tenant")`.
prometheus-client is loaded with the first metric; naming one again gives the same.
"""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.metrics import MetricWrapperBase

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the buckets of a time."""

_Metric = TypeVar("_Metric", bound="MetricWrapperBase")


class Metrics:
    """The metrics of one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._registry: CollectorRegistry | None = None
        self._made: dict[str, Any] = {}

    def counter(self, name: str, help_: str, *labels: str) -> "Counter":
        """Something that only grows; by convention its name ends in `_total`."""
        from prometheus_client import Counter

        return self._of(Counter, name, help_, labels)

    def gauge(self, name: str, help_: str, *labels: str) -> "Gauge":
        """Something that goes up and down."""
        from prometheus_client import Gauge

        return self._of(Gauge, name, help_, labels)

    def histogram(self, name: str, help_: str, *labels: str, buckets: Sequence[float] = SECONDS) -> "Histogram":
        """How values are spread, times in seconds unless `buckets` says otherwise."""
        from prometheus_client import Histogram

        return self._of(Histogram, name, help_, labels, buckets=tuple(buckets))

    def text(self) -> bytes:
        """All metrics as Prometheus reads them."""
        if self._registry is None:
            return b""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    def _of(self, kind: type[_Metric], name: str, help_: str, labels: tuple[str, ...], **more: Any) -> _Metric:
        """Raises ValueError where the name is in use for another kind or other labels."""
        with self._lock:
            known = self._made.get(name)
            if known is not None:
                metric, known_kind, known_labels = known
                if known_kind is not kind or known_labels != labels:
                    raise ValueError(f"{name} is a {known_kind.__name__} with labels {known_labels}")
                found: _Metric = metric
                return found
            if self._registry is None:
                from prometheus_client import CollectorRegistry

                self._registry = CollectorRegistry()
            made = kind(name, help_, labels, registry=self._registry, **more)
            self._made[name] = (made, kind, labels)
            return made


METRICS = Metrics()
"""Those of this process."""
counter, gauge, histogram, text = METRICS.counter, METRICS.gauge, METRICS.histogram, METRICS.text
