"""The file of the Modbus driver: the line, and the place of every signal. Read strictly, before anything connects."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.adapters.driver_file import Section
from edge_agent.domain.registers import ADDRESSES, BIT_TABLES, KINDS, MOST_REGISTERS, ORDERS, TABLES, Point

PARITIES = {"none": "N", "even": "E", "odd": "O"}
FRAMINGS = ("socket", "rtu", "ascii")


@dataclass(frozen=True, slots=True)
class Line:
    """Where the devices are: a host, or a serial port."""

    host: str
    port: int
    serial: str
    baud: int
    parity: str
    stop_bits: int
    framing: str
    timeout: float
    retries: int
    most: int
    gap: int

    def __str__(self) -> str:
        return self.serial or f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class LinePlan:
    """A line, the signals by the interval at which they are read, and units that are not the asset model's."""

    line: Line
    rounds: Mapping[float, tuple[Point, ...]]
    units: Mapping[str, str]


def read(root: Section) -> LinePlan:
    """What the file says; faults go to the section."""
    line = _line(root.section("connection", needed=True))
    every = root.seconds("every", "between readings", 1.0)
    orders = {
        name: root.choice(name, ORDERS, "big")
        for name in ("byte_order", "word_order")
    }  # fmt: skip
    rounds: dict[float, list[Point]] = {}
    units: dict[str, str] = {}
    for name, section in root.signals():
        own, point = _point(name, section, every, orders, serial=bool(line.serial))
        rounds.setdefault(own, []).append(point)
        if unit := section.unit():
            units[name] = unit
        section.done()
    return LinePlan(line, {own: tuple(points) for own, points in sorted(rounds.items())}, units)


def _line(section: Section) -> Line:
    host = section.text("host", "name or address", "")
    serial = section.text("serial", "a port such as /dev/ttyUSB0", "")
    if bool(host) == bool(serial):
        section.fault("host", host or None, "give either host (TCP) or serial (a port such as /dev/ttyUSB0)")
    framing = section.choice("framing", FRAMINGS, "rtu" if serial else "socket")
    if serial and framing == "socket":
        section.fault("framing", framing, "must be rtu or ascii on a serial port")
    made = Line(
        host,
        section.whole("port", "TCP port", 1, 65_535, 502),
        serial,
        section.whole("baud", "bits a second", 300, 4_000_000, 19_200),
        section.choice("parity", tuple(PARITIES), "even" if serial else "none"),
        section.whole("stop_bits", "1 or 2", 1, 2, 1),
        framing,
        section.number("timeout", "seconds to wait for an answer", 1.0, 0.05, 10.0),
        section.whole("retries", "how often a read is tried again", 0, 5, 1),
        section.whole("most_registers", "most registers a request", 4, MOST_REGISTERS, MOST_REGISTERS),
        section.whole("gap", "most unwanted registers that are read to join two requests", 0, 100, 8),
    )
    section.done()
    return made


def _point(name: str, section: Section, every: float, orders: Mapping[str, str], serial: bool) -> tuple[float, Point]:
    """The interval and the place of one signal."""
    chosen = section.choice("table", TABLES, "holding")
    table = next(known for known in TABLES if known == chosen)
    bits = table in BIT_TABLES
    given = [
        field for field in ("type", "bit", "missing", "scale", "offset", "byte_order", "word_order") if field in section
    ]
    if bits and given:
        section.fault(given[0], table, "has no meaning in a table of bits")
    kind = section.choice("type", tuple(KINDS), "int16")
    bit = section.whole("bit", "number of a bit, 0 counts least", 0, 63) if "bit" in section else None
    point = Point(
        name,
        section.whole("slave", "the device's number on the line", *((1, 247) if serial else (0, 255)), default=1),
        table,
        section.whole("address", "as in the request: the first is 0", 0, ADDRESSES - 1),
        kind,
        section.choice("byte_order", ORDERS, orders["byte_order"]),
        section.choice("word_order", ORDERS, orders["word_order"]),
        bit,
        section.wholes("missing", "raw numbers that mean: no reading"),
        section.scaling(),
    )
    if bit is not None and (kind.startswith("float") or bit >= 16 * point.width):
        section.fault("bit", bit, f"a {kind} has no such bit")
    if point.address + point.width > ADDRESSES:
        section.fault("address", point.address, f"a {kind} does not end before 65536")
    return section.seconds("every", "between readings", every), point
