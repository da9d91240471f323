"""`forewarn replay cmapss`: recorded engines, run to failure, down the same road as any device."""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from contracts.wire import Sample
from forewarn import datasets
from forewarn.environment import Failed, WrongUse
from forewarn.web import Web, WebError
from plumbing.system_clock import SystemClock
from simulators.link import SimDevice, SimLink

MODEL = "turbofan"
BASELINE_CYCLES = 30
STEP_CYCLES = 5
"""Engines go in step: none is further ahead than so many cycles, so that a fleet is a fleet."""
TOLERANCE = 500.0
"""Least pace of the tenant's clock in cycles a second when as fast as stored: nothing is ever late or in the future."""
AS_OF_BEFORE_END = 30
PATIENCE_S = 120.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """One engine as a source of samples: sample number = cycle."""

    unit: int
    values: NDArray[np.float64]
    signals: tuple[str, ...]
    start: datetime
    cycle: timedelta

    @property
    def device(self) -> str:
        """Its name as a device."""
        return f"engine-{self.unit:03d}"

    def sample(self, seq: int) -> Sample:
        """The sample of one cycle."""
        at = self.start + (seq - 1) * self.cycle
        return Sample(dict(zip(self.signals, self.values[seq - 1].tolist(), strict=True)), at.isoformat())

    def check(self, name: str, args: dict[str, Any]) -> dict[str, Any] | None:
        return None

    def cycle_of(self, at: str) -> int:
        """The cycle that was measured at a time."""
        return round((datetime.fromisoformat(at) - self.start) / self.cycle) + 1


def cmapss(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Replay engines; a table of what was forecast when, and the JSON."""
    recorded = datasets.read(given.data, f"train_{given.subset}.txt", datasets.WHERE_CMAPSS)
    if not recorded.known:
        print(f"note: {recorded.name} (sha256 {recorded.sha256}) is not a file on record", file=sys.stderr)
    chosen = _chosen(given, datasets.engines(recorded))
    if bool(given.url) != bool(given.token):
        raise WrongUse("--url and --token go together")
    try:
        results = _replay(given, chosen, Web(given.url, given.token)) if given.url else _alone(given, environ, chosen)
    except WebError as failure:
        raise Failed(str(failure)) from failure
    if given.json:
        new = given.json.with_name(given.json.name + ".new")
        new.write_text(json.dumps(results, indent=1) + "\n")
        new.replace(given.json)
    _table(results)
    return 0


def _chosen(given: argparse.Namespace, engines: dict[int, NDArray[np.float64]]) -> dict[int, NDArray[np.float64]]:
    if not given.units:
        return dict(list(engines.items())[: given.engines])
    try:
        units = [int(text) for text in given.units.split(",")]
    except ValueError as wrong:
        raise WrongUse(f"--units: {given.units!r} must be numbers with commas, such as 3,17") from wrong
    unknown = [unit for unit in units if unit not in engines]
    if unknown:
        raise WrongUse(f"--units: {given.subset} has no engine {unknown[0]}; it has {min(engines)} to {max(engines)}")
    return {unit: engines[unit] for unit in units}


def _alone(
    given: argparse.Namespace, environ: Mapping[str, str], chosen: dict[int, NDArray[np.float64]]
) -> list[dict[str, Any]]:
    """In a temporary product of its own."""
    from forewarn.embedded import Embedded
    from forewarn.product import LOCAL, Options
    from plumbing.logs import set_up

    set_up({**environ, "FOREWARN_LOG_LEVEL": environ.get("FOREWARN_LOG_LEVEL", "WARNING")})
    servers = ("MQTT_URL", "INFLUX_URL", "DATABASE_URL", "HTTP_URL", "HOME")
    apart = {k: v for k, v in environ.items() if k not in {f"FOREWARN_{name}" for name in servers}}
    with tempfile.TemporaryDirectory(prefix="forewarn-replay-") as folder:
        home = Path(folder)
        apart["FOREWARN_HOME"] = folder
        product = Embedded(home, apart, Options(http_port=0, mqtt_port=0, host=False), SystemClock())
        try:
            product.start()
            return _replay(given, chosen, Web(product.http, product.key(LOCAL, "admin")))
        finally:
            product.stop()


def _replay(given: argparse.Namespace, chosen: dict[int, NDArray[np.float64]], web: Web) -> list[dict[str, Any]]:
    cycle = timedelta(hours=given.cycle_hours)
    pace = max(given.speed, TOLERANCE if given.speed == 0 else 0.0) * cycle.total_seconds()
    made = web.post("/api/v1/replays", {"model": MODEL, "subset": given.subset, "units": list(chosen), "factor": pace})
    start = datetime.fromisoformat(made["start"])
    signals = tuple(made["signals"])
    engines = [Engine(unit, values, signals, start, cycle) for unit, values in chosen.items()]
    there = Web(web.url, made["api_key"])
    broker = urlsplit(made["mqtt"])
    system = SystemClock()
    link = SimLink(unquote(broker.hostname or "127.0.0.1"), broker.port or 1883, system.monotonic, window=10_000)
    for engine in engines:
        device = made["devices"][engine.device]
        link.add(SimDevice(made["tenant"], engine.device, device["password"], device["boot_id"], engine))
    link.start()
    try:
        _send(given, engines, link, made["tenant"], there, system)
    finally:
        link.stop()
        there.post("/api/v1/replays/end")
    return [_result(engine, there) for engine in engines]


def _send(
    given: argparse.Namespace, engines: list[Engine], link: SimLink, tenant: str, web: Web, system: SystemClock
) -> None:
    longest = max(len(engine.values) for engine in engines)
    began, cycle = system.monotonic(), 0
    while cycle < longest:
        if given.speed:
            cycle = min(longest, int((system.monotonic() - began) * given.speed))
        else:
            cycle = min(longest, BASELINE_CYCLES if cycle < BASELINE_CYCLES else cycle + STEP_CYCLES)
        for engine in engines:
            link.advance((tenant, engine.device), min(cycle, len(engine.values)))
        if not link.drained(PATIENCE_S):
            raise Failed(f"the product settles nothing any more: {link.problems() or 'no problem is known'}")
        if not given.speed or cycle == longest:
            _caught_up(web, system)
        if sys.stderr.isatty():
            print(f"\r  cycle {cycle} of {longest}", end="\n" if cycle == longest else "", file=sys.stderr, flush=True)
        if given.speed:
            time.sleep(0.2)


def _caught_up(web: Web, system: SystemClock) -> None:
    """Wait until all that was stored is scored and decided upon."""
    until = system.monotonic() + PATIENCE_S
    while system.monotonic() < until:
        if web.get("/api/v1/progress")["caught_up"]:
            return
        time.sleep(0.02)
    raise Failed("the product does not catch up: see `forewarn status`")


def _result(engine: Engine, web: Web) -> dict[str, Any]:
    end = len(engine.values)
    orders = web.items("/api/v1/work-orders", asset=engine.device)
    said = [item["prediction"] for item in web.items("/api/v1/predictions", asset=engine.device, limit=500)]
    forecasts = {engine.cycle_of(forecast["measured_at"]): forecast for forecast in said}
    first = min((engine.cycle_of(o["decided_on"]) for o in orders if o["decided_on"]), default=None)
    return {
        "unit": engine.unit,
        "cycles": end,
        "first_forecast_cycle": first,
        "predicted_end": _end(forecasts.get(first or 0), first or 0, engine),
        "predicted_end_30_before": _end(
            forecasts.get(end - AS_OF_BEFORE_END), end - AS_OF_BEFORE_END, engine
        ),
        "actual_end": end,
        "order_opened_cycle": first,
        "orders": len(orders),
    }  # fmt: skip


def _end(forecast: dict[str, Any] | None, cycle: int, engine: Engine) -> dict[str, float | None]:
    remaining = forecast and forecast["remaining"]
    if not remaining:
        return {"median": None, "p05": None, "p95": None}
    hours = engine.cycle / timedelta(hours=1)
    p05, p50, p95 = (round(cycle + remaining[q] / hours, 2) for q in ("p05", "p50", "p95"))
    return {"median": p50, "p05": p05, "p95": p95}


def _table(results: list[dict[str, Any]]) -> None:
    print("unit  cycles  order at  warned before  predicted end (90 %)  30 before the end")
    for r in results:
        opened = r["order_opened_cycle"]
        lead = "" if opened is None else r["actual_end"] - opened
        print(
            f"{r['unit']:4}  {r['cycles']:6}  {opened or 'never':>8}  {lead:>13}  {_words(r['predicted_end']):>20}"
            f"  {_words(r['predicted_end_30_before']):>17}"
        )


def _words(end: dict[str, float | None]) -> str:
    if end["median"] is None:
        return "-"
    return f"{end['median']:.0f} ({end['p05']:.0f}-{end['p95']:.0f})"
