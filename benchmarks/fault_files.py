"""The files that the agents read, and what a store must hold after them. The second is worked out from the first
alone, with no code of the product."""

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

SIGNALS = {"vibration": (0.0, 100.0), "bearing_temperature": (-40.0, 200.0), "speed": (0.0, 6000.0)}
"""Ranges of the asset model `centrifugal-pump`."""
MODEL = "centrifugal-pump"
START = datetime(2026, 1, 1, tzinfo=UTC)
Points = dict[int, dict[str, float]]
"""Epoch microseconds -> signal -> value."""


def write(path: Path, seed: int, count: int) -> list[dict[str, str]]:
    """Write a file of `count` rows with everything that an acceptance has to refuse; returns the rows."""
    dice = random.Random(seed)
    rows = []
    t = START
    for i in range(count):
        if i % 97:  # every 97th row has the time of the row before
            t += timedelta(milliseconds=dice.choice((100, 250, 1000)))
        row = {
            "time": t.isoformat().replace("+00:00", "Z"),
            "vibration": f"{abs(dice.gauss(2, 1)):.3f}",
            "bearing_temperature": f"{dice.gauss(60, 5):.3f}",
            "speed": f"{dice.gauss(1450, 20):.1f}",
        }
        if i % 100 == 50:
            row["vibration"] = "-5"
        if i % 140 == 20:
            row["bearing_temperature"] = "n/a"
        if i % 250 == 10:
            row |= {"vibration": "-1", "bearing_temperature": "999", "speed": "1e9"}
        if i % 130 == 7:
            row["speed"] = ""
        if i % 310 == 40:
            row["time"] = "yesterday"
        rows.append(row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def points(rows: list[dict[str, str]]) -> Points:
    """What the store must hold: equal times moved on by 1 us, refused values left out."""
    out: Points = {}
    used: set[int] = set()
    for row in rows:
        try:
            at = datetime.fromisoformat(row["time"])
        except ValueError:
            continue
        us = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        while us in used:
            us += 1
        used.add(us)
        good = {}
        for signal, (low, high) in SIGNALS.items():
            try:
                value = float(row[signal])
            except ValueError:
                continue
            if low <= value <= high:
                good[signal] = value
        if good:
            out[us] = good
    return out
