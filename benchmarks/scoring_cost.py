"""What scoring costs: CPU a message, devices a core, memory a device; on the machine's own computer and on the server.

    python -m benchmarks.scoring_cost [--devices 1000] [--signals 20] [--messages 600] [--every 1.0] [--json FILE]

Devices and rows are those of `benchmarks.scoring`: a fitted baseline each, every message one sample that is scored.

edge
    One device alone, a message at a time, numpy and the standard library: its watch (`Watch.feed`), which keeps health,
    alarm, path and forecasts as well.
edge, scores alone
    The same device as a stack of one: rows to scores and nothing else (`Stack.advance`).
server
    All devices a tick, from the log's block on (`Watching.take`), shared among the tick's messages. `p99` is a message
    of one of the slow ticks: every sixth makes a chart's point and a path's step of each device.

Figures are CPU time of this process, so other work on the machine matters little. Devices a core: how many devices that
send a message every `--every` seconds keep one core busy. Memory: what the process grows by, divided by the devices.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from anomaly.domain.layout import layout_of
from anomaly.domain.machines import Machines
from anomaly.domain.ordering import Ordering
from anomaly.domain.packing import pack, unpack
from anomaly.domain.watch import Watch
from anomaly.service.port import Results, Saved
from anomaly.service.watching import Watching
from benchmarks.scoring import KINDS, LEARNED_ROWS, STEP_US, StillClocks, learned, model_of, rows_of
from contracts.points import Block, DeviceRows, decode_block, encode_block

Figures = dict[str, float]
WARM = 3


def resident_bytes() -> int:
    """Memory of this process."""
    gc.collect()
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096


def cost(calls: list[Callable[[], object]], messages: int, every_s: float) -> Figures:
    """CPU microseconds a message of calls that take so many messages each."""
    used = np.zeros(len(calls))
    for i, call in enumerate(calls):
        before = time.process_time_ns()
        call()
        used[i] = (time.process_time_ns() - before) / 1e3 / messages
    return {
        "p50_us": round(float(np.median(used)), 2),
        "p99_us": round(float(np.quantile(used, 0.99)), 2),
        "mean_us": round(float(used.mean()), 2),
        "devices_a_core": float(round(every_s * 1e6 / float(used.mean()))),
    }


def measure(devices: int, signals: int, messages: int, every_s: float) -> dict[str, Figures]:
    """All figures."""
    model = model_of(signals)
    names, layout = list(model.signals), layout_of(model)
    kinds = learned(model, seed=1)
    found: dict[str, Figures] = {}

    t_us, values = rows_of(model, 1, WARM + messages, seed=2)
    t_us = t_us + LEARNED_ROWS * STEP_US
    rows = [layout.arrange(names, values[i]) for i in range(WARM + messages)]
    watch = Watch(model, unpack(kinds[0]), layout)
    watch.feed(t_us[:WARM], np.concatenate(rows[:WARM]))
    found["edge"] = cost(
        [partial(watch.feed, t_us[i : i + 1], rows[i]) for i in range(WARM, WARM + messages)], 1, every_s
    )
    alone = Machines(model)
    alone.put("d", unpack(kinds[0]))
    stack = alone.stack
    slots = np.array([stack.put_in("d", alone.look_at("d"))])
    found["edge, scores alone"] = cost(
        [partial(stack.advance, slots, t_us[i : i + 1], rows[i]) for i in range(messages)], 1, every_s
    )

    before = resident_bytes()
    watches = [Watch(model, unpack(kinds[i % KINDS]), layout) for i in range(devices)]
    for i, one in enumerate(watches):
        one.feed(t_us[:1], rows[i % messages])
    found["edge"]["memory_kb_a_device"] = round((resident_bytes() - before) / 1e3 / devices, 1)
    found["edge"]["snapshot_kb"] = round(len(pack_bytes(watches[0])) / 1e3, 1)
    del watches

    ticks = max(12, min(60, messages // 10))
    t_us, values = rows_of(model, devices, WARM + ticks, seed=3)
    t_us = t_us + LEARNED_ROWS * STEP_US
    device_names = [f"d{i}" for i in range(devices)]

    def payload(at: int) -> bytes:
        sent = [
            DeviceRows("t", name, model.name, "0123abcd", names, [at + 1], [int(t_us[at])], [row], 0)
            for name, row in zip(device_names, values[at].tolist(), strict=True)
        ]
        return encode_block(Block(1, "t", sent))

    payloads = [payload(at) for at in range(WARM + ticks)]
    before = resident_bytes()
    watching = Watching(lambda name: model, StillClocks(), None)
    watching.restore(
        [
            Saved("t", name, model.name, ["l", kinds[i % KINDS], pack(Ordering()), None], {})
            for i, name in enumerate(device_names)
        ]
    )
    for body in payloads[:WARM]:
        take(watching, body)
    memory = resident_bytes() - before
    found["server"] = cost([partial(take, watching, body) for body in payloads[WARM:]], devices, every_s)
    found["server"]["memory_kb_a_device"] = round(memory / 1e3 / devices, 1)
    return found


def take(watching: Watching, body: bytes) -> None:
    """One block of the log."""
    watching.take(decode_block(body), Results(), 0.0)


def pack_bytes(watch: Watch) -> bytes:
    """The watch's snapshot."""
    return msgspec.msgpack.encode(pack(watch.memory))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--signals", type=int, default=20)
    parser.add_argument("--messages", type=int, default=600)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between a device's messages")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = measure(asked.devices, asked.signals, asked.messages, asked.every)
    print(f"{asked.devices} devices x {asked.signals} signals, a message every {asked.every:g} s")
    for name, figures in found.items():
        print(f"{name:20}" + "  ".join(f"{key.replace('_', ' ')} {value:,.1f}" for key, value in figures.items()))
    if asked.json:
        told = {"devices": asked.devices, "signals": asked.signals, "every_s": asked.every, **found}
        asked.json.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
