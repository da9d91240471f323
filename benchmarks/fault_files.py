"""The files that the agents read, and what a store must hold after them. The second is worked out from the first
alone, with no code of the product."""

import csv
import io
import random
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

SIGNALS = {"vibration": (0.0, 100.0), "bearing_temperature": (-40.0, 200.0), "speed": (0.0, 6000.0)}
"""Ranges of the asset model `centrifugal-pump`."""
MODEL = "centrifugal-pump"
START = datetime(2026, 1, 1, tzinfo=UTC)
WRITE_EVERY_S = 0.2
Points = dict[int, dict[str, float]]
"""Epoch microseconds -> signal -> value."""


def rows(seed: int, count: int) -> list[dict[str, str]]:
    """`count` rows with everything that an acceptance has to refuse."""
    dice = random.Random(seed)
    made = []
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
        made.append(row)
    return made


def _text(rows: list[dict[str, str]], *, head: bool = False) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    if head:
        writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


class Loggers:
    """One on each machine, writing its file at a steady rate whatever happens to everything else.

    Parameters
    ----------
    files
        Of the machines; begun at once, with a first row each.
    rows
        Of each file. When they are used up, nothing more is written.
    rate
        Rows a second and machine.
    """

    def __init__(self, files: Sequence[Path], rows: Sequence[list[dict[str, str]]], rate: float) -> None:
        self._files, self._rows, self._rate = files, rows, rate
        self.written = [1] * len(files)
        for path, content in zip(files, rows, strict=True):
            path.write_bytes(_text(content[:1], head=True))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loggers", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more."""
        self._stopping.set()
        self._thread.join()

    def content(self) -> list[list[dict[str, str]]]:
        """The rows that stand in the files."""
        return [content[:count] for content, count in zip(self._rows, self.written, strict=True)]

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stopping.wait(WRITE_EVERY_S):
            due = 1 + int((time.monotonic() - began) * self._rate)
            for i, path in enumerate(self._files):
                new = self._rows[i][self.written[i] : due]
                if new:
                    with path.open("ab") as file:
                        file.write(_text(new))
                    self.written[i] += len(new)


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
