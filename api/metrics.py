"""Counters of the web, in Prometheus' format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()
_answers = Counter(
    "forewarn_http_answers_total", "Answers by route and status", ["method", "route", "status"], registry=registry
)
_seconds = Histogram(
    "forewarn_http_seconds", "Time to the first byte of an answer", ["route"], registry=registry,
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)  # fmt: skip
streams = Gauge("forewarn_http_streams", "Open streams of events", registry=registry)


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answer."""
    _answers.labels(method, route, str(status)).inc()
    _seconds.labels(route).observe(seconds)


def text() -> bytes:
    """All of this registry."""
    return generate_latest(registry)
