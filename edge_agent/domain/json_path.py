"""Where a value stands in a JSON document: `data.list[0].value`, or `$.data.list[0].value`."""

import re
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,6})\]|\[\"([^\"]+)\"\]|\['([^']+)'\]")


class BadPath(Exception):
    """The text is no path."""


@dataclass(frozen=True, slots=True)
class Path:
    """Keys and indices, from the outside in; none = the whole document."""

    steps: tuple[str | int, ...] = ()

    def of(self, document: Any, absent: object) -> Any:
        """What stands there; `absent` when nothing does."""
        for step in self.steps:
            fits = (isinstance(step, str) and isinstance(document, dict) and step in document) or (
                isinstance(step, int) and isinstance(document, list) and step < len(document)
            )
            if not fits:
                return absent
            document = document[step]
        return document


def parse_path(text: str) -> Path:
    """The path of a text. Raises BadPath."""
    rest = text.removeprefix("$")
    steps: list[str | int] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None or (at == 0 and rest[0] == "." and text == rest):
            raise BadPath("is no path such as data.list[0].value")
        key, index, *quoted = found.groups()
        steps.append(int(index) if index is not None else key or quoted[0] or quoted[1])
        at = found.end()
    return Path(tuple(steps))
