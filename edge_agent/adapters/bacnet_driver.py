"""Reads BACnet/IP devices: building and chiller controllers. The file's fields: docs/drivers.md. Needs extra `bacnet`.

Present values are read in turn; a device may be asked to tell of changes besides (COV). Reading goes on all the same: a
device that started anew has forgotten who asked. Each device is read by itself, so that a silent one holds up nobody.
"""

import asyncio
import socket
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from edge_agent.adapters import bacnet_file, driver_file
from edge_agent.adapters.live_source import LiveSource, SourceLost, in_words
from edge_agent.domain.driving import Batch, Cell, Fault, Option, Options, Plan

if TYPE_CHECKING:
    from edge_agent.adapters.bacnet_link import BacnetLink, Values

LOOK_S = 0.1
ASK_AGAIN_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses before a silent device is asked again; the last one stays."""


class BacnetDriver:
    """One network with its devices."""

    OPTIONS: ClassVar[tuple[Option, ...]] = driver_file.FILE

    def __init__(self, options: Options) -> None:
        plan = driver_file.read(options, bacnet_file.read)
        self._source = LiveSource(f"bacnet {plan.local}", _Reader(plan).session)

    @classmethod
    def check(cls, options: Options, path: str) -> list[Fault]:
        """What is wrong with the file."""
        if find_spec("bacpypes3") is None:
            return [Fault(f"{path}.kind", "bacnet", "needs the extra bacnet: pip install 'forewarn[bacnet]'")]
        return driver_file.check(options, path, bacnet_file.read)

    @classmethod
    def plan(cls, options: Options) -> Plan:
        """What would be read."""
        plan = driver_file.read(options, bacnet_file.read)
        lines = [f"bacnet from {plan.local}"]
        lines += [
            f"{p.signal}: {p.object} of {p.address}, every {p.every:g} s{' and on change' if p.cov else ''}"
            for p in plan.points
        ]
        return Plan(lines, plan.units)

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """What was read since; a live source cannot wait for room."""
        return self._source.poll(position, now)

    def close(self) -> None:
        """Let go of the port."""
        self._source.close()


@dataclass(slots=True)
class _Device:
    """One device's points, and what is known of it."""

    address: str
    points: list[bacnet_file.Point]
    singly: bool = False
    """It cannot answer for several objects at once."""
    silent: int = 0
    again_at: float = 0.0
    renew_at: float = 0.0
    due: dict[float, float] = field(default_factory=dict)


class _Reader:
    """Reads all devices in one event loop; when each point is due outlives it."""

    def __init__(self, plan: bacnet_file.NetworkPlan) -> None:
        self._plan = plan
        self._devices: dict[str, _Device] = {}
        for point in plan.points:
            self._devices.setdefault(point.address, _Device(point.address, [])).points.append(point)
        self._problems: dict[str, str] = {}
        self._changing: dict[tuple[str, str], list[bacnet_file.Point]] = {}

    def session(self, source: LiveSource) -> None:
        """Until the driver is closed. Raises SourceLost when our own port cannot be used."""
        asyncio.run(self._talk(source))

    async def _talk(self, source: LiveSource) -> None:
        from edge_agent.adapters.bacnet_link import BacnetLink, canonical

        plan = self._plan
        _try_port(plan.local)

        def changed(name: str, address: str, said: Cell | Exception) -> None:
            points = self._changing.get((name, address), [])
            values = {point.signal: self._cell(point, said) for point in points}
            if values:
                source.give(source.now(), values)

        for point in plan.points:
            if point.cov:
                self._changing.setdefault(canonical(point.object, point.address), []).append(point)
        try:
            link = BacnetLink(plan.local, plan.timeout, plan.retries, changed)
        except (OSError, ValueError) as failure:
            raise SourceLost(f"cannot listen at {plan.local}: {failure}") from failure
        tasks = [asyncio.create_task(self._follow(source, link, device)) for device in self._devices.values()]
        try:
            while not source.stopping.is_set():
                await asyncio.sleep(LOOK_S)
                for task in tasks:
                    if task.done():
                        task.result()  # raises what was not foreseen: all begins anew
                source.well(in_words(self._problems))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            link.close()
            await asyncio.sleep(0)

    async def _follow(self, source: LiveSource, link: "BacnetLink", device: _Device) -> None:
        """Read one device for ever."""
        from edge_agent.adapters.bacnet_link import NoAnswer

        device.renew_at = 0.0  # a new port: what was asked for before goes nowhere
        while True:
            now = source.monotonic()
            due = [every for every in {p.every for p in device.points} if device.due.get(every, now) <= now]
            if now >= device.again_at:
                try:
                    for every in due:
                        await self._round(source, link, device, every)
                        device.due[every] = _next(device.due.get(every, now), every, source.monotonic())
                    if source.monotonic() >= device.renew_at:
                        await self._subscribe(source, link, device)
                    if due:
                        device.silent = 0
                        self._problems.pop(device.address, None)
                except NoAnswer as problem:
                    self._problems[device.address] = str(problem)
                    device.again_at = source.monotonic() + ASK_AGAIN_S[min(device.silent, len(ASK_AGAIN_S) - 1)]
                    device.silent += 1
                    device.renew_at = 0.0
            await asyncio.sleep(LOOK_S if min(device.due.values(), default=0.0) - now > LOOK_S else LOOK_S / 4)

    async def _round(self, source: LiveSource, link: "BacnetLink", device: _Device, every: float) -> None:
        """Read the points of one interval; they make one reading."""
        points = [point for point in device.points if point.every == every]
        at = source.now()
        said = await self._read(link, device, sorted({point.object for point in points}))
        values = {point.signal: self._cell(point, said[point.object]) for point in points}
        source.well(in_words(self._problems))
        if any(value is not None for value in values.values()):
            source.give(at, values)

    async def _read(self, link: "BacnetLink", device: _Device, objects: list[str]) -> "Values":
        from edge_agent.adapters.bacnet_link import Refused

        together = 1 if device.singly else self._plan.together
        said: dict[str, Cell | Exception] = {}
        for start in range(0, len(objects), together):
            part = objects[start : start + together]
            if together > 1:
                try:
                    said |= await link.read(device.address, part)
                    continue
                except Refused:
                    device.singly = True
            said |= await link.read_singly(device.address, part)
        return said

    async def _subscribe(self, source: LiveSource, link: "BacnetLink", device: _Device) -> None:
        """Ask to be told of changes; what the device does not offer is read all the same."""
        from edge_agent.adapters.bacnet_link import Refused

        for number, point in enumerate(self._plan.points, 1):
            if point.cov and point.address == device.address:
                try:
                    await link.subscribe(point.address, point.object, number, self._plan.lifetime)
                    self._problems.pop(f"{point.signal} (on change)", None)
                except Refused as refused:
                    self._problems[f"{point.signal} (on change)"] = str(refused)
        device.renew_at = source.monotonic() + self._plan.lifetime / 2

    def _cell(self, point: bacnet_file.Point, said: Cell | Exception) -> Cell:
        try:
            if isinstance(said, Exception):
                raise ValueError(str(said))
            value = point.scaling.of(said)
        except ValueError as problem:
            self._problems[point.signal] = str(problem)
            return None
        self._problems.pop(point.signal, None)
        return value


def _next(due: float, every: float, now: float) -> float:
    """When it is due again; what was missed is not made up."""
    return due + max(1.0, (now - due) // every + 1) * every


def _try_port(local: str) -> None:
    """The library tries for ever, in silence, to get a port that is taken. Raises SourceLost."""
    address, _, port = local.partition(":")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
            trial.bind((address.partition("/")[0], int(port or 47_808)))
    except OSError as failure:
        raise SourceLost(f"cannot listen at {local}: {failure.strerror}") from failure
