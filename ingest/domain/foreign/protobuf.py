"""Protocol buffers on the wire: as much as reading a Sparkplug payload and writing a command takes."""

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_MASK = (1 << 64) - 1


class BadWire(ValueError):
    """Bytes that are no protocol buffer message."""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for at_byte in range(at, min(at + _LONGEST_VARINT, len(data))):
        byte = data[at_byte]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & _MASK, at_byte + 1
        shift += 7
    raise BadWire("a number that does not end")


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(field number, wire type, value) one after another: an unsigned integer, or the bytes. Raises BadWire."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0 or number >= 1 << 29:
            raise BadWire("a field of no number")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind == FIXED64:
            size = 8
        elif kind == FIXED32:
            size = 4
        else:
            raise BadWire("a field of no kind that is in use")
        if size > end - at:
            raise BadWire("a field that ends after its message")
        yield number, kind, data[at : at + size]
        at += size


def write_varint(value: int) -> bytes:
    """An unsigned integer."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (128 if value else 0))
        if not value:
            return bytes(out)


def write_int(number: int, value: int) -> bytes:
    """A field that holds an integer; a negative one in two's complement of 64 bits."""
    return write_varint(number << 3 | VARINT) + write_varint(value & _MASK)


def write_bytes(number: int, value: bytes) -> bytes:
    """A field that holds bytes, text or a message."""
    return write_varint(number << 3 | BYTES) + write_varint(len(value)) + value


def write_double(number: int, value: float) -> bytes:
    """A field that holds a double."""
    return write_varint(number << 3 | FIXED64) + struct.pack("<d", value)


def write_float(number: int, value: float) -> bytes:
    """A field that holds a float."""
    return write_varint(number << 3 | FIXED32) + struct.pack("<f", value)
