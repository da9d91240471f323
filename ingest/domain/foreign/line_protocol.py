r"""Influx line protocol: `measurement,tag=value field=1.5,other=3i 1795341600000000000`, a line a point.

Written after the description of InfluxDB 2: a backslash in front of a comma, an equals sign or a space makes it part of
a name; a text stands in quotation marks, in which a backslash goes before a quotation mark or another backslash.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ingest.domain.foreign.decoder import LONGEST_VALUE, Scalar

LONGEST_LINE = 64_000
MOST_PARTS = 1_000
_INTEGER = re.compile(r"[+-]?\d{1,40}[iu]")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,5})?")
_TIME = re.compile(r"-?\d{1,19}")
_TRUTHS = {**dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
           **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False)}  # fmt: skip
_ESCAPED = re.compile(r"\\([,= ])")
_QUOTED = re.compile(r'\\(["\\])')


class BadLine(ValueError):
    """No line of the protocol."""


@dataclass(frozen=True, slots=True)
class Point:
    """One line. `fields` holds what cannot be read as the text that was sent; `time` is as sent, None = none."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Scalar]
    time: int | None


def read_lines(text: str) -> Iterator[Point | str]:
    """The points of a text, and lines that are none as they are; comments and empty lines are passed over."""
    for line in _lines(text):
        told = line.strip()
        if not told or told.startswith("#"):
            continue
        try:
            yield read_line(told)
        except BadLine:
            yield told[:LONGEST_VALUE]


def read_line(line: str) -> Point:
    """One line. Raises BadLine."""
    if len(line) > LONGEST_LINE:
        raise BadLine
    parts = _split(line, " ", 3)
    if not 2 <= len(parts) <= 3:
        raise BadLine
    measurement, *tags = _split(parts[0], ",", MOST_PARTS)
    time = None
    if len(parts) == 3:
        if not _TIME.fullmatch(parts[2]):
            raise BadLine
        time = int(parts[2])
    fields = dict(_pair(field) for field in _split(parts[1], ",", MOST_PARTS))
    name = _ESCAPED.sub(r"\1", measurement)
    if not name:
        raise BadLine
    told = {key: _ESCAPED.sub(r"\1", value) for key, value in map(_pair, tags)}
    return Point(name, told, {key: _value(value) for key, value in fields.items()}, time)


def _pair(text: str) -> tuple[str, str]:
    parts = _split(text, "=", 2)
    if len(parts) != 2 or not parts[0] or not parts[1]:
        raise BadLine
    return _ESCAPED.sub(r"\1", parts[0]), parts[1]


def _value(text: str) -> Scalar:
    if text[0] == '"':
        return _QUOTED.sub(r"\1", text[1:-1] if len(text) > 1 and text[-1] == '"' else text[1:])[:LONGEST_VALUE]
    if text in _TRUTHS:
        return _TRUTHS[text]
    if _INTEGER.fullmatch(text):
        return int(text[:-1])
    if len(text) < 400 and _FLOAT.fullmatch(text):
        return float(text)
    return text[:LONGEST_VALUE]


def _lines(text: str) -> Iterator[str]:
    """Cut at line ends that stand outside of quotation marks."""
    if '"' not in text:
        yield from text.split("\n")
        return
    held = ""
    for piece in text.split("\n"):
        held = piece if not held else f"{held}\n{piece}"
        if not _open(held) or len(held) > LONGEST_LINE:
            yield held
            held = ""
    if held:
        yield held


def _open(text: str) -> bool:
    """Whether a quotation mark waits for its end; one only counts where a field's value begins."""
    inside, i = False, 0
    while i < len(text):
        c = text[i]
        if c == "\\":
            i += 1
        elif c == '"' and (inside or (i and text[i - 1] == "=")):
            inside = not inside
        i += 1
    return inside


def _split(text: str, at: str, most: int) -> list[str]:
    """Cut at a sign that no backslash precedes and that stands in no quoted text. Raises BadLine beyond `most`."""
    if "\\" not in text and '"' not in text:
        parts = text.split(at) if at != " " else [part for part in text.split(at) if part]
        if len(parts) > most:
            raise BadLine
        return parts
    out: list[str] = []
    begin, i, inside = 0, 0, False
    while i < len(text):
        c = text[i]
        if c == "\\":
            i += 1
        elif c == '"' and (inside or (i and text[i - 1] == "=")):
            inside = not inside
        elif c == at and not inside and not (at == "=" and out):
            if at != " " or i > begin:
                out.append(text[begin:i])
                if len(out) >= most:
                    raise BadLine
            begin = i + 1
        i += 1
    out.append(text[begin:])
    return out
