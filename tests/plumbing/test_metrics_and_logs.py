"""What the product says of itself: metrics and log lines."""

import io
import logging
from collections.abc import Iterator

import pytest

from plumbing.logs import LEVEL, masked, set_up
from plumbing.metrics import Metrics


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A place for log lines; the root logger is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


def test_metrics_are_told_as_prometheus_reads_them() -> None:
    metrics = Metrics()
    assert metrics.text() == b""
    metrics.counter("samples_total", "Samples stored", "tenant").labels("acme").inc(3)
    metrics.gauge("waiting", "Samples waiting").set(2)
    metrics.histogram("seconds", "Time", buckets=(0.1, 1.0)).observe(0.5)
    said = metrics.text().decode()
    for line in ('samples_total{tenant="acme"} 3.0', "waiting 2.0", 'seconds_bucket{le="1.0"} 1.0', "# HELP waiting"):
        assert line in said


def test_a_metric_named_twice_is_one() -> None:
    metrics = Metrics()
    assert metrics.gauge("waiting", "Samples waiting") is metrics.gauge("waiting", "Samples waiting")
    with pytest.raises(ValueError, match="waiting is a Gauge"):
        metrics.counter("waiting", "Samples waiting")
    with pytest.raises(ValueError, match="labels"):
        metrics.gauge("waiting", "Samples waiting", "tenant")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mqtt://acme%2Fp1:s3cr3t@host:1883", "mqtt://acme%2Fp1:***@host:1883"),
        ("postgresql+psycopg://u:p@db/forewarn", "postgresql+psycopg://u:***@db/forewarn"),
        ("two: mqtt://a:b@c and mqtt://d:e@f", "two: mqtt://a:***@c and mqtt://d:***@f"),
        ("mqtt://a:p@ss@host", "mqtt://a:***@host"),
        ("mqtt://:secret@host", "mqtt://:***@host"),
        ("Authorization: Token abcdef123456==", "Authorization: Token ***"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ("GET /?token=abcdef123456&x=1", "GET /?token=***&x=1"),
        ("http://127.0.0.1:8420/devices", "http://127.0.0.1:8420/devices"),
        ("someone@example.org: no URL", "someone@example.org: no URL"),
    ],
)
def test_secrets_are_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_a_line_tells_time_level_place_and_text_without_secrets(stream: io.StringIO) -> None:
    set_up({}, stream)
    logging.getLogger("plumbing.mqtt").warning("no broker at %s", "mqtt://a:secret@host")
    line = stream.getvalue()
    assert line.endswith(" WARNING plumbing.mqtt: no broker at mqtt://a:***@host\n")
    assert line[10] == "T"
    assert line[23] == "Z"


def test_an_exception_is_masked_and_no_message_passes_for_another(stream: io.StringIO) -> None:
    set_up({}, stream)
    try:
        raise ValueError("mqtt://a:secret@host")
    except ValueError:
        logging.getLogger("x").exception("first\n2026-01-01T00:00:00.000Z INFO forged: line")
    first, *others = stream.getvalue().splitlines()
    assert first.endswith("ERROR x: first")
    assert all(line.startswith("    ") for line in others)
    assert "secret" not in stream.getvalue()


@pytest.mark.parametrize(("level", "lines"), [("debug", 3), ("", 2), ("WARNING", 1)])
def test_the_level_is_a_setting(stream: io.StringIO, level: str, lines: int) -> None:
    set_up({LEVEL: level}, stream)
    logger = logging.getLogger("x")
    logger.debug("a")
    logger.info("b")
    logger.warning("c")
    assert len(stream.getvalue().splitlines()) == lines


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        set_up({LEVEL: "loud"})
