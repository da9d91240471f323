"""What happened in the simulated world, in one small file: from it every reading can be made again."""

import threading
from datetime import datetime
from pathlib import Path

import msgspec

from simulators.pumps import Event, Fleet, Kind, fleet


class Fact(msgspec.Struct, frozen=True):
    """One event in a machine's life."""

    pump: str
    at: datetime
    kind: str
    component: str = ""


class Wearing(msgspec.Struct, frozen=True):
    """A pump whose bearing began to wear in a later run."""

    index: int
    start: datetime


class World(msgspec.Struct):
    """The whole state of the simulated company."""

    seed: int
    live_from: datetime
    boot_ids: dict[str, str]
    facts: list[Fact] = []
    wearing: list[Wearing] = []
    runs: int = 0
    loaded: bool = False
    """Whether the past of all machines is in the store: a start that was cut short does it again."""
    outcomes: dict[str, str] = {}


class Facts:
    """The world on disk. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.world: World | None = msgspec.json.decode(path.read_bytes(), type=World) if path.exists() else None

    def begin(self, world: World) -> None:
        """Start a new world."""
        with self._lock:
            self.world = world
            self._save()

    def add(self, pump: str, at: datetime, kind: Kind, component: str = "") -> None:
        """Note an event; the same one twice is one."""
        fact = Fact(pump, at, str(kind), component)
        with self._lock:
            if fact not in self.there.facts:
                self.there.facts.append(fact)
                self._save()

    def wear(self, index: int, start: datetime) -> None:
        """Note that another pump begins to wear."""
        with self._lock:
            self.there.wearing.append(Wearing(index, start))
            self._save()

    def outcome(self, story: str, outcome: str) -> None:
        """Note how a story went; it keeps its first end."""
        with self._lock:
            if self.there.outcomes.get(story, "running") == "running":
                self.there.outcomes[story] = outcome
                self._save()

    def history_is_loaded(self) -> None:
        """Note that the past is in the store."""
        with self._lock:
            self.there.loaded = True
            self._save()

    def run_begins(self) -> int:
        """Count the runs of this world; returns how many there were before."""
        with self._lock:
            before = self.there.runs
            self.there.runs = before + 1
            self._save()
        return before

    @property
    def there(self) -> World:
        """The world, which has begun."""
        if self.world is None:
            raise RuntimeError("the world has not begun")
        return self.world

    def fleet(self) -> Fleet:
        """The machines as they are now."""
        there = self.there
        made = fleet(there.seed, there.live_from)
        for wearing in there.wearing:
            made = made.next_wearing(wearing.index, wearing.start)
        return made

    def events(self, pump: str) -> tuple[Event, ...]:
        """What has happened to one pump, in the order of time."""
        with self._lock:
            mine = [f for f in self.there.facts if f.pump == pump]
        return tuple(Event(f.at, Kind(f.kind), f.component) for f in sorted(mine, key=lambda f: f.at))

    def _save(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self.world))
        new.replace(self._path)
