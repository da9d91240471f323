"""`forewarn detect`."""

import argparse
from collections.abc import Mapping
from importlib.resources import files

from anomaly.adapters import detect as detection
from anomaly.adapters.detect_plot import Assets


def detect(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Find anomalies in a file of anybody's."""
    return detection.run(
        given.file,
        given.time,
        given.train_rows,
        signals=_names(given.signals),
        exclude=_names(given.exclude),
        separator=given.sep,
        seed=given.seed,
        out=given.out,
        plot=given.plot,
        json_file=given.json,
        assets=_assets(),
    )


def _names(given: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in given.split(",") if name.strip()) if given else ()


def _assets() -> Assets | None:
    """The chart library as `make setup` built it; None where it was not built."""
    vendor = files("api") / "static" / "vendor"
    script, style = vendor / "uplot.js", vendor / "uplot.css"
    if not (script.is_file() and style.is_file()):
        return None
    return Assets(script.read_text(encoding="utf-8"), style.read_text(encoding="utf-8"))
