"""Which signal a foreign name means.

The device's own table comes first: `{"Motor/Bearing 1/Temp": "bearing_temp"}`; the empty signal means that the name is
left out on purpose, and `{"*": ""}` that all are left out which the table does not name. Else a name that can be a
signal is one; in any other, `/` becomes `.`, what no name can hold becomes `_`, and what cannot begin a name is cut.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from contracts.names import is_name

ALL_OTHERS = "*"
NAMELESS = "(no name)"
_IMPOSSIBLE = re.compile(r"[^A-Za-z0-9_.-]")
_NO_BEGINNING = re.compile(r"^[^A-Za-z0-9]+")


@lru_cache(maxsize=20_000)
def as_name(foreign: str) -> str:
    """The name that the rule makes of a foreign one; the foreign one itself where the rule makes none."""
    if is_name(foreign):
        return foreign
    made = _NO_BEGINNING.sub("", _IMPOSSIBLE.sub("_", foreign.replace("/", ".")))
    return made if is_name(made) else foreign


def signal_of(foreign: str, table: Mapping[str, str] | None) -> str:
    """The signal that a foreign name means; "" = left out on purpose."""
    if table:
        found = table.get(foreign)
        if found is not None:
            return found
        if table.get(ALL_OTHERS) == "":
            return ""
    return as_name(foreign) or NAMELESS
