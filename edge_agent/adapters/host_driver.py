"""Reads this computer: load, memory, swap, disk, network, temperatures and fans where there are any. No process names.

Signals and units are those of the asset model `host-computer`.
"""

from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import ClassVar

from edge_agent.domain.driving import Batch, Cell, Fault, Option, Options, Plan, Reading

_CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal", "acpitz")
_DISK_SENSORS = ("nvme", "drivetemp")


class HostDriver:
    """This computer, every `every` seconds. It cannot wait: what the outbox has no room for pushes out the oldest."""

    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("every", float, "seconds between readings", 1.0, lowest=0.1),
        Option("disk", str, "a folder on the disk to watch", "/"),
    )

    def __init__(self, options: Options) -> None:
        self._every, self._disk = options.number("every"), options.text("disk")
        self._due: float | None = None
        self._before: dict[str, float] = {}
        self._before_at = 0.0

    @classmethod
    def check(cls, options: Options, path: str) -> list[Fault]:
        """The watched folder must be there."""
        disk = options.text("disk")
        return [] if Path(disk).is_dir() else [Fault(f"{path}.disk", disk, "must be a folder")]

    @classmethod
    def plan(cls, options: Options) -> Plan:
        """What would be read."""
        return Plan([f"this computer, every {options.number('every'):g} s: load, memory, disk, network, sensors"])

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """One reading when its time has come; what was missed is not made up."""
        if self._due is None:
            self._values(now)  # rates need a point before
            self._due = now + self._every
            return Batch([], "", self._due)
        if now < self._due:
            return Batch([], "", self._due)
        values = {name: round(value, 4) for name, value in self._values(now).items() if isfinite(value)}
        behind = (now - self._due) // self._every
        self._due += (behind + 1) * self._every
        cells: dict[str, Cell] = dict(values)
        return Batch([Reading(at.isoformat().replace("+00:00", "Z"), cells)], "", self._due)

    def sample(self, now: float) -> dict[str, float]:
        """What there is to read at this moment."""
        return {name: value for name, value in self._values(now).items() if isfinite(value)}

    def set_every(self, seconds: float) -> None:
        """Read so often from the next reading on."""
        self._every = seconds

    def close(self) -> None:
        """Nothing is open."""

    def _values(self, now: float) -> dict[str, float]:
        import psutil

        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        out = {
            "cpu": psutil.cpu_percent(),
            "load": psutil.getloadavg()[0] / (psutil.cpu_count() or 1),
            "memory_used": memory.percent,
            "swap_used": swap.percent if swap.total else 0.0,
            "disk_used": psutil.disk_usage(self._disk).percent,
            "uptime": self._uptime(),
            **self._rates(self._counters(), now),
            **self._sensors(),
        }
        frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
        if frequency is not None and frequency.current:
            out["cpu_frequency"] = frequency.current
        return out

    @staticmethod
    def _uptime() -> float:
        try:
            return float(Path("/proc/uptime").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return float("nan")  # this system has another way to say it

    @staticmethod
    def _counters() -> dict[str, float]:
        """Counters that only ever grow, by the name of the rate that they make."""
        import psutil

        out: dict[str, float] = {}
        disk = psutil.disk_io_counters()
        if disk is not None:
            out |= {"disk_read": float(disk.read_bytes), "disk_written": float(disk.write_bytes)}
            if hasattr(disk, "busy_time"):
                out["disk_busy"] = float(disk.busy_time)
        cards = {name: card for name, card in psutil.net_io_counters(pernic=True).items() if name != "lo"}
        if cards:
            out |= {
                "network_received": float(sum(c.bytes_recv for c in cards.values())),
                "network_sent": float(sum(c.bytes_sent for c in cards.values())),
                "network_errors": float(sum(c.errin + c.errout + c.dropin + c.dropout for c in cards.values())),
            }
        return out

    def _rates(self, counters: dict[str, float], now: float) -> dict[str, float]:
        """Growth a second since the last call; a counter that fell (a card went) has no rate this time."""
        before, elapsed = self._before, now - self._before_at
        self._before, self._before_at = counters, now
        if elapsed <= 0:
            return {}
        rates = {
            name: (value - before[name]) / elapsed
            for name, value in counters.items()
            if name in before and value >= before[name]
        }
        if "disk_busy" in rates:  # milliseconds of all disks a second, as a share
            rates["disk_busy"] = min(100.0, rates["disk_busy"] / 10.0)
        return rates

    @staticmethod
    def _sensors() -> dict[str, float]:
        import psutil

        out: dict[str, float] = {}
        if hasattr(psutil, "sensors_temperatures"):
            found = psutil.sensors_temperatures()
            for name, chips in (("cpu_temperature", _CPU_SENSORS), ("disk_temperature", _DISK_SENSORS)):
                readings = [entry.current for chip in chips for entry in found.get(chip, []) if entry.current]
                if readings:
                    out[name] = max(readings)
        if hasattr(psutil, "sensors_fans"):
            fans = [float(fan.current) for group in psutil.sensors_fans().values() for fan in group]
            if any(fans):  # a fan that stands while another turns is worth telling; all zero = not wired
                out["fan_speed"] = min(fans)
        if hasattr(psutil, "sensors_battery"):
            battery = psutil.sensors_battery()
            if battery is not None:
                out["battery"] = float(battery.percent)
        return out
