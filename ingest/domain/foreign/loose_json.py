"""JSON as foreign devices send it: NaN, Infinity and endless integers are read, acceptance names them `not_finite`."""

import json
import math
from typing import Any

import msgspec

_DIGITS = 400
"""More digits than any double has; Python refuses to read more than 4,300."""


class BadJson(ValueError):
    """Bytes that are no JSON."""


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


_lenient = json.JSONDecoder(parse_int=_integer)


def read_json(body: bytes) -> Any:
    """What the bytes say. Raises BadJson."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        return _lenient.decode(body.decode())
    except (ValueError, RecursionError) as problem:
        raise BadJson("no JSON") from problem
