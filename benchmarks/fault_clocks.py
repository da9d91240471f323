"""A wall clock that jumps, for one process: libfaketime, told by a file that it reads again and again."""

from collections.abc import Mapping
from pathlib import Path

from deploy.servers.launch import available
from plumbing.system_clock import SystemClock

HOUR_S, DAY_S = 3600, 86_400
AGAIN_S = 1
"""How long the library keeps what it read."""


class FalseClock:
    """The clock of the process that is started with `environ`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.jump(0)

    def jump(self, by_s: int) -> None:
        """Be so many seconds ahead of the true time, in a second at the latest; 0 = right."""
        new = self._path.with_suffix(".new")
        new.write_text(f"{by_s:+d}\n")
        new.replace(self._path)

    @property
    def environ(self) -> Mapping[str, str]:
        """Empty where there is no libfaketime."""
        library = available()["faketime"].path
        if library is None:
            return {}
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_CACHE_DURATION": str(AGAIN_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }


def jumps() -> dict[str, int]:
    """How clocks jump, by how many seconds."""
    to_1970 = -int(SystemClock().now().timestamp())
    return {"an hour on": HOUR_S, "an hour back": -HOUR_S, "a day on": DAY_S, "a day back": -DAY_S, "to 1970": to_1970}
