"""The telemetry store as slow, obvious Python: passes the suite that the real ones pass."""

import math
import threading

import numpy as np

from contracts.points import Band, DeviceRows, Readings, Refused, StoreUnreachable


class MemoryStore:
    """A dictionary of (tenant, device) -> time -> signal -> value. `reachable = False` plays an outage."""

    def __init__(self) -> None:
        self.reachable = True
        self._held: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
        self._lock = threading.Lock()

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        """Keep what is finite."""
        refused = []
        with self._lock:
            self._check()
            for part in rows:
                device = self._held.setdefault((part.tenant, part.device), {})
                for i, t_us in enumerate(part.t_us):
                    for name, value in zip(part.signals, part.values[i], strict=True):
                        if value is None:
                            continue
                        if math.isfinite(value):
                            device.setdefault(t_us, {})[name] = float(value)
                        else:
                            refused.append(
                                Refused(part.tenant, part.device, t_us, part.seq[i], part.boot_id, name, "not finite")
                            )
        return refused

    def read(
        self,
        tenant: str,
        device: str,
        *,
        signals: list[str] | None = None,
        from_us: int | None = None,
        to_us: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Readings:
        """Readings in time order."""
        with self._lock:
            self._check()
            rows = []
            for t_us, row in sorted(self._held.get((tenant, device), {}).items(), reverse=newest_first):
                wanted = {name: x for name, x in row.items() if signals is None or name in signals}
                inside = (from_us is None or t_us >= from_us) and (to_us is None or t_us < to_us)
                if wanted and inside:
                    rows.append((t_us, wanted))
        rows = sorted(rows[:limit])
        names = sorted({name for _, row in rows for name in row}) if signals is None else signals
        values = [[row.get(name, math.nan) for name in names] for _, row in rows]
        return Readings(
            tuple(names),
            np.array([t_us for t_us, _ in rows], dtype=np.int64),
            np.array(values, dtype=np.float64).reshape(len(rows), len(names)),
        )

    def band(self, tenant: str, device: str, signal: str, from_us: int, to_us: int, buckets: int) -> Band:
        """Bucket by bucket."""
        found = self.read(tenant, device, signals=[signal], from_us=from_us, to_us=to_us)
        width = max(1, math.ceil((to_us - from_us) / buckets))
        by_bucket: dict[int, list[float]] = {}
        for t_us, value in zip(found.t_us.tolist(), found.values[:, 0].tolist(), strict=True):
            by_bucket.setdefault(from_us + (t_us - from_us) // width * width, []).append(value)
        columns = [[f(values) for values in by_bucket.values()] for f in (lambda v: sum(v) / len(v), min, max)]
        return Band(np.array(list(by_bucket), dtype=np.int64), *(np.array(c, dtype=np.float64) for c in columns))

    def counts(self, tenant: str, device: str, from_us: int, to_us: int, width_us: int) -> list[tuple[str, int, int]]:
        """One by one."""
        found = self.read(tenant, device, from_us=from_us, to_us=to_us)
        out: dict[tuple[str, int], int] = {}
        for t_us, row in zip(found.t_us.tolist(), found.values.tolist(), strict=True):
            for name, x in zip(found.signals, row, strict=True):
                if x == x:
                    key = (name, from_us + (t_us - from_us) // width_us * width_us)
                    out[key] = out.get(key, 0) + 1
        return [(name, begin, n) for (name, begin), n in sorted(out.items())]

    def ready(self) -> bool:
        """Whether it plays no outage."""
        return self.reachable

    def close(self) -> None:
        """Nothing to close."""

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnreachable("the store plays an outage")
