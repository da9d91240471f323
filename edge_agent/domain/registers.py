"""Modbus registers: what is read where, how requests are joined, and what the words mean. Pure.

Limits are those of the MODBUS Application Protocol Specification V1.1b3: 125 registers or 2,000 bits a request,
addresses 0 to 65535.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from edge_agent.domain.driving import Cell, Scaling

Table = Literal["holding", "input", "coil", "discrete"]
TABLES: tuple[Table, ...] = ("holding", "input", "coil", "discrete")
BIT_TABLES = ("coil", "discrete")
MOST_REGISTERS = 125
MOST_BITS = 2000
ADDRESSES = 65_536
KINDS = {
    "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q", "float32": "f",
    "float64": "d",
}  # fmt: skip
"""Types of values in registers, with the code of `struct`."""
ORDERS = ("big", "little")


@dataclass(frozen=True, slots=True)
class Point:
    """One signal's place.

    Parameters
    ----------
    kind
        One of KINDS; of no meaning in tables of bits.
    byte_order, word_order
        `big`: the byte, or the register, that counts most comes first.
    bit
        Only this bit of the value (0 counts least); None = the whole value.
    missing
        Raw numbers by which the device says that it has no reading.
    """

    signal: str
    slave: int
    table: Table
    address: int
    kind: str = "int16"
    byte_order: str = "big"
    word_order: str = "big"
    bit: int | None = None
    missing: tuple[int, ...] = ()
    scaling: Scaling = field(default_factory=Scaling)

    @property
    def width(self) -> int:
        """Registers, or bits, that it takes."""
        return 1 if self.table in BIT_TABLES else struct.calcsize(KINDS[self.kind]) // 2

    def value(self, words: Sequence[int | bool]) -> Cell:
        """What its registers, or its bit, say. Raises ValueError for what is no finite number."""
        if self.table in BIT_TABLES:
            return bool(words[0])
        ordered = words if self.word_order == "big" else list(reversed(words))
        body = b"".join(int(word).to_bytes(2, "big" if self.byte_order == "big" else "little") for word in ordered)
        raw: int | float = struct.unpack(f">{KINDS[self.kind]}", body)[0]
        if raw in self.missing:
            return None
        if self.bit is not None:
            return bool(int(raw) >> self.bit & 1)
        return self.scaling.of(raw)


@dataclass(frozen=True, slots=True)
class Request:
    """One read: `count` registers or bits of one table of one slave, and the points within."""

    slave: int
    table: Table
    address: int
    count: int
    points: tuple[Point, ...]

    def of(self, point: Point, words: Sequence[int | bool]) -> Sequence[int | bool]:
        """The part of the answer that is the point's."""
        start = point.address - self.address
        return words[start : start + point.width]


def requests(points: Sequence[Point], most: int = MOST_REGISTERS, gap: int = 0) -> list[Request]:
    """The reads that bring all points.

    Parameters
    ----------
    points
        What is wanted.
    most
        Most registers a request; bits are bound by MOST_BITS alone.
    gap
        Most registers or bits that are read for nothing to join two points.
    """
    made: list[Request] = []
    run: list[Point] = []

    def close() -> None:
        if run:
            end = max(p.address + p.width for p in run)
            first = run[0]
            made.append(Request(first.slave, first.table, first.address, end - first.address, tuple(run)))
            run.clear()

    for point in sorted(points, key=lambda p: (p.slave, p.table, p.address, p.width)):
        if run:
            end = max(p.address + p.width for p in run)
            limit = MOST_BITS if point.table in BIT_TABLES else most
            same = (point.slave, point.table) == (run[0].slave, run[0].table)
            fits = max(end, point.address + point.width) - run[0].address <= limit
            if not (same and point.address - end <= gap and fits):
                close()
        run.append(point)
    close()
    return made
