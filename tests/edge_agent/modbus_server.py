"""pymodbus's own servers, over TCP and over a pair of pseudo terminals, with registers that a test sets."""

import asyncio
import os
import select
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

_Result = TypeVar("_Result")
SIZE = 2000


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, what: Coroutine[Any, Any, _Result]) -> _Result:
        """Run it there and wait for it."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(20)

    def end(self) -> None:
        """End the loop and its thread."""
        if self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class ModbusServer:
    """Slaves 1 and 2 with all four tables, addresses 0 to 1999; `silent` slaves do not answer, `holes` do not exist."""

    def __init__(self, serial: str = "") -> None:
        self.serial, self.port = serial, 0 if serial else free_port()
        self.holding: dict[tuple[int, int], int] = {}
        self.input: dict[tuple[int, int], int] = {}
        self.silent: set[int] = set()
        self.busy: set[int] = set()
        self.holes: set[int] = set()
        self.asked: list[tuple[int, int, int, int]] = []
        """Slave, function code, address, count of every request."""
        self._thread = LoopThread()
        self._server: ModbusTcpServer | ModbusSerialServer | None = None

    def start(self) -> None:
        self._thread.do(self._start())

    def stop(self) -> None:
        if self._server is not None:
            self._thread.do(self._stop())

    def end(self) -> None:
        self.stop()
        self._thread.end()

    async def _start(self) -> None:
        devices = [self._device(number) for number in (1, 2)]
        if self.serial:
            self._server = ModbusSerialServer(
                devices, framer=FramerType.RTU, port=self.serial, baudrate=19_200, trace_packet=self._packet
            )
        else:
            self._server = ModbusTcpServer(devices, address=("127.0.0.1", self.port), trace_packet=self._packet)
        await self._server.serve_forever(background=True)

    async def _stop(self) -> None:
        if self._server is not None:
            shutdown: Any = self._server.shutdown
            await shutdown()
            self._server = None

    def _device(self, number: int) -> SimDevice:
        async def action(code: int, start: int, address: int, count: int, registers: list[int], values: object) -> Any:
            from pymodbus.constants import ExcCodes

            self.asked.append((number, code, address, count))
            if self.holes & set(range(address, address + count)):
                return ExcCodes.ILLEGAL_ADDRESS
            if number in self.busy:
                return ExcCodes.DEVICE_BUSY
            for (slave, place), value in (self.holding if code == 3 else self.input).items():
                if slave == number and code in (3, 4):
                    registers[place - start] = value
            return None

        bits = [SimData(0, values=[i % 3 == 0 for i in range(SIZE)], datatype=DataType.BITS)]
        words = [SimData(0, count=SIZE, values=0, datatype=DataType.REGISTERS)]
        return SimDevice(number, simdata=(bits, bits, words, words), action=action)

    def _packet(self, sending: bool, data: bytes) -> bytes:
        slave = data[0] if self.serial else data[6] if len(data) > 6 else -1
        return b"" if sending and slave in self.silent else data


class PtyPair:
    """Two serial ports that hear each other: what the other end of an RS-485 line is on a real machine."""

    def __init__(self) -> None:
        self._masters, slaves = zip(*(os.openpty() for _ in range(2)), strict=True)
        self._slaves = slaves
        self.near, self.far = (os.ttyname(fd) for fd in slaves)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        a, b = self._masters
        while not self._stop.is_set():
            for fd in select.select([a, b], [], [], 0.05)[0]:
                os.write(b if fd == a else a, os.read(fd, 4096))

    def end(self) -> None:
        self._stop.set()
        self._thread.join(5)
        for fd in (*self._masters, *self._slaves):
            os.close(fd)
