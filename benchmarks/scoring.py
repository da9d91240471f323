"""Scoring a tick of many devices: one sample of each, through the code that scores them live.

    python -m benchmarks.scoring [--devices 1000] [--signals 20] [--ticks 120] [--learning-ticks 60] [--json FILE]

Every device has a fitted baseline of its own (two regimes, compensation for four conditions and the same low-passed,
a window of 36 samples) and every sample makes a scored row. Three figures, each for one tick of all devices:

scoring
    rows to scores: who runs and is settled, thermal lag, regime, expected values, residuals, window means, distance
    (`Stack.advance`). This is what the target of 2 ms means.
machines
    what anomaly's domain does with a tick: arrivals to columns, scoring, degradation path, healthy record, alarm
    machine, points for charts (every sixth tick) and forecasts (`Machines.feed`).
service
    the same from the log's block on (`Watching.take`): decoded rows, their order by number, the machines' present.
    Snapshots and SQL are not in it; they are written every few seconds, not every tick.
learning
    `Machines.feed` while the devices have no baseline yet.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import layout_of
from anomaly.domain.machines import Arrival, Machines
from anomaly.domain.ordering import Ordering
from anomaly.domain.packing import pack, unpack
from anomaly.domain.watch import Watch
from anomaly.service.port import Results, Saved
from anomaly.service.watching import Watching
from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse
from contracts.clock import Clock
from contracts.points import Block, DeviceRows, decode_block, encode_block

MINUTE_US = 60_000_000
STEP_US = 10 * MINUTE_US
START_US = 1_767_225_600_000_000
CONDITIONS = 4
KINDS = 20
"""So many devices are simulated; the others repeat them with other noise."""
LEARNED_ROWS = 400


def model_of(signals: int) -> AssetModel:
    """A machine of so many signals: a speed with two levels, three more conditions, the rest symptoms."""
    lines = [
        "name: bench", "version: 1", "title: Bench", "running_when: c0 > 100", "regimes: [c0]", "signals:",
        "  c0: {unit: /min, range: [0, 4000], role: condition, title: Speed}",
    ]  # fmt: skip
    lines += [
        f"  c{j}: {{unit: Cel, range: [-100, 200], role: condition, title: Condition {j}}}"
        for j in range(1, CONDITIONS)
    ]
    lines += [
        f"  s{j}: {{unit: bar, range: [-1000, 1000], role: symptom, title: Symptom {j}}}"
        for j in range(signals - CONDITIONS)
    ]
    lines += [
        "components:", "  part:", "    title: Part", "    failure_modes:", "      wear:", "        title: Wear",
        "        symptoms: {s0: up, s1: up}", "        remedy: Replace it", "        skill: mechanical",
        "        minutes: 60", "        consequence: It stops.", "        costs:",
        "          failure: {customer: 5000, provider: 4000}", "          planned: {customer: 0, provider: 1000}",
        "          false_visit: {customer: 0, provider: 500}",
        "detection: {window_samples: 36, window_hours: 6, threshold: 1.8, hold_hours: 3, hold_samples: 12,",
        "  refractory_hours: 12, learning_hours: 48, learning_samples: 100, baseline_hours: 0}",
        "prognosis: {every_hours: 1, history_hours: 240, shortest_hours: 20, longest_hours: 400}",
    ]  # fmt: skip
    return parse("\n".join(lines), "bench.yaml")


def rows_of(model: AssetModel, devices: int, ticks: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times (ticks,) and values (ticks, devices, signals), in the order of `model.signals`."""
    rng = np.random.default_rng(seed)
    symptoms = len(model.signals) - CONDITIONS
    hours = np.arange(ticks) * STEP_US / 3.6e9
    turn = rng.uniform(0, 24, devices)
    conditions = np.stack(
        [np.where((hours[:, None] + turn) // 8 % 2 == 0, 1450.0, 2900.0)]
        + [20 + 5 * np.sin(2 * np.pi * (hours[:, None] + turn) / (24 + 9 * j)) for j in range(1, CONDITIONS)],
        axis=2,
    )
    weight = np.random.default_rng(0).normal(0, [0.001, *[0.1] * (CONDITIONS - 1)], (symptoms, CONDITIONS))
    values = conditions @ weight.T + rng.normal(0, 0.3, (ticks, devices, symptoms))
    names = list(model.signals)
    order = np.argsort(
        [names.index(f"c{j}") for j in range(CONDITIONS)] + [names.index(f"s{j}") for j in range(symptoms)]
    )
    return START_US + np.arange(ticks, dtype=np.int64) * STEP_US, np.concatenate([conditions, values], axis=2)[
        :, :, order
    ]


def spread(call: Callable[[int], object], ticks: int, samples: int) -> dict[str, float]:
    """Milliseconds a call, wall and CPU, and CPU microseconds a sample."""
    wall, cpu = np.zeros(ticks), np.zeros(ticks)
    for i in range(ticks):
        before, used = time.perf_counter(), time.process_time()
        call(i)
        wall[i], cpu[i] = time.perf_counter() - before, time.process_time() - used
    return {
        "best_ms": round(float(wall.min()) * 1e3, 3),
        "p50_ms": round(float(np.median(wall)) * 1e3, 3),
        "p99_ms": round(float(np.quantile(wall, 0.99)) * 1e3, 3),
        "cpu_p50_ms": round(float(np.median(cpu)) * 1e3, 3),
        "us_a_sample": round(float(cpu.mean()) * 1e6 / samples, 3),
    }


class StillClock:
    """A tenant's clock that stands."""

    factor = 1.0

    def now(self) -> datetime:
        """Always the same."""
        return datetime(2026, 6, 1, tzinfo=UTC)


class StillClocks:
    """The clocks of tenants that all stand."""

    def of(self, tenant: str) -> Clock:
        """The clock of a tenant."""
        return StillClock()


def learned(model: AssetModel, seed: int) -> list[Any]:
    """Packed memories of machines with a baseline, one of each kind."""
    layout = layout_of(model)
    t_us, values = rows_of(model, KINDS, LEARNED_ROWS, seed)
    out = []
    for i in range(KINDS):
        watch = Watch(model, layout=layout)
        watch.feed(t_us, layout.arrange(list(model.signals), values[:, i]))
        out.append(pack(watch.memory))
    return out


def measure(devices: int, signals: int, ticks: int, learning_ticks: int) -> Iterator[tuple[str, object]]:
    """All figures, one by one."""
    model = model_of(signals)
    names, layout = list(model.signals), layout_of(model)
    warm = 3
    t_us, values = rows_of(model, devices, warm + ticks, seed=2)
    t_us = t_us + LEARNED_ROWS * STEP_US
    device_names = [f"d{i}" for i in range(devices)]
    kinds = learned(model, seed=1)

    def company() -> Machines:
        machines = Machines(model)
        for i, name in enumerate(device_names):
            machines.put(name, unpack(kinds[i % KINDS]))
        return machines

    def arrivals(at: int) -> list[Arrival]:
        when = t_us[at : at + 1]
        return [Arrival(name, names, when, values[at, i : i + 1]) for i, name in enumerate(device_names)]

    machines = company()
    for at in range(warm):
        machines.feed(arrivals(at))
    slots = np.sort(np.array(list(machines.stack.slot_of.values())))
    arranged = [layout.arrange(names, values[at]) for at in range(warm + ticks)]
    times = [np.full(devices, t) for t in t_us]
    scored: list[int] = []

    def score(i: int) -> None:
        done = machines.stack.advance(slots, times[warm + i], arranged[warm + i]).scored
        scored.append(0 if done is None else int(np.isfinite(done.score).sum()))

    yield "scoring", spread(score, ticks, devices)
    yield "scored_share", round(float(np.mean(scored)) / devices, 4)

    machines = company()
    ready = [arrivals(at) for at in range(warm + ticks)]
    for at in range(warm):
        machines.feed(ready[at])
    yield "machines", spread(lambda i: machines.feed(ready[warm + i]), ticks, devices)

    watching = Watching(lambda name: model, StillClocks(), None)

    def payload(at: int) -> bytes:
        time_us, rows = int(t_us[at]), values[at].tolist()
        sent = [
            DeviceRows("t", name, model.name, "0123abcd", names, [at + 1], [time_us], [row], 0)
            for name, row in zip(device_names, rows, strict=True)
        ]
        return encode_block(Block(1, "t", sent))

    payloads = [payload(at) for at in range(warm + ticks)]
    watching.restore(
        [
            Saved("t", name, model.name, ["l", kinds[i % KINDS], pack(Ordering()), None], {})
            for i, name in enumerate(device_names)
        ]
    )
    for at in range(warm):
        watching.take(decode_block(payloads[at]), Results(), 0.0)
    yield "service", spread(lambda i: watching.take(decode_block(payloads[warm + i]), Results(), 0.0), ticks, devices)

    fresh = Machines(model)
    fresh.feed(ready[0])
    yield "learning", spread(lambda i: fresh.feed(ready[1 + i]), min(learning_ticks, 90), devices)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--signals", type=int, default=20)
    parser.add_argument("--ticks", type=int, default=120)
    parser.add_argument("--learning-ticks", type=int, default=60)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found: dict[str, object] = {"devices": asked.devices, "signals": asked.signals, "ticks": asked.ticks}
    print(f"{asked.devices} devices x {asked.signals} signals, {asked.ticks} ticks")
    for name, figure in measure(asked.devices, asked.signals, asked.ticks, asked.learning_ticks):
        found[name] = figure
        if isinstance(figure, dict):
            words = "  ".join(f"{key.replace('_', ' ')} {value:8.3f}" for key, value in figure.items())
            print(f"{name:10} {words}", flush=True)
        else:
            print(f"{name} {figure}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
