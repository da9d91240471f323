"""Reads Modbus devices: TCP, RTU on a serial line, or RTU framed over TCP. The file's fields: docs/drivers.md.

All signals that share an interval are read in one round and make one reading. A slave that does not answer is asked
again after growing pauses, so that it does not hold up the others; what could not be read is null, and said.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

from edge_agent.adapters import driver_file, modbus_file
from edge_agent.adapters.live_source import LiveSource, SourceLost, in_words
from edge_agent.domain.driving import Batch, Cell, Fault, Option, Options, Plan
from edge_agent.domain.registers import BIT_TABLES, Point, Request, requests

if TYPE_CHECKING:
    from pymodbus.pdu import ModbusPDU

IDLE_S = 30.0
"""A connection that would idle for longer is closed: many devices take only a few."""
ASK_AGAIN_S = (2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Pauses before a silent slave is asked again; the last one stays."""
_WORDS = {
    1: "the device does not know this kind of read",
    2: "the device has no such address",
    3: "the device does not take a read of this size",
    4: "the device failed",
    6: "the device is busy",
    10: "the gateway cannot reach the line",
    11: "does not answer (says the gateway)",
}
NO_SUCH_PLACE = (2, 3)
GATEWAY_SILENT = (10, 11)


class _Client(Protocol):
    """What is used of pymodbus's clients."""

    def connect(self) -> bool: ...
    def close(self) -> None: ...
    def read_holding_registers(self, address: int, *, count: int, device_id: int) -> "ModbusPDU": ...
    def read_input_registers(self, address: int, *, count: int, device_id: int) -> "ModbusPDU": ...
    def read_coils(self, address: int, *, count: int, device_id: int) -> "ModbusPDU": ...
    def read_discrete_inputs(self, address: int, *, count: int, device_id: int) -> "ModbusPDU": ...


class _NoAnswer(Exception):
    """A slave did not answer in time."""


class _Refused(Exception):
    """The device answered that it will not."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class ModbusDriver:
    """One line with its slaves."""

    OPTIONS: ClassVar[tuple[Option, ...]] = driver_file.FILE

    def __init__(self, options: Options) -> None:
        plan = driver_file.read(options, modbus_file.read)
        self._source = LiveSource(f"modbus {plan.line}", _Reader(plan).session)

    @classmethod
    def check(cls, options: Options, path: str) -> list[Fault]:
        """What is wrong with the file."""
        return driver_file.check(options, path, modbus_file.read)

    @classmethod
    def plan(cls, options: Options) -> Plan:
        """What would be read."""
        plan = driver_file.read(options, modbus_file.read)
        lines = [f"modbus at {plan.line}"]
        for every, points in plan.rounds.items():
            for r in requests(points, plan.line.most, plan.line.gap):
                names = ", ".join(p.signal for p in r.points)
                lines.append(f"every {every:g} s: slave {r.slave}, {r.table} {r.address}, {r.count} long: {names}")
        return Plan(lines, plan.units)

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """What was read since; a live source cannot wait for room."""
        return self._source.poll(position, now)

    def close(self) -> None:
        """End the connection."""
        self._source.close()


@dataclass(slots=True)
class _Silence:
    """A slave that did not answer."""

    times: int = 0
    again_at: float = 0.0


@dataclass(slots=True)
class _Reader:
    """Reads round after round; what it knows of intervals and silent slaves outlives a connection."""

    settings: modbus_file.LinePlan
    due: dict[float, float] = field(default_factory=dict)
    alone: set[Point] = field(default_factory=set)
    """Points that the device does not give together with others."""
    silent: dict[int, _Silence] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def session(self, source: LiveSource) -> None:
        """One connection."""
        client = self._connect()
        try:
            while not source.stopping.is_set():
                now = source.monotonic()
                for every, points in self.settings.rounds.items():
                    if self.due.get(every, now) <= now:
                        if not client.connect():
                            raise SourceLost(f"nothing answers at {self.settings.line}")
                        self._round(source, client, points)
                        behind = (now - self.due.get(every, now)) // every
                        self.due[every] = self.due.get(every, now) + (behind + 1) * every
                pause = min(self.due.values()) - source.monotonic()
                if pause > IDLE_S:
                    client.close()
                source.wait(pause)
        finally:
            client.close()

    def _round(self, source: LiveSource, client: _Client, points: tuple[Point, ...]) -> None:
        at = source.now()
        values: dict[str, Cell] = {}
        heard = False
        for request in self._requests(points):
            if source.stopping.is_set():
                return
            silence = self.silent.get(request.slave)
            if silence is not None and source.monotonic() < silence.again_at:
                values |= dict.fromkeys((p.signal for p in request.points), None)
                continue
            try:
                values |= self._take(client, request)
                heard = True
                self.silent.pop(request.slave, None)
                self.problems.pop(f"slave {request.slave}", None)
            except _NoAnswer as problem:
                silence = self.silent.setdefault(request.slave, _Silence())
                silence.again_at = source.monotonic() + ASK_AGAIN_S[min(silence.times, len(ASK_AGAIN_S) - 1)]
                silence.times += 1
                self.problems[f"slave {request.slave}"] = str(problem)
                values |= dict.fromkeys((p.signal for p in request.points), None)
        if not heard and len(self.silent) == len({p.slave for ps in self.settings.rounds.values() for p in ps}):
            self.silent.clear()  # the pauses between connections are enough
            raise SourceLost(f"no device answers at {self.settings.line}")
        source.well(in_words(self.problems))
        if any(value is not None for value in values.values()):
            source.give(at, values)

    def _requests(self, points: tuple[Point, ...]) -> Iterator[Request]:
        line = self.settings.line
        yield from requests([p for p in points if p not in self.alone], line.most, line.gap)
        for point in points:
            if point in self.alone:
                yield from requests([point])

    def _take(self, client: _Client, request: Request) -> dict[str, Cell]:
        """The values of one request. Raises _NoAnswer."""
        try:
            words = self._ask(client, request)
        except _Refused as refused:
            if refused.code in NO_SUCH_PLACE and len(request.points) > 1:
                self.alone.update(request.points)
                found: dict[str, Cell] = {}
                for point in request.points:
                    for single in requests([point]):
                        found |= self._take(client, single)
                return found
            for point in request.points:
                self.problems[point.signal] = str(refused)
            return dict.fromkeys((point.signal for point in request.points), None)
        values: dict[str, Cell] = {}
        for point in request.points:
            try:
                values[point.signal] = point.value(request.of(point, words))
                self.problems.pop(point.signal, None)
            except ValueError as problem:
                values[point.signal] = None
                self.problems[point.signal] = str(problem)
        return values

    def _ask(self, client: _Client, request: Request) -> Sequence[int | bool]:
        from pymodbus import ModbusException
        from pymodbus.exceptions import ConnectionException

        read = {
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
        }[request.table]
        try:
            answer = read(request.address, count=request.count, device_id=request.slave)
        except (ConnectionException, OSError) as problem:
            raise SourceLost(f"the connection to {self.settings.line} ended") from problem
        except ModbusException as problem:
            raise _NoAnswer("does not answer") from problem
        if answer.isError():
            code = answer.exception_code
            if code in GATEWAY_SILENT:
                raise _NoAnswer(_WORDS[code])
            raise _Refused(code, _WORDS.get(code, f"the device refuses with code {code}"))
        words: Sequence[int | bool] = answer.bits if request.table in BIT_TABLES else answer.registers
        if len(words) < request.count:
            raise _Refused(0, "the device answered with less than was asked for")
        return words

    def _connect(self) -> _Client:
        from pymodbus import FramerType
        from pymodbus.client import ModbusSerialClient, ModbusTcpClient

        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what goes wrong is said in `problem`
        line = self.settings.line
        framer = FramerType(line.framing)
        if not line.serial:
            return ModbusTcpClient(
                line.host, port=line.port, framer=framer, timeout=line.timeout, retries=line.retries
            )  # fmt: skip
        return ModbusSerialClient(
            line.serial, framer=framer, baudrate=line.baud, parity=modbus_file.PARITIES[line.parity],
            stopbits=line.stop_bits, timeout=line.timeout, retries=line.retries,
        )  # fmt: skip
