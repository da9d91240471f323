"""Reads the rows of an outbox file page by page, whatever else of the file is damaged.

A leaf page of a table is understood by itself (SQLite's file format, section 1.6): which rows it holds does not depend
on the header, the schema or the pages above it. Each row of samples and each book carries a checksum, so what is
taken is what was written. Pages of the write-ahead log count as far as its own checksums reach.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PAGE = 4096
Column = int | bytes | str | None
Record = tuple[int, list[Column]]
"""Row id and columns."""
_LEAF = 0x0D
_WAL_HEADER, _FRAME_HEADER = 32, 24
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_MOST_COLUMNS = 8
_INLINE = PAGE - 35
_LEAST = (PAGE - 12) * 32 // 255 - 23


def checksum(seq: int, aged: int, body: bytes, units: bytes | None) -> int:
    """What a row of samples carries besides."""
    return zlib.crc32(units or b"", zlib.crc32(body, zlib.crc32(b"%d %d " % (seq, aged))))


@dataclass(frozen=True, slots=True)
class _Unreadable(Exception):
    """A cell or page that makes no sense."""


def records(path: Path) -> Iterator[Record]:
    """Every record of every leaf page, of the main file and of its write-ahead log; some more than once or outdated."""
    log = path.with_name(path.name + "-wal")
    with _reading(path) as main, _reading(log) as wal:
        frames = dict(_frames(wal))
        newest = {number: at for at, number in frames.items()}
        source = _Pages(main, wal, newest)
        for at in frames:
            yield from _of_page(source.at_frame(at), source)
        main.seek(0, 2)
        for number in range(1, main.tell() // PAGE + 1):
            yield from _of_page(source.of_main(number), source)


def _reading(path: Path) -> BinaryIO:
    return path.open("rb") if path.exists() else Path("/dev/null").open("rb")


class _Pages:
    def __init__(self, main: BinaryIO, wal: BinaryIO, newest: dict[int, int]) -> None:
        self._main, self._wal, self._newest = main, wal, newest

    def of_main(self, number: int) -> bytes:
        self._main.seek((number - 1) * PAGE)
        try:
            return self._main.read(PAGE)
        except OSError:  # the disk does not give it
            return b""

    def at_frame(self, at: int) -> bytes:
        self._wal.seek(at)
        return self._wal.read(PAGE)

    def page(self, number: int) -> bytes:
        at = self._newest.get(number)
        return self.of_main(number) if at is None else self.at_frame(at)


def _frames(wal: BinaryIO) -> Iterator[tuple[int, int]]:
    """Where the pages of committed frames begin, and their page numbers."""
    header = wal.read(_WAL_HEADER)
    if len(header) < _WAL_HEADER:
        return
    magic, _, page = struct.unpack(">3I", header[:12])
    order = {0x377F0682: "<", 0x377F0683: ">"}.get(magic)
    sums = _wal_sums(header[:24], (0, 0), order) if order else None
    if order is None or page != PAGE or sums != struct.unpack(">2I", header[24:32]):
        return
    waiting: list[tuple[int, int]] = []
    at = _WAL_HEADER
    while len(frame := wal.read(_FRAME_HEADER + PAGE)) == _FRAME_HEADER + PAGE:
        number, size = struct.unpack(">2I", frame[:8])
        sums = _wal_sums(frame[:8] + frame[_FRAME_HEADER:], sums, order)
        if frame[8:16] != header[16:24] or sums != struct.unpack(">2I", frame[16:24]):
            return
        waiting.append((at + _FRAME_HEADER, number))
        at += _FRAME_HEADER + PAGE
        if size:  # the last frame of a transaction
            yield from waiting
            waiting = []


def _wal_sums(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    a, b = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for x, y in zip(words[::2], words[1::2], strict=True):
        a = (a + x + b) & 0xFFFFFFFF
        b = (b + y + a) & 0xFFFFFFFF
    return a, b


def _of_page(page: bytes, source: _Pages) -> Iterator[Record]:
    start = 0 if page[:1] == bytes([_LEAF]) else 100  # the first page begins behind the file's header
    if len(page) < PAGE or page[start] != _LEAF:
        return
    (cells,) = struct.unpack_from(">H", page, start + 3)
    first = start + 8
    for i in range(min(cells, (PAGE - first) // 2)):
        (at,) = struct.unpack_from(">H", page, first + 2 * i)
        try:
            yield _cell(page, at, source)
        except (_Unreadable, IndexError, struct.error, UnicodeDecodeError):
            continue


def _cell(page: bytes, at: int, source: _Pages) -> Record:
    size, at = _varint(page, at)
    row, at = _varint(page, at)
    if not 0 < size < 1 << 24 or row >> 63:
        raise _Unreadable
    if size <= _INLINE:
        payload = page[at : at + size]
    else:
        local = _LEAST + (size - _LEAST) % (PAGE - 4)
        local = local if local <= _INLINE else _LEAST
        payload = page[at : at + local]
        (following,) = struct.unpack_from(">I", page, at + local)
        while len(payload) < size:
            overflow = source.page(following) if following else b""
            if len(overflow) < PAGE:
                raise _Unreadable
            (following,) = struct.unpack_from(">I", overflow)
            payload += overflow[4 : 4 + size - len(payload)]
    if len(payload) < size:
        raise _Unreadable
    return row, _columns(payload)


def _columns(payload: bytes) -> list[Column]:
    end, at = _varint(payload, 0)
    out: list[Column] = []
    value = end
    while at < end:
        kind, at = _varint(payload, at)
        if len(out) == _MOST_COLUMNS or kind in (7, 10, 11):  # none of our columns is a float
            raise _Unreadable
        size = _INTEGERS[kind] if kind in _INTEGERS else 0 if kind < 12 else (kind - 12) // 2
        raw = payload[value : value + size]
        if len(raw) < size:
            raise _Unreadable
        if kind == 0:
            out.append(None)
        elif kind < 10:
            out.append(int.from_bytes(raw, "big", signed=True) if size else kind - 8)
        else:
            out.append(raw.decode() if kind % 2 else raw)
        value += size
    return out


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i in range(8):
        byte = data[at + i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + i + 1
    return value << 8 | data[at + 8], at + 9
